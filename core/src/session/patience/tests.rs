use super::*;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

/// What becomes of a try.
#[derive(Debug, Clone, Copy)]
enum Try {
    /// It fails after that share of its time, in 1024ths; never all of it.
    Fails(u32),
    /// Its connection fails after so many milliseconds.
    Unreachable(u64),
    /// It has its time in vain.
    Hangs,
}

/// What Envoy makes of tries, as times: each one's begin, connection and end.
fn timeline(tries: &[Try], timeout: Duration, start: Duration, pauses: &[u64]) -> Vec<[Duration; 3]> {
    let mut now = start;
    tries
        .iter()
        .zip(pauses)
        .map(|(this, pause)| {
            let begin = now;
            let (connected, end) = match this {
                Try::Fails(share) => (begin + MS, begin + MS + timeout * *share / 1024),
                Try::Hangs => (begin + MS, begin + MS + timeout),
                Try::Unreachable(ms) => (Duration::MAX, begin + *ms as u32 * MS),
            };
            now = end + *pause as u32 * MS;
            [begin, connected, end]
        })
        .collect()
}

fn progress(timeline: &[[Duration; 3]], now: Duration) -> Progress {
    let begun: Vec<_> = timeline.iter().filter(|[begin, ..]| *begin <= now).collect();
    Progress { tries: begun.len() as u32, connected: begun.last().is_some_and(|[_, connected, _]| *connected <= now) }
}

/// When it gives up, looking at most so late.
fn given_up(timeline: &[[Duration; 3]], timeout: Duration, late: Duration) -> Option<Duration> {
    let mut patience = Patience::new(timeout, timeline.len() as u32, Duration::ZERO)?;
    let over = timeline.last()?[2];
    let (mut last, mut next) = (Duration::ZERO, patience.first_look());
    loop {
        let now = next + late;
        // Envoy answers.
        if now >= over {
            return None;
        }
        match patience.look(progress(timeline, now), last, now) {
            Patient::Not => return Some(now),
            Patient::Until(again) => {
                assert!(again > now, "{again:?} is not after {now:?}");
                (last, next) = (now, again);
            }
        }
    }
}

fn of_kind() -> impl Strategy<Value = Try> {
    prop_oneof![
        (0_u32..900).prop_map(Try::Fails),
        (0_u64..2_000).prop_map(Try::Unreachable),
        Just(Try::Hangs),
        Just(Try::Hangs),
    ]
}

#[test]
fn two_tries_that_can_time_out_are_envoy_s_own_business() {
    for (timeout, tries) in [(0, 5), (100, 1), (100, 2)] {
        assert_eq!(Patience::new(timeout * MS, tries, Duration::ZERO), None);
    }
    assert!(Patience::new(MS, 3, Duration::ZERO).is_some());
}

#[test]
fn engines_that_all_hang_have_the_time_of_two_tries() {
    let timeout = 1000 * MS;
    let tries = timeline(&[Try::Hangs; 5], timeout, 3 * MS, &[20; 5]);
    let end = given_up(&tries, timeout, MS).unwrap();
    assert!(end <= tries[2][0] && end > tries[1][2] - 30 * MS, "{end:?} of {tries:?}");
}

#[test]
fn the_time_that_a_pick_takes_is_not_a_try_s() {
    let timeout = 100 * MS;
    let tries = timeline(&[Try::Hangs; 3], timeout, 10_000 * MS, &[20; 3]);
    let end = given_up(&tries, timeout, Duration::ZERO).unwrap();
    assert!(end > 10_190 * MS && end <= tries[2][0], "{end:?} of {tries:?}");
}

#[test]
fn connections_that_take_longer_than_the_timeout_are_no_timeouts() {
    let timeout = 100 * MS;
    let tries = timeline(&[Try::Unreachable(2000); 5], timeout, Duration::ZERO, &[20; 5]);
    assert_eq!(given_up(&tries, timeout, MS), None);
}

proptest! {
    #[test]
    fn no_engine_but_two_sees_a_try_time_out(
        tries in proptest::collection::vec(of_kind(), 3..8),
        pauses in proptest::collection::vec(10_u64..50, 8),
        (timeout, start, late) in (100_u32..60_000, 0_u32..1_000, 0_u32..4),
    ) {
        let timeout = timeout * MS;
        let times = timeline(&tries, timeout, start * MS, &pauses);
        let end = given_up(&times, timeout, late * MS);
        let hung: Vec<_> = times.iter().zip(&tries).filter(|(_, this)| matches!(this, Try::Hangs)).collect();
        if let Some(([begin, ..], _)) = hung.get(2) {
            let end = end.expect("it ends before Envoy does");
            // However late the look was: the third is not left to time out.
            prop_assert!(end < *begin + timeout / 2, "{end:?} of {times:?}");
        }
        if let Some(end) = end {
            // What is seen of a failure is that the next try has begun: the pause before it may make it look like a
            // timeout. Nothing else does, and none has much less than its time.
            let looks_hung = times.windows(2).filter(|pair| pair[1][0] >= pair[0][1].saturating_add(timeout * 7 / 8));
            let second = looks_hung.map(|pair| pair[0]).chain(times.last().copied()).nth(1);
            prop_assert!(second.is_some_and(|[_, connected, _]| end + late * MS >= connected + timeout * 13 / 16),
                "{end:?} of {times:?}");
        }
    }
}
