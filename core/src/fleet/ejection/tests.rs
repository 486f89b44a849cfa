use super::*;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// The others served a thousand, and nobody refused anything.
const SERVED: Answers = Answers { pool: 0, served: 1_000, refused: 0 };

/// None of the others fails.
const WELL: Rest = Rest { others: 3, well: 3 };

fn fails(health: &mut Health, times: u32, now: Duration) -> bool {
    (0..times).map(|_| health.failed(WELL, now, now)).last().unwrap_or_default()
}

#[test]
fn five_failures_in_a_row_eject_and_a_success_in_between_does_not_let_them_add_up() {
    let mut health = Health::default();
    assert!(!fails(&mut health, 4, SECOND));
    health.served(SECOND, SECOND);
    assert!(!fails(&mut health, 4, SECOND));
    assert_eq!(health.out_until(SECOND), None);
    assert!(health.failed(WELL, SECOND, SECOND));
    assert_eq!((health.out_until(SECOND), health.out_until(11 * SECOND)), (Some(11 * SECOND), None));
}

#[test]
fn what_was_under_way_neither_prolongs_an_ejection_nor_ends_it() {
    let mut health = Health::default();
    fails(&mut health, 5, SECOND);
    assert!(!fails(&mut health, 50, 2 * SECOND));
    health.served(3 * SECOND, 3 * SECOND);
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
            health.served(now, now);
            assert_eq!(health.out_until(now), None);
            assert!(!health.failed(WELL, now, now), "it is as good as any other");
        } else {
            assert!(health.failed(WELL, now, now));
            assert_eq!(health.out_until(now), Some(now + 20 * SECOND));
        }
    }
}

#[test]
fn what_tries_it_and_is_refused_shows_that_it_is_there_unless_it_is_out_for_that() {
    let mut health = Health::default();
    fails(&mut health, 5, SECOND);
    health.sent(12 * SECOND);
    assert!(!health.refused(SERVED, 12 * SECOND, 12 * SECOND));
    assert_eq!(health.out_until(12 * SECOND), None);

    let mut health = Health::default();
    for served in 0..30 {
        health.refused(Answers { served, refused: served, ..SERVED }, SECOND, SECOND);
    }
    health.sent(12 * SECOND);
    assert!(health.refused(SERVED, 12 * SECOND, 12 * SECOND));
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
        health.failed(WELL, now, now);
    }
    assert_eq!((lengths[0], lengths[1], lengths[2], lengths[29], lengths[39]), (10, 20, 30, 300, 300));
    for (well, length) in [(299, 300), (300, 10)] {
        let mut health = health;
        let mut now = health.out_until(now).unwrap();
        health.sent(now);
        health.served(now, now);
        now += well * SECOND;
        fails(&mut health, 5, now);
        assert_eq!(health.out_until(now), Some(now + length * SECOND), "well for {well} s");
    }
}

