//! The real vLLM on this machine's CPU, as `tools/vllm` provides it.

use crate::conformance::{Facts, Mortal};
use crate::{Client, Loopback, Output, scratch, spawn};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

const PORT: u16 = 8000;

/// It takes 50 s on two idle cores, most of them busy with imports. One that ends is noticed at once.
const READY: Duration = Duration::from_secs(600);

/// More than any case has under way, but for the one that is about it.
const MAX_NUM_QUEUED_REQS: usize = 12;

/// A running vLLM; dropping it kills all its processes.
#[derive(Debug)]
pub struct Vllm {
    address: Loopback,
    /// The leader of a group of processes that has the engine's core and worker in it.
    process: Child,
    /// Kills the group when its standard input ends, which is when we do.
    janitor: Child,
}

// === impl Vllm ===

impl Vllm {
    /// Starts it, installing it before that if need be, and waits until it serves. Told to end, it has so long for what is
    /// under way.
    ///
    /// # Panics
    /// With all that it wrote, when it ends or does not serve in time.
    pub fn start(shutdown_timeout: Duration) -> Self {
        install();
        eprintln!("vllm: starting (about a minute)");
        let address = Loopback::claim(&[PORT]);
        let output = Output::default();
        let started = Instant::now();
        let mut process = spawn(&tool(), |command| {
            command.arg("serve").args(["--host", &address.ip().to_string(), "--port", &PORT.to_string()]);
            command.args(["--enable-prompt-tokens-details", "--max-num-queued-reqs", &MAX_NUM_QUEUED_REQS.to_string()]);
            command.args(["--shutdown-timeout", &shutdown_timeout.as_secs().to_string()]);
            command.current_dir(scratch::root()).process_group(0);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        output.follow(process.stdout.take().expect("a pipe"));
        output.follow(process.stderr.take().expect("a pipe"));
        let janitor = janitor(process.id());
        let mut vllm = Self { address, process, janitor };
        while !vllm.is_healthy() {
            let ended = vllm.process.try_wait().expect("the child's state");
            if ended.is_some() || started.elapsed() > READY {
                panic!("vLLM does not serve (ended: {ended:?}):\n{}", output.text());
            }
            thread::sleep(Duration::from_millis(200));
        }
        eprintln!("vllm: serves at {} after {} s", vllm.address(), started.elapsed().as_secs());
        vllm
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address.at(PORT)
    }

    /// As [`tool`] starts it.
    pub fn facts() -> Facts {
        let models = install();
        Facts {
            model: "tiny",
            alias: "tiny-alias",
            adapters: ["lora-a", "lora-b"].map(|name| (name, models.join(name).display().to_string())),
            max_model_len: 2048,
            max_num_seqs: 4,
            max_num_queued_reqs: MAX_NUM_QUEUED_REQS,
            block_size: 32,
        }
    }

    fn is_healthy(&self) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let answer = runtime.block_on(Client::new(self.address()).try_get("/health"));
        answer.is_ok_and(|answer| answer.status == 200)
    }
}

impl Mortal for Vllm {
    /// Kills the process that computes, as a GPU's driver or the kernel out of memory would.
    fn die(&mut self) {
        let core = processes(self.process.id()).into_iter().find(|pid| {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.starts_with("VLLM::EngineCore")
        });
        let core = core.expect("a process VLLM::EngineCore");
        kill_process(pid(core), Signal::KILL).expect("it is ours");
    }

    fn leave(&mut self) {
        kill_process(pid(self.process.id()), Signal::TERM).expect("it is ours");
    }
}

impl Drop for Vllm {
    fn drop(&mut self) {
        // Before the leader is waited for: until then nobody else can have the group's number.
        let _ = kill_process_group(pid(self.process.id()), Signal::KILL);
        let _ = self.janitor.kill();
        let _ = self.janitor.wait();
        let _ = self.process.wait();
    }
}

fn tool() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tools/vllm")).to_path_buf()
}

/// Where its model and adapters are. What it says of its progress goes to our standard error.
fn install() -> PathBuf {
    let output = Command::new(tool()).stderr(Stdio::inherit()).output().expect("tools/vllm can be started");
    assert!(output.status.success(), "tools/vllm failed, see above");
    let stdout = String::from_utf8(output.stdout).expect("a path in UTF-8");
    stdout.lines().last().expect("the last line is the path").into()
}

/// The parent's death signal reaches the leader only, and a killed leader leaves its children behind.
fn janitor(group: u32) -> Child {
    // Ctrl-C goes to the whole group of processes, and the janitor has its work after it.
    let script = r#"trap '' INT TERM HUP; cat >/dev/null; kill -s KILL -- "-$0""#;
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(group.to_string());
    command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a shell")
}

fn pid(id: u32) -> Pid {
    Pid::from_raw(id.cast_signed()).expect("a process id is not 0")
}

fn processes(group: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        // After the name in parentheses: state, parent, group.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        fields.split(' ').nth(2).and_then(|field| field.parse().ok()) == Some(group)
    })
    .collect()
}
