//! The mistakes that were found so far.

use std::collections::HashSet;

use crate::{
    layer::KeyPath,
    mistake::{Mistake, Place, Problem},
};

/// Collects mistakes, and remembers which keys have one, so that one cause is
/// not reported twice: a wrong value is not also a missing one.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    mistakes: Vec<Mistake>,
    faulty: HashSet<KeyPath>,
}

impl Findings {
    /// Notes a mistake at `key`.
    pub(crate) fn note(
        &mut self,
        problem: Problem,
        place: &Place,
        key: &KeyPath,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> &mut Mistake {
        self.faulty.insert(key.clone());
        self.mistakes.push(Mistake {
            place: place.clone(),
            problem,
            key: key.to_string(),
            found: found.into(),
            expected: expected.into(),
            nearest: None,
        });
        let last = self.mistakes.len() - 1;
        &mut self.mistakes[last]
    }

    /// Marks a key as touched by a mistake that was noted at another one.
    pub(crate) fn mark(&mut self, key: KeyPath) {
        self.faulty.insert(key);
    }

    /// Whether this key, or a section that it stands in, has a mistake.
    pub(crate) fn touches(&self, key: &KeyPath) -> bool {
        self.faulty.contains(key) || key.parents().any(|parent| self.faulty.contains(&parent))
    }

    /// Whether this very key has a mistake.
    pub(crate) fn is_faulty(&self, key: &KeyPath) -> bool {
        self.faulty.contains(key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.mistakes.is_empty()
    }

    pub(crate) fn into_mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }
}
