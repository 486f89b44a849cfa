//! What a user may say about a simulated engine; every field is a flag of the same name.

mod capacity;
mod manners;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use capacity::Capacity;
pub use manners::{Face, Manners};
pub use tls::Tls;

use crate::engine::{Bounds, Cache, Config, Pace, faster, parse_speed};
use crate::wire::sglang;

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

    /// How long it goes on answering once told to end, refusing what is new; what is not done by then hangs for as
    /// long as its client stays (as vLLM's flag does). 0: everything ends at once, with an error.
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    pub shutdown_timeout: Duration,

    /// Whether it speaks TLS.
    #[command(flatten)]
    pub tls: Tls,

    /// Which engine's face it wears.
    #[command(flatten)]
    pub manners: Manners,

    /// How much it can do at a time.
    #[command(flatten)]
    pub capacity: Capacity,
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
    /// The engine that these options ask for.
    ///
    /// # Errors
    ///
    /// A number out of its range, a duration too long to count, or a cache too small for the context.
    pub(crate) fn engine(&self) -> anyhow::Result<Config> {
        let Self { ttft, tpot, speed, seed, max_model_len, ref capacity, .. } = *self;
        let config = Config {
            pace: Pace::new(ttft, tpot, speed, capacity.prefill_rate, capacity.decode_slowdown)?,
            seed,
            max_model_len,
            max_num_seqs: capacity.max_num_seqs,
            max_num_batched_tokens: capacity.max_num_batched_tokens,
            max_num_queued_reqs: capacity.max_num_queued_reqs,
            cache: Cache {
                block_size: capacity.block_size,
                blocks: capacity.blocks(max_model_len),
                prefix_caching: !capacity.no_enable_prefix_caching,
            },
            max_loras: capacity.max_loras,
            lora_load_time: faster("--lora-load-time", capacity.lora_load_time, speed)?,
            bounds: match self.manners.face {
                Face::Vllm => Bounds::vllm(max_model_len),
                Face::Sglang => sglang::metrics::bounds(),
            },
        };
        config.check()?;
        Ok(config)
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
            shutdown_timeout: Duration::ZERO,
            tls: Tls::default(),
            manners: Manners::default(),
            capacity: Capacity::default(),
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
                     --tpot 250us --speed 2.5 --seed 7 --max-model-len 64 --keep-alive 1m \
                     --max-num-seqs 3 --max-num-batched-tokens 4 --max-num-queued-reqs 5 --prefill-rate 6.5 \
                     --decode-slowdown 0.5 --block-size 8 --num-gpu-blocks 9 --no-enable-prefix-caching \
                     --max-loras 10 --lora-load-time 11s --face sglang --api-key k \
                     --enable-prompt-tokens-details --enable-request-id-headers --fault close:after=3 --missing-lora-path /nope \
                     --shutdown-timeout 12s --tls-cert c.pem --tls-key k.pem";
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
            shutdown_timeout: Duration::from_secs(12),
            tls: Tls { tls_cert: Some("c.pem".into()), tls_key: Some("k.pem".into()), tls_self_signed: false },
            manners: Manners {
                face: Face::Sglang,
                api_key: Some("k".into()),
                enable_prompt_tokens_details: true,
                enable_request_id_headers: true,
                missing_lora_paths: vec!["/nope".into()],
                faults: vec!["close:after=3".parse().expect("a fault")],
            },
            capacity: Capacity {
                max_num_seqs: 3,
                max_num_batched_tokens: 4,
                max_num_queued_reqs: Some(5),
                prefill_rate: Some(6.5),
                decode_slowdown: 0.5,
                block_size: 8,
                num_gpu_blocks: Some(9),
                no_enable_prefix_caching: true,
                max_loras: 10,
                lora_load_time: Duration::from_secs(11),
            },
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

    #[test]
    fn a_cache_too_small_for_one_sequence_is_refused_with_the_number_that_it_needs() {
        let capacity = Capacity { num_gpu_blocks: Some(3), ..Capacity::default() };
        let error = Options { max_model_len: 49, capacity, ..Options::default() }.engine().expect_err("too small");
        assert!(
            error.to_string().starts_with("--num-gpu-blocks 3: one sequence of --max-model-len 49 needs 4"),
            "{error}"
        );
        let longer = Options { max_model_len: 1_000_000, ..Options::default() };
        assert_eq!(longer.engine().expect("blocks by default").cache.blocks, 62_500);
    }
}
