//! What a source holds at one moment.

use kthena_crds::{Problem, Resources};

/// The objects to serve, and everything people should be told about them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The objects, with the CRDs' defaults applied.
    pub resources: Resources,
    /// What is wrong: first what was refused, then what is served all the same; each by file.
    pub problems: Vec<Problem>,
    /// Objects of kinds that are not served here, one line each.
    pub skipped: Vec<String>,
    refused: usize,
}

impl Snapshot {
    pub(super) fn new(
        resources: Resources,
        refusals: Vec<Problem>,
        remarks: Vec<Problem>,
        skipped: Vec<String>,
    ) -> Self {
        let refused = refusals.len();
        let mut problems = refusals;
        problems.extend(remarks);
        Self { resources, problems, skipped, refused }
    }

    /// The problems that kept a file or directory from being read, empty when all could be.
    ///
    /// Later on, an earlier good state serves in their place. After the first load there is none,
    /// so a start should end with them.
    #[must_use]
    pub fn first_load_errors(&self) -> &[Problem] {
        self.problems.get(..self.refused).unwrap_or_default()
    }
}
