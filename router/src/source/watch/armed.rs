//! The kernel's watches, kept on the directories that the paths name *now*.
//!
//! A watch is on a directory, not on its name: once the directory is replaced, the old watch is
//! silent for ever. So the parents are watched too, and a watch is renewed when its directory
//! comes, goes or becomes another.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    sync::mpsc,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind, RenameMode},
};

use crate::source::files::{self, Root};

/// Watches of the directories of some roots.
pub(super) struct Armed {
    watcher: Option<RecommendedWatcher>,
    roots: Vec<Root>,
    /// Each directory to watch, with the identity it had when its watch was set.
    dirs: BTreeMap<PathBuf, Option<(u64, u64)>>,
    warned: bool,
}

impl Armed {
    /// Prepares to watch; events go to `events`.
    pub(super) fn new(events: mpsc::Sender<notify::Result<Event>>, roots: &[Root]) -> Self {
        let watcher = notify::recommended_watcher(events)
            .inspect_err(|error| tracing::warn!(%error, "edits will be noticed late"))
            .ok();
        let of_root = |root: &Root| {
            let dir = root.dir().map(Path::to_owned);
            let parent = dir.as_deref().and_then(Path::parent).map(Path::to_owned);
            [dir, parent]
        };
        let dirs = roots.iter().flat_map(of_root).flatten();
        Self { watcher, roots: roots.to_owned(), dirs: dirs.map(|dir| (dir, None)).collect(), warned: false }
    }

    /// Sets the watches that are missing.
    pub(super) fn arm(&mut self) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        for (dir, armed) in &mut self.dirs {
            let identity = files::stamp(dir).map(files::Stamp::identity);
            if *armed == identity {
                continue;
            }
            // The old watch may have gone with its directory.
            let _ = watcher.unwatch(dir);
            *armed = None;
            if identity.is_some() {
                match watcher.watch(dir, RecursiveMode::NonRecursive) {
                    Ok(()) => *armed = identity,
                    Err(error) if !self.warned => {
                        self.warned = true;
                        tracing::warn!(dir = %dir.display(), %error, "edits will be noticed late");
                    }
                    Err(_) => {}
                }
            }
        }
    }

    /// Whether an event may mean a change of a manifest. Also forgets the watch of a directory
    /// that came or went: identities are used again, so they alone would not tell.
    pub(super) fn concerns(&mut self, event: &notify::Result<Event>) -> bool {
        let Ok(event) = event else {
            return true;
        };
        // Our own reading makes events as well.
        if event.kind.is_access() && event.kind != EventKind::Access(AccessKind::Close(AccessMode::Write)) {
            return false;
        }
        if event.need_rescan() || event.paths.is_empty() {
            return true;
        }
        let replaces =
            matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        for path in &event.paths {
            if replaces && let Some(armed) = self.dirs.get_mut(path) {
                *armed = None;
            }
        }
        event.paths.iter().any(|path| self.roots.iter().any(|root| touches(root, path)))
    }
}

/// Whether an event of that kind ends something: what follows is another edit's.
pub(super) fn settles(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Remove(_)
            | EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both))
    )
}

/// Whether what happened to `path` may change what `root` gives.
fn touches(root: &Root, path: &Path) -> bool {
    let dir = root.dir();
    if path == root.path || Some(path) == dir {
        return true;
    }
    if path.parent() != dir {
        return false;
    }
    // Beside a single file only the links count that mounted ConfigMaps are swapped by (`..data`).
    root.is_dir || path.file_name().is_some_and(|name| OsStr::as_encoded_bytes(name).starts_with(b".."))
}
