//! What the script's thread is doing, as others may see it at any time.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

/// Written by the script's thread, read by the watchdog. Costs the thread one
/// relaxed store a handler.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// The label of what runs; 0 is nothing that has one.
    current: AtomicU32,
    asked: AtomicU64,
    answered: AtomicU64,
    labels: Mutex<Vec<Arc<str>>>,
}

/// What something is called while it runs: `call main.chat`.
#[derive(Clone)]
pub(crate) struct Label {
    number: u32,
    text: Arc<str>,
}

impl Activity {
    /// Texts past this get no number. They come from the source of scripts, so
    /// that there are some hundred; but a script may make names up.
    const LABELS: usize = 10_000;

    /// Gives a text a number. The same text has the same number.
    pub(crate) fn label(&self, text: &str) -> Label {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let known = labels.iter().position(|known| &**known == text);
        let index = known.unwrap_or(labels.len());
        if index >= Self::LABELS {
            return Label {
                number: 0,
                text: text.into(),
            };
        }
        if known.is_none() {
            labels.push(text.into());
        }
        Label {
            number: u32::try_from(index + 1).unwrap_or(0),
            text: labels[index].clone(),
        }
    }

    /// This runs from now on.
    pub(crate) fn enter(&self, label: &Label) {
        self.current.store(label.number, Ordering::Relaxed);
    }

    /// Nothing that has a label runs from now on.
    pub(crate) fn leave(&self) {
        self.current.store(0, Ordering::Relaxed);
    }

    /// What runs.
    pub(crate) fn current(&self) -> Option<Arc<str>> {
        let number = self.current.load(Ordering::Relaxed);
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        labels.get((number as usize).checked_sub(1)?).cloned()
    }

    /// Asks the thread for a sign of life.
    pub(crate) fn ask(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the thread has given every sign that it was asked for.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed) == self.asked.load(Ordering::Relaxed)
    }

    /// The thread gives a sign of life.
    pub(crate) fn answer(&self) {
        self.answered
            .store(self.asked.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_known_by_its_label() {
        let activity = Activity::default();
        assert_eq!(activity.current(), None);
        let (chat, tick) = (
            activity.label("call main.chat"),
            activity.label("timer main.tick"),
        );
        activity.enter(&chat);
        assert_eq!(activity.current().as_deref(), Some("call main.chat"));
        activity.enter(&tick);
        activity.enter(&activity.label("call main.chat"));
        assert_eq!(activity.current().as_deref(), Some("call main.chat"));
        activity.leave();
        assert_eq!(activity.current(), None);
    }

    #[test]
    fn a_sign_of_life_answers_everything_asked_before() {
        let activity = Activity::default();
        assert!(activity.is_answered());
        activity.ask();
        activity.ask();
        assert!(!activity.is_answered());
        activity.answer();
        assert!(activity.is_answered());
    }
}
