# The front door: every command that CI or a newcomer runs is a target here, and `make` lists them.
# Needed on the machine: a Rust toolchain, Python 3 with pip, a C linker, and Go for `make test`; the rest is fetched.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
# Cargo uses all the cores itself, and its runs share one lock: side by side they would only wait.
.NOTPARALLEL:
# Cargo would take make's job server, of which recipes do not hand down the pipe, for its own.
unexport MAKEFLAGS MFLAGS

target := $(or $(CARGO_TARGET_DIR),target)
wasm := $(target)/kthena_wasm_filter.wasm
# CI builds what is committed, once: no lock file grown on the way, no incremental state to write.
ifdef CI
locked := --locked
export CARGO_INCREMENTAL = 0
endif

# Lays the filter beside the binaries, where they look for it by default; atomically, as they may be running.
beside = cp $(wasm) $(target)/$(1)/.kthena_wasm_filter.new && mv $(target)/$(1)/.kthena_wasm_filter.new $(target)/$(1)/$(notdir $(wasm))

.PHONY: help build wasm envoy chromium clients promtool demo test quality chaos e2e-vllm boards boards-current boards-pictures alerts check alone \
  debug fuzz bless bench bench-quick \
  bench-decision clean tools-present

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: tools-present wasm ## Build the release binaries and the filter into target/release
	@echo "==> $@: kthena, kthena-router and kthena-simulator, optimised"
	@cargo build $(locked) --release -p kthena -p kthena-router -p kthena-simulator
	@$(call beside,release)

wasm: tools-present ## Build the filter that runs inside Envoy (WebAssembly)
	@echo "==> $@: the filter for wasm32-wasip1"
	@tools/wasm-cargo build

envoy: tools-present ## Fetch the Envoy that we are built against, and print its path
	@echo "==> $@: the pinned Envoy, fetched once a machine"
	@tools/envoy

chromium: tools-present ## Fetch the headless Chromium that the debug page is tested in, and print its path
	@echo "==> $@: the pinned Chromium, fetched once a machine"
	@tools/chromium

clients: tools-present ## Fetch OpenAI's and Anthropic's client libraries that the product is tested with, and print their Python
	@echo "==> $@: the pinned libraries, fetched once a machine"
	@tools/clients

promtool: tools-present ## Build the promtool that the alerts are tested with (needs Go), and print its path
	@echo "==> $@: the pinned promtool, built once a machine"
	@tools/promtool

demo: build envoy ## Build everything, serve real requests on this machine and say where each went
	@echo "==> $@: real requests through Envoy to simulated engines"
	@KTHENA_ENVOY="$$(tools/envoy)"; export KTHENA_ENVOY; tools/demo

test: envoy chromium clients promtool wasm boards-current alerts check alone debug ## Everything that CI asks: check, then unit, golden and process tests
	@echo "==> $@: unit, golden and process tests"
	@KTHENA_ENVOY="$$(tools/envoy)"; export KTHENA_ENVOY; cargo test $(locked) --workspace

quality: tools-present ## Routing policies side by side on simulated engines; writes the tables of docs/routing.md
	@echo "==> $@: a simulated fleet in virtual time"
	@cargo run $(locked) --release -p kthena-quality

chaos: envoy build ## Break everything under load and count what is lost; writes the table of docs/reliability.md (a quarter of an hour)
	@echo "==> $@: one thing a line breaks under load (CHAOS='--quick', '--only NAME', '--minutes N')"
	@KTHENA_ENVOY="$$(tools/envoy)"; export KTHENA_ENVOY; cargo run $(locked) --release -p kthena-e2e --bin kthena-chaos -- $(CHAOS)

e2e-vllm: envoy debug ## Hold a real vLLM against what we think of it, alone and behind Envoy (6 GB, a minute to start)
	@echo "==> $@: the conformance suite on a real vLLM, on this machine's CPU"
	@tools/vllm >/dev/null
	@KTHENA_ENVOY="$$(tools/envoy)"; export KTHENA_ENVOY; cargo test $(locked) -p kthena-e2e --test vllm

