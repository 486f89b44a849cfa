//! The generated part of a page that people write.

use anyhow::Context;

const BEGIN: &str = "<!-- make chaos writes from here -->\n";
const END: &str = "<!-- make chaos writes to here -->\n";

/// The page with `text` between its two marks.
///
/// # Errors
/// The page lacks a mark.
pub fn replace_generated(page: &str, text: &str) -> anyhow::Result<String> {
    let lacks = |mark: &str| format!("the page lacks the line `{}`", mark.trim_end());
    let (before, rest) = page.split_once(BEGIN).with_context(|| lacks(BEGIN))?;
    let (_, after) = rest.split_once(END).with_context(|| lacks(END))?;
    Ok([before, BEGIN, "\n", text, "\n\n", END, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = format!("# Title\n{BEGIN}old\n{END}end\n");
        let new = replace_generated(&page, "new").unwrap();
        assert_eq!(new, format!("# Title\n{BEGIN}\nnew\n\n{END}end\n"));
        assert_eq!(replace_generated(&new, "new").unwrap(), new);
        assert!(replace_generated("no marks", "new").is_err());
    }
}
