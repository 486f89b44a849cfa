//! The filtering half of `lora-affinity`.

use super::Filter;
use crate::engine::Model;
use crate::scheduling::{Candidate, LoraSlots, Plugin, Request};

/// Drops endpoints that list models without the one that the engine is asked for, once somebody lists it.
///
/// Whoever lists it counts even when an earlier filter dropped it: who does not have an adapter answers 404, and to
/// wait is better. While nobody lists it, it may be an adapter that is loaded when it is asked for, or a base model
/// by a name that engines do not list; nobody is dropped for that, but of those left, endpoints whose slots are all
/// taken go while one is known to have a free slot. An endpoint that never listed anything is kept.
///
/// The name is the engine's, after ModelRoutes and ModelServers renamed it. Upstream compares the client's, so that a
/// renamed base model is listed by nobody and every endpoint is dropped.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServesModel;

// === impl ServesModel ===

impl Filter for ServesModel {
    fn name(&self) -> &'static str {
        Plugin::LoraAffinity.name()
    }

    fn filter(&self, request: &Request<'_>, candidates: &[Candidate<'_>], keep: &mut [bool]) {
        if candidates.iter().any(|candidate| candidate.lists(request.model) == Some(true)) {
            // Replicas share a list ([`crate::fleet::Fleet::list`]), which is looked through once.
            let mut last: (Option<&[Model]>, bool) = (None, true);
            for (candidate, keep) in candidates.iter().zip(keep) {
                let models = candidate.known.models;
                if !same(models, last.0) {
                    last = (models, candidate.lists(request.model) != Some(false));
                }
                *keep &= last.1;
            }
            return;
        }
        let free = |candidate: &Candidate<'_>| candidate.known.lora.and_then(LoraSlots::free);
        if candidates.iter().zip(&*keep).any(|(candidate, keep)| *keep && free(candidate) == Some(true)) {
            for (candidate, keep) in candidates.iter().zip(keep) {
                let has = candidate.known.lora.is_some_and(|slots| slots.has(request.model));
                *keep &= has || free(candidate) != Some(false);
            }
        }
    }

    fn reason(&self) -> String {
        "it does not list the model while another endpoint does, or all its LoRA slots are taken while another has one \
         free"
            .to_owned()
    }
}

/// Whether it is the one list, wherever it says the same.
fn same(models: Option<&[Model]>, others: Option<&[Model]>) -> bool {
    match (models, others) {
        (Some(models), Some(others)) => std::ptr::eq(models, others),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Adapters;
    use crate::scheduling::Known;

    fn models(ids: &[&str]) -> Vec<Model> {
        ids.iter().map(|&id| Model { id: id.to_owned(), parent: None }).collect()
    }

    fn slots(max: u32, running: &[&str]) -> LoraSlots {
        let mut slots = LoraSlots::default();
        let running = running.iter().map(|&name| name.to_owned()).collect();
        slots.observe(Some(Adapters { running, waiting: vec![], max: Some(max) }));
        slots
    }

    fn filtered<const N: usize>(model: &str, candidates: [Candidate<'_>; N], mut keep: [bool; N]) -> [bool; N] {
        ServesModel.filter(&Request { model, ..Request::default() }, &candidates, &mut keep);
        keep
    }

    #[test]
    fn who_lists_models_without_the_one_asked_for_is_dropped_and_who_never_said_is_kept() {
        let (with, without) = (models(&["base", "a"]), models(&["base", "b"]));
        let candidates = [Some(&with[..]), Some(&without[..]), None]
            .map(|models| Candidate::idle(Known { models, ..Known::default() }));
        assert_eq!(filtered("a", candidates, [true; 3]), [true, false, true]);
        assert_eq!(filtered("base", candidates, [true; 3]), [true; 3]);
    }

    #[test]
    fn who_lacks_it_does_not_serve_in_the_place_of_one_that_an_earlier_filter_dropped() {
        let (with, without) = (models(&["a"]), models(&["b"]));
        let candidates =
            [&with[..], &without[..]].map(|models| Candidate::idle(Known { models: Some(models), ..Known::default() }));
        assert_eq!(filtered("a", candidates, [false, true]), [false, false]);
    }

    #[test]
    fn a_model_that_nobody_lists_drops_nobody_as_upstream_does_with_renamed_base_models() {
        let models = models(&["served-name"]);
        let candidates = [Some(&models[..]), None].map(|models| Candidate::idle(Known { models, ..Known::default() }));
        assert_eq!(filtered("another-name", candidates, [true; 2]), [true; 2]);
    }

    #[test]
    fn an_adapter_that_nobody_has_goes_where_a_slot_is_free() {
        let models = models(&["base"]);
        let all = [slots(1, &["b"]), slots(2, &["b"]), LoraSlots::default(), slots(1, &["a"])];
        let candidates = all
            .each_ref()
            .map(|lora| Candidate::idle(Known { models: Some(&models), lora: Some(lora), ..Known::default() }));
        assert_eq!(filtered("a", candidates, [true; 4]), [false, true, true, true]);
        assert_eq!(
            filtered("a", candidates, [true, false, true, true]),
            [true, false, true, true],
            "the free one is gone"
        );
    }
}
