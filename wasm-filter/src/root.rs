//! The plugin's root: a table in force is replaced by each good configuration, and kept when a bad one comes.

use crate::stream::Stream;
use crate::worker::{Waiting, budgets, called};
use crate::{stats, table};
use kthena_core::routing::{Routes, Table};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};
use std::rc::Rc;

/// Configuration in, streams out.
#[derive(Default)]
pub(crate) struct Root {
    waiting: Rc<Waiting>,
}

impl Context for Root {}

impl RootContext for Root {
    /// Answering `false` makes Envoy refuse the update.
    fn on_configure(&mut self, _size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        match Table::decode(&bytes) {
            Ok(table) => {
                budgets(|budgets| budgets.keep(table.servers.iter().map(|server| server.name.as_str())));
                stats::table(&table);
                table::replace(Routes::new(table));
                true
            }
            Err(error) => {
                stats::table_refused();
                // Nothing can be done about a log line that fails.
                let _ = hostcalls::log(LogLevel::Error, &format!("kthena: configuration refused: {error}"));
                false
            }
        }
    }

    fn on_tick(&mut self) {
        called();
        self.waiting.tick();
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        called();
        Some(Box::new(Stream::new(context_id, Rc::clone(&self.waiting))))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
