//! The manifests under some paths, file by file, with the last good state of each.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use kthena_crds::{ObjectRef, Problem, Resources, Subject};

use super::{
    Snapshot,
    files::{self, ReadError, Root, Stamp},
    manifest::Manifest,
};

/// Directories (not what is below them) and single files of manifests.
///
/// In a directory, files ending in `.yaml`, `.yml` or `.json` count, unless hidden.
#[derive(Debug)]
pub struct Directory {
    roots: Vec<Root>,
    files: BTreeMap<PathBuf, File>,
}

/// A path that cannot serve as a source.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}: name an existing directory of manifests, or a file", path.display())]
pub struct OpenError {
    path: PathBuf,
    source: std::io::Error,
}

/// One file: what it last held that could be served, and what is wrong with it since.
#[derive(Debug)]
struct File {
    shown: String,
    /// What it held when it was last read: an edit of one file reads them all, and most hold the same.
    text: Option<String>,
    good: Manifest,
    refusals: Vec<Problem>,
}

impl Directory {
    /// Opens directories and files; nothing is read yet.
    ///
    /// # Errors
    /// When a path does not exist or cannot be looked at.
    pub fn open<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Self, OpenError> {
        let open =
            |path: P| Root::open(path.as_ref()).map_err(|source| OpenError { path: path.as_ref().to_owned(), source });
        Ok(Self { roots: paths.into_iter().map(open).collect::<Result<_, _>>()?, files: BTreeMap::new() })
    }

    /// Reads every file and returns what is to be served now.
    ///
    /// Blocks on the disk. A file or directory that cannot be taken keeps what it last gave; a
    /// file that is gone gives nothing.
    pub fn load(&mut self) -> Snapshot {
        let mut refusals = Vec::new();
        let mut kept = BTreeSet::new();
        for root in &self.roots {
            match root.list() {
                Ok(listed) => {
                    for path in listed {
                        let file = self.files.entry(path.clone()).or_insert_with(|| File {
                            shown: root.shown_name(&path),
                            text: None,
                            good: Manifest::default(),
                            refusals: Vec::new(),
                        });
                        match files::read(&path) {
                            Err(ReadError::Gone) if root.is_dir => continue,
                            Err(ReadError::Gone) => *file = file.gone(),
                            other => file.update(&path, other),
                        }
                        kept.insert(path);
                    }
                }
                Err(error) => {
                    let subject = Subject::File(root.shown.display().to_string());
                    let message = format!("cannot be listed: {error}; what it last held stays in service");
                    refusals.push(Problem::new(subject, message));
                    let of_root = |path: &&PathBuf| path.starts_with(&root.path);
                    kept.extend(self.files.keys().filter(of_root).cloned());
                }
            }
        }
        self.files.retain(|path, _| kept.contains(path));
        self.snapshot(refusals)
    }

    fn snapshot(&self, mut refusals: Vec<Problem>) -> Snapshot {
        let mut resources = Resources::default();
        let mut remarks = Vec::new();
        let mut skipped = Vec::new();
        let mut owners: HashMap<ObjectRef, &str> = HashMap::new();
        for file in self.files.values() {
            refusals.extend(file.refusals.iter().cloned());
            remarks.extend(file.good.remarks.iter().cloned());
            skipped.extend(file.good.skipped.iter().cloned());
            for object in &file.good.objects {
                let reference = object.reference();
                if let Some(owner) = owners.get(&reference) {
                    remarks.push(duplicate(reference, &file.shown, owner));
                } else {
                    owners.insert(reference, &file.shown);
                    object.clone().add_to(&mut resources);
                }
            }
        }
        resources.sort();
        Snapshot::new(resources, refusals, remarks, skipped)
    }

    /// The state of all files by their marks, to be compared; reads none of them.
    pub(super) fn stamps(&self) -> Vec<(PathBuf, Option<Stamp>)> {
        let listed = self.roots.iter().flat_map(|root| {
            let mut paths = root.list().unwrap_or_default();
            paths.sort();
            paths.insert(0, root.path.clone());
            paths
        });
        listed
            .map(|path| {
                let stamp = files::stamp(&path);
                (path, stamp)
            })
            .collect()
    }

    pub(super) fn roots(&self) -> &[Root] {
        &self.roots
    }
}

fn duplicate(object: ObjectRef, file: &str, owner: &str) -> Problem {
    let message = if file == owner {
        "given twice in the file; the first is served, remove the other".to_owned()
    } else {
        format!("also in {owner}, which is served; remove one of the two")
    };
    let file = file.to_owned();
    Problem::new(Subject::ObjectIn { object, file }, message)
}

impl File {
    /// Takes what the file holds now if all of it can be taken.
    fn update(&mut self, path: &Path, text: Result<String, ReadError>) {
        if text.as_ref().is_ok_and(|text| self.text.as_ref() == Some(text)) {
            return;
        }
        self.text = None;
        let problem = |message: String| vec![Problem::new(Subject::File(self.shown.clone()), message)];
        let refusals = match text {
            Err(error) => problem(error.to_string()),
            // An editor truncates before it writes. A file of comments, though, was meant.
            Ok(text) if text.trim().is_empty() => {
                if self.good.objects.is_empty() {
                    Vec::new()
                } else {
                    problem("empty; delete the file to remove its objects".to_owned())
                }
            }
            Ok(text) => {
                let manifest = Manifest::parse(&text, files::format(path), &self.shown);
                self.text = Some(text);
                if manifest.refusals.is_empty() {
                    self.good = manifest;
                    Vec::new()
                } else {
                    manifest.refusals
                }
            }
        };
        self.refusals = refusals;
        if !self.good.objects.is_empty() {
            for refusal in &mut self.refusals {
                refusal.message += "; what the file last held stays in service";
            }
        }
    }

    /// The state of a file that the user named and that is no longer there.
    fn gone(&self) -> Self {
        let subject = Subject::File(self.shown.clone());
        let message = "no such file; its objects are removed";
        Self {
            shown: self.shown.clone(),
            text: None,
            good: Manifest::default(),
            refusals: vec![Problem::new(subject, message)],
        }
    }
}

#[cfg(test)]
mod tests;
