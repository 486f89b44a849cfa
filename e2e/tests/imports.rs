//! Who may import whom, kept as a test because a review forgets and a build does not.
//!
//! The rooms' direction keeps the decisions in core, where they can be tested without a cluster, and
//! keeps an async runtime or a Kubernetes client from slipping into what must run inside Envoy.
//!
//! Direct imports are read from `cargo metadata`. What a crate *reaches* is read from `cargo tree`,
//! one crate at a time: the graph of `cargo metadata` unites the features of the whole workspace, so
//! it would blame kthena-crds for a Kubernetes client that only the controllers switch on.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// What one crate of the workspace may import.
struct Room {
    package: &'static str,
    /// Crates of ours that it may import directly, dev-dependencies aside.
    imports: &'static [&'static str],
    /// Crates that must not be among its dependencies at any depth, for none of `targets`.
    never: &'static [&'static str],
    /// Target triples to look at besides the host's.
    targets: &'static [&'static str],
    /// Named by the design, perhaps not there yet.
    planned: bool,
}

const ROOM: Room = Room { package: "", imports: &[], never: &[], targets: &[], planned: false };

const WASM: &str = "wasm32-wasip1";
const E2E: &str = "kthena-e2e";

const ROOMS: &[Room] = &[
    Room {
        package: "kthena-core",
        never: &["tokio", "kube", "kube-core", "proxy-wasm", "tonic", "hyper"],
        targets: &[WASM],
        ..ROOM
    },
    Room { package: "kthena-crds", never: &["tokio", "kube-client", "proxy-wasm"], ..ROOM },
    Room { package: "kthena-simulator", ..ROOM },
    Room {
        package: "kthena-wasm-filter",
        imports: &["kthena-core"],
        never: &["tokio", "kube-core", "tonic", "hyper"],
        targets: &[WASM],
        ..ROOM
    },
    Room { package: "kthena-envoy", imports: &["kthena-core", "kthena-crds"], ..ROOM },
    Room { package: "kthena-ext-proc", imports: &["kthena-core", "kthena-crds"], never: &["kube-client"], ..ROOM },
    Room { package: "kthena-kube", imports: &["kthena-core", "kthena-crds"], planned: true, ..ROOM },
    Room {
        package: "kthena-router",
        imports: &["kthena-core", "kthena-crds", "kthena-envoy", "kthena-ext-proc", "kthena-kube"],
        ..ROOM
    },
    Room {
        package: "kthena-controllers",
        imports: &["kthena-core", "kthena-crds", "kthena-kube"],
        planned: true,
        ..ROOM
    },
    Room { package: "kthena-runtime", imports: &["kthena-core"], planned: true, ..ROOM },
    Room { package: "kthena", imports: &["kthena-router", "kthena-crds", "kthena-simulator"], ..ROOM },
    // A part of e2e that the fuzzer builds: what it feeds, and no more.
    Room { package: "kthena-fuzz", imports: &["kthena-core", "kthena-ext-proc"], ..ROOM },
    // A part of e2e without a network: the picks of core on the simulator's engines.
    Room { package: "kthena-quality", imports: &["kthena-core", "kthena-simulator"], ..ROOM },
];

#[test]
fn rooms_import_each_other_in_one_direction() {
    let metadata = metadata();
    let ours = names(&metadata);
    let mut wrong = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(room) = room(&package.name) else {
            continue;
        };
        for import in imports(package, &ours) {
            if !room.imports.contains(&import) {
                wrong.push(format!(
                    "{} -> {import}: {} may import {:?} of ours",
                    package.name, package.name, room.imports
                ));
            }
        }
    }
    assert_none("imports against the direction", &wrong);
}

#[test]
fn nothing_imports_the_end_to_end_tests() {
    let wrong: Vec<String> = metadata()
        .workspace_packages()
        .iter()
        .filter(|package| package.dependencies.iter().any(|found| found.name == E2E))
        .map(|package| format!("{} -> {E2E}, if only as a dev-dependency", package.name))
        .collect();
    assert_none("imports of the end-to-end tests", &wrong);
}

