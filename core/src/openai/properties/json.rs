//! Requests as clients might write them: members twice, values of other types, escapes anywhere.

use proptest::{collection::vec, prelude::*, sample::select};

/// JSON text as it is written: unlike a parsed value it may name a member twice.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// A literal or a number.
    Plain(&'static str),
    /// A string, and whether it is written with escapes only.
    Text(String, bool),
    Array(Vec<Node>),
    Object(Vec<(&'static str, bool, Node)>),
}

impl Node {
    /// The text, with `gap` between the tokens.
    pub(crate) fn write(&self, gap: &str) -> String {
        match self {
            Self::Plain(text) => (*text).to_owned(),
            Self::Text(text, escaped) => string(text, *escaped),
            Self::Array(nodes) => {
                let nodes: Vec<String> = nodes.iter().map(|node| gap.to_owned() + &node.write(gap) + gap).collect();
                format!("[{}]", nodes.join(","))
            }
            Self::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, escaped, node)| {
                        format!("{gap}{}{gap}:{gap}{}{gap}", string(key, *escaped), node.write(gap))
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}

fn string(text: &str, escaped: bool) -> String {
    if escaped {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        format!("\"{units}\"")
    } else {
        serde_json::Value::from(text).to_string()
    }
}

fn text() -> impl Strategy<Value = Node> {
    const WORDS: &[&str] = &[
        "",
        "m",
        "user",
        "text",
        "message",
        "input_text",
        "image_url",
        "hello",
        "\"\\\n/",
        "é漢😀",
        "\u{0}\u{1f}\u{7f}",
    ];
    let string = prop_oneof![4 => select(WORDS).prop_map(str::to_owned), 1 => any::<String>()];
    (string, prop::bool::weighted(0.2)).prop_map(|(text, escaped)| Node::Text(text, escaped))
}

fn plain() -> impl Strategy<Value = Node> {
    const PLAIN: &[&str] = &[
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "1.50",
        "2E+3",
    ];
    select(PLAIN).prop_map(Node::Plain)
}

/// An object that has some of these names, perhaps twice.
fn object(
    names: &'static [&'static str],
    value: impl Strategy<Value = Node>,
    most: usize,
) -> impl Strategy<Value = Node> {
    vec((select(names), prop::bool::weighted(0.1), value), 0..most).prop_map(Node::Object)
}

fn array(item: impl Strategy<Value = Node>) -> impl Strategy<Value = Node> {
    vec(item, 0..4).prop_map(Node::Array)
}

/// Any value, with names that mean something elsewhere.
fn anything() -> impl Strategy<Value = Node> {
    const NAMES: &[&str] = &["model", "role", "content", "type", "text", "include_usage", "messages", "x", ""];
    prop_oneof![plain(), text()]
        .prop_recursive(3, 12, 4, |inner| prop_oneof![array(inner.clone()), object(NAMES, inner, 4)])
}

/// Mostly what stands there in a good request.
fn mostly(good: impl Strategy<Value = Node>) -> impl Strategy<Value = Node> {
    prop_oneof![6 => good, 1 => anything()]
}

fn content() -> impl Strategy<Value = Node> {
    let part = mostly(object(&["type", "text", "text", "image_url"], mostly(text()), 4));
    mostly(prop_oneof![text(), array(part)])
}

fn message() -> impl Strategy<Value = Node> {
    let member = prop_oneof![
        (Just("role"), text().boxed()),
        (Just("content"), content().boxed()),
        (Just("type"), prop_oneof![Just(Node::Text("message".to_owned(), false)), text()].boxed()),
        (Just("x"), anything().boxed()),
    ];
    let members = vec((member, any::<bool>()), 0..5);
    mostly(members.prop_map(members_of))
}

fn members_of(members: Vec<((&'static str, Node), bool)>) -> Node {
    Node::Object(members.into_iter().map(|((name, node), escaped)| (name, escaped, node)).collect())
}

/// A request's body and the space between its tokens.
pub(crate) fn request() -> impl Strategy<Value = String> {
    fn named<S: Strategy<Value = Node> + 'static>(name: &'static str, good: S) -> BoxedStrategy<(&'static str, Node)> {
        mostly(good).prop_map(move |node| (name, node)).boxed()
    }
    let options = || object(&["include_usage", "continuous_usage_stats"], mostly(plain()), 3);
    let member = prop_oneof![
        named("model", text()),
        named("stream", select(&["true", "false"][..]).prop_map(Node::Plain)),
        named("stream_options", prop_oneof![options().boxed(), Just(Node::Plain("null")).boxed()]),
        named("max_tokens", plain()),
        named("max_completion_tokens", plain()),
        named("user", text()),
        named("prompt", prop_oneof![text().boxed(), array(mostly(text())).boxed()]),
        named("messages", array(message())),
        named("messages", array(message())),
        named("input", prop_oneof![text().boxed(), array(prop_oneof![message().boxed(), text().boxed()]).boxed()]),
        named("system", content()),
        named("instructions", text()),
        named("tools", anything()),
    ];
    let body = vec((member, prop::bool::weighted(0.1)), 0..7).prop_map(members_of);
    (body, select(&["", " ", "\n\t\r "][..])).prop_map(|(body, gap)| format!("{gap}{}{gap}", body.write(gap)))
}
