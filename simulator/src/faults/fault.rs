//! One fault, as a flag or as JSON says it.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// What goes wrong, and for whom. Which fields a kind takes, [`Kind::takes`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// Only requests whose path begins so; none: all but health checks and metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Share of these that is struck, from 0 to 1; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// How many are struck; none: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The answer's status, 400 to 599.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Seconds in the answer's `Retry-After`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Events of a stream that pass before it happens; none: before the answer's first byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// How long it lasts; none: for ever.
    #[serde(default, rename = "for", with = "human", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Duration>,
    /// Bytes that are sent at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<usize>,
    /// Time between them.
    #[serde(default, with = "human", skip_serializing_if = "Option::is_none")]
    pub every: Option<Duration>,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Nobody listens.
    Refuse,
    /// The connection is reset.
    Reset,
    /// The connection is closed.
    Close,
    /// The answer is no HTTP.
    Garbage,
    /// The answer is an error.
    Status,
    /// The stream ends with an event that tells an error, and then as if all were well; a whole answer is an error.
    Error,
    /// Nothing comes.
    Stall,
    /// The answer comes a few bytes at a time.
    Drip,
    /// The connection is closed behind the answer, unannounced.
    NoKeepAlive,
}

/// Whom any fault of a request may strike.
const SELECTORS: [&str; 3] = ["path", "share", "count"];

// === impl Fault ===

impl Fault {
    /// # Errors
    ///
    /// An unknown kind or field, a field that the kind does not take, or a value out of its range; the
    /// message names the field and what it accepts.
    pub fn from_json(value: Value) -> anyhow::Result<Self> {
        let given: Vec<String> = match &value {
            Value::Object(object) => object.keys().filter(|name| *name != "kind").cloned().collect(),
            _ => bail!("a fault is an object with the field kind"),
        };
        // The cause names the field and what it accepts: one message, as a flag's error shows no more.
        let fault: Self = serde_json::from_value(value).map_err(|cause| anyhow::anyhow!("not a fault: {cause}"))?;
        let takes = fault.kind.takes();
        for name in given {
            ensure!(takes.contains(&&*name), "{name}: {} takes {}", fault.kind.name(), takes.join(", "));
        }
        if let Some(share) = fault.share {
            ensure!((0.0..=1.0).contains(&share), "share: a number from 0 to 1 is needed, not {share}");
        }
        if let Some(status) = fault.status {
            ensure!((400..=599).contains(&status), "status: an error from 400 to 599 is needed, not {status}");
        }
        ensure!(fault.bytes != Some(0), "bytes: a number above 0 is needed");
        Ok(fault)
    }
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    /// `KIND` or `KIND:FIELD=VALUE,FIELD=VALUE`, with the fields of the JSON.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (kind, fields) = text.split_once(':').unwrap_or((text, ""));
        let mut object = Map::new();
        object.insert("kind".to_owned(), kind.into());
        for field in fields.split(',').filter(|field| !field.is_empty()) {
            let (name, value) =
                field.split_once('=').with_context(|| format!("{field}: FIELD=VALUE is needed, as in after=3"))?;
            let number = serde_json::from_str(value).ok().filter(Value::is_number);
            object.insert(name.to_owned(), number.unwrap_or_else(|| value.into()));
        }
        Self::from_json(object.into())
    }
}

// === impl Kind ===

impl Kind {
    /// The fields that it takes beside `kind`.
    fn takes(self) -> Vec<&'static str> {
        let own: &[&str] = match self {
            Self::Refuse => return vec!["for"],
            Self::Reset | Self::Close => &["after"],
            Self::Garbage | Self::NoKeepAlive => &[],
            Self::Status => &["status", "retry_after"],
            Self::Error => &["after", "status"],
            Self::Stall => &["after", "for"],
            Self::Drip => &["bytes", "every"],
        };
        [own, &SELECTORS].concat()
    }

    fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Garbage => "garbage",
            Self::Status => "status",
            Self::Error => "error",
            Self::Stall => "stall",
            Self::Drip => "drip",
            Self::NoKeepAlive => "no-keep-alive",
        }
    }
}

/// Durations as people write them: `250ms`, `1m 30s`.
mod human {
    use super::{Deserialize, Deserializer, Duration, Serializer};

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => to.collect_str(&humantime::format_duration(*duration)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(from)?;
        let read = humantime::parse_duration(&text);
        read.map(Some)
            .map_err(|error| serde::de::Error::custom(format!("{text:?} is no duration like 250ms or 10s: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flag_and_json_say_the_same() {
        for (flag, json) in [
            ("close", json!({"kind": "close"})),
            ("reset:after=3,share=0.5", json!({"kind": "reset", "after": 3, "share": 0.5})),
            ("stall:for=250ms,path=/v1/models", json!({"kind": "stall", "for": "250ms", "path": "/v1/models"})),
            ("status:status=429,retry_after=2", json!({"kind": "status", "status": 429, "retry_after": 2})),
            ("drip:bytes=2,every=1ms,count=9", json!({"kind": "drip", "bytes": 2, "every": "1ms", "count": 9})),
            ("error:after=2,status=503", json!({"kind": "error", "after": 2, "status": 503})),
            ("no-keep-alive", json!({"kind": "no-keep-alive"})),
        ] {
            let fault: Fault = flag.parse().expect(flag);
            assert_eq!(serde_json::to_value(&fault).expect("JSON"), json);
            assert_eq!(Fault::from_json(json).expect(flag), fault);
        }
    }

    #[test]
    fn what_makes_no_fault_is_refused_with_the_field_and_what_it_accepts() {
        for (flag, named) in [
            ("explode", "unknown variant `explode`, expected one of `refuse`, `reset`"),
            ("close:when=3", "unknown field `when`, expected one of `kind`, `path`"),
            ("close:after", "after: FIELD=VALUE is needed"),
            ("close:status=500", "status: close takes after, path, share, count"),
            ("refuse:share=0.5", "share: refuse takes for"),
            ("status:status=200", "status: an error from 400 to 599 is needed, not 200"),
            ("reset:share=2", "share: a number from 0 to 1 is needed, not 2"),
            ("stall:for=soon", "\"soon\" is no duration like 250ms or 10s"),
            ("drip:bytes=0", "bytes: a number above 0"),
        ] {
            let error = flag.parse::<Fault>().expect_err(flag);
            assert!(format!("{error:#}").contains(named), "{error:#}");
        }
    }
}