#[test]
fn no_room_reaches_what_is_forbidden_to_it() {
    let metadata = metadata();
    let ours = names(&metadata);
    let mut wrong = Vec::new();
    for room in ROOMS {
        if room.never.is_empty() || !ours.contains(room.package) {
            continue;
        }
        for target in std::iter::once(None).chain(room.targets.iter().copied().map(Some)) {
            let tree = tree(room.package, target);
            wrong.extend(ways_to(room.never, &tree));
        }
    }
    assert_none("forbidden crates reached", &wrong);
}

#[test]
fn every_crate_has_a_rule_and_every_rule_a_crate() {
    let metadata = metadata();
    let ours = names(&metadata);
    let mut wrong = Vec::new();
    for name in &ours {
        if *name != E2E && room(name).is_none() {
            wrong.push(format!("{name} has no rule: say here what it may import"));
        }
    }
    for room in ROOMS {
        if !room.planned && !ours.contains(room.package) {
            wrong.push(format!("the rule for {} matches no crate", room.package));
        }
        for import in room.imports {
            if self::room(import).is_none() {
                wrong.push(format!("the rule for {} names {import}, which has none itself", room.package));
            }
        }
    }
    assert_none("rules and crates that do not match", &wrong);
}

#[test]
fn the_way_to_a_forbidden_crate_is_named() {
    let tree = "0a v0.1.0 (/somewhere/a)\n1b v1.0.0\n2c v1.0.0\n1d v1.0.0\n2tokio v1.2.3\n3c v1.0.0 (*)\n";
    assert_eq!(ways_to(&["tokio"], tree), ["a -> d -> tokio"]);
    assert_eq!(ways_to(&["c", "kube"], tree), ["a -> b -> c", "a -> d -> tokio -> c"]);
    assert_eq!(ways_to(&["toki", "a"], tree), Vec::<String>::new());
}

fn room(package: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.package == package)
}

fn names(metadata: &Metadata) -> BTreeSet<&str> {
    metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect()
}

fn imports<'a>(package: &'a Package, ours: &BTreeSet<&str>) -> Vec<&'a str> {
    package
        .dependencies
        .iter()
        .filter(|found| found.kind != DependencyKind::Development)
        .map(|found| found.name.as_str())
        .filter(|name| ours.contains(name))
        .collect()
}

/// The manifests of the workspace alone: nothing is resolved, so nothing can be missing offline.
fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(workspace().join("Cargo.toml")).no_deps().exec().expect("cargo metadata")
}

/// `cargo tree` of one crate with the features that it alone asks for: a line a crate, its depth
/// first. Repeated subtrees are left out, which hides no crate.
fn tree(package: &str, target: Option<&str>) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace()).args(["tree", "--locked", "--quiet", "--package", package]).args([
        "--edges",
        "normal,build",
        "--prefix",
        "depth",
    ]);
    if let Some(target) = target {
        command.args(["--target", target]);
    }
    let output = command.output().expect("cargo tree starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo tree writes UTF-8")
}

/// Every way, `a -> b -> c`, from the root of a `tree` to one of the crates named in `never`.
fn ways_to(never: &[&str], tree: &str) -> Vec<String> {
    let mut way: Vec<&str> = Vec::new();
    let mut found = Vec::new();
    for line in tree.lines() {
        let name = line.trim_start_matches(|c: char| c.is_ascii_digit());
        let depth = line[..line.len() - name.len()].parse().expect("a line of cargo tree starts with its depth");
        way.truncate(depth);
        way.push(name.split(' ').next().unwrap_or(name));
        if depth > 0 && never.contains(&way[depth]) {
            found.push(way.join(" -> "));
        }
    }
    found
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn assert_none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}