/// So many requests, of which others got `share` for each of its own; of theirs so many in a hundred are refused.
fn refuse(share: u64, refused: u64) -> bool {
    let (mut health, mut pool) = (Health::default(), Answers { pool: 0, served: 1_000, refused: 1_000 });
    (0..200).any(|request| {
        pool.refused += 1;
        let out = health.refused(pool, SECOND, SECOND);
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
    for (share, refused, ejected) in [(1, 0, true), (3, 5, true), (3, 50, false), (3, 100, false), (0, 0, false)] {
        assert_eq!(refuse(share, refused), ejected, "{share} requests at others, {refused} % refused");
    }
}

#[test]
fn one_answer_among_refusals_ends_their_row() {
    let mut health = Health::default();
    for request in 1..100 {
        let pool = Answers { pool: 0, served: request * 10, refused: request };
        assert!(!health.refused(pool, SECOND, SECOND));
        if request % 19 == 0 {
            health.served(SECOND, SECOND);
        }
    }
}

#[test]
fn failures_eject_while_half_of_the_others_do_not_fail_and_longer_ones_while_any_does_not() {
    for (others, well, at_once, late) in
        [(1, 1, true, true), (3, 2, true, true), (3, 1, false, true), (3, 0, false, false), (0, 0, false, false)]
    {
        let (mut health, rest) = (Health::default(), Rest { others, well });
        let at_once_out = (0..5).any(|_| health.failed(rest, SECOND, SECOND));
        assert_eq!(at_once_out, at_once, "{well} of {others}");
        if !at_once {
            assert!(!health.failed(rest, 10 * SECOND, 10 * SECOND));
            assert_eq!(health.failed(rest, 11 * SECOND, 11 * SECOND), late, "{well} of {others}");
        }
    }
}

#[test]
fn where_others_fail_too_a_long_row_begins_anew() {
    let mut health = Health::default();
    let noise = Rest { others: 1, well: 0 };
    assert!((1..=11).all(|second| !health.failed(noise, second * SECOND, second * SECOND)));
    assert_eq!((fails(&mut health, 3, 12 * SECOND), fails(&mut health, 1, 12 * SECOND)), (false, true));
}

#[test]
fn a_trial_that_fails_while_all_others_do_ends_the_ejection() {
    let mut health = Health::default();
    fails(&mut health, 5, SECOND);
    health.sent(12 * SECOND);
    assert_eq!(health.compared_since(12 * SECOND), Some(2 * SECOND));
    assert!(!health.failed(Rest { others: 3, well: 0 }, 12 * SECOND, 12 * SECOND));
    assert!(!health.is_unwell());
}

/// Out for what it refused, since the first second, when its pool had [`SERVED`] so much.
fn refusing() -> Health {
    let mut health = Health::default();
    (0..20).for_each(|n| {
        health.refused(Answers { refused: n, served: 980 + n, ..SERVED }, SECOND, SECOND);
    });
    assert_eq!(health.out_until(SECOND), Some(11 * SECOND));
    health
}

#[test]
fn a_trial_that_is_refused_prolongs_the_ejection_only_where_the_others_serve() {
    for (served, refused, out) in [(100, 0, true), (100, 20, false), (0, 0, false), (0, 100, false)] {
        let mut health = refusing();
        health.sent(12 * SECOND);
        let pool = Answers { pool: 0, served: 999 + served, refused: 20 + refused };
        assert_eq!(health.refused(pool, 12 * SECOND, 12 * SECOND), out, "{served} served, {refused} refused");
        assert_eq!(health.is_unwell(), out);
    }
}

#[test]
fn refusals_in_two_pools_do_not_add_up() {
    let mut health = Health::default();
    for n in 0..100 {
        let pool = Answers { pool: n % 2, served: 1_000 + u64::from(n), refused: n.into() };
        assert!(!health.refused(pool, SECOND, SECOND));
    }
}

#[test]
fn trials_double_while_nothing_is_heard_of_them() {
    let mut health = Health::default();
    fails(&mut health, 5, Duration::ZERO);
    let mut allowed = Vec::new();
    for period in 0..7 {
        let now = 10 * SECOND + TRIAL * period;
        let sent = (0..100).take_while(|_| {
            let free = health.out_until(now).is_none();
            health.sent(now);
            free
        });
        allowed.push(sent.count());
    }
    assert_eq!(allowed, [1, 2, 4, 8, 16, 16, 16]);
    assert!(health.failed(WELL, 11 * SECOND, 12 * SECOND + TRIAL * 6));
    assert_eq!(health.out_until(12 * SECOND + TRIAL * 6), Some(32 * SECOND + TRIAL * 6));
}

#[test]
fn what_was_sent_before_the_row_or_during_the_ejection_ends_neither() {
    let mut health = Health::default();
    fails(&mut health, 4, 5 * SECOND);
    health.served(4 * SECOND, 6 * SECOND);
    assert!(health.failed(WELL, 6 * SECOND, 6 * SECOND), "the row went on");
    health.served(15 * SECOND, 20 * SECOND);
    health.answered(15 * SECOND, 20 * SECOND);
    assert!(!health.failed(WELL, 15 * SECOND, 20 * SECOND), "nor does it prolong it");
    assert!(health.is_unwell());
    health.served(16 * SECOND, 20 * SECOND);
    assert!(!health.is_unwell());
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
