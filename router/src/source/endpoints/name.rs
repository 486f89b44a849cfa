//! Names of Kubernetes objects, made from names that may hold anything.

use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// As long as a label's name may be.
const LONGEST: usize = 63;
/// Of a hash: 32 bits, for the few names that share a spelling.
const HASH_BYTES: usize = 4;

/// An object's name for each of some texts, no two the same.
///
/// `Qwen/Qwen3-0.6B` is `qwen-qwen3-0.6b`. Of texts that would have one name, the one spelt so keeps it; the others
/// get a hash of their text, and so does one that is cut or has nothing that a name may hold.
pub(super) fn names<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeMap<&'a str, String> {
    let texts: BTreeSet<&str> = texts.into_iter().collect();
    let mut spelt: BTreeMap<String, u32> = BTreeMap::new();
    texts.iter().for_each(|text| *spelt.entry(spell(text)).or_default() += 1);
    let name = |text: &str| {
        let name = spell(text);
        let alone = spelt.get(&name) == Some(&1);
        match !name.is_empty() && name.len() <= LONGEST && (alone || name == text) {
            true => name,
            false => hashed(&name, text),
        }
    };
    texts.into_iter().map(|text| (text, name(text))).collect()
}

/// Lower-case letters, digits, `-` and `.`, each part between dots with a letter or digit at both ends.
fn spell(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c.to_ascii_lowercase() } else { '-' };
    let text: String = text.chars().map(plain).collect();
    let parts = text.split('.').map(|part| part.trim_matches('-')).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join(".")
}

fn hashed(name: &str, text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let hash: String = digest.iter().take(HASH_BYTES).map(|byte| format!("{byte:02x}")).collect();
    // A name is ASCII, so it can be cut anywhere.
    let kept = name.get(..LONGEST - hash.len() - 1).unwrap_or(name).trim_end_matches(['-', '.']);
    if kept.is_empty() { format!("model-{hash}") } else { format!("{kept}-{hash}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kthena_crds::{Pod, admission::name::validate};

    #[test]
    fn a_name_is_spelt_as_kubernetes_wants_it() {
        for (text, name) in [
            ("tiny", "tiny"),
            ("Qwen/Qwen3-0.6B", "qwen-qwen3-0.6b"),
            ("llama3.2:1b", "llama3.2-1b"),
            ("/models/tiny_llama/", "models-tiny-llama"),
            ("127.0.0.1:8000", "127.0.0.1-8000"),
            ("[::1]:8000", "1--8000"),
            ("a.-b-.", "a.b"),
        ] {
            assert_eq!(names([text])[text], name);
        }
    }

    #[test]
    fn no_two_texts_share_a_name() {
        let all = names(["x/y", "x-y", "X/Y", "other"]);
        assert_eq!((all["x-y"].as_str(), all["other"].as_str()), ("x-y", "other"));
        assert!(all["x/y"].starts_with("x-y-") && all["X/Y"].starts_with("x-y-"));
        assert_eq!(all.values().collect::<BTreeSet<_>>().len(), 4);
    }

    #[test]
    fn every_name_is_one_that_an_api_server_takes() {
        let long = "x".repeat(62) + "/" + &"y".repeat(100);
        for text in ["", "模型", "--", "...", "A_B", &long] {
            let mut pod = Pod::default();
            pod.metadata.name = Some(names([text])[text].clone());
            assert!(validate(&pod.metadata).is_empty(), "{text}: {:?}", pod.metadata.name);
            assert!(pod.metadata.name.unwrap().len() <= LONGEST);
        }
    }
}
