//! Who was dropped, and by whom.

/// The endpoints of one decision, filter by filter.
pub(super) struct Dropped {
    keep: Vec<bool>,
    /// Who dropped each; empty while nobody was dropped, which is most often.
    who: Vec<Option<&'static str>>,
    /// The filter that left none.
    last: Option<&'static str>,
}

// === impl Dropped ===

impl Dropped {
    /// Nobody of so many, yet.
    pub(super) fn among(count: usize) -> Self {
        Self { keep: vec![true; count], who: Vec::new(), last: None }
    }

    /// `filter` takes back whom it drops; it goes by that name.
    pub(super) fn by(&mut self, name: &'static str, filter: impl FnOnce(&mut [bool])) {
        filter(&mut self.keep);
        // Without a way out, so that many are looked at at once.
        if self.keep.iter().fold(true, |all, keep| all & keep) {
            return;
        }
        self.who.resize(self.keep.len(), None);
        for (who, keep) in self.who.iter_mut().zip(&self.keep) {
            if !keep {
                who.get_or_insert(name);
            }
        }
        if self.last.is_none() && !self.keep.contains(&true) {
            self.last = Some(name);
        }
    }

    /// Indexes of those that are left; `None` for all.
    pub(super) fn left(&self) -> Option<Vec<usize>> {
        let left = || self.keep.iter().enumerate().filter(|(_, keep)| **keep).map(|(index, _)| index).collect();
        (!self.who.is_empty()).then(left)
    }

    /// Who dropped each; empty while nobody was dropped.
    pub(super) fn who(self) -> Vec<Option<&'static str>> {
        self.who
    }

    /// The filter that left nobody.
    pub(super) fn last(&self) -> Option<&'static str> {
        self.last
    }
}
