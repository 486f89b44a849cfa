//! The instance that the tests of bodies share: one route that renames, one adapter that does not.

use kthena_e2e::{Engine, Kthena, Setup, manifests};
use kthena_simulator::Options;
use std::sync::LazyLock;

/// What clients ask for.
pub(crate) const MODEL: &str = "asked";
/// What the engine is asked for.
pub(crate) const SERVED: &str = "served/model";

/// `kthena up` and the one engine behind it.
pub(crate) struct Bodies {
    pub(crate) kthena: Kthena,
    pub(crate) engine: Engine,
}

pub(crate) static BODIES: LazyLock<Bodies> = LazyLock::new(|| bodies(|setup| setup));

/// An instance of its own, for tests that turn more.
pub(crate) fn bodies(more: impl FnOnce(Setup) -> Setup) -> Bodies {
    let options = Options {
        models: vec![SERVED.into()],
        loras: vec!["adapter".into()],
        speed: 100.0,
        // One test sends a prompt of five megabytes.
        max_model_len: 4_000_000,
        ..Options::default()
    };
    let engine = Engine::simulated("engine", options);
    let route =
        manifests::route("asked", MODEL, &[("engine", 100)]).replace("  rules:", "  loraAdapters: [adapter]\n  rules:");
    let rest = manifests::server("engine", SERVED, "") + &manifests::pod("engine", "engine", &engine.ip());
    let kthena = more(Setup::new(&[("all.yaml", &(route + &rest))])).up();
    Bodies { kthena, engine }
}