boards: tools-present ## Write Grafana's boards (charts/dashboards/*.json) from their sources
	@echo "==> $@: charts/dashboards"
	@tools/boards

boards-current: tools-present
	@echo "==> $@: whether Grafana's boards are what their sources say"
	@tools/boards --check

boards-pictures: envoy debug ## Draw the boards with real data into docs/img (five minutes, and some more to build Prometheus)
	@echo "==> $@: a real Prometheus, kthena up --simulate under load"
	@tools/promtool prometheus >/dev/null
	@tools/boards-pictures

alerts: promtool ## Check the alert and recording rules, and run their tests
	@echo "==> $@: charts/alerts"
	@promtool="$$(tools/promtool)"; "$$promtool" check rules --lint=all --lint-fatal charts/alerts/kthena.rules.yaml; \
	"$$promtool" test rules charts/alerts/kthena.rules.test.yaml

check: tools-present ## Formatting, and clippy without a warning, native and wasm32
	@echo "==> $@: formatting"
	@cargo fmt --all --check
	@echo "==> $@: clippy, native"
	@cargo clippy $(locked) --workspace --all-targets -- -D warnings
	@cargo clippy $(locked) -p kthena-e2e --test vllm -- -D warnings
	@echo "==> $@: clippy, wasm32-wasip1"
	@tools/wasm-cargo clippy

# Together, one crate would compile thanks to features that only another asked for. For wasm32,
# `check` already takes core and the filter one at a time.
alone: tools-present
	@echo "==> $@: core, crds and simulator, each by itself"
	@for crate in kthena-core kthena-crds kthena-simulator; do cargo check $(locked) -p $$crate; done

# What the process tests start: they drive the binaries that users run.
debug: tools-present wasm
	@echo "==> $@: the binaries that the process tests start"
	@cargo build $(locked) -p kthena -p kthena-router -p kthena-simulator
	@$(call beside,debug)

fuzz: tools-present ## Fuzz the parsers (see tools/fuzz for its options)
	@echo "==> $@: the parsers"
	@tools/fuzz

bless: tools-present ## Rewrite golden and generated files from what the code says now; review the diff
	@echo "==> $@: golden and generated files"
	@UPDATE_GOLDEN=1 cargo test -p kthena-crds -p kthena-envoy -p kthena-ext-proc

bench: envoy build ## Measure the data plane beside a plain Envoy; writes the table of docs/performance.md (half an hour, on a quiet machine)
	@echo "==> $@: processor time, latency, memory, starts and edits (BENCH='--only NAME', '--quick')"
	@tools/oha >/dev/null
	@KTHENA_ENVOY="$$(tools/envoy)"; export KTHENA_ENVOY; cargo run $(locked) --release -p kthena-e2e --bin kthena-bench -- $(BENCH)

bench-quick: envoy build ## The same in a few minutes, with short samples; prints, and writes nothing
	@echo "==> $@: short samples (BENCH='--only NAME')"
	@tools/oha >/dev/null
	@KTHENA_ENVOY="$$(tools/envoy)"; export KTHENA_ENVOY; cargo run $(locked) --release -p kthena-e2e --bin kthena-bench -- --quick $(BENCH)

bench-decision: tools-present ## Count the instructions of a decision's parts (needs valgrind)
	@echo "==> $@: instructions, by callgrind"
	@tools/instructions

clean: ## Remove what was built here (the cached Envoy stays)
	@echo "==> $@: $(target)"
	@cargo clean

tools-present:
	@need() { command -v "$$1" >/dev/null || { echo "make: $$1 is missing: $$2" >&2; exit 1; }; }; \
	need cargo 'install a Rust toolchain with rustup'; \
	need cc 'Rust links with it (Debian: apt-get install gcc libc6-dev)'; \
	need python3 'Envoy comes from PyPI (Debian: apt-get install python3 python3-pip)'; \
	need flock 'the set-up scripts lock with it (Debian: apt-get install util-linux)'; \
	cargo fmt --version >/dev/null && cargo clippy --version >/dev/null || \
	{ echo 'make: rustfmt or clippy is missing: rustup component add rustfmt clippy' >&2; exit 1; }
