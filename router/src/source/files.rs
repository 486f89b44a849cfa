//! What is on disk: which files count as manifests, and their bounded, never blocking reading.

use std::{
    fs, io,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::manifest::Format;

/// The largest manifest taken. A cluster takes 1.5 MiB an object; a file may hold many.
pub(super) const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// A path the user gave.
#[derive(Clone, Debug)]
pub(super) struct Root {
    /// As given, for messages.
    pub(super) shown: PathBuf,
    /// Independent of the working directory.
    pub(super) path: PathBuf,
    pub(super) is_dir: bool,
}

impl Root {
    /// # Errors
    /// When the path does not exist or cannot be looked at.
    pub(super) fn open(shown: &Path) -> io::Result<Self> {
        Ok(Self { shown: shown.to_owned(), path: std::path::absolute(shown)?, is_dir: fs::metadata(shown)?.is_dir() })
    }

    /// The directory whose entries matter.
    pub(super) fn dir(&self) -> Option<&Path> {
        if self.is_dir { Some(&self.path) } else { self.path.parent() }
    }

    /// The name of one of its files, as the user would write it.
    pub(super) fn shown_name(&self, path: &Path) -> String {
        match path.strip_prefix(&self.path) {
            Ok(below) if self.is_dir => self.shown.join(below).display().to_string(),
            _ => self.shown.display().to_string(),
        }
    }

    /// The manifests there now.
    ///
    /// # Errors
    /// When the directory itself cannot be listed: then nothing is known about its files.
    pub(super) fn list(&self) -> io::Result<Vec<PathBuf>> {
        if !self.is_dir {
            if let Some(parent) = self.dir() {
                fs::metadata(parent)?;
            }
            return Ok(vec![self.path.clone()]);
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            // Follows links, as mounted ConfigMaps are made of them; a FIFO would block a reader.
            if !is_manifest(&path) {
                continue;
            }
            match fs::metadata(&path) {
                Ok(metadata) if !metadata.is_file() => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // What cannot be looked at is not gone: reading it says why.
                Ok(_) | Err(_) => files.push(path),
            }
        }
        Ok(files)
    }
}

/// Whether a directory's file counts, by name. Editors' backups and swap files end or begin
/// otherwise (`x.yaml~`, `.x.yaml.swp`, `#x.yaml#`).
fn is_manifest(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().and_then(|extension| extension.to_str());
    !hidden && matches!(extension, Some("yaml" | "yml" | "json"))
}

/// How a file is written, by name.
pub(super) fn format(path: &Path) -> Format {
    match path.extension() {
        Some(extension) if extension == "json" => Format::Json,
        _ => Format::Yaml,
    }
}

/// Why a file's text is not to be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("no such file")]
    Gone,
    #[error("larger than {} MiB, the most a manifest may have: split it", MAX_FILE_BYTES / (1024 * 1024))]
    TooLarge,
    #[error("not a regular file")]
    NotAFile,
    #[error("not UTF-8 text")]
    NotText,
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Gone,
            _ => Self::Io(error),
        }
    }
}

/// Reads a whole file, if it is a regular one within the bound.
pub(super) fn read(path: &Path) -> Result<String, ReadError> {
    if !fs::metadata(path)?.is_file() {
        return Err(ReadError::NotAFile);
    }
    let mut bytes = Vec::new();
    // One byte more tells a file at the bound from one beyond it, also if it grows meanwhile.
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| ReadError::NotText)
}

/// What tells one state of a file or directory from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    device: u64,
    inode: u64,
}

/// `None` when there is nothing at the path.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        modified: metadata.modified().ok(),
        len: metadata.len(),
        device: metadata.dev(),
        inode: metadata.ino(),
    })
}

impl Stamp {
    /// Which file or directory it is, whatever it holds. Numbers are used again after a deletion.
    pub(super) fn identity(self) -> (u64, u64) {
        (self.device, self.inode)
    }
}
