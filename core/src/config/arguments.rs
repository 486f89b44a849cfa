//! Arguments of plugins: what is wrong with one is a problem, and its default counts.

use super::PluginConfig;
use crate::scheduling::{DEFAULT_MAX_WAITING, Plugin};
use serde_json::Value;

const MAX_WAITING_REQUESTS: &str = "maxWaitingRequests";

/// `maxWaitingRequests` of `least-request`. Names are compared without regard to case, as upstream's decoder does;
/// of several the last counts.
pub(super) fn max_waiting(configs: &[PluginConfig], problems: &mut Vec<String>) -> u32 {
    let name = Plugin::LeastRequest.name();
    let arguments = configs.iter().filter(|config| config.name == name).flat_map(|config| &config.args);
    let mut limit = DEFAULT_MAX_WAITING;
    for (key, value) in arguments {
        let field = format!("scheduler.pluginConfig[{name}].args.{key}");
        if !key.eq_ignore_ascii_case(MAX_WAITING_REQUESTS) {
            problems.push(format!("{field}: unknown, expected {MAX_WAITING_REQUESTS}"));
            continue;
        }
        limit = positive(value).unwrap_or_else(|| {
            problems.push(format!(
                "{field}: {value} is not a whole number between 1 and {}, {DEFAULT_MAX_WAITING} counts",
                u32::MAX
            ));
            DEFAULT_MAX_WAITING
        });
    }
    limit
}

fn positive(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|value| u32::try_from(value).ok()).filter(|value| *value > 0)
}
