//! A run, from its first process to its last: what happens on which event.

use super::check::Checked;
use super::envoy;
use super::event::Event;
use super::ports::{Addresses, reachable};
use super::ready::Awaited;
use super::report::Report;
use super::run_dir::RunDir;
use super::simulate::{Change, Fleet};
use super::supervisor::{Name, Supervisor};
use super::{drain, say};
use crate::args::UpOptions;
use kthena_crds::Resources;
use kthena_router::local::{Settings, Sockets, compile, settings};
use kthena_router::source::{Directory, Snapshot, watch};
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long a simulated engine outlives its Pod: what was on its way to it still arrives.
const AFTER_ITS_POD: Duration = Duration::from_secs(2);

/// What a shell says of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Serving,
    Draining,
    /// Envoy is to end, then all others.
    Ending,
}

/// A run.
#[derive(Debug)]
pub struct Session {
    supervisor: Supervisor,
    fleet: Option<Fleet>,
    phase: Phase,
    verdict: anyhow::Result<ExitCode>,
    addresses: Addresses,
    settings: Settings,
    drain_timeout: Duration,
    manifests: Vec<PathBuf>,
    /// Problems of simulation that were said; those of serving are the router's to say, after the start.
    said: BTreeSet<String>,
    config_problems: Vec<String>,
    /// Manifests as they were edited while starting.
    edited: Option<Arc<Snapshot>>,
    envoy: Vec<OsString>,
    events: Sender<Event>,
    run_dir: RunDir,
}

// === impl Session ===

impl Session {
    /// Starts everything but Envoy, which waits for the router's sockets.
    ///
    /// # Errors
    /// Something cannot be written, or no thread can be had.
    pub fn start(options: &UpOptions, checked: Checked, events: Sender<Event>) -> anyhow::Result<Self> {
        let run_dir = RunDir::new()?;
        let bootstrap = run_dir.write_bootstrap(checked.addresses.admin)?;
        let mut manifests = options.manifests.clone();
        let fleet = options.simulate.then(|| {
            manifests.push(run_dir.simulated());
            Fleet::new(run_dir.simulated(), options.simulator.clone())
        });
        let router = router(options, &checked, &manifests, &run_dir);
        let mut session = Self {
            supervisor: Supervisor::new(events.clone()),
            fleet,
            phase: Phase::Starting,
            verdict: Ok(ExitCode::SUCCESS),
            addresses: checked.addresses,
            settings: settings(checked.addresses.listen, &checked.config),
            drain_timeout: checked.drain_timeout,
            manifests,
            said: BTreeSet::new(),
            config_problems: checked.config.problems,
            edited: None,
            envoy: envoy::command_line(&checked.envoy, &bootstrap),
            events,
            run_dir,
        };
        // The made-up Pods are written before the router looks.
        session.simulate(&checked.snapshot.resources)?;
        session.supervisor.run(Name::Router, router, Instant::now());
        if session.fleet.is_some() {
            session.follow(checked.directory, checked.snapshot)?;
        }
        session.await_ready()?;
        Ok(session)
    }

    /// Runs until the last child has ended.
    ///
    /// # Errors
    /// What could not be started, or was not ready in time.
    pub fn run(mut self, events: &Receiver<Event>) -> anyhow::Result<ExitCode> {
        while self.phase != Phase::Ending || !self.supervisor.is_empty() {
            if let Some(event) = self.next(events)
                && let Err(error) = self.on(event)
            {
                self.verdict = Err(error);
                self.end();
            }
            self.supervisor.act(Instant::now());
            if self.phase == Phase::Ending && !self.supervisor.has(&Name::Envoy) {
                self.supervisor.stop_all(Instant::now());
            }
        }
        self.verdict
    }

    /// The next event, or `None` when something else is due.
    fn next(&self, events: &Receiver<Event>) -> Option<Event> {
        let Some(due) = self.supervisor.next() else { return events.recv().ok() };
        // We hold a sender ourselves, so what fails is that nothing came in time.
        events.recv_timeout(due.saturating_duration_since(Instant::now())).ok()
    }

    fn on(&mut self, event: Event) -> anyhow::Result<()> {
        match (event, self.phase) {
            (Event::Ended(serial), _) => self.supervisor.ended(serial, Instant::now())?,
            (Event::RouterListens, Phase::Starting) => {
                self.supervisor.run(Name::Envoy, self.envoy.clone(), Instant::now());
            }
            (Event::NotReady(reason), Phase::Starting) => anyhow::bail!("{reason}"),
            (Event::Ready, Phase::Starting) => {
                self.phase = Phase::Serving;
                self.supervisor.settle();
                self.report()?;
                if let Some(snapshot) = self.edited.take() {
                    self.simulate(&snapshot.resources)?;
                }
            }
            // Readiness is of the engines there were at the start.
            (Event::Manifests(snapshot), Phase::Starting) => self.edited = Some(snapshot),
            (Event::Manifests(snapshot), Phase::Serving) => self.simulate(&snapshot.resources)?,
            (Event::Stop, Phase::Starting) => self.end(),
            (Event::Stop, Phase::Serving) => self.drain()?,
            (Event::Drained, Phase::Draining) => self.end(),
            (Event::Stop, Phase::Draining | Phase::Ending) => {
                self.verdict = Ok(ExitCode::from(INTERRUPTED));
                self.phase = Phase::Ending;
                self.supervisor.kill_all(Instant::now());
            }
            // Of a phase that is over.
            (Event::RouterListens | Event::Ready | Event::NotReady(_) | Event::Manifests(_) | Event::Drained, _) => {}
        }
        Ok(())
    }

