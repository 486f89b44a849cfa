//! The table as bytes: a magic number, a format version, then postcard.
//!
//! Every worker's VM decodes it while no request moves, so size is time: names are stored once and
//! targets are indexes. A typical route takes about 70 bytes; the test below holds it under 150.

use super::{Table, Target};
use crate::prefix::Blocks;

const MAGIC: &[u8] = b"kthena\x04";

/// Why bytes are no table. The filter then keeps the one it has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another format, or none at all.
    #[error("not a routing table of format 4")]
    Format,
    /// Cut short, or damaged.
    #[error("damaged routing table: {0}")]
    Damaged(String),
    /// A target points past the list of servers.
    #[error("routing table: ModelRoute {route} names server {index} of {servers}")]
    Dangling {
        /// `namespace/name` of the route.
        route: String,
        /// What it points at.
        index: u32,
        /// How many there are.
        servers: usize,
    },
    /// Prompts cut into blocks that no one may ask for.
    #[error(
        "routing table: ModelServer {server} has blocks of {size} bytes and {max} of them, expected 1 to 65536 and 1 to 512"
    )]
    Blocks {
        /// `namespace/name`.
        server: String,
        /// Bytes of one.
        size: u32,
        /// How many.
        max: u32,
    },
}

impl Table {
    /// The bytes for the filter.
    ///
    /// # Errors
    /// Never for a table that fits in memory; the serializer's error is handed on all the same.
    pub fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_extend(self, MAGIC.to_vec())
    }

    /// The table in `bytes`.
    ///
    /// # Errors
    /// See [`DecodeError`]; nothing in hostile bytes panics or allocates beyond their length.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let payload = bytes.strip_prefix(MAGIC).ok_or(DecodeError::Format)?;
        let (table, rest) =
            postcard::take_from_bytes::<Self>(payload).map_err(|e| DecodeError::Damaged(e.to_string()))?;
        if !rest.is_empty() {
            return Err(DecodeError::Damaged(format!("{} bytes too many", rest.len())));
        }
        for server in &table.servers {
            if let Some(Blocks { size, max }) = server.prefix.filter(|blocks| !blocks.is_valid()) {
                return Err(DecodeError::Blocks { server: server.name.clone(), size, max });
            }
        }
        for route in &table.routes {
            for target in route.rules.iter().flat_map(|rule| &rule.targets) {
                if let Target::Server { index, .. } = target
                    && *index as usize >= table.servers.len()
                {
                    return Err(DecodeError::Dangling {
                        route: route.name.clone(),
                        index: *index,
                        servers: table.servers.len(),
                    });
                }
            }
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use crate::prefix::Blocks;
    use proptest::prelude::*;

    fn table(routes: usize) -> Table {
        Table {
            version: 7,
            servers: (0..routes)
                .map(|i| Server {
                    name: format!("production/deepseek-r1-{i}"),
                    state: ServerState::Serving,
                    model: Some(format!("deepseek-ai/DeepSeek-R1-{i}")),
                    header_timeout_ms: 10_000,
                    retries: 4,
                    backoff: BackoffClass::Ms100,
                    fail_close: false,
                    prefix: Some(Blocks::default()),
                })
                .collect(),
            routes: (0..routes)
                .map(|i| TargetRoute {
                    name: format!("production/deepseek-{i}"),
                    model: Some(format!("deepseek-r1-{i}")),
                    adapters: vec![],
                    rules: vec![Rule {
                        matches: RuleMatch::default(),
                        targets: vec![Target::Server { index: i as u32, weight: 100 }],
                    }],
                })
                .collect(),
            ..Table::default()
        }
    }

    #[test]
    fn a_table_survives_the_wire() {
        let mut table = table(3);
        table.routes[0].rules[0].matches = RuleMatch {
            headers: vec![("user-type".into(), Pattern::Regex(Regex::new("pre.*")))],
            uri: Some(Pattern::Prefix("/v1/chat".into())),
            model: Some("m".into()),
        };
        assert_eq!(Table::decode(&table.encode().unwrap()).unwrap(), table);
    }

    #[test]
    fn a_route_with_its_server_takes_under_150_bytes() {
        let one_thousand = table(1000).encode().unwrap().len();
        assert!(one_thousand / 1000 < 150, "{} bytes a route", one_thousand / 1000);
    }

    #[test]
    fn damage_is_refused() {
        let good = table(2).encode().unwrap();
        assert_eq!(Table::decode(b"").unwrap_err(), DecodeError::Format);
        assert_eq!(Table::decode(b"kthena\x03").unwrap_err(), DecodeError::Format);
        for cut in 7..good.len() {
            assert!(matches!(Table::decode(&good[..cut]), Err(DecodeError::Damaged(_))), "cut at {cut}");
        }
        let mut long = good.clone();
        long.push(0);
        assert!(matches!(Table::decode(&long), Err(DecodeError::Damaged(_))));
        let mut dangling = table(2);
        dangling.servers.pop();
        assert!(matches!(
            Table::decode(&dangling.encode().unwrap()),
            Err(DecodeError::Dangling { index: 1, servers: 1, .. })
        ));
    }

    #[test]
    fn blocks_out_of_their_bounds_are_refused() {
        for (size, max) in [(0, 128), (65_537, 128), (64, 0), (64, 513)] {
            let mut table = table(2);
            table.servers[1].prefix = Some(Blocks { size, max });
            let server = "production/deepseek-r1-1".to_owned();
            assert_eq!(Table::decode(&table.encode().unwrap()), Err(DecodeError::Blocks { server, size, max }));
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut framed = b"kthena\x04".to_vec();
            framed.extend(bytes);
            let _ = Table::decode(&framed);
        }
    }
}
