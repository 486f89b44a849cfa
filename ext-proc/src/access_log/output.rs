//! Where lines go: a stream of this process, or a file that others may move away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What the log is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The end of this file, which is made (0644) where there is none.
    File(PathBuf),
}

/// An output, once something is written to it.
#[derive(Debug)]
pub(super) struct Sink {
    output: Output,
    open: Option<File>,
    /// Whether the last line broke off in the middle.
    torn: bool,
}

// === impl Sink ===

impl Sink {
    pub(super) fn new(output: Output) -> Self {
        Self { output, open: None, torn: false }
    }

    /// Writes whole lines; how many of them were lost, and why.
    ///
    /// A file that was moved or deleted since, as logrotate does, is opened anew.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), (u64, io::Error)> {
        let mut rest = lines;
        let result = self.file().and_then(|(file, torn)| {
            if torn {
                file.write_all(b"\n")?;
            }
            // As `write_all`, but it is known how far it came.
            while !rest.is_empty() {
                match file.write(rest) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        let written = lines.len() - rest.len();
        if written > 0 {
            self.torn = lines.get(..written).is_some_and(|lines| !lines.ends_with(b"\n"));
        }
        result.map_err(|error| {
            let lost = rest.iter().filter(|byte| **byte == b'\n').count() as u64;
            (lost, error)
        })
    }

    /// The file, and whether its last line is torn.
    fn file(&mut self) -> io::Result<(&mut File, bool)> {
        let current = match (self.open.take(), &self.output) {
            (Some(file), Output::Stdout | Output::Stderr) => file,
            (Some(file), Output::File(path)) if is_at(&file, path) => file,
            (_, output) => {
                // Whatever was torn stays behind in the other file.
                self.torn = false;
                open(output)?
            }
        };
        Ok((self.open.insert(current), self.torn))
    }
}

/// A file of our own on each output: nothing is buffered that could be written twice.
fn open(output: &Output) -> io::Result<File> {
    match output {
        Output::Stdout => io::stdout().as_fd().try_clone_to_owned().map(File::from),
        Output::Stderr => io::stderr().as_fd().try_clone_to_owned().map(File::from),
        Output::File(path) => OpenOptions::new().append(true).create(true).mode(0o644).open(path),
    }
}

/// Whether the file is still the one of that name.
fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    matches!((file.metadata().map(id), fs::metadata(path).map(id)), (Ok(open), Ok(named)) if open == named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_that_is_rotated_away_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, old) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
        fs::write(&path, "before\n").unwrap();
        let mut sink = Sink::new(Output::File(path.clone()));
        sink.write(b"one\ntwo\n").unwrap();
        fs::rename(&path, &old).unwrap();
        sink.write(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "before\none\ntwo\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        fs::remove_file(&path).unwrap();
        sink.write(b"four\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o111, 0, "nobody may run it");
    }

    #[test]
    fn what_a_full_disk_does_not_take_is_counted() {
        let mut sink = Sink::new(Output::File("/dev/full".into()));
        let (lost, error) = sink.write(b"one\ntwo\n").unwrap_err();
        assert_eq!((lost, error.kind()), (2, ErrorKind::StorageFull));
    }

    #[test]
    fn a_torn_line_stays_behind_when_the_file_is_moved() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let mut sink = Sink::new(Output::File(path.clone()));
        sink.write(b"one\ntw").unwrap();
        sink.write(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntw\nthree\n");
        sink.write(b"fo").unwrap();
        fs::rename(&path, directory.path().join("access.log.1")).unwrap();
        sink.write(b"five\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "five\n");
    }

    #[test]
    fn a_directory_that_comes_later_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("later/access.log");
        let mut sink = Sink::new(Output::File(path.clone()));
        assert_eq!(sink.write(b"one\n").unwrap_err().0, 1);
        fs::create_dir(path.parent().unwrap()).unwrap();
        sink.write(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
    }
}
