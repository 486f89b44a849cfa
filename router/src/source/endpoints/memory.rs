//! The states in a file: for a router that starts anew, and for whoever wants to know what was found.

use super::state::State;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where a router with this run directory keeps them.
pub fn state_file(run_dir: &Path) -> PathBuf {
    run_dir.join("endpoints.json")
}

/// What a router last kept there; nothing where there is no such file, or not one of ours.
pub fn recall(file: &Path) -> Vec<State> {
    let text = fs::read(file).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Writes them, whole or not at all.
///
/// # Errors
/// The disk refuses.
pub(super) fn keep(file: &Path, states: &[State]) -> io::Result<()> {
    let beside = file.with_extension("json.new");
    fs::write(&beside, serde_json::to_vec(states)?)?;
    fs::rename(beside, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::endpoints::engine::{Engine, Kind, Model};

    #[test]
    fn what_is_kept_is_recalled() {
        let directory = tempfile::tempdir().unwrap();
        let file = state_file(directory.path());
        assert_eq!(recall(&file), []);
        let mut state = State::new("http://[::1]:8000".parse().unwrap());
        let models = vec![Model { name: "m".to_owned(), parent: Some("n".to_owned()) }];
        state.observe(Ok(Engine { address: "[::1]:8000".parse().unwrap(), kind: Kind::Sglang, models }));
        keep(&file, &[state.clone()]).unwrap();
        assert_eq!(recall(&file), [state]);
        fs::write(&file, "{").unwrap();
        assert_eq!(recall(&file), []);
    }
}
