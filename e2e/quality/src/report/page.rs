//! The generated part of a page that people write.

use anyhow::Context;

const BEGIN: &str = "<!-- make quality writes from here -->\n";
const END: &str = "<!-- make quality writes to here -->\n";

/// The page with `text` between its two marks.
///
/// # Errors
///
/// The page lacks a mark.
pub fn replace_generated(page: &str, text: &str) -> anyhow::Result<String> {
    let lacks = |mark: &str| format!("the page lacks the line `{}`", mark.trim_end());
    let (before, rest) = page.split_once(BEGIN).with_context(|| lacks(BEGIN))?;
    let (_, after) = rest.split_once(END).with_context(|| lacks(END))?;
    Ok([before, BEGIN, "\n", text, "\n", END, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes_and_the_same_again_changes_nothing() {
        let page = format!("# Title\n{BEGIN}old\n{END}end\n");
        let new = replace_generated(&page, "new\n").expect("both marks");
        assert_eq!(new, format!("# Title\n{BEGIN}\nnew\n\n{END}end\n"));
        assert_eq!(replace_generated(&new, "new\n").expect("both marks"), new);
    }

    #[test]
    fn a_page_without_marks_is_refused_by_the_line_that_it_lacks() {
        let error = replace_generated("# Title\n", "new\n").expect_err("no marks");
        assert!(error.to_string().contains("make quality writes from here"), "{error}");
    }
}
