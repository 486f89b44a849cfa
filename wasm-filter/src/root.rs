//! The VM's one table: replaced whole by each good configuration, kept when a bad one comes.

use crate::stream::Stream;
use kthena_core::routing::{Routes, Table};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};
use std::cell::RefCell;
use std::rc::Rc;

thread_local! {
    static ROUTES: RefCell<Rc<Routes>> = RefCell::new(Rc::new(Routes::default()));
}

/// The table in force. Callers hold it for one callback only, so that an old one never lingers.
pub(crate) fn routes() -> Rc<Routes> {
    ROUTES.with(|routes| Rc::clone(&routes.borrow()))
}

/// The plugin's root: configuration in, streams out.
pub(crate) struct Root;

impl Context for Root {}

impl RootContext for Root {
    /// Answering `false` makes Envoy refuse the update; the table in force serves on.
    fn on_configure(&mut self, _size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        match Table::decode(&bytes) {
            Ok(table) => {
                let fresh = Rc::new(Routes::new(table));
                // The old table is dropped outside the borrow.
                drop(ROUTES.with(|routes| routes.replace(fresh)));
                true
            }
            Err(error) => {
                // Nothing can be done about a log line that fails.
                let _ = hostcalls::log(LogLevel::Error, &format!("kthena: configuration refused: {error}"));
                false
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new()))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
