//! Engines are asked one by one: what each says is known, and what one does not say harms no other.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use kthena_core::engine::EngineType;
use kthena_core::scheduling::{Load, Profile, Request, Signals};
use kthena_ext_proc::scrape::{Observed, Slot, follow};
use kthena_ext_proc::telemetry::Telemetry;
use kthena_ext_proc::{Picker, Pool, Pools};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

const INTERVAL: Duration = Duration::from_millis(50);

/// What an engine does when it is asked for its metrics.
#[derive(Debug, Clone)]
enum Page {
    Says(String),
    Refuses,
    Lacks,
    Hangs,
}

/// An engine of two pages.
struct Engine {
    page: Mutex<Page>,
    models: Mutex<&'static str>,
    asked: AtomicUsize,
}

/// An engine where it listens.
struct Served {
    engine: Arc<Engine>,
    address: SocketAddr,
}

async fn metrics(State(engine): State<Arc<Engine>>) -> Response {
    engine.asked.fetch_add(1, Ordering::Relaxed);
    let page = engine.page.lock().unwrap().clone();
    match page {
        Page::Says(text) => text.into_response(),
        Page::Refuses => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Page::Lacks => StatusCode::NOT_FOUND.into_response(),
        Page::Hangs => std::future::pending().await,
    }
}

async fn models(State(engine): State<Arc<Engine>>) -> String {
    let ids: Vec<_> = engine.models.lock().unwrap().split(',').map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    format!(r#"{{"object":"list","data":[{}]}}"#, ids.join(","))
}

fn waiting(count: u32) -> Page {
    Page::Says(format!("vllm:num_requests_waiting{{engine=\"0\"}} {count}\nvllm:num_requests_running 1\n"))
}

impl Served {
    async fn new(page: Page) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let engine = Arc::new(Engine { page: Mutex::new(page), models: Mutex::new("m"), asked: AtomicUsize::new(0) });
        let routes = Router::new().route("/metrics", get(metrics)).route("/v1/models", get(models));
        tokio::spawn(axum::serve(listener, routes.with_state(Arc::clone(&engine))).into_future());
        Self { engine, address }
    }

    fn turn(&self, page: Page) {
        *self.engine.page.lock().unwrap() = page;
    }

    fn asked(&self) -> usize {
        self.engine.asked.load(Ordering::Relaxed)
    }
}

struct Scraper {
    picker: Arc<Picker>,
    telemetry: Arc<Telemetry>,
    task: AbortHandle,
}

impl Drop for Scraper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Scraper {
    fn of(engines: &[&Served]) -> Self {
        Self::at(INTERVAL, engines)
    }

    fn at(interval: Duration, engines: &[&Served]) -> Self {
        let picker = Picker::new(Profile::default());
        let telemetry = Arc::new(Telemetry::new(&picker, &Arc::default()));
        let task = tokio::spawn(follow(Arc::clone(&picker), interval, Arc::clone(&telemetry.scrape))).abort_handle();
        let scraper = Self { picker, telemetry, task };
        scraper.publish(engines);
        scraper
    }

    fn publish(&self, engines: &[&Served]) {
        let endpoints =
            engines.iter().map(|engine| (engine.address, format!("ns/{}", engine.address.port()))).collect();
        self.picker.publish(Pools::new([(
            "ns/t".to_owned(),
            Pool { engine: Some(EngineType::Vllm), endpoints, ..Pool::default() },
        )]));
    }

    fn slot(&self, engine: &Served) -> Arc<Slot> {
        let targets = self.picker.targets().current();
        let slot =
            targets.iter().find(|(target, _)| target.address == engine.address).map(|(_, slot)| Arc::clone(slot));
        slot.unwrap()
    }

    fn waiting(&self, engine: &Served) -> Option<u32> {
        self.slot(engine).signals().and_then(|signals| signals.waiting)
    }

    fn metric(&self, name: &str) -> String {
        let page = self.telemetry.page();
        page.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    }
}

/// Polls, as what is waited for happens in other tasks.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn what_an_engine_says_is_known_and_counts_in_picks() {
    let (busy, idle) = (Served::new(waiting(7)).await, Served::new(waiting(0)).await);
    let scraper = Scraper::of(&[&busy, &idle]);
    until("both pages", || (scraper.waiting(&busy), scraper.waiting(&idle)) == (Some(7), Some(0))).await;
    until("the models", || scraper.slot(&busy).models().is_some_and(|models| models[0].id == "m")).await;
    let (decision, _ticket) =
        scraper.picker.pick(&Request { target: "ns/t", model: "m", ..Request::default() }, || 0).unwrap();
    assert_eq!(decision.addresses().next().map(|first| &**first), Some(idle.address.to_string().as_str()));
    let (_, endpoints) = &scraper.picker.endpoints()[0];
    let signals = Signals { waiting: Some(7), running: Some(1), ..Signals::default() };
    let mut loads: Vec<_> = endpoints.iter().map(|endpoint| endpoint.load).collect();
    loads.sort_by_key(|load| load.requests());
    assert_eq!(loads[1], Load { signals: Some(signals), ..Load::default() });
    idle.turn(waiting(3));
    until("the next page", || scraper.waiting(&idle) == Some(3)).await;
}

