//! What `kthena up` is to be started with.

use crate::until::READY;
use crate::{DEADLINE, Kthena, Loopback, Output, kthena, scratch, spawn};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Manifests, flags and environment of one instance.
#[derive(Debug)]
pub struct Setup {
    directory: TempDir,
    endpoints: Vec<String>,
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, String)>,
    address: Loopback,
}

/// How a start failed.
#[derive(Debug)]
pub struct Failure {
    /// The exit code; `None` for a signal.
    pub code: Option<i32>,
    /// What was written to standard error.
    pub stderr: Vec<String>,
}

// === impl Setup ===

impl Setup {
    /// A directory with these manifests, by file name; no simulated engines.
    ///
    /// # Panics
    /// As every method here: when the machine refuses (no disk, no address).
    pub fn new(manifests: &[(&str, &str)]) -> Self {
        let directory = scratch::directory();
        fs::create_dir(directory.path().join("manifests")).expect("a directory of manifests");
        for (file, text) in manifests {
            fs::write(directory.path().join("manifests").join(file), text).expect("a manifest");
        }
        let address = Loopback::claim(&[8080, 9090, 15000, 9901]);
        Self { directory, endpoints: Vec::new(), arguments: Vec::new(), environment: Vec::new(), address }
    }

    /// No manifests: engines at these URLs.
    pub fn endpoints(urls: &[String]) -> Self {
        let mut setup = Self::new(&[]);
        setup.endpoints = urls.to_vec();
        setup
    }

    /// With simulated engines that are quick: a millisecond to the first token and for each next.
    pub fn simulated(manifests: &[(&str, &str)]) -> Self {
        Self::new(manifests).flags(&["--simulate"]).pace("1ms", "1ms")
    }

    /// The time to the first token and for each next one, of simulated engines.
    pub fn pace(self, ttft: &str, tpot: &str) -> Self {
        self.flags(&["--simulator-ttft", ttft, "--simulator-tpot", tpot])
    }

    /// More flags; of a flag given twice only the last value is passed.
    pub fn flags(mut self, flags: &[&str]) -> Self {
        for pair in flags.chunk_by(|_, next| !next.starts_with("--")) {
            if let Some(at) = self.arguments.iter().position(|known| known == pair[0]) {
                self.arguments.drain(at..at + pair.len());
            }
            self.arguments.extend(pair.iter().map(OsString::from));
        }
        self
    }

    /// A file for `--config`.
    pub fn config(self, text: &str) -> Self {
        let path = self.directory.path().join("router.yaml");
        fs::write(&path, text).expect("a configuration file");
        let path = path.display().to_string();
        self.flags(&["--config", &path])
    }

    /// Endpoints are chosen by load alone. By default a prompt that an engine has answered before goes there again, and
    /// whoever answers a little faster gets all that come one after the other.
    pub fn by_load(self) -> Self {
        self.config("scheduler: {plugins: {Score: {enabled: [{name: least-request, weight: 1}]}}}\n")
    }

    /// A variable of the environment.
    pub fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The address that it will listen on.
    pub fn address(&self) -> &Loopback {
        &self.address
    }

    /// Where the manifests are.
    pub fn manifests(&self) -> std::path::PathBuf {
        self.directory.path().join("manifests")
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Panics
    /// With all its output, when it ends or a minute passes.
    pub fn up(self) -> Kthena {
        let output = Output::default();
        let (mut child, _) = self.start(&self.manifests(), &output, &output);
        let start = Instant::now();
        while output.find(0, |line| line.starts_with("ready: http")).is_none() {
            let ended = child.try_wait().expect("the child's state");
            if ended.is_some() || start.elapsed() > READY {
                let _ = child.kill();
                panic!("kthena up is not ready (ended: {ended:?}):\n{}", output.text());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Kthena::new(self.directory, self.address, child, output)
    }

    /// Starts it on `manifests` and waits until it has given up.
    ///
    /// # Panics
    /// When it has not ended at the deadline, or children that it started are left.
    pub fn fail(self, manifests: &Path) -> Failure {
        let (stdout, stderr) = (Output::default(), Output::default());
        let (mut child, readers) = self.start(manifests, &stdout, &stderr);
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("the child's state") {
                break status;
            }
            if start.elapsed() > DEADLINE {
                let _ = child.kill();
                panic!("kthena up goes on:\n{}\n{}", stdout.text(), stderr.text());
            }
            thread::sleep(Duration::from_millis(10));
        };
        for reader in readers {
            // It ends with the last process that holds the pipe; none may be left.
            reader.join().expect("reading does not panic");
        }
        for (name, pid) in crate::kthena::children(&stderr) {
            assert!(!crate::is_alive(pid), "{name} is left behind");
        }
        Failure { code: status.code(), stderr: stderr.lines() }
    }

    fn start(&self, manifests: &Path, stdout: &Output, stderr: &Output) -> (Child, [JoinHandle<()>; 2]) {
        let mut child = spawn(&kthena(), |command| {
            command.arg("up");
            match self.endpoints.is_empty() {
                true => _ = command.arg("-f").arg(manifests),
                false => self.endpoints.iter().for_each(|url| _ = command.arg("--endpoint").arg(url)),
            }
            command.args(&self.arguments);
            for (flag, port) in [("--listen", 8080), ("--metrics", 9090), ("--debug", 15000), ("--admin", 9901)] {
                if !self.arguments.iter().any(|given| given == flag) {
                    command.arg(flag).arg(self.address.at(port).to_string());
                }
            }
            command.env("TMPDIR", scratch::root());
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        });
        let readers =
            [stdout.follow(child.stdout.take().expect("a pipe")), stderr.follow(child.stderr.take().expect("a pipe"))];
        (child, readers)
    }
}
