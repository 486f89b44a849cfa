//! How thoroughly is measured, and what is done about company.

use super::Sample;
use std::path::PathBuf;
use std::time::Duration;

/// A run's own choices.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The program whose `engines N` runs [`super::serve`].
    pub program: PathBuf,
    /// Samples of each side.
    pub samples: usize,
    /// How long each lasts.
    pub lasts: Duration,
    /// How often one is taken again that was taken in company.
    pub again: usize,
    /// The long rows are short: their figures say less.
    pub quick: bool,
}

/// A sample in which others kept more than this part of a processor busy is disturbed.
pub const COMPANY: f64 = 0.1;

/// Samples of one side, and the company that they were taken in.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    /// Each the least disturbed of its tries.
    pub samples: Vec<Sample>,
    /// Processors that others kept busy, where that was the most.
    pub company: f64,
}

// === impl Plan ===

impl Plan {
    /// As the table is made: medians of five.
    pub fn whole(program: PathBuf) -> Self {
        Self { program, samples: 5, lasts: Duration::from_secs(4), again: 3, quick: false }
    }

    /// As a developer looks whether something became dearer.
    pub fn quick(program: PathBuf) -> Self {
        Self { program, samples: 3, lasts: Duration::from_secs(2), again: 0, quick: true }
    }

    /// A sample, taken again while it is disturbed and tries are left; the least disturbed of them.
    ///
    /// # Errors
    /// It cannot be taken.
    pub async fn take<T>(
        &self,
        mut sample: impl AsyncFnMut() -> anyhow::Result<T>,
        others: impl Fn(&T) -> f64,
    ) -> anyhow::Result<T> {
        let mut best = sample().await?;
        for _ in 0..self.again {
            if others(&best) <= COMPANY {
                break;
            }
            eprintln!("    taken again: others kept {:.2} processors busy", others(&best));
            let next = sample().await?;
            if others(&next) < others(&best) {
                best = next;
            }
        }
        Ok(best)
    }
}

// === impl Taken ===

impl Taken {
    /// One more.
    pub fn add(&mut self, sample: Sample) {
        self.company = self.company.max(sample.others);
        self.samples.push(sample);
    }
}
