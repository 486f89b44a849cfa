//! Clients, a policy and engines meet: a loop over what happens next.
//!
//! Nothing here knows the time of day. Engines say when their next token comes; everything else is on an agenda. Of
//! what happens at the same time, engines come first, and then what was put on the agenda first, so that a run is the
//! same each time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::time::Duration;

use anyhow::{Context, ensure};
use fastrand::Rng;
use kthena_simulator::{Ask, Options, Step, VirtualEngine};

use crate::outcome::Outcome;
use crate::policy::{Completion, Policy, Request};
use crate::workload::Workload;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clients {
    /// Each has one request under way, or thinks about the next.
    pub number: usize,
    /// Clients that begin in a second.
    pub rate: f64,
    /// So many requests are asked first and not counted: caches are empty, and everybody comes at once.
    pub warm_up: u64,
}

/// Runs until every client has had enough.
///
/// # Errors
///
/// Engines that cannot be, or clients that are not done after [a year](TOO_LONG).
pub fn run(
    engines: &[Options],
    clients: Clients,
    workload: &mut dyn Workload,
    policy: &mut dyn Policy,
    seed: u64,
) -> anyhow::Result<Outcome> {
    Run::new(engines, clients, workload, policy, seed)?.finish()
}

/// How often an engine is asked for its metrics; each has a moment of its own in the second.
const SCRAPE: Duration = Duration::from_secs(1);
/// How often the access log is sent.
const LOG: Duration = Duration::from_secs(1);
/// When a client that was shed asks again: what `Retry-After` says.
const RETRY: Duration = Duration::from_secs(1);
/// A run that takes longer will not end.
const TOO_LONG: Duration = Duration::from_secs(365 * 86_400);

/// A run under way.
struct Run<'a> {
    workload: &'a mut dyn Workload,
    policy: &'a mut dyn Policy,
    random: Rng,
    engines: Vec<Engine>,
    clients: Vec<Client>,
    /// Clients that have not had enough.
    open: usize,
    agenda: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    /// Orders the agenda.
    turns: u64,
    flights: BTreeMap<u64, Flight>,
    /// Of the access log, what was not sent yet.
    log: Vec<Completion>,
    requests: u64,
    warm_up: u64,
    /// When the first request that counts was asked, and what engines had done by then.
    counts_from: Option<Duration>,
    before: Work,
    seed: u64,
    /// Of what just happened.
    steps: Vec<Step>,
    outcome: Outcome,
}

/// What all engines have done.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    adapter_loads: u64,
    preemptions: u64,
}

struct Engine {
    engine: VirtualEngine,
    /// When something is due next.
    due: Option<Duration>,
    /// Our ids and the tokens to come, by its own ids.
    requests: HashMap<u64, (u64, u32)>,
    in_flight: u32,
}

/// A client, and what it is about to ask.
#[derive(Default)]
struct Client {
    asks: Option<Request>,
    asked: Option<Duration>,
}

/// A request that an engine has.
struct Flight {
    client: usize,
    engine: usize,
    request: Request,
    /// When the client first asked; when it was sent to the engine; when the first token came.
    asked: Duration,
    sent: Duration,
    first: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ask(usize),
    Scrape(usize),
    Log,
    Sample,
}

// === impl Run ===

