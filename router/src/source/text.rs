//! One file of text that is followed: the router's configuration.

use super::files::{self, Root, Stamp};
use super::watch::{self, Followed};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::watch::Receiver;

/// What a file holds, or why that is not to be had.
pub(crate) type Text = Result<String, String>;

/// A regular file, or links to one.
pub(crate) struct TextFile {
    roots: [Root; 1],
}

// === impl TextFile ===

impl TextFile {
    /// Follows the file at `path` from now on; `first` is what it held. `None` where there is no regular file: a pipe
    /// can be read only once.
    ///
    /// # Errors
    /// No thread can be had, or the file cannot be looked at.
    pub(crate) fn follow(path: &Path, first: String) -> io::Result<Option<Receiver<Arc<Text>>>> {
        if !path.metadata()?.is_file() {
            return Ok(None);
        }
        let file = Self { roots: [Root::open(path)?] };
        watch::follow("configuration", file, Ok(first)).map(Some)
    }

    fn path(&self) -> &Path {
        let [Root { path, .. }] = &self.roots;
        path
    }
}

impl Followed for TextFile {
    type State = Text;

    fn roots(&self) -> &[Root] {
        &self.roots
    }

    fn stamps(&self) -> Vec<(PathBuf, Option<Stamp>)> {
        vec![(self.path().to_owned(), files::stamp(self.path()))]
    }

    fn load(&mut self) -> Text {
        files::read(self.path()).map_err(|error| error.to_string())
    }
}
