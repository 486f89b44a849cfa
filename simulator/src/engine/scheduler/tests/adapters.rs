//! LoRA slots as sequences see them.

use super::*;

fn with(adapter: &'static str) -> Asked<'static> {
    Asked { adapter: Some(adapter), ..asked(&[1], 1) }
}

#[test]
fn the_first_use_of_an_adapter_waits_until_it_is_loaded() {
    let mut bench = Bench::new(Config { lora_load_time: ms(1000), ..config() });
    bench.taken(with("a"));
    assert_eq!((bench.running(), bench.waiting()), (0, (0, 1)));
    assert_eq!(bench.scheduler.slots.waiting(), ["a"]);
    assert_eq!(bench.first_tokens(), [(0, 1100)]);
    bench.taken(with("a"));
    assert_eq!(bench.scheduler.slots.running(), ["a"]);
    assert_eq!(bench.first_tokens(), [(1, 1200)]);
}

#[test]
fn an_adapter_that_was_loaded_by_name_does_not_wait() {
    let mut bench = Bench::new(Config { lora_load_time: ms(1000), ..config() });
    bench.scheduler.slots.load("a", Duration::ZERO);
    bench.until(2000);
    bench.taken(with("a"));
    assert_eq!(bench.first_tokens(), [(0, 2100)]);
}

#[test]
fn more_adapters_than_slots_are_deferred_and_others_overtake_them() {
    let mut bench = Bench::new(config());
    for adapter in ["a", "b", "c", "a"] {
        bench.taken(with(adapter));
    }
    bench.taken(asked(&[2], 1));
    assert_eq!((bench.running(), bench.waiting()), (4, (0, 1)));
    assert_eq!(bench.scheduler.slots.running(), ["a", "b"]);
    assert_eq!(bench.scheduler.slots.waiting(), ["c"]);
    assert_eq!(bench.first_tokens(), [(0, 100), (1, 100), (3, 100), (4, 100), (2, 200)]);
}

#[test]
fn an_adapter_that_is_unloaded_leaves_its_slot_to_who_waits_for_one() {
    let mut bench = Bench::new(Config { max_loras: 1, lora_load_time: ms(1000), ..config() });
    bench.scheduler.slots.load("a", Duration::ZERO);
    // The slot is busy as long as its adapter loads, and then nothing else wakes the one that waits.
    let waiter = bench.taken(with("b"));
    bench.until(500);
    bench.scheduler.unload("a", ms(500));
    assert_eq!(bench.first_tokens(), [(waiter, 1600)]);
}
