//! One case: a name and what to do.

use super::Subject;
use std::pin::Pin;

/// A behaviour that an engine must show; it panics where it does not.
pub(super) struct Case {
    /// `module::function`.
    pub(super) name: &'static str,
    pub(super) check: fn(Subject) -> Pin<Box<dyn Future<Output = ()>>>,
}

/// A list of [`Case`]s from functions of this module.
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        &[$($crate::conformance::Case {
            name: concat!(module_path!(), "::", stringify!($function)),
            check: |subject| Box::pin($function(subject)),
        }),*]
    };
}
pub(super) use cases;