    /// Brings the simulators to what the manifests ask for.
    fn simulate(&mut self, resources: &Resources) -> anyhow::Result<()> {
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let Change { start, retire, problems } = fleet.update(resources);
        let now = Instant::now();
        if self.phase == Phase::Starting {
            start.iter().try_for_each(|(simulator, _)| simulator.probe())?;
        }
        for (simulator, arguments) in start {
            self.supervisor.run(Name::Simulator(simulator), arguments, now);
        }
        for simulator in retire {
            self.supervisor.retire(&Name::Simulator(simulator), now + AFTER_ITS_POD);
        }
        let problems = BTreeSet::from_iter(problems);
        if self.phase == Phase::Serving {
            problems.difference(&self.said).for_each(|problem| say(problem));
        }
        self.said = problems;
        Ok(())
    }

    /// Hears of edits, on a thread.
    fn follow(&self, directory: Directory, first: Snapshot) -> anyhow::Result<()> {
        let mut snapshots = watch(directory, first)?;
        let events = self.events.clone();
        let waiter = tokio::runtime::Builder::new_current_thread().build()?;
        thread::Builder::new().name("edits".to_owned()).spawn(move || {
            while waiter.block_on(snapshots.changed()).is_ok() {
                let snapshot = snapshots.borrow_and_update().clone();
                if events.send(Event::Manifests(snapshot)).is_err() {
                    return;
                }
            }
        })?;
        Ok(())
    }

    fn await_ready(&self) -> anyhow::Result<()> {
        let Sockets { xds, picker } = self.run_dir.sockets();
        let engines = self.fleet.as_ref().map(Fleet::addresses).unwrap_or_default();
        let awaited = Awaited { sockets: vec![xds, picker], engines, envoy: reachable(self.addresses.listen) };
        let events = self.events.clone();
        thread::Builder::new().name("ready".to_owned()).spawn(move || awaited.wait(&events))?;
        Ok(())
    }

    /// Says what is served, from the same files that the router reads.
    fn report(&self) -> anyhow::Result<()> {
        let snapshot = Directory::open(&self.manifests)?.load();
        let data_plane = compile(&snapshot.resources, &self.settings);
        let of_config = self.config_problems.iter().map(|problem| format!("configuration: {problem}"));
        let of_objects = snapshot.problems.iter().chain(&data_plane.problems).map(ToString::to_string);
        let problems: Vec<_> = of_config.chain(of_objects).chain(self.said.iter().cloned()).collect();
        let report = Report {
            addresses: self.addresses,
            data_plane: &data_plane,
            skipped: &snapshot.skipped,
            problems: &problems,
            simulate: self.fleet.is_some(),
        };
        let mut out = io::stdout().lock();
        // That nobody reads it must not end a run.
        let _ = out.write_all(report.text().as_bytes()).and_then(|()| out.flush());
        Ok(())
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        self.phase = Phase::Draining;
        let (admin, timeout, events) = (reachable(self.addresses.admin), self.drain_timeout, self.events.clone());
        thread::Builder::new().name("drain".to_owned()).spawn(move || {
            drain::drain(admin, timeout);
            let _ = events.send(Event::Drained);
        })?;
        Ok(())
    }

    /// Ends Envoy first: nobody else is asked for anything then.
    fn end(&mut self) {
        self.phase = Phase::Ending;
        self.supervisor.stop(&Name::Envoy, Instant::now());
    }
}

/// The router's command line.
fn router(options: &UpOptions, checked: &Checked, manifests: &[PathBuf], run_dir: &RunDir) -> Vec<OsString> {
    let Addresses { listen, metrics, debug, .. } = checked.addresses;
    let mut arguments: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: &dyn AsRef<OsStr>| {
        let mut argument = OsString::from(name);
        argument.push("=");
        argument.push(value);
        arguments.push(argument);
    };
    manifests.iter().for_each(|path| flag("--manifests", path));
    flag("--listen", &listen.to_string());
    flag("--metrics", &metrics.to_string());
    flag("--debug", &debug.to_string());
    flag("--run-dir", &run_dir.path());
    flag("--wasm", &checked.wasm);
    options.config.iter().for_each(|path| flag("--config", path));
    // The report says the same.
    arguments.push("--quiet-start".into());
    arguments
}
