//! Who knows how a node does.

use std::{fmt, sync::Arc};

use crate::v1::Vitals;

/// What a program can say of itself beyond its links: each part of it adds what it
/// knows, whenever a report goes out, which is each second. Nothing in it may wait.
#[derive(Clone, Default)]
pub struct VitalsSource {
    parts: Vec<Arc<Part>>,
}

type Part = dyn Fn(&mut Vitals) + Send + Sync;

impl VitalsSource {
    /// The same, and what `part` knows.
    #[must_use]
    pub fn and(mut self, part: impl Fn(&mut Vitals) + Send + Sync + 'static) -> Self {
        self.parts.push(Arc::new(part));
        self
    }

    /// Adds what it knows now.
    pub fn tell(&self, vitals: &mut Vitals) {
        for part in &self.parts {
            part(vitals);
        }
    }
}

impl fmt::Debug for VitalsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VitalsSource")
            .field("parts", &self.parts.len())
            .finish()
    }
}
