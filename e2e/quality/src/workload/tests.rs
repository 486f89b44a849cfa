use super::*;

const SIZES: Sizes = Sizes { system: 8, question: 4, answer: 2 };

fn prompts(mut workload: impl Workload) -> Vec<Turn> {
    std::iter::from_fn(|| workload.next(0, &[])).collect()
}

#[test]
fn prompts_of_a_group_share_its_system_prompt_and_nothing_else() {
    let turns = prompts(Prefixes::groups(3, 5, SIZES, 1));
    assert_eq!(turns.len(), 15);
    let distinct = |part: std::ops::Range<usize>| {
        turns.iter().map(|turn| turn.prompt[part.clone()].to_vec()).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!((distinct(0..8), distinct(8..12)), (3, 15));
}

#[test]
fn half_of_the_prompts_are_of_the_hot_group() {
    let turns = prompts(Prefixes::hot(100, 1000, SIZES, 1));
    let hot: Vec<u32> = Text::System(0).ids(1, 8).collect();
    let share = turns.iter().filter(|turn| turn.prompt.starts_with(&hot)).count();
    assert!((450..550).contains(&share), "{share}");
}

#[test]
fn a_conversation_goes_on_with_what_was_said() {
    let habits = Habits { systems: 1, system: 8, turns: 2..=2, question: 4..=4, answer: 2..=2, think: 5..=5 };
    let mut sessions = Sessions::new(habits, 1, 1, 1);
    let first = sessions.next(0, &[]).expect("a first turn");
    let second = sessions.next(0, &[7, 7]).expect("a second turn");
    assert_eq!(second.prompt[..14], [&first.prompt[..], &[7, 7]].concat());
    assert_eq!((second.prompt.len(), second.after), (18, Duration::from_millis(5)));
    assert_eq!(sessions.next(0, &[7, 7]), None);
}

#[test]
fn the_first_adapter_is_asked_for_twice_as_often_as_the_second() {
    let turns = prompts(Adapters::zipf(40, 4000, SIZES, 1));
    let asked = |name: &str| turns.iter().filter(|turn| turn.adapter.as_deref() == Some(name)).count() as f64;
    let ratio = asked("adapter-0") / asked("adapter-1");
    assert!((1.6..2.4).contains(&ratio), "{ratio}");
}

#[test]
fn a_seed_gives_the_same_prompts_again() {
    let of = |seed| prompts(Prefixes::groups(3, 5, SIZES, seed));
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}
