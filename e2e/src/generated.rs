//! The generated part of a page that people write.

use anyhow::Context;

/// The page with `text` between the two marks of this target of the Makefile.
///
/// # Errors
/// The page lacks a mark.
pub fn replace_generated(page: &str, target: &str, text: &str) -> anyhow::Result<String> {
    let [begin, end] = ["from", "to"].map(|which| format!("<!-- make {target} writes {which} here -->\n"));
    let lacks = |mark: &str| format!("the page lacks the line `{}`", mark.trim_end());
    let (before, rest) = page.split_once(&begin).with_context(|| lacks(&begin))?;
    let (_, after) = rest.split_once(&end).with_context(|| lacks(&end))?;
    Ok([before, &begin, "\n", text, "\n\n", &end, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let [begin, end] = ["<!-- make chaos writes from here -->\n", "<!-- make chaos writes to here -->\n"];
        let page = format!("# Title\n{begin}old\n{end}end\n");
        let new = replace_generated(&page, "chaos", "new").unwrap();
        assert_eq!(new, format!("# Title\n{begin}\nnew\n\n{end}end\n"));
        assert_eq!(replace_generated(&new, "chaos", "new").unwrap(), new);
        let error = replace_generated(&page, "bench", "new").unwrap_err();
        assert_eq!(error.to_string(), "the page lacks the line `<!-- make bench writes from here -->`");
    }
}
