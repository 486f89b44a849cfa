//! The chain in a header: of each hash the low 48 bits, big-endian, in base64url: eight characters a block.
//!
//! Two of a million different blocks have the same 48 bits with a probability of 0.2 %, and then a request is
//! sent to a pod that does not hold its prompt: a whole hash is not worth a third more header.

use super::MAX_HASHES;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// Bytes kept of a hash: a whole number of base64's groups of three.
const BYTES: usize = 6;
/// Characters that they take.
const CHARS: usize = 8;

/// The chain as text, of at most [`MAX_HASHES`] hashes.
pub fn encode(chain: &[u64]) -> String {
    let mut bytes = Vec::with_capacity(chain.len().min(MAX_HASHES) * BYTES);
    for hash in chain.iter().take(MAX_HASHES) {
        let [_, _, low @ ..] = hash.to_be_bytes();
        bytes.extend(low);
    }
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The hashes in a text, their upper 16 bits 0; `None` for one that [`encode`] did not write.
pub fn decode(text: &str) -> Option<Vec<u64>> {
    if text.len() > MAX_HASHES * CHARS || !text.len().is_multiple_of(CHARS) {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
    let hash = |low: &[u8]| low.iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte));
    Some(bytes.chunks_exact(BYTES).map(hash).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    #[test]
    fn eight_characters_a_block() {
        let chain = [13_915_909_083_615_432_819, 1_600_122_997_977_819_646];
        let text = encode(&chain);
        assert_eq!(text.len(), 16);
        assert_eq!(decode(&text).unwrap(), chain.map(|hash| hash & 0xffff_ffff_ffff));
        assert_eq!(encode(&[0, u64::MAX]), "AAAAAAAA________");
        assert_eq!(decode(""), Some(vec![]));
    }

    #[test]
    fn what_is_no_chain_is_none() {
        let long = encode(&[7; MAX_HASHES]);
        assert_eq!(decode(&long).unwrap().len(), MAX_HASHES);
        assert_eq!(encode(&[7; MAX_HASHES + 1]), long);
        for text in [&(long + "AAAAAAAA"), "A", "AAAAAAA", "AAAAAA==", "AAAA AAA", "AAAA+AAA", "AAAAAAAé", "AAAAAAA\n"]
        {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_chain_survives_the_wire(chain in vec(0..1u64 << 48, 0..=MAX_HASHES)) {
            prop_assert_eq!(decode(&encode(&chain)), Some(chain));
        }

        #[test]
        fn any_text_is_one_chain_s_or_none(text in "[A-Za-z0-9_+=-]{0,24}|.{0,24}") {
            if let Some(chain) = decode(&text) {
                prop_assert_eq!(encode(&chain), text);
            }
        }
    }
}
