//! The engine under test, Envoy before it, and the run through all cases.

use super::{BEHIND_ENVOY, Case, DIRECT, EVERYWHERE, Subject, death, pair};
use crate::{Client, Engine, Kthena, Setup, manifests};
use kthena_simulator::Options;
use libtest_mimic::{Arguments, Failed, Trial};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the cases may know of the engine.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The first served name, and another one for the same model.
    pub model: &'static str,
    /// The second served name.
    pub alias: &'static str,
    /// Adapters that can be loaded: name and path.
    pub adapters: [(&'static str, String); 2],
    /// Tokens of a context.
    pub max_model_len: u32,
    /// Sequences that run at a time.
    pub max_num_seqs: usize,
    /// Requests in the engine, running or not, beyond which it refuses.
    pub max_num_queued_reqs: usize,
    /// Tokens of a block of the KV cache.
    pub block_size: usize,
}

/// A model that is routed to the engine, which does not serve it.
pub(super) const UNSERVED: &str = "nope";

/// A model that is served by the engine and by a simulated one beside it.
pub(super) const PAIR: &str = "pair";

/// Both of the pair get their share, whatever they do.
const BY_CHANCE: &str = "scheduler: {plugins: {Score: {enabled: [{name: random, weight: 1}]}}}\n";

/// How long an engine that is told to end has for what is under way: more than its test takes on a slow machine.
const LEAVING: Duration = Duration::from_secs(120);

/// What the log says of a stream whose engine died, though `[DONE]` and a clean end followed.
const DIED: &str = "error=proxy:pod told an error in its answer (500: EngineCore encountered an issue.";

/// An engine that can be made to die as engines do; dropping it ends it without ado.
pub trait Mortal: Send {
    /// Makes it die with what it has under way.
    fn die(&mut self);

    /// Tells it to end (SIGTERM).
    fn leave(&mut self);
}

/// A running engine and `kthena up` before it.
pub struct Bench {
    facts: Arc<Facts>,
    address: SocketAddr,
    kthena: Kthena,
    engine: Mutex<Box<dyn Mortal>>,
    _stand_in: Engine,
}

// === impl Bench ===

impl Bench {
    /// Puts Envoy before an engine at port 8000 of a loopback address.
    ///
    /// # Panics
    /// When `kthena up` does not get ready.
    pub fn new(facts: Facts, address: SocketAddr, engine: Box<dyn Mortal>) -> Self {
        // Nothing is renamed, so that Envoy has nothing to edit but usage.
        let names = [facts.model, facts.alias, UNSERVED];
        let routes: String = names.iter().map(|name| manifests::route(name, name, &[("engine", 100)])).collect();
        let adapters = facts.adapters.each_ref().map(|(name, _)| *name).join(", ");
        let adapters = manifests::route("adapters", "", &[("engine", 100)])
            .replace("  modelName: \n", &format!("  loraAdapters: [{adapters}]\n"));
        let server = manifests::server("engine", "", "").replace("  model: \n", "");
        let ms = Duration::from_millis(1);
        let options = Options { models: vec![facts.model.into()], ttft: ms, tpot: ms, ..Options::default() };
        let stand_in = Engine::simulated(pair::STAND_IN, options);
        let pods = [("engine", address.ip().to_string()), (pair::STAND_IN, stand_in.ip())];
        let in_pair = |(name, ip): &(&str, String)| {
            manifests::pod(name, name, ip).replace("  labels:\n", "  labels:\n    pair: both\n")
        };
        let pods: String = pods.iter().map(in_pair).collect();
        let pair = manifests::route(PAIR, PAIR, &[(PAIR, 100)])
            + &manifests::server(PAIR, facts.model, "").replace("      app: pair\n", "      pair: both\n");
        let all = routes + &adapters + &server + &pair + &pods;
        let kthena = Setup::new(&[("all.yaml", &all)]).config(BY_CHANCE).up();
        Self { facts: Arc::new(facts), address, kthena, engine: Mutex::new(engine), _stand_in: stand_in }
    }

    /// The engine, asked directly.
    fn direct(&self) -> Subject {
        let engine = Client::new(self.address);
        Subject { front: engine.clone(), engine, router: self.kthena.debug(), facts: Arc::clone(&self.facts) }
    }

    /// The engine, asked through Envoy.
    fn behind_envoy(&self) -> Subject {
        Subject { front: self.kthena.client(), ..self.direct() }
    }

    fn kill(&self) {
        self.engine.lock().expect("nothing panics while it is held").die();
    }

    fn leave(&self) {
        self.engine.lock().expect("nothing panics while it is held").leave();
    }
}

/// Runs the suite, or what the command line picks of it, on the engine that `start` starts, which has so long for what is
/// under way when it is told to end.
pub fn run(start: fn(Duration) -> Bench) -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    // Not within a case: without an engine there is none.
    let bench = Arc::new((!arguments.list).then(|| start(Duration::ZERO)));
    let on = |place: &str, lists: &[&[Case]], subject: fn(&Bench) -> Subject| -> Vec<Trial> {
        let cases = lists.iter().flat_map(|list| list.iter());
        let trial = |case: &Case| {
            let (bench, check) = (Arc::clone(&bench), case.check);
            let name = case.name.rsplitn(3, "::").take(2).collect::<Vec<_>>();
            let name = format!("{place}::{}::{}", name[1], name[0]);
            Trial::test(name, move || block_on(check(subject(started(&bench)))))
        };
        cases.map(trial).collect()
    };
    let mut trials = on("direct", EVERYWHERE, Bench::direct);
    trials.extend(on("direct", DIRECT, Bench::direct));
    trials.extend(on("envoy", EVERYWHERE, Bench::behind_envoy));
    trials.extend(on("envoy", BEHIND_ENVOY, Bench::behind_envoy));
    let last = Arc::clone(&bench);
    trials.push(Trial::test("death::answers_under_way_end_with_an_error", move || {
        let bench = started(&last);
        block_on(async {
            death::check(bench.direct(), bench.behind_envoy(), || bench.kill()).await;
            bench.kthena.line(0, "a stream that failed", |line| line.contains(DIED)).await;
        })
    }));
    trials.push(Trial::test("leaving::an_engine_that_shuts_down_costs_no_request", move || {
        let bench = start(LEAVING);
        block_on(async {
            pair::check_leaving(bench.direct(), bench.behind_envoy(), || bench.leave()).await;
            let tried_twice = |line: &str| line.contains("model_name=pair ") && line.contains(" upstream_attempts=2 ");
            bench.kthena.line(0, "a retry", tried_twice).await;
        })
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn started(bench: &Option<Bench>) -> &Bench {
    bench.as_ref().expect("cases are not run when they are listed")
}

/// A runtime a case, as `#[tokio::test]` has it: no connection outlives its case.
fn block_on(check: impl Future<Output = ()>) -> Result<(), Failed> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(check);
    Ok(())
}
