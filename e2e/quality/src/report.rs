//! The figures, written down: a table for each scenario, and pictures.

mod chart;
mod page;
mod table;

pub use chart::{bars, lines};
pub use page::replace_generated;
pub use table::table;

use crate::figures::Figures;
use crate::setup::Published;

/// A policy and its figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// As tables have it.
    pub name: &'static str,
    /// Means over the seeds.
    pub figures: Figures,
    /// What upstream published for it.
    pub published: Option<Published>,
}
