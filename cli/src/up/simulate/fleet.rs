//! The simulators there are, against those there should be.

use super::loopback::Loopback;
use super::plan::{MadeUp, Place, Planned, plan};
use super::pod;
use crate::args::SimulatorPace;
use kthena_crds::{Resources, pod as pods};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;

/// A simulator: its Pod (`namespace/name`) and its address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Simulator {
    /// `namespace/name` of its Pod, which is also what it calls itself.
    pub pod: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// What is to be done so that the simulators are those that the manifests ask for.
#[derive(Debug, Default, PartialEq)]
pub struct Change {
    /// Simulators to start, or to start again, each with its command line.
    pub start: Vec<(Simulator, Vec<OsString>)>,
    /// What cannot be simulated, a line each.
    pub problems: Vec<String>,
}

/// The simulators of a run and the manifests of its made-up Pods.
#[derive(Debug)]
pub struct Fleet {
    directory: PathBuf,
    pace: SimulatorPace,
    loopback: Loopback,
    running: BTreeMap<Simulator, Vec<OsString>>,
    /// Simulators that nobody is to ask once the made-up Pods are written.
    leaving: BTreeSet<Simulator>,
    /// Made-up Pods as they are to be, by file.
    wanted: BTreeMap<PathBuf, String>,
    /// Made-up Pods as last written, by file.
    written: BTreeMap<PathBuf, String>,
}

// === impl Simulator ===

impl Simulator {
    /// Listens where it would, for a moment.
    ///
    /// # Errors
    /// It could not; says what to do.
    pub fn probe(&self) -> anyhow::Result<()> {
        let Self { pod, address } = self;
        TcpListener::bind(address).map(drop).map_err(|error| {
            anyhow::anyhow!("Pod {pod}: {address}: {error}; end what listens there, or leave out --simulate")
        })
    }
}

// === impl Fleet ===

impl Fleet {
    /// No simulators yet; `directory` is for made-up Pods.
    pub fn new(directory: PathBuf, pace: SimulatorPace) -> Self {
        let loopback = Loopback::new(std::process::id());
        let (running, leaving) = (BTreeMap::new(), BTreeSet::new());
        Self { directory, pace, loopback, running, leaving, wanted: BTreeMap::new(), written: BTreeMap::new() }
    }

    /// Where there are simulators.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.running.keys().map(|simulator| simulator.address).collect()
    }

    /// Decides on the simulators that these resources (the user's own) need, and says which to start; once they
    /// listen, [`Fleet::publish`] is due.
    pub fn update(&mut self, resources: &Resources) -> Change {
        let plan = plan(resources);
        let mut change =
            Change { problems: plan.problems.iter().map(ToString::to_string).collect(), ..Change::default() };
        let taken = resources.pods.iter().filter_map(pods::pod_ip).collect();
        let mut wanted = BTreeMap::new();
        let mut manifests = BTreeMap::new();
        for planned in plan.simulators {
            match self.settle(&planned, &taken) {
                Ok((simulator, manifest)) => {
                    manifests.extend(manifest);
                    wanted.insert(simulator.clone(), command_line(&planned, &simulator, &self.pace));
                }
                Err(problem) => change.problems.push(problem),
            }
        }
        for (simulator, arguments) in &wanted {
            if self.running.get(simulator) != Some(arguments) {
                change.start.push((simulator.clone(), arguments.clone()));
            }
        }
        self.leaving.extend(self.running.keys().cloned());
        self.leaving.retain(|simulator| !wanted.contains_key(simulator));
        self.running = wanted;
        self.wanted = manifests;
        change
    }

    /// Writes the made-up Pods that are needed and removes the others; then nobody asks the simulators returned.
    /// With what could not be written or removed, a line each.
    pub fn publish(&mut self) -> (Vec<Simulator>, Vec<String>) {
        let mut problems = Vec::new();
        self.write(&mut problems);
        (std::mem::take(&mut self.leaving).into_iter().collect(), problems)
    }

    /// The address of a planned simulator, the one it has if it runs just so, and its Pod's manifest if it is made up.
    fn settle(
        &mut self,
        planned: &Planned,
        taken: &BTreeSet<IpAddr>,
    ) -> Result<(Simulator, Option<(PathBuf, String)>), String> {
        let pod = planned.pod.clone();
        let made_up = match &planned.place {
            Place::Given(address) => return Ok((Simulator { pod, address: *address }, None)),
            Place::MadeUp(made_up) => made_up,
        };
        let address = match self.address_of(planned, made_up, taken) {
            Some(address) => address,
            None => self.loopback.free(made_up.port, taken).map_err(|error| cannot_listen(made_up, &error))?,
        };
        let manifest = pod::manifest(&pod, made_up, address.ip()).map_err(|error| format!("{pod}: {error:#}"))?;
        let file = pod::file(&self.directory, &pod);
        Ok((Simulator { pod, address }, Some((file, manifest))))
    }

    /// Where a made-up Pod runs as it is planned. One with other names goes elsewhere, so that the one there is
    /// can answer what it was asked.
    fn address_of(&self, planned: &Planned, made_up: &MadeUp, taken: &BTreeSet<IpAddr>) -> Option<SocketAddr> {
        let mut running = self.running.iter().filter(|(simulator, arguments)| {
            simulator.pod == planned.pod && **arguments == command_line(planned, simulator, &self.pace)
        });
        let free = |address: &SocketAddr| address.port() == made_up.port && !taken.contains(&address.ip());
        running.find_map(|(simulator, _)| Some(simulator.address).filter(free))
    }

    fn write(&mut self, problems: &mut Vec<String>) {
        for file in self.written.keys().filter(|file| !self.wanted.contains_key(*file)) {
            if let Err(error) = fs::remove_file(file) {
                problems.push(format!("made-up Pod {}: {error}", file.display()));
            }
        }
        for (file, manifest) in &self.wanted {
            if self.written.get(file) != Some(manifest)
                && let Err(error) = pod::write(file, manifest)
            {
                problems.push(format!("{error:#}"));
            }
        }
        self.written.clone_from(&self.wanted);
    }
}

fn cannot_listen(made_up: &MadeUp, error: &std::io::Error) -> String {
    let MadeUp { server, port, .. } = made_up;
    format!("ModelServer {server}: spec.workloadPort.port: no simulator can listen on port {port}: {error}")
}

/// The flags of a simulator.
fn command_line(planned: &Planned, simulator: &Simulator, pace: &SimulatorPace) -> Vec<OsString> {
    // With `=`, a name may begin with a dash.
    let mut flags = vec![format!("--listen={}", simulator.address), format!("--name={}", simulator.pod)];
    flags.extend(planned.models.iter().map(|model| format!("--model={model}")));
    flags.extend(planned.loras.iter().map(|lora| format!("--lora={lora}")));
    flags.extend(planned.tls.then(|| "--tls-self-signed".to_owned()));
    flags.extend(pace.speed.map(|speed| format!("--speed={speed}")));
    flags.extend(pace.ttft.map(|ttft| format!("--ttft={}", flag(ttft))));
    flags.extend(pace.tpot.map(|tpot| format!("--tpot={}", flag(tpot))));
    flags.into_iter().map(OsString::from).collect()
}

/// A duration as a flag takes it, in one word.
fn flag(duration: std::time::Duration) -> String {
    humantime::format_duration(duration).to_string().replace(' ', "")
}

#[cfg(test)]
mod tests;
