use super::*;
use kthena_router::source::Directory;
use std::path::Path;
use tempfile::TempDir;

/// A port that hardly anything listens on; the addresses are probed all the same.
const SERVER: &str = "
apiVersion: networking.serving.volcano.sh/v1alpha1
kind: ModelServer
metadata: {name: s}
spec: {model: m, inferenceEngine: vLLM, workloadSelector: {matchLabels: {app: s}}, workloadPort: {port: 18431}}
";

struct Run {
    manifests: TempDir,
    simulated: TempDir,
    fleet: Fleet,
}

impl Run {
    fn new() -> Self {
        let simulated = tempfile::tempdir().unwrap();
        let fleet = Fleet::new(simulated.path().to_owned(), SimulatorPace::default());
        Self { manifests: tempfile::tempdir().unwrap(), simulated, fleet }
    }

    /// What to start, and what to retire once that listens.
    fn update(&mut self, manifests: &str) -> (Change, Vec<Simulator>) {
        let file = self.manifests.path().join("all.yaml");
        fs::write(&file, manifests).unwrap();
        let snapshot = Directory::open([file]).unwrap().load();
        assert_eq!(snapshot.problems, []);
        let change = self.fleet.update(&snapshot.resources);
        let (leaving, problems) = self.fleet.publish();
        assert_eq!(problems, [] as [String; 0]);
        (change, leaving)
    }
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn started(change: &Change) -> Vec<&str> {
    change.start.iter().map(|(simulator, _)| simulator.pod.as_str()).collect()
}

#[test]
fn a_model_server_s_pods_come_and_go_with_it() {
    let mut run = Run::new();
    let (first, _) = run.update(SERVER);
    assert_eq!(started(&first), ["default/s-sim-0", "default/s-sim-1"]);
    assert_eq!(files(run.simulated.path()), ["default.s-sim-0.yaml", "default.s-sim-1.yaml"]);
    let addresses: BTreeSet<_> = run.fleet.addresses().into_iter().collect();
    assert_eq!(addresses.len(), 2);

    assert_eq!(run.update(SERVER), (Change::default(), vec![]));

    let (last, leaving) = run.update("# nothing left\n");
    assert_eq!(leaving, first.start.into_iter().map(|(simulator, _)| simulator).collect::<Vec<_>>());
    assert!(files(run.simulated.path()).is_empty());
    assert_eq!(last.start, []);
}

#[test]
fn a_made_up_pod_moves_to_a_new_simulator_when_its_arguments_change_and_only_then() {
    let mut run = Run::new();
    let (first, _) = run.update(SERVER);
    let places = |change: &Change| change.start.iter().map(|(simulator, _)| simulator.clone()).collect::<Vec<_>>();
    let (renamed, leaving) = run.update(&SERVER.replace("model: m", "model: n"));
    assert_eq!(leaving, places(&first));
    assert_eq!(started(&renamed), started(&first));
    assert!(places(&renamed).iter().all(|simulator| !leaving.contains(simulator)), "{renamed:?}");
    assert!(renamed.start[0].1.contains(&OsString::from("--model=n")));

    let relabelled = run.update(&SERVER.replace("model: m", "model: n").replace("app: s", "app: t"));
    assert_eq!(relabelled, (Change::default(), vec![]));
    let manifest = fs::read_to_string(run.simulated.path().join("default.s-sim-0.yaml")).unwrap();
    assert!(manifest.contains("app: t"), "{manifest}");
    assert!(manifest.contains(&renamed.start[0].0.address.ip().to_string()), "{manifest}");
}

#[test]
fn a_pod_is_not_written_before_its_simulator_listens() {
    let mut run = Run::new();
    let file = run.manifests.path().join("all.yaml");
    fs::write(&file, SERVER).unwrap();
    let resources = Directory::open([file]).unwrap().load().resources;
    run.fleet.update(&resources);
    assert!(files(run.simulated.path()).is_empty());
    run.fleet.publish();
    assert_eq!(files(run.simulated.path()).len(), 2);
}

#[test]
fn a_pod_takes_the_place_of_the_made_up_ones() {
    let mut run = Run::new();
    run.update(SERVER);
    let pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: s}}\nstatus: {podIP: 127.0.0.41}\n";
    let (change, leaving) = run.update(&format!("{SERVER}{pod}"));
    let address = "127.0.0.41:18431".parse().unwrap();
    assert_eq!(change.start.len(), 1);
    assert_eq!(change.start[0].0, Simulator { pod: "default/p".to_owned(), address });
    let flags = ["--listen=127.0.0.41:18431", "--name=default/p", "--model=m"];
    assert_eq!(change.start[0].1, flags.map(OsString::from));
    assert_eq!(leaving.len(), 2);
    assert!(files(run.simulated.path()).is_empty());
}

#[test]
fn the_pace_is_handed_to_every_simulator_in_its_own_words() {
    let mut run = Run::new();
    let (speed, ttft) = (Some(2.5), Some(std::time::Duration::from_millis(1500)));
    run.fleet.pace = SimulatorPace { speed, ttft, tpot: Some(std::time::Duration::ZERO) };
    let (change, _) = run.update(SERVER);
    let flags = ["--speed=2.5", "--ttft=1s500ms", "--tpot=0s"].map(OsString::from);
    assert_eq!(change.start[1].1[3..], flags);
}