impl<'a> Run<'a> {
    fn new(
        engines: &[Options],
        clients: Clients,
        workload: &'a mut dyn Workload,
        policy: &'a mut dyn Policy,
        seed: u64,
    ) -> anyhow::Result<Self> {
        ensure!(!engines.is_empty(), "a fleet has at least one engine");
        ensure!(clients.rate > 0.0, "clients begin at a rate above 0, not {}", clients.rate);
        let engines = engines.iter().map(Engine::new).collect::<anyhow::Result<Vec<_>>>()?;
        let mut run = Self {
            workload,
            policy,
            random: Rng::with_seed(seed),
            engines,
            clients: (0..clients.number).map(|_| Client::default()).collect(),
            open: clients.number,
            agenda: BinaryHeap::new(),
            turns: 0,
            flights: BTreeMap::new(),
            log: Vec::new(),
            requests: 0,
            warm_up: clients.warm_up,
            counts_from: None,
            before: Work::default(),
            seed,
            steps: Vec::new(),
            outcome: Outcome::default(),
        };
        for client in 0..clients.number {
            run.plan(client, &[], Duration::from_secs_f64(client as f64 / clients.rate));
        }
        for engine in 0..run.engines.len() {
            let moment = SCRAPE.mul_f64(run.random.f64());
            run.put(moment, Event::Scrape(engine));
        }
        run.put(LOG, Event::Log);
        run.put(Duration::ZERO, Event::Sample);
        Ok(run)
    }

    fn finish(mut self) -> anyhow::Result<Outcome> {
        while self.open > 0 {
            let due = self.engines.iter().enumerate();
            let due = due.filter_map(|(index, engine)| Some((engine.due?, index))).min();
            let agenda = self.agenda.peek().map(|Reverse((at, ..))| *at);
            if let Some((at, engine)) = due.filter(|(at, _)| agenda.is_none_or(|agenda| *at <= agenda)) {
                self.advance(engine, at)?;
            } else if let Some(Reverse((at, _, event))) = self.agenda.pop() {
                ensure!(at < TOO_LONG, "{} clients are not done after {at:?}", self.open);
                self.happen(event, at)?;
            }
        }
        let work = self.work();
        let outcome = &mut self.outcome;
        outcome.time = outcome.time.saturating_sub(self.counts_from.unwrap_or_default());
        outcome.adapter_loads = work.adapter_loads - self.before.adapter_loads;
        outcome.preemptions = work.preemptions - self.before.preemptions;
        outcome.finish();
        Ok(self.outcome)
    }

    /// Whether a request is one that counts.
    fn counts(&self, request: u64) -> bool {
        request > self.warm_up
    }

    fn work(&self) -> Work {
        self.engines.iter().fold(Work::default(), |work, engine| {
            let page = engine.engine.snapshot(self.outcome.time);
            Work {
                adapter_loads: work.adapter_loads + page.adapter_loads,
                preemptions: work.preemptions + page.preemptions,
            }
        })
    }

    fn put(&mut self, at: Duration, event: Event) {
        self.turns += 1;
        self.agenda.push(Reverse((at, self.turns, event)));
    }

    fn happen(&mut self, event: Event, now: Duration) -> anyhow::Result<()> {
        match event {
            Event::Ask(client) => self.ask(client, now)?,
            Event::Scrape(engine) => {
                let page = self.engines[engine].engine.snapshot(now);
                self.policy.scraped(engine, &page, now);
                self.put(now + SCRAPE, event);
            }
            Event::Log => {
                for completion in std::mem::take(&mut self.log) {
                    self.policy.completed(&completion, now);
                }
                self.put(now + LOG, event);
            }
            Event::Sample => {
                if self.counts_from.is_some() {
                    self.outcome.in_flight.push(self.engines.iter().map(|engine| engine.in_flight).collect());
                }
                self.put(now + Outcome::SAMPLE, event);
            }
        }
        Ok(())
    }

    /// A client that heard `answer` thinks of what it asks next.
    fn plan(&mut self, client: usize, answer: &[u32], now: Duration) {
        let Some(turn) = self.workload.next(client, answer) else {
            self.open -= 1;
            return;
        };
        self.requests += 1;
        let request = Request { id: self.requests, prompt: turn.prompt, tokens: turn.tokens, adapter: turn.adapter };
        self.clients[client] = Client { asks: Some(request), asked: None };
        self.put(now + turn.after, Event::Ask(client));
    }

