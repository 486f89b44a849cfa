//! The router's configuration file: read at the start, and followed from then on.
//!
//! At the start a file that cannot be taken is an error. Later it is a problem, and the last good configuration
//! stays; as manifests are followed ([`crate::source`]).

use crate::source::{Text, TextFile};
use anyhow::Context;
use kthena_core::config::{Compiled, RouterConfiguration};
use kthena_crds::{Problem, Subject};
use std::fs;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch::Receiver;

/// The file that is in force, and what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// As the user names it.
    shown: String,
    texts: Option<Receiver<Arc<Text>>>,
    /// What is served without.
    remarks: Vec<Problem>,
    /// Why what is written now is not in force.
    refusal: Option<Problem>,
}

/// The configuration in a file, or the default where none is named.
///
/// # Errors
/// Names the file, the field and what is accepted.
pub fn load(path: Option<&Path>) -> anyhow::Result<Compiled> {
    match path {
        None => compile(""),
        Some(path) => read(path).and_then(|text| compile(&text)).with_context(|| of_file(path)),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    Ok(fs::read_to_string(path)?)
}

fn of_file(path: &Path) -> String {
    format!("configuration {}", path.display())
}

/// The configuration that a text describes; an empty one is the default.
fn compile(text: &str) -> anyhow::Result<Compiled> {
    let written: RouterConfiguration = match text.trim().is_empty() {
        true => RouterConfiguration::default(),
        // The parser shows the line with a caret; its first line says what and where.
        false => serde_saphyr::from_str(text)
            .map_err(|error| anyhow::anyhow!("{}", error.to_string().lines().next().unwrap_or_default().to_owned()))?,
    };
    Ok(written.compile()?)
}

// === impl Configuration ===

impl Configuration {
    /// Takes the file, and follows it from then on.
    ///
    /// # Errors
    /// As [`load`]'s, and when it cannot be followed.
    pub(crate) fn open(path: Option<PathBuf>) -> anyhow::Result<(Self, Compiled)> {
        let Some(path) = path else { return Ok((Self::default(), load(None)?)) };
        let open = || {
            let text = read(&path)?;
            let compiled = compile(&text)?;
            anyhow::Ok((compiled, TextFile::follow(&path, text)?))
        };
        let (compiled, texts) = open().with_context(|| of_file(&path))?;
        let mut this = Self { shown: path.display().to_string(), texts, ..Self::default() };
        this.remarks = this.remarks_of(&compiled);
        Ok((this, compiled))
    }

    /// Waits until the file holds something else; without a file, for ever. `None` when nobody follows it any more.
    pub(crate) async fn changed(&mut self) -> Option<Arc<Text>> {
        let Some(texts) = &mut self.texts else { return pending().await };
        texts.changed().await.ok()?;
        Some(texts.borrow_and_update().clone())
    }

    /// The configuration to put in force; `None` where the last good one stays.
    pub(crate) fn take(&mut self, text: &Text) -> Option<Compiled> {
        let taken = match text {
            Err(reason) => Err(reason.clone()),
            // An editor truncates before it writes. A file of comments, though, was meant.
            Ok(text) if text.trim().is_empty() => Err("empty; write {} for the defaults".to_owned()),
            Ok(text) => compile(text).map_err(|error| format!("{error:#}")),
        };
        match taken {
            Ok(compiled) => {
                self.remarks = self.remarks_of(&compiled);
                self.refusal = None;
                tracing::info!("configuration {}: in force as it is now", self.shown);
                Some(compiled)
            }
            Err(reason) => {
                self.refusal = Some(self.problem(format!("{reason}; the last good configuration stays in force")));
                None
            }
        }
    }

    /// What is wrong with the file: first why it is refused, then what is served without.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.refusal.iter().chain(&self.remarks)
    }

    fn remarks_of(&self, compiled: &Compiled) -> Vec<Problem> {
        compiled.problems.iter().map(|problem| self.problem(problem.clone())).collect()
    }

    fn problem(&self, message: String) -> Problem {
        Problem::new(Subject::File(self.shown.clone()), message)
    }
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

    /// A configuration of one body limit, followed, and its file.
    fn followed() -> (Configuration, tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("router.yaml");
        fs::write(&path, "dataPlane: {maxRequestBodyBytes: 1}").unwrap();
        let (configuration, compiled) = Configuration::open(Some(path.clone())).unwrap();
        assert_eq!(compiled.max_request_body_bytes, 1);
        (configuration, directory, path)
    }

    /// At once: nobody sees it half written.
    fn replace(path: &Path, text: &str) {
        let next = path.with_extension("next");
        fs::write(&next, text).unwrap();
        fs::rename(next, path).unwrap();
    }

    /// The next text is taken: its body limit, and what is said of the file then.
    async fn next(configuration: &mut Configuration) -> (Option<u64>, Vec<String>) {
        let text = tokio::time::timeout(std::time::Duration::from_secs(30), configuration.changed()).await;
        let taken = configuration.take(&text.unwrap().unwrap());
        let problems = configuration.problems().map(|problem| problem.message.clone()).collect();
        (taken.map(|compiled| compiled.max_request_body_bytes), problems)
    }

    #[tokio::test]
    async fn an_edit_is_taken_and_a_bad_one_is_a_problem_until_it_is_mended() {
        let (mut configuration, _directory, path) = followed();
        replace(&path, "dataPlane: {maxRequestBodyBytes: 0}");
        let refusal = "dataPlane.maxRequestBodyBytes: 0 is not between 1 and 268435456; the last good configuration \
            stays in force";
        assert_eq!(next(&mut configuration).await, (None, vec![refusal.to_owned()]));
        let random = "{plugins: {Score: {enabled: [{name: kvcache-aware}]}}}";
        replace(&path, &format!("scheduler: {random}\ndataPlane: {{maxRequestBodyBytes: 2}}"));
        let remark = "scheduler.plugins.Score.enabled: `kvcache-aware` does not score in this version";
        assert_eq!(next(&mut configuration).await, (Some(2), vec![remark.to_owned()]));
        replace(&path, "# nothing");
        assert_eq!(next(&mut configuration).await, (Some(64 << 20), vec![]));
    }

    #[tokio::test]
    async fn a_file_that_is_gone_or_empty_changes_nothing() {
        let (mut configuration, _directory, path) = followed();
        fs::remove_file(&path).unwrap();
        let gone = "no such file; the last good configuration stays in force";
        assert_eq!(next(&mut configuration).await, (None, vec![gone.to_owned()]));
        replace(&path, "");
        let empty = "empty; write {} for the defaults; the last good configuration stays in force";
        assert_eq!(next(&mut configuration).await, (None, vec![empty.to_owned()]));
        replace(&path, "{}");
        assert_eq!(next(&mut configuration).await, (Some(64 << 20), vec![]));
    }
}
