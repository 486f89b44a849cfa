use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn fails(health: &mut Health, times: u32, now: Duration) -> bool {
    (0..times).map(|_| health.failed(now)).last().unwrap_or_default()
}

#[test]
fn five_failures_in_a_row_eject_and_a_success_in_between_does_not_let_them_add_up() {
    let mut health = Health::default();
    assert!(!fails(&mut health, 4, SECOND));
    health.served(SECOND);
    assert!(!fails(&mut health, 4, SECOND));
    assert_eq!(health.out_until(SECOND), None);
    assert!(health.failed(SECOND));
    assert_eq!((health.out_until(SECOND), health.out_until(11 * SECOND)), (Some(11 * SECOND), None));
}

#[test]
fn what_was_under_way_neither_prolongs_an_ejection_nor_ends_it() {
    let mut health = Health::default();
    fails(&mut health, 5, SECOND);
    assert!(!fails(&mut health, 50, 2 * SECOND));
    health.served(3 * SECOND);
    assert_eq!(health.out_until(3 * SECOND), Some(11 * SECOND));
}

#[test]
fn one_request_tries_it_and_decides() {
    for well in [true, false] {
        let mut health = Health::default();
        fails(&mut health, 5, SECOND);
        let now = 12 * SECOND;
        assert_eq!(health.out_until(now), None);
        health.sent(now);
        assert_eq!(health.out_until(now), Some(now + TRIAL), "nobody else is sent there");
        if well {
            health.served(now);
            assert_eq!(health.out_until(now), None);
            assert!(!health.failed(now), "it is as good as any other");
        } else {
            assert!(health.failed(now));
            assert_eq!(health.out_until(now), Some(now + 20 * SECOND));
        }
    }
}

#[test]
fn what_tries_it_and_is_refused_shows_that_it_is_there_unless_it_is_out_for_that() {
    let mut health = Health::default();
    fails(&mut health, 5, SECOND);
    health.sent(12 * SECOND);
    assert!(!health.refused(Answers::default(), 12 * SECOND));
    assert_eq!(health.out_until(12 * SECOND), None);

    let mut health = Health::default();
    for served in 0..30 {
        health.refused(Answers { served, refused: served }, SECOND);
    }
    health.sent(12 * SECOND);
    assert!(health.refused(Answers::default(), 12 * SECOND));
}

#[test]
fn a_trial_that_is_not_heard_of_is_followed_by_another() {
    let mut health = Health::default();
    fails(&mut health, 5, Duration::ZERO);
    health.sent(10 * SECOND);
    assert_eq!(health.out_until(39 * SECOND), Some(40 * SECOND));
    assert_eq!(health.out_until(40 * SECOND), None);
}

#[test]
fn each_time_takes_longer_up_to_five_minutes_and_being_well_as_long_forgives() {
    let mut health = Health::default();
    let (mut now, mut lengths) = (SECOND, Vec::new());
    fails(&mut health, 5, now);
    for _ in 0..40 {
        let until = health.out_until(now).unwrap();
        lengths.push((until - now).as_secs());
        now = until;
        health.sent(now);
        health.failed(now);
    }
    assert_eq!((lengths[0], lengths[1], lengths[2], lengths[29], lengths[39]), (10, 20, 30, 300, 300));
    for (well, length) in [(299, 300), (300, 10)] {
        let mut health = health;
        let mut now = health.out_until(now).unwrap();
        health.sent(now);
        health.served(now);
        now += well * SECOND;
        fails(&mut health, 5, now);
        assert_eq!(health.out_until(now), Some(now + length * SECOND), "well for {well} s");
    }
}

/// So many requests, of which others got `share` for each of its own; of theirs so many in a hundred are refused.
fn refuse(share: u64, refused: u64) -> bool {
    let (mut health, mut pool) = (Health::default(), Answers { served: 1_000, refused: 1_000 });
    (0..200).any(|request| {
        pool.refused += 1;
        let out = health.refused(pool, SECOND);
        for other in 0..share {
            match (request * share + other) * 37 % 100 < refused {
                true => pool.refused += 1,
                false => pool.served += 1,
            }
        }
        out
    })
}

#[test]
fn an_endpoint_that_alone_refuses_is_ejected_and_one_of_many_that_do_is_not() {
    for (share, refused, ejected) in [(1, 0, true), (3, 5, true), (3, 50, false), (3, 100, false), (0, 0, true)] {
        assert_eq!(refuse(share, refused), ejected, "{share} requests at others, {refused} % refused");
    }
}

#[test]
fn one_answer_among_refusals_ends_their_row() {
    let mut health = Health::default();
    for request in 1..100 {
        let pool = Answers { served: request * 10, refused: request };
        assert!(!health.refused(pool, SECOND));
        if request % 19 == 0 {
            health.served(SECOND);
        }
    }
}

proptest! {
    #[test]
    fn half_of_a_pool_stays_in_and_the_rest_is_out_the_longest(untils in proptest::collection::vec(proptest::option::of(0_u64..100), 0..20)) {
        let until = |index: usize| Duration::from_secs(untils[index].unwrap_or_default());
        let all: Vec<_> = (0..untils.len()).filter(|index| untils[*index].is_some()).collect();
        let out = spare(all.iter().map(|index| (*index, until(*index))).collect(), untils.len());
        prop_assert_eq!(out.len(), all.len().min(untils.len() / 2));
        prop_assert!(out.is_sorted());
        let shortest = out.iter().map(|index| until(*index)).min();
        for index in all.iter().filter(|index| !out.contains(index)) {
            prop_assert!(shortest.is_none_or(|shortest| until(*index) <= shortest));
        }
    }
}
