//! What an engine does, as cases that run on any: the simulator in every test run, the real vLLM in
//! `make e2e-vllm`, each directly and behind our Envoy.
//!
//! The real one is the truth: a case is written against it, and the simulator has to follow. All cases
//! share one engine and run one after the other, for several watch its gauges; none leaves anything
//! behind, but for the last, which kills it.

mod adapters;
mod answers;
mod bench;
mod case;
mod death;
mod envoy;
mod errors;
mod load;
mod metrics;
mod page;
mod pair;
mod paths;
mod shape;
mod streams;
mod subject;
mod tokens;

pub use bench::{Bench, Facts, Mortal, run};

use case::{Case, cases};
use page::Page;
use shape::shape;
use subject::Subject;

/// Run on the engine itself and behind Envoy.
const EVERYWHERE: &[&[Case]] =
    &[answers::EVERYWHERE, streams::EVERYWHERE, errors::EVERYWHERE, paths::EVERYWHERE, load::EVERYWHERE];

/// What Envoy answers in the engine's stead, or keeps to itself.
const DIRECT: &[&[Case]] =
    &[answers::DIRECT, errors::DIRECT, paths::DIRECT, tokens::DIRECT, adapters::DIRECT, metrics::DIRECT, load::DIRECT];

/// What Envoy may change, and what it may not.
const BEHIND_ENVOY: &[&[Case]] = &[envoy::BEHIND_ENVOY, pair::BEHIND_ENVOY];
