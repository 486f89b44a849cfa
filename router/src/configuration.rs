//! Reads the router's configuration file.

use anyhow::Context;
use kthena_core::config::{Compiled, RouterConfiguration};
use std::fs;
use std::path::Path;

/// The configuration in a file, or the default where none is named.
///
/// # Errors
/// Names the file, the field and what is accepted.
pub fn load(path: Option<&Path>) -> anyhow::Result<Compiled> {
    let Some(path) = path else { return Ok(RouterConfiguration::default().compile()?) };
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("configuration {name}"))?;
    let written: RouterConfiguration = match text.trim().is_empty() {
        true => RouterConfiguration::default(),
        false => serde_saphyr::from_str(&text).map_err(|error| {
            // The parser shows the line with a caret; its first line says what and where.
            anyhow::anyhow!("configuration {name}: {}", error.to_string().lines().next().unwrap_or_default())
        })?,
    };
    written.compile().with_context(|| format!("configuration {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Compiled, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("router.yaml");
        fs::write(&path, text).unwrap();
        load(Some(&path)).map_err(|error| format!("{error:#}").replace(&path.display().to_string(), "FILE"))
    }

    #[test]
    fn a_file_is_read_and_an_empty_one_is_the_default() {
        let compiled = load_text("dataPlane:\n  maxRequestBodyBytes: 1024\n").unwrap();
        assert_eq!(compiled.max_request_body_bytes, 1024);
        assert_eq!(load_text("# nothing yet\n").unwrap().max_request_body_bytes, 64 << 20);
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = load_text("dataPlane:\n  maxBody: 1\n").unwrap_err();
        assert!(error.starts_with("configuration FILE: ") && error.contains("maxBody"), "{error}");
    }

    #[test]
    fn a_field_out_of_range_is_named() {
        let error = load_text("dataPlane: {maxRequestBodyBytes: 0}").unwrap_err();
        assert_eq!(error, "configuration FILE: dataPlane.maxRequestBodyBytes: 0 is not between 1 and 268435456");
    }
}