#[tokio::test]
async fn an_adapter_that_is_loaded_at_run_time_is_seen() {
    let engine = Served::new(waiting(0)).await;
    let scraper = Scraper::of(&[&engine]);
    until("the model", || scraper.slot(&engine).models().is_some_and(|models| models.len() == 1)).await;
    *engine.engine.models.lock().unwrap() = "m,lora";
    until("the adapter", || scraper.slot(&engine).models().is_some_and(|models| models.len() == 2)).await;
}

#[tokio::test]
async fn an_engine_that_hangs_delays_no_other() {
    let (hanging, good) = (Served::new(Page::Hangs).await, Served::new(waiting(1)).await);
    let scraper = Scraper::at(20 * INTERVAL, &[&hanging, &good]);
    // The one that hangs is given three intervals, in which the other is asked thrice.
    until("three pages of the other", || good.asked() == 3).await;
    assert_eq!(hanging.asked(), 1);
    assert_eq!(scraper.waiting(&good), Some(1));
}

#[tokio::test]
async fn an_engine_that_goes_silent_is_not_believed_until_it_speaks_again() {
    for silence in [Page::Refuses, Page::Hangs, Page::Says("<html>".to_owned())] {
        let engine = Served::new(waiting(5)).await;
        let scraper = Scraper::of(&[&engine]);
        until("the first page", || scraper.waiting(&engine) == Some(5)).await;
        until("the models", || scraper.slot(&engine).models().is_some()).await;
        assert_eq!(scraper.metric("kthena_router_scrape_stale_endpoints"), "0");
        engine.turn(silence.clone());
        until("its silence to be noticed", || scraper.slot(&engine).observed().stale).await;
        let Observed { signals, at, .. } = (*scraper.slot(&engine).observed()).clone();
        assert_eq!(signals, None, "{silence:?}");
        assert!(at.is_some_and(|at| at.elapsed() >= INTERVAL), "it was given time");
        assert!(scraper.slot(&engine).models().is_some(), "its models do not go with its metrics");
        assert_eq!(scraper.metric("kthena_router_scrape_stale_endpoints"), "1");
        let reason = match silence {
            Page::Refuses | Page::Lacks => "status",
            Page::Hangs => "timeout",
            Page::Says(_) => "foreign",
        };
        let failures = format!("kthena_router_scrape_failures_total{{page=\"metrics\",reason=\"{reason}\"}}");
        assert_ne!(scraper.metric(&failures), "", "{}", scraper.telemetry.page());
        engine.turn(waiting(6));
        until("it to be believed again", || scraper.waiting(&engine) == Some(6)).await;
        assert_eq!(scraper.metric("kthena_router_scrape_stale_endpoints"), "0");
    }
}

#[tokio::test]
async fn an_engine_without_metrics_is_not_silent_and_is_asked_rarely() {
    for page in [Page::Lacks, Page::Says("llamacpp:requests_processing 0\n".to_owned())] {
        let (other, engine) = (Served::new(page).await, Served::new(waiting(1)).await);
        let scraper = Scraper::of(&[&other, &engine]);
        until("three answers", || other.asked() == 3).await;
        let seen = engine.asked();
        until("twenty more pages of the one with metrics", || engine.asked() >= seen + 20).await;
        assert_eq!(other.asked(), 3);
        assert_eq!(scraper.metric("kthena_router_scrape_stale_endpoints"), "0");
        until("its models", || scraper.slot(&other).models().is_some()).await;
        other.turn(waiting(4));
        until("its first metrics", || scraper.waiting(&other) == Some(4)).await;
        other.turn(Page::Lacks);
        until("its silence, now that it has spoken", || scraper.slot(&other).observed().stale).await;
    }
}

#[tokio::test]
async fn endpoints_are_asked_from_their_publication_to_their_removal() {
    let (first, second) = (Served::new(waiting(1)).await, Served::new(waiting(2)).await);
    let scraper = Scraper::of(&[&first]);
    until("the first", || scraper.waiting(&first) == Some(1)).await;
    scraper.publish(&[&first, &second]);
    assert_eq!(scraper.waiting(&first), Some(1), "what is known stays");
    until("the second", || scraper.waiting(&second) == Some(2)).await;
    scraper.publish(&[&second]);
    assert_eq!(scraper.metric("kthena_router_scrape_endpoints"), "1");
    // A question that was on its way may still come.
    let (gone, stays) = (first.asked() + 1, second.asked());
    until("ten more pages of the second", || second.asked() >= stays + 10).await;
    assert!(first.asked() <= gone, "{} > {gone}", first.asked());
}

#[tokio::test]
async fn a_page_without_an_end_is_given_up() {
    let line = "vllm:num_requests_waiting_by_reason{reason=\"x\"} 0\n".repeat(400_000);
    let engine = Served::new(Page::Says(line)).await;
    let scraper = Scraper::of(&[&engine]);
    let failures = "kthena_router_scrape_failures_total{page=\"metrics\",reason=\"";
    until("a page that is too large", || {
        scraper.metric(failures).starts_with("too_large") || scraper.metric(failures).starts_with("timeout")
    })
    .await;
    assert_eq!(scraper.slot(&engine).signals(), None);
}