    fn ask(&mut self, client: usize, now: Duration) -> anyhow::Result<()> {
        let Client { asks, asked } = &mut self.clients[client];
        let asked = *asked.get_or_insert(now);
        let request = asks.take().context("a client asks what it planned")?;
        let counts = self.counts(request.id);
        if counts && self.counts_from.is_none() {
            (self.counts_from, self.before) = (Some(now), self.work());
        }
        let picked = self.policy.pick(&request, now, &mut self.random);
        let Some(engine) = picked else {
            self.outcome.shed += u64::from(counts);
            self.clients[client].asks = Some(request);
            self.put(now + RETRY, Event::Ask(client));
            return Ok(());
        };
        let id = request.id;
        self.engines.get_mut(engine).context("a policy picks one of the engines")?.add(&request, self.seed, now)?;
        if counts {
            self.outcome.prompt_tokens += request.prompt.len() as u64;
        }
        self.flights.insert(id, Flight { client, engine, request, asked, sent: now, first: now });
        Ok(())
    }

    fn advance(&mut self, engine: usize, now: Duration) -> anyhow::Result<()> {
        let mut steps = std::mem::take(&mut self.steps);
        self.engines[engine].advance(now, &mut steps);
        for Step { request, done, cached } in steps.drain(..) {
            let known = self.engines[engine].requests.get(&request);
            let (id, tokens) = *known.context("an engine has what it was given")?;
            if done == 1 {
                self.begin(id, cached, now)?;
            }
            if done == tokens {
                self.engines[engine].requests.remove(&request);
                self.end(id, now)?;
            }
        }
        self.steps = steps;
        Ok(())
    }

    fn begin(&mut self, id: u64, cached: u32, now: Duration) -> anyhow::Result<()> {
        let counts = self.counts(id);
        let flight = self.flights.get_mut(&id).context("what an engine has is in flight")?;
        flight.first = now;
        if counts {
            self.outcome.ttft.push(now - flight.asked);
            self.outcome.cached_tokens += u64::from(cached);
        }
        Ok(())
    }

    fn end(&mut self, id: u64, now: Duration) -> anyhow::Result<()> {
        let Flight { client, engine, request, asked, sent, first } =
            self.flights.remove(&id).context("what ends is in flight")?;
        self.engines[engine].in_flight -= 1;
        self.outcome.time = now;
        if self.counts(id) {
            self.outcome.latency.push(now - asked);
        }
        self.policy.ended(&request, engine, now);
        self.log.push(Completion {
            request: id,
            engine,
            ttft: first - sent,
            tpot: (now - first) / request.tokens.saturating_sub(1).max(1),
            duration: now - sent,
        });
        let answer = self.engines[engine].engine.answer(seed_of(self.seed, id), request.tokens);
        self.plan(client, &answer, now);
        Ok(())
    }
}

// === impl Engine ===

impl Engine {
    fn new(options: &Options) -> anyhow::Result<Self> {
        Ok(Self { engine: VirtualEngine::new(options)?, due: None, requests: HashMap::new(), in_flight: 0 })
    }

    fn add(&mut self, request: &Request, seed: u64, now: Duration) -> anyhow::Result<()> {
        let ask = Ask {
            prompt: request.prompt.clone(),
            seed: seed_of(seed, request.id),
            tokens: request.tokens,
            adapter: request.adapter.as_deref().map(str::to_owned),
        };
        let theirs = self.engine.add(ask, now).context("simulated engines here have no bound on their queue")?;
        self.requests.insert(theirs, (request.id, request.tokens));
        self.in_flight += 1;
        self.due = self.engine.next();
        Ok(())
    }

    fn advance(&mut self, now: Duration, steps: &mut Vec<Step>) {
        steps.extend(self.engine.advance(now));
        self.due = self.engine.next();
    }
}

/// What the answer to a request is drawn from.
fn seed_of(seed: u64, request: u64) -> u64 {
    Rng::with_seed(seed ^ (request << 20)).u64(..)
}

#[cfg(test)]
mod tests;
