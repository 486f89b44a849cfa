//! A run, from its first process to its last: what happens on which event.

use super::check::Checked;
use super::envoy;
use super::event::Event;
use super::ports::{Addresses, reachable};
use super::ready::Awaited;
use super::report::Report;
use super::run_dir::RunDir;
use super::say::{print, say};
use super::served::{self, Served};
use super::simulate::{Change, Fleet, wait};
use super::supervisor::{Name, Supervisor};
use crate::args::{AccessLog, UpOptions};
use kthena_crds::Resources;
use kthena_router::local::{Settings, Sockets, compile, settings};
use kthena_router::source::endpoints::EngineUrl;
use kthena_router::source::{Directory, ENDPOINT_API_KEY, Snapshot, watch};
use kthena_router::{Drain, News};
use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

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
    /// Counts the times that simulators were asked for.
    edits: u64,
    phase: Phase,
    verdict: anyhow::Result<ExitCode>,
    addresses: Addresses,
    open: bool,
    settings: Settings,
    drain_timeout: Duration,
    manifests: Vec<PathBuf>,
    /// Engines that are served without manifests.
    endpoints: Vec<EngineUrl>,
    /// The user's manifests as they were checked.
    first: Snapshot,
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
        let bootstrap =
            run_dir.write_bootstrap(checked.addresses.admin, checked.capacity, checked.tracing.is_some())?;
        let mut manifests = options.manifests.clone();
        let fleet = options.simulate.then(|| {
            manifests.push(run_dir.simulated());
            Fleet::new(run_dir.simulated(), options.simulator.clone())
        });
        let router = router(options, &checked, &manifests, &run_dir);
        let (directory, first) = checked.manifests.unzip();
        let first = first.unwrap_or_default();
        let mut session = Self {
            supervisor: Supervisor::new(events.clone()),
            fleet,
            edits: 0,
            phase: Phase::Starting,
            verdict: Ok(ExitCode::SUCCESS),
            addresses: checked.addresses,
            open: options.open,
            settings: Settings { tls: checked.tls, ..settings(checked.addresses.listen, &checked.config) },
            drain_timeout: checked.drain_timeout,
            manifests,
            endpoints: options.endpoints.clone(),
            first: first.clone(),
            said: BTreeSet::new(),
            config_problems: checked.config.problems,
            edited: None,
            envoy: envoy::command_line(&checked.envoy, &bootstrap),
            events,
            run_dir,
        };
        // The made-up Pods are written before the router looks.
        session.simulate(&first.resources)?;
        session.supervisor.run(Name::Router, router, Instant::now());
        if let Some(directory) = directory
            && session.fleet.is_some()
        {
            session.follow(directory, first)?;
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
                // What ended the run is its verdict, not what that led to.
                if self.phase != Phase::Ending {
                    self.verdict = Err(error);
                }
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
            (Event::Ended(serial), phase) => {
                self.supervisor.ended(serial, Instant::now())?;
                // With Envoy, what was in flight is gone.
                if phase == Phase::Draining && !self.supervisor.is_running(&Name::Envoy) {
                    self.end();
                }
            }
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
            (Event::EnginesListen(edit), Phase::Serving) if edit == self.edits => self.publish()?,
            (Event::EngineFound, Phase::Serving) => print(self.found()),
            (Event::Idle(simulator), _) => self.supervisor.release(&Name::Simulator(simulator), Instant::now()),
            (Event::Stop, Phase::Starting) => self.end(),
            (Event::Stop, Phase::Serving) => self.drain()?,
            (Event::Drained, Phase::Draining) => self.end(),
            (Event::Stop, Phase::Draining | Phase::Ending) => {
                if self.verdict.is_ok() {
                    self.verdict = Ok(ExitCode::from(INTERRUPTED));
                }
                self.phase = Phase::Ending;
                self.supervisor.kill_all(Instant::now());
            }
            // Of a phase that is over.
            (Event::RouterListens | Event::Ready | Event::NotReady(_) | Event::Drained, _) => {}
            (Event::Manifests(_) | Event::EnginesListen(_) | Event::EngineFound, _) => {}
        }
        Ok(())
    }

    /// Brings the simulators to what the manifests ask for.
    fn simulate(&mut self, resources: &Resources) -> anyhow::Result<()> {
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let Change { start, problems } = fleet.update(resources);
        self.edits += 1;
        let now = Instant::now();
        if self.phase == Phase::Starting {
            start.iter().try_for_each(|(simulator, _)| simulator.probe())?;
        }
        let addresses: Vec<_> = start.iter().map(|(simulator, _)| simulator.address).collect();
        for (simulator, arguments) in start {
            self.supervisor.run(Name::Simulator(simulator), arguments, now);
        }
        let problems = BTreeSet::from_iter(problems);
        if self.phase == Phase::Serving {
            problems.difference(&self.said).for_each(|problem| say(problem));
        }
        self.said = problems;
        if self.phase == Phase::Starting || addresses.is_empty() {
            return self.publish();
        }
        // Nobody hears of a Pod before it can answer.
        let (edit, events) = (self.edits, self.events.clone());
        thread::Builder::new().name("engines".to_owned()).spawn(move || {
            wait::listening(&addresses);
            let _ = events.send(Event::EnginesListen(edit));
        })?;
        Ok(())
    }

    /// Lets the router know the simulators that there are; the others end when they have answered.
    fn publish(&mut self) -> anyhow::Result<()> {
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let (leaving, problems) = fleet.publish();
        problems.iter().for_each(|problem| say(problem));
        for simulator in leaving {
            let name = Name::Simulator(simulator.clone());
            self.supervisor.retire(&name, Instant::now() + self.drain_timeout);
            let (timeout, events) = (self.drain_timeout, self.events.clone());
            thread::Builder::new().name("leaving".to_owned()).spawn(move || {
                wait::idle(&simulator, timeout);
                let _ = events.send(Event::Idle(simulator));
            })?;
        }
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
        let Addresses { listen, debug, admin, .. } = self.addresses;
        let [envoy, debug, admin] = [listen, debug, admin].map(reachable);
        let tls = self.settings.tls.is_some();
        let awaited = Awaited { sockets: vec![xds, picker], engines, envoy, tls, debug, admin };
        let events = self.events.clone();
        thread::Builder::new().name("ready".to_owned()).spawn(move || awaited.wait(&events))?;
        Ok(())
    }

    /// Says what is served.
    fn report(&self) -> anyhow::Result<()> {
        let served = self.served();
        let data_plane = compile(&served.snapshot.resources, &self.settings);
        let of_config = self.config_problems.iter().map(|problem| format!("configuration: {problem}"));
        let of_objects = served.snapshot.problems.iter().chain(&data_plane.problems).map(ToString::to_string);
        let problems: Vec<_> = of_config.chain(of_objects).chain(self.said.iter().cloned()).collect();
        let report = Report {
            addresses: self.addresses,
            data_plane: &data_plane,
            skipped: &served.snapshot.skipped,
            problems: &problems,
            simulate: self.fleet.is_some(),
            engines: served.engines.as_deref(),
            key: self.key(),
            open: self.open,
        };
        print(report.text());
        match self.endpoints.is_empty() || !data_plane.table.routes.is_empty() {
            true => Ok(()),
            false => served::await_engine(self.run_dir.path(), self.events.clone()),
        }
    }

    /// What is served now, from the same files that the router reads or writes.
    fn served(&self) -> Served {
        if !self.endpoints.is_empty() {
            return Served::by_engines(self.run_dir.path());
        }
        Served::by_manifests(&self.manifests).unwrap_or_else(|error| {
            // They may be on their way to another place: the router serves what it read.
            say(&format!("{error:#}; what follows is as it was at the start"));
            Served { snapshot: self.first.clone(), engines: None }
        })
    }

    /// Names the key that was given for the engines, if one was.
    fn key(&self) -> Option<&'static str> {
        let given = !self.endpoints.is_empty() && env::var_os(ENDPOINT_API_KEY).is_some_and(|key| !key.is_empty());
        given.then_some(ENDPOINT_API_KEY)
    }

    /// What there is to say once the first engine has told its models.
    fn found(&self) -> String {
        let served = self.served();
        let data_plane = compile(&served.snapshot.resources, &self.settings);
        let engines = served.engines.as_deref();
        let report = Report {
            addresses: self.addresses,
            data_plane: &data_plane,
            skipped: &[],
            problems: &[],
            simulate: false,
            engines,
            key: self.key(),
            open: false,
        };
        report.models_and_try()
    }

    fn drain(&mut self) -> anyhow::Result<()> {
        self.phase = Phase::Draining;
        let (admin, timeout, events) = (reachable(self.addresses.admin), self.drain_timeout, self.events.clone());
        // Nobody is told late that this machine's listener closes.
        let drain = Drain { admin, timeout, linger: Duration::ZERO };
        let waiter = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("drain".to_owned()).spawn(move || {
            waiter.block_on(drain.run(|news| match news {
                News::Waiting(..) => say(&format!("{news}, Ctrl-C again ends them")),
                news => say(&news.to_string()),
            }));
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
    options.endpoints.iter().for_each(|endpoint| flag("--endpoint", &endpoint.to_string()));
    flag("--listen", &listen.to_string());
    if let Some(tls) = &checked.tls {
        flag("--tls-cert", &tls.certificate);
        flag("--tls-key", &tls.key);
    }
    flag("--metrics", &metrics.to_string());
    flag("--debug", &debug.to_string());
    flag("--run-dir", &run_dir.path());
    flag("--wasm", &checked.wasm);
    options.config.iter().for_each(|path| flag("--config", path));
    if let Some(tracing) = &checked.tracing {
        flag("--otlp-endpoint", &tracing.collector.to_string());
        flag("--trace-sampling", &tracing.sampling.percent().to_string());
        tracing.collector.tls.iter().for_each(|tls| flag("--otlp-ca", &tls.authorities));
    }
    // Without a word here, the environment is the router's too.
    match options.access_log {
        None => {}
        Some(AccessLog::Off) => flag("--access-log-enabled", &"false"),
        Some(AccessLog::Text) => {
            flag("--access-log-enabled", &"true");
            flag("--access-log-format", &"text");
        }
        Some(AccessLog::Json) => {
            flag("--access-log-enabled", &"true");
            flag("--access-log-format", &"json");
        }
    }
    // The ports were tried and let go: whoever came between is not to share them with us.
    arguments.push("--exclusive".into());
    // The report says the same.
    arguments.push("--quiet-start".into());
    arguments
}
