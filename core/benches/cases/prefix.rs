//! A fleet that holds prompts, and prompts to ask it for.

use kthena_core::prefix::Index;

/// Hashes of the prompts that fill the fleet: an upstream default's worth of 64-byte blocks.
pub const PROMPT: usize = 128;

/// A hash such as the filter sends, of 48 bits; each number another (the finaliser of SplitMix64).
fn hash(number: u64) -> u64 {
    let mut x = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16
}

/// A prompt like no other.
pub fn prompt(number: u64, len: usize) -> Vec<u64> {
    (0..len as u64).map(|at| hash((number << 16) + at)).collect()
}

/// Endpoints that hold `each` prompts of [`PROMPT`] hashes, none of them shared: endpoint `e` the prompts
/// `e * each` and on.
pub fn fleet(endpoints: u32, each: u64) -> Index {
    let mut index = Index::new();
    for round in 0..each {
        for endpoint in 0..endpoints {
            index.learn(endpoint, &prompt(u64::from(endpoint) * each + round, PROMPT));
        }
    }
    index
}

/// Puts the first quarter of a prompt on every endpoint, and the rest on each as far as to a depth of its own.
pub fn share_system_prompt(index: &mut Index, endpoints: u32, prompt: &[u64]) {
    let system = prompt.len() / 4;
    for endpoint in 0..endpoints {
        // Every depth comes, in no order: the factor is prime.
        let own = (endpoint as usize * 7919) % (prompt.len() - system + 1);
        index.learn(endpoint, &prompt[..system + own]);
    }
}
