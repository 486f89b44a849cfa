//! Chats as people have them: a system prompt that many share, then turns of text with line breaks and quotes.

use fastrand::Rng;
use serde_json::{Value, json};

/// How large a chat's body is, about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chat {
    /// Bytes of the body.
    pub bytes: usize,
    /// How many different ones there are.
    pub count: usize,
}

/// A question and nothing else.
const SHORT: usize = 1000;

/// System prompts are of so many characters, at most a quarter of the body.
const SYSTEM: usize = 2000;

/// So many different ones.
const SYSTEMS: usize = 8;

/// A turn is of so many characters, or what is left.
const TURN: usize = 3000;

const WORDS: &str = "the a an of to and in that is was for on are with as at be this have from or one had by word but not what \
    all were we when your can said there use each which she do how their if will up other about out many then them \
    these so some her would make like him into time has look two more write go see number no way could people my than \
    first water been call who oil its now find long down day did get come made may part request endpoint latency cache \
    prefix token model context summarise explain compare translate paragraph customer invoice contract section clause \
    patient diagnosis treatment function variable returns deploy cluster schedule queue measure throughput describe \
    steps carefully answer briefly reference document table column quarter revenue forecast margin because therefore \
    however although between against during without within café naïve über";

/// The chats, as bodies of one line each; the same for the same arguments. `tokens` asks for a stream of so many.
pub fn bodies(chat: Chat, model: &str, tokens: Option<u32>) -> Vec<String> {
    let mut rng = Rng::with_seed(7);
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let systems: Vec<String> = (0..SYSTEMS).map(|_| text(&mut rng, &words, SYSTEM.min(chat.bytes / 4))).collect();
    (0..chat.count)
        .map(|_| {
            let mut messages = Vec::new();
            if chat.bytes >= SHORT {
                messages.push(message("system", rng.choice(&systems).map(String::as_str).unwrap_or_default()));
            }
            let mut body = body(model, &messages, tokens);
            while body.len() + 40 < chat.bytes {
                let role = if messages.len() % 2 == usize::from(chat.bytes >= SHORT) { "user" } else { "assistant" };
                let rest = chat.bytes - body.len() - 40;
                messages.push(message(role, &text(&mut rng, &words, rest.min(TURN))));
                body = self::body(model, &messages, tokens);
            }
            body
        })
        .collect()
}

fn body(model: &str, messages: &[Value], tokens: Option<u32>) -> String {
    let mut body = json!({"model": model, "messages": messages, "temperature": 0.7});
    if let Some(tokens) = tokens {
        body["stream"] = true.into();
        body["max_tokens"] = tokens.into();
    }
    body.to_string()
}

fn message(role: &str, content: &str) -> Value {
    json!({"role": role, "content": content})
}

/// Sentences of at least so many bytes as they are in JSON, and hardly more.
fn text(rng: &mut Rng, words: &[&str], bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    // Line breaks and quotes take two bytes in JSON.
    let mut escapes = 0;
    while text.len() + escapes < bytes {
        match rng.u8(..) {
            0..4 => {
                text.push_str(".\n\n");
                escapes += 2;
            }
            4..10 => {
                text.push_str(" \"quoted\"");
                escapes += 2;
            }
            10..28 => text.push_str(". "),
            28..44 => text.push(','),
            _ => {}
        }
        text.push(' ');
        text.push_str(rng.choice(words).copied().unwrap_or_default());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn bodies_are_json_on_one_line_of_the_size_that_was_asked_for_and_all_different() {
        for (bytes, count) in [(200, 500), (20 << 10, 40), (220 << 10, 5)] {
            let bodies = bodies(Chat { bytes, count }, "m", None);
            for body in &bodies {
                assert!(body.len().abs_diff(bytes) < 60, "{} of {bytes}", body.len());
                assert!(!body.contains('\n'));
                serde_json::from_str::<Value>(body).unwrap();
            }
            assert_eq!(bodies.iter().collect::<HashSet<_>>().len(), count);
        }
    }

    #[test]
    fn long_chats_share_system_prompts_and_end_with_what_the_user_or_the_model_said() {
        let bodies = bodies(Chat { bytes: 20 << 10, count: 40 }, "m", Some(100));
        let systems: HashSet<_> = bodies
            .iter()
            .map(|body| {
                let body: Value = serde_json::from_str(body).unwrap();
                assert_eq!((&body["stream"], &body["max_tokens"]), (&true.into(), &100.into()));
                assert_eq!(body["messages"][1]["role"], "user");
                body["messages"][0]["content"].to_string()
            })
            .collect();
        assert_eq!(systems.len(), SYSTEMS);
    }
}
