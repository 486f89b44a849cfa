//! The ranking half of `lora-affinity`.

use super::Scorer;
use crate::scheduling::headroom::Headroom;
use crate::scheduling::tuning::FREE_SLOT;
use crate::scheduling::{Candidate, Random, Request};

/// Where the adapter that is asked for is in a slot an endpoint scores 1, where a slot is free 0.5, else 0, each as far
/// as it has room ([`Headroom`]). A model that is no adapter scores 1 everywhere.
///
/// Upstream has no such scorer: with more adapters than slots, each request then takes the slot of an adapter that
/// is asked for next.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoraAffinity;

// === impl LoraAffinity ===

impl Scorer for LoraAffinity {
    fn name(&self) -> &'static str {
        "lora-affinity"
    }

    fn score(&self, request: &Request<'_>, candidates: &[Candidate<'_>], _: &mut Random<'_>, scores: &mut [f64]) {
        if !is_adapter(request.model, candidates) {
            scores.fill(1.0);
            return;
        }
        let listed = candidates.iter().any(|candidate| candidate.lists(request.model) == Some(true));
        let headroom = Headroom::among(candidates);
        for (candidate, score) in candidates.iter().zip(scores) {
            *score = match candidate.known.lora {
                _ if listed && candidate.lists(request.model) == Some(false) => 0.0,
                Some(slots) if slots.has(request.model) => 1.0,
                Some(slots) if slots.free() == Some(true) => FREE_SLOT,
                Some(_) | None => 0.0,
            } * headroom.of(candidate);
        }
    }
}

/// Whether a name is an adapter's: somebody lists it with the model that it is laid over. A name that nobody lists is
/// one where somebody who lists models has slots: engines list their base models always, adapters once loaded.
fn is_adapter(name: &str, candidates: &[Candidate<'_>]) -> bool {
    let listed =
        candidates.iter().filter_map(|candidate| candidate.known.models).flatten().find(|model| model.id == name);
    let has_slots = |candidate: &Candidate<'_>| candidate.known.lora.is_some_and(|slots| slots.free().is_some());
    match listed {
        Some(model) => model.parent.is_some(),
        None => candidates.iter().any(|candidate| candidate.known.models.is_some() && has_slots(candidate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Adapters, Model};
    use crate::scheduling::Known;
    use crate::scheduling::{Load, LoraSlots, Signals};

    fn model(id: &str, parent: Option<&str>) -> Model {
        Model { id: id.to_owned(), parent: parent.map(str::to_owned) }
    }

    /// So many slots, with these adapters in them.
    fn slots(max: Option<u32>, running: &[&str]) -> LoraSlots {
        let mut slots = LoraSlots::default();
        let running = running.iter().map(|&name| name.to_owned()).collect();
        slots.observe(Some(Adapters { running, waiting: vec![], max }));
        slots
    }

    fn scores(model: &str, candidates: &[Candidate<'_>]) -> Vec<f64> {
        let mut scores = vec![0.0; candidates.len()];
        LoraAffinity.score(&Request { model, ..Request::default() }, candidates, &mut || 0, &mut scores);
        scores
    }

    #[test]
    fn an_adapter_goes_where_it_is_in_a_slot_then_where_one_is_free() {
        let models = [model("base", None), model("a", Some("base"))];
        let all = [slots(Some(1), &["b"]), slots(Some(2), &["b"]), slots(Some(1), &["a"]), slots(None, &["b"])];
        let candidate = |lora| Candidate::idle(Known { models: Some(&models), lora: Some(lora), ..Known::default() });
        let candidates: Vec<_> = all.iter().map(candidate).collect();
        assert_eq!(scores("a", &candidates), [0.0, 0.5, 1.0, 0.0]);
        assert_eq!(scores("base", &candidates), [1.0; 4]);
        assert_eq!(scores("loaded-when-asked-for", &candidates), [0.0, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn who_lists_models_without_the_adapter_does_not_have_it_and_who_lists_none_may() {
        let (listing, other) = ([model("a", Some("base"))], [model("base", None)]);
        let free = slots(Some(1), &[]);
        let candidate = |models| Candidate::idle(Known { models, lora: Some(&free), ..Known::default() });
        assert_eq!(
            scores("a", &[candidate(Some(&listing[..])), candidate(Some(&other[..])), candidate(None)]),
            [0.5, 0.0, 0.5]
        );
    }

    #[test]
    fn a_base_model_that_nobody_lists_scores_alike_where_nobody_has_slots() {
        let models = [model("base", None)];
        let untold = LoraSlots::default();
        let candidates = [Some(&models[..]), None]
            .map(|models| Candidate::idle(Known { models, lora: Some(&untold), ..Known::default() }));
        assert_eq!(scores("renamed", &candidates), [1.0, 1.0]);
    }

    #[test]
    fn an_adapter_is_worth_a_swap_where_its_endpoint_queues() {
        let models = [model("a", Some("base"))];
        let (there, free) = (slots(Some(1), &["a"]), slots(Some(1), &[]));
        let signals = Signals { running: Some(8), waiting: Some(4), ..Signals::default() };
        let load = Load { signals: Some(signals), ..Load::default() };
        let candidates = [
            Candidate::new(&load, Known { models: Some(&models), lora: Some(&there), ..Known::default() }),
            Candidate::idle(Known { models: Some(&models), lora: Some(&free), ..Known::default() }),
        ];
        assert_eq!(scores("a", &candidates), [0.2, 0.5]);
    }
}
