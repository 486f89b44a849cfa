//! Ends choices at the texts that a request names (`stop`), as both engines do: the text itself is not
//! told, and so what could be its beginning is held back until it is clear that it is not.

use std::borrow::Cow;

use crate::engine::Token;
use crate::wire::{Choice, Piece};

/// The stops of one request, and where its choices are.
#[derive(Debug)]
pub struct Stops {
    stops: Vec<String>,
    /// Characters that are held back.
    hold: usize,
    choices: Vec<Held>,
}

/// One choice.
#[derive(Debug, Clone, Default)]
struct Held {
    /// Said by the engine, not told yet.
    text: String,
    ended: bool,
}

/// What of a token is told.
#[derive(Debug)]
pub struct Told<'a> {
    pub text: Cow<'static, str>,
    /// Whether the choice ends here.
    pub last: bool,
    /// The stop that ends it.
    pub stop: Option<&'a str>,
}

// === impl Stops ===

impl Stops {
    pub fn new(mut stops: Vec<String>, choices: usize) -> Self {
        stops.retain(|stop| !stop.is_empty());
        let hold = stops.iter().map(|stop| stop.chars().count() - 1).max().unwrap_or(0);
        Self { stops, hold, choices: vec![Held::default(); choices] }
    }

    /// Whether there are any.
    pub fn any(&self) -> bool {
        !self.stops.is_empty()
    }

    /// What the token adds to its choice; `None` if that has ended.
    pub fn tell(&mut self, token: &Token) -> Option<Told<'_>> {
        if self.stops.is_empty() {
            return Some(Told { text: token.text.into(), last: token.last, stop: None });
        }
        let held = self.choices.get_mut(token.choice).filter(|held| !held.ended)?;
        held.text.push_str(token.text);
        let first =
            self.stops.iter().filter_map(|stop| Some((held.text.find(stop.as_str())?, stop))).min_by_key(|at| at.0);
        if let Some((start, stop)) = first {
            held.ended = true;
            held.text.truncate(start);
            return Some(Told { text: std::mem::take(&mut held.text).into(), last: true, stop: Some(stop) });
        }
        held.ended = token.last;
        let kept = if token.last { 0 } else { self.hold };
        let end = held.text.char_indices().rev().nth(kept.saturating_sub(1)).map_or(0, |(at, _)| at);
        let end = if kept == 0 { held.text.len() } else { end };
        Some(Told { text: held.text.drain(..end).collect::<String>().into(), last: token.last, stop: None })
    }

    /// Whether a stop ended every choice, so that what the engine still says is for nobody.
    pub fn all_ended(&self) -> bool {
        !self.stops.is_empty() && self.choices.iter().all(|held| held.ended)
    }
}

// === impl Told ===

impl Told<'_> {
    /// As a stream tells it.
    pub fn piece(&self, token: &Token) -> Piece<'_> {
        let Token { choice, position, id, .. } = *token;
        Piece { choice, position, text: &self.text, id, last: self.last, stop: self.stop }
    }

    /// As a whole answer gathers it.
    pub fn gather(&self, token: &Token, choices: &mut Vec<Choice>) {
        if choices.len() <= token.choice {
            choices.resize_with(token.choice + 1, Choice::default);
        }
        if let Some(choice) = choices.get_mut(token.choice) {
            choice.text.push_str(&self.text);
            choice.ids.push(token.id);
            choice.stop = self.stop.map(str::to_owned);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told, token by token, of `words`; the end of a choice is marked.
    fn told(stops: &[&str], words: &[&'static str]) -> Vec<String> {
        let mut cut = Stops::new(stops.iter().map(|stop| (*stop).to_owned()).collect(), 1);
        let tokens = words.iter().zip(0..).map(|(text, position)| {
            let last = position as usize + 1 == words.len();
            Token { choice: 0, position, text, id: 0, last }
        });
        let mut seen = Vec::new();
        for token in tokens {
            let Some(told) = cut.tell(&token) else { continue };
            let end = match (told.last, told.stop) {
                (_, Some(stop)) => format!("|{stop}"),
                (true, None) => "|".to_owned(),
                (false, None) => String::new(),
            };
            seen.push(format!("{}{end}", told.text));
        }
        seen
    }

    #[test]
    fn without_stops_every_token_is_told_at_once() {
        assert_eq!(told(&[], &["a", " b"]), ["a", " b|"]);
        assert_eq!(told(&[""], &["a", " b"]), ["a", " b|"]);
    }

    #[test]
    fn a_choice_ends_before_the_first_stop_that_it_says() {
        assert_eq!(told(&["c", "b"], &["a", " b", " c"]), ["a", " |b"]);
        assert_eq!(told(&["b c"], &["a", " b", " c", " d"]), ["", "a", " |b c"]);
    }

    #[test]
    fn what_was_held_back_is_told_when_it_was_no_stop() {
        assert_eq!(told(&["b x"], &["a", " é", " c"]), ["", "a", " é c|"]);
    }
}
