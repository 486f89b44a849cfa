//! Bodies without what differs from answer to answer.

/// JSON as it was written, with every text but keys as `""` and every number as `0`. Keys keep their
/// order, and what is null, true or false stays.
///
/// # Panics
/// When it is no JSON.
pub(super) fn shape(json: &str) -> String {
    serde_json::from_str::<serde::de::IgnoredAny>(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let mut shape = String::new();
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => text_length(rest),
            '-' | '0'..='9' => rest.find([',', ']', '}', ' ']).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (value, after) = rest.split_at(length);
        match first {
            '"' if !after.starts_with(':') => shape.push_str(r#""""#),
            '-' | '0'..='9' => shape.push('0'),
            _ => shape.push_str(value),
        }
        rest = after;
    }
    shape
}

/// Of the text that `json` starts with, quotes included.
fn text_length(json: &str) -> usize {
    let mut escaped = false;
    let end = json.char_indices().skip(1).find(|(_, character)| {
        let ends = *character == '"' && !escaped;
        escaped = *character == '\\' && !escaped;
        ends
    });
    end.map_or(json.len(), |(at, quote)| at + quote.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_constants_stay_and_values_go() {
        let json = r#"{"id":"a\"b\\","n":-1.5e3,"list":["x:",{"k":null}],"flag":true,"text":"{,"}"#;
        assert_eq!(shape(json), r#"{"id":"","n":0,"list":["",{"k":null}],"flag":true,"text":""}"#);
    }
}
