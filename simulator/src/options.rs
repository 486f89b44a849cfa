//! What a user may say about a simulated engine; every field is a flag of the same name.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::engine::{Pace, parse_speed};

/// The flags of one simulated engine.
///
/// Embed it in another command with `#[command(flatten)]`. Build it in code from
/// [`Options::default`], which holds the same defaults as the flags.
#[derive(Debug, Clone, PartialEq, clap::Args)]
pub struct Options {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDR:PORT", default_value_t = default_listen())]
    pub listen: SocketAddr,

    /// Served model name; repeat for aliases: answers carry the first one.
    #[arg(long = "model", value_name = "NAME", default_value = DEFAULT_MODEL)]
    pub models: Vec<String>,

    /// LoRA adapter that is loaded from the start; repeatable.
    #[arg(long = "lora", value_name = "NAME")]
    pub loras: Vec<String>,

    /// What it calls itself in the response header `x-simulator` [default: the listen address].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Time to the first token.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_TTFT, value_parser = humantime::parse_duration)]
    pub ttft: Duration,

    /// Time per output token after the first.
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_TPOT, value_parser = humantime::parse_duration)]
    pub tpot: Duration,

    /// Divides --ttft and --tpot: 10 is ten times as quick.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = parse_speed)]
    pub speed: f64,

    /// Seed of the generated text: the same seed, model and prompt give the same words.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,

    /// Context length shown in /v1/models, in tokens; no answer is longer.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_MODEL_LEN, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_model_len: u32,

    /// An idle connection is closed after this long (as uvicorn does, whatever --speed says).
    #[arg(long, value_name = "DURATION", default_value = DEFAULT_KEEP_ALIVE, value_parser = humantime::parse_duration)]
    pub keep_alive: Duration,
}

const DEFAULT_MODEL: &str = "simulated";
const DEFAULT_TTFT: &str = "20ms";
const DEFAULT_TPOT: &str = "5ms";
const DEFAULT_MAX_MODEL_LEN: u32 = 131_072;
/// uvicorn's default, which vLLM keeps: the reason why a router must drop pooled connections first.
const DEFAULT_KEEP_ALIVE: &str = "5s";

/// Port 8000 is vLLM's own default.
fn default_listen() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 8000))
}

// === impl Options ===

impl Options {
    /// The timing that these options ask for.
    ///
    /// # Errors
    ///
    /// `--speed` is not a positive finite number, or makes a duration too long to count.
    pub(crate) fn pace(&self) -> anyhow::Result<Pace> {
        Pace::new(self.ttft, self.tpot, self.speed)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: default_listen(),
            models: vec![DEFAULT_MODEL.to_owned()],
            loras: Vec::new(),
            name: None,
            ttft: Duration::from_millis(20),
            tpot: Duration::from_millis(5),
            speed: 1.0,
            seed: 0,
            max_model_len: DEFAULT_MAX_MODEL_LEN,
            keep_alive: Duration::from_secs(5),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn parse(flags: &[&str]) -> Result<Options, String> {
        Command::try_parse_from([&["simulator"], flags].concat())
            .map(|command| command.options)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn no_flags_give_the_defaults_of_the_type() {
        assert_eq!(parse(&[]), Ok(Options::default()));
    }

    #[test]
    fn every_flag_reaches_its_field() {
        let flags = "--listen 127.0.0.2:9 --model a --model b --lora l --lora m --name n --ttft 1s \
                     --tpot 250us --speed 2.5 --seed 7 --max-model-len 64 --keep-alive 1m";
        let expected = Options {
            listen: SocketAddr::from(([127, 0, 0, 2], 9)),
            models: vec!["a".into(), "b".into()],
            loras: vec!["l".into(), "m".into()],
            name: Some("n".into()),
            ttft: Duration::from_secs(1),
            tpot: Duration::from_micros(250),
            speed: 2.5,
            seed: 7,
            max_model_len: 64,
            keep_alive: Duration::from_secs(60),
        };
        assert_eq!(parse(&flags.split_whitespace().collect::<Vec<_>>()), Ok(expected));
    }

    #[test]
    fn a_speed_that_is_not_positive_and_finite_is_refused_by_name() {
        for speed in ["0", "-1", "inf", "nan", "fast"] {
            let error = parse(&[&format!("--speed={speed}")]).expect_err(speed);
            assert!(error.contains("--speed"), "{error}");
            assert!(error.contains("finite number above 0"), "{error}");
        }
    }
}
