//! Any bytes as the filter's table: what is taken survives the wire again, and any question to it has an answer.

use kthena_core::routing::{Query, Routes, Table};

/// Feeds the bytes: a table, or what follows the format's mark.
///
/// # Panics
/// When something that must hold does not.
pub fn run(bytes: &[u8]) {
    let mut marked = Table::default().encode().expect("the default encodes");
    // The mark is all that every table begins with.
    marked.truncate(MARK);
    marked.extend_from_slice(bytes);
    for bytes in [bytes, &marked] {
        let Ok(table) = Table::decode(bytes) else { continue };
        let again = table.encode().expect("what was decoded encodes");
        assert_eq!(Table::decode(&again).as_ref(), Ok(&table));
        ask(Routes::new(table));
    }
}

/// The length of the format's mark.
const MARK: usize = b"kthena\x02".len();

fn ask(routes: Routes) {
    let names: Vec<String> = routes.models().into_iter().map(str::to_owned).collect();
    assert!(names.is_sorted());
    let headers: Vec<&str> = {
        let rules = routes.table().routes.iter().flat_map(|route| &route.rules);
        rules.flat_map(|rule| &rule.matches.headers).map(|(name, _)| name.as_str()).collect()
    };
    for model in names.iter().map(String::as_str).chain(["", "nobody"]) {
        assert_eq!(routes.has_model(model), names.iter().any(|name| name == model));
        let query = Query { model, path: "/v1/chat/completions", header: &|name| headers_value(&headers, name) };
        for random in [0, 1, u64::MAX] {
            if let Ok(routed) = routes.resolve(&query, random) {
                assert!(routes.has_model(model));
                assert_ne!(routed.rewrite, Some(model), "a rewrite changes something");
            }
        }
    }
}

/// Every header that the table asks for is there, with its own name for a value.
fn headers_value<'a>(headers: &[&'a str], name: &str) -> &'a [u8] {
    headers.iter().find(|known| **known == name).map(|known| known.as_bytes()).unwrap_or_default()
}
