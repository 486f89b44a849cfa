//! Arguments of plugins: names as upstream's decoder compares them, values checked one by one.

use super::{ConfigError, PluginConfig};
use crate::prefix::Blocks;
use crate::scheduling::{Arguments, Plugin};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

const MAX_WAITING_REQUESTS: &str = "maxWaitingRequests";
const WEIGHT_FACTOR: &str = "TTFTTPOTWeightFactor";
const BLOCK_SIZE: &str = "blockSizeToHash";
const MAX_BLOCKS: &str = "maxBlocksToMatch";
const CACHE_SIZE: &str = "maxHashCacheSize";
const TOP_MATCHES: &str = "topKMatches";

/// For each endpoint; a hash takes some tens of bytes.
const CACHE_SIZES: RangeInclusive<u32> = 1..=1_000_000;
const ANY: RangeInclusive<u32> = 1..=u32::MAX;

/// The arguments of one plugin as written.
struct Written<'a> {
    /// Where they are written.
    field: &'a str,
    arguments: &'a Map<String, Value>,
}

/// Reads the entries of the `pluginConfig` at `field`; of several values for one argument the last counts.
pub(super) fn read(field: &str, configs: &[PluginConfig]) -> Result<Arguments, ConfigError> {
    let mut read = Arguments::default();
    for config in configs {
        // What is not built has arguments that nobody checks.
        let Some(plugin) = Plugin::from_name(&config.name) else { continue };
        let written = Written { field: &format!("{field}[{}].args", config.name), arguments: &config.args };
        written.only(names(plugin))?;
        match plugin {
            Plugin::LeastRequest => written.number(MAX_WAITING_REQUESTS, &mut read.max_waiting, ANY)?,
            Plugin::LeastLatency => written.share(WEIGHT_FACTOR, &mut read.alpha)?,
            Plugin::PrefixCache => {
                written.number(BLOCK_SIZE, &mut read.prefix.blocks.size, Blocks::SIZES)?;
                written.number(MAX_BLOCKS, &mut read.prefix.blocks.max, Blocks::COUNTS)?;
                written.number(CACHE_SIZE, &mut read.prefix.cache_size, CACHE_SIZES)?;
                // Every endpoint's match is found at no further cost, so none need be left out.
                written.number(TOP_MATCHES, &mut 5, ANY)?;
            }
            Plugin::LoraAffinity | Plugin::GpuUsage | Plugin::Random => {}
        }
    }
    Ok(read)
}

const fn names(plugin: Plugin) -> &'static [&'static str] {
    match plugin {
        Plugin::LeastRequest => &[MAX_WAITING_REQUESTS],
        Plugin::LeastLatency => &[WEIGHT_FACTOR],
        Plugin::PrefixCache => &[BLOCK_SIZE, MAX_BLOCKS, CACHE_SIZE, TOP_MATCHES],
        Plugin::LoraAffinity | Plugin::GpuUsage | Plugin::Random => &[],
    }
}

// === impl Written ===

impl Written<'_> {
    /// Refuses other names than these.
    fn only(&self, names: &'static [&'static str]) -> Result<(), ConfigError> {
        let known = |key: &str| names.iter().any(|name| name.eq_ignore_ascii_case(key));
        match self.arguments.keys().find(|key| !known(key)) {
            None => Ok(()),
            Some(key) => Err(ConfigError::UnknownArgument { field: self.at(key), names }),
        }
    }

    /// A whole number. `target` has the default, which 0 means too, as upstream documents it.
    fn number(&self, name: &str, target: &mut u32, range: RangeInclusive<u32>) -> Result<(), ConfigError> {
        let default = *target;
        for (key, value) in self.values(name) {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            *target = match number {
                Some(0) => default,
                Some(number) if range.contains(&number) => number,
                _ => {
                    let (least, most) = range.into_inner();
                    let expected =
                        format!("a whole number between {least} and {most}, nor 0 for the default of {default}");
                    return Err(ConfigError::Argument { field: self.at(key), value: value.to_string(), expected });
                }
            };
        }
        Ok(())
    }

    /// A number in [0, 1].
    fn share(&self, name: &str, target: &mut f64) -> Result<(), ConfigError> {
        for (key, value) in self.values(name) {
            *target =
                value.as_f64().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| ConfigError::Argument {
                    field: self.at(key),
                    value: value.to_string(),
                    expected: "a number between 0 and 1".to_owned(),
                })?;
        }
        Ok(())
    }

    fn values(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.arguments.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name))
    }

    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.field)
    }
}
