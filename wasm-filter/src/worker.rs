//! What a worker's VM keeps beside its table: a clock, the retry budgets, the requests that wait for their answers.

use kthena_core::routing::Budgets;
use kthena_core::session::{Patience, Progress, Watch};
use kthena_core::wire;
use proxy_wasm::hostcalls;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

thread_local! {
    static START: Instant = Instant::now();
    static NOW: Cell<Option<Duration>> = const { Cell::new(None) };
    static BUDGETS: RefCell<Budgets> = RefCell::default();
    static TRACED: bool = std::env::var_os(wire::TRACING).is_some();
}

/// Envoy has called: the clock is looked at anew, when somebody asks.
pub(crate) fn called() {
    NOW.set(None);
}

/// Time since this VM's first look at the clock, when it was first asked for since [`called`]: each look is a call of the
/// host.
pub(crate) fn now() -> Duration {
    NOW.get().unwrap_or_else(|| {
        let now = START.with(Instant::elapsed);
        NOW.set(Some(now));
        now
    })
}

/// Whether Envoy makes spans of requests.
pub(crate) fn traced() -> bool {
    TRACED.with(|traced| *traced)
}

/// The budgets, which outlive configurations.
pub(crate) fn budgets<T>(with: impl FnOnce(&mut Budgets) -> T) -> T {
    BUDGETS.with_borrow_mut(with)
}

/// How many tries of the request at hand were begun.
pub(crate) fn tries() -> u32 {
    let bytes = hostcalls::get_property(wire::TRIES_IN_ENVOY.to_vec()).ok().flatten().unwrap_or_default();
    bytes.try_into().map_or(0, |bytes| u32::try_from(i64::from_le_bytes(bytes)).unwrap_or_default())
}

/// The requests of one root that wait for their answers' headers, and the root's timer. Each root has its own: a timer is
/// its root's, and streams outlive a configuration.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    watch: RefCell<Watch>,
    /// When the timer ends; `None` while it stands still.
    armed: Cell<Option<Duration>>,
}

// === impl Waiting ===

impl Waiting {
    pub(crate) fn begin(&self, id: u32, patience: Patience) {
        let now = now();
        self.watch.borrow_mut().begin(id, patience, now);
        let next = self.watch.borrow().next();
        // One that ends too early is wound up anew then.
        if self.armed.get().is_none_or(|armed| next.is_some_and(|next| next < armed)) {
            self.wind(now);
        }
    }

    /// Whether the request was waiting: if not, it was given up on.
    pub(crate) fn end(&self, id: u32) -> bool {
        self.watch.borrow_mut().end(id)
    }

    /// The timer has ended.
    pub(crate) fn tick(&self) {
        let now = now();
        let given_up = self.watch.borrow_mut().look(now, progress);
        for id in given_up {
            if hostcalls::set_effective_context(id).is_ok() {
                // Envoy's reply mapping gives it its body. The SDK panics where Envoy refuses one: it
                // is sent once, as who is given up on is looked at no more.
                let _ = hostcalls::send_http_response(504, vec![], None);
            }
        }
        self.wind(now);
    }

    fn wind(&self, now: Duration) {
        let next = self.watch.borrow().next();
        // A period of nothing stops the timer, which is not what is meant by one that is due.
        let pause = next.map(|next| next.saturating_sub(now).max(Duration::from_millis(1)));
        let _ = hostcalls::set_tick_period(pause.unwrap_or_default());
        self.armed.set(next);
    }
}

fn progress(id: u32) -> Progress {
    if hostcalls::set_effective_context(id).is_err() {
        return Progress::default();
    }
    let connected = hostcalls::get_property(wire::CONNECTED_IN_ENVOY.to_vec());
    Progress { tries: tries(), connected: matches!(connected, Ok(Some(_))) }
}
