//! What the script's thread is doing, as others may see it at any time.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use foldhash::HashMap;

use crate::observe::meter::Meter;

/// Written by the script's thread, read by the watchdog. Costs the thread one
/// relaxed store a handler.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// The label of what runs; 0 is nothing that has one.
    current: AtomicU32,
    asked: AtomicU64,
    answered: AtomicU64,
    labels: Mutex<Labels>,
}

/// What something is called while it runs: `main.chat`. And what that takes.
#[derive(Clone)]
pub(crate) struct Label {
    number: u32,
    text: Arc<str>,
    pub(crate) meter: Arc<Meter>,
}

/// What had run when something within it began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer(u32);

#[derive(Debug, Default)]
struct Labels {
    texts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
    meters: HashMap<(Arc<str>, Option<u16>), Arc<Meter>>,
    /// For all that have none of their own.
    others: Option<Arc<Meter>>,
}

impl Activity {
    /// Texts past this get no number. They come from the source of scripts, so
    /// that there are some hundred; but a script may make names up.
    const LABELS: usize = 10_000;

    /// What is measured by itself, of all the rest only the sum: each is a handful
    /// of time series.
    const METERS: usize = 1_000;

    /// Gives a text a number. The same text has the same number, and is measured
    /// by the same meter.
    pub(crate) fn label(&self, text: &str) -> Label {
        self.labels().label(text, None)
    }

    /// As [`label`](Self::label), of what takes the frames of a command; each is
    /// measured by itself.
    pub(crate) fn label_of_cmd(&self, text: &str, cmd: u16) -> Label {
        self.labels().label(text, Some(cmd))
    }

    /// All that there is to publish.
    pub(crate) fn publish(&self) {
        let meters: Vec<_> = {
            let labels = self.labels();
            let own = labels.meters.values();
            own.chain(&labels.others).cloned().collect()
        };
        for meter in meters {
            meter.publish();
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

    /// This runs from now on, within something else perhaps.
    pub(crate) fn enter_within(&self, label: &Label) -> Outer {
        let outer = Outer(self.current.load(Ordering::Relaxed));
        self.enter(label);
        outer
    }

    /// What had run before goes on.
    pub(crate) fn leave_to(&self, outer: Outer) {
        self.current.store(outer.0, Ordering::Relaxed);
    }

    /// What runs.
    pub(crate) fn current(&self) -> Option<Arc<str>> {
        let number = self.current.load(Ordering::Relaxed);
        let labels = self.labels();
        let index = (number as usize).checked_sub(1)?;
        labels.texts.get(index).cloned()
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

    fn labels(&self) -> MutexGuard<'_, Labels> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Labels {
    fn label(&mut self, text: &str, cmd: Option<u16>) -> Label {
        let (text, number) = match self.numbers.get_key_value(text) {
            Some((text, number)) => (text.clone(), *number),
            None => self.number(text),
        };
        let meter = self.meter(&text, cmd);
        Label {
            number,
            text,
            meter,
        }
    }

    fn number(&mut self, text: &str) -> (Arc<str>, u32) {
        let text: Arc<str> = text.into();
        if self.texts.len() >= Activity::LABELS {
            return (text, 0);
        }
        self.texts.push(text.clone());
        let number = u32::try_from(self.texts.len()).unwrap_or(0);
        self.numbers.insert(text.clone(), number);
        (text, number)
    }

    fn meter(&mut self, text: &Arc<str>, cmd: Option<u16>) -> Arc<Meter> {
        let key = (text.clone(), cmd);
        if let Some(meter) = self.meters.get(&key) {
            return meter.clone();
        }
        if self.meters.len() >= Activity::METERS {
            let others = self
                .others
                .get_or_insert_with(|| Meter::new("others", None));
            return others.clone();
        }
        let meter = Meter::new(text, cmd);
        self.meters.insert(key, meter.clone());
        meter
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
        let outer = activity.enter_within(&tick);
        assert_eq!(activity.current().as_deref(), Some("timer main.tick"));
        activity.leave_to(outer);
        assert_eq!(activity.current().as_deref(), Some("call main.chat"));
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

    #[test]
    fn each_command_of_a_function_has_a_meter_and_the_same_one_after_a_reload() {
        let activity = Activity::default();
        let one = activity.label_of_cmd("main.chat", 1);
        let two = activity.label_of_cmd("main.chat", 2);
        assert!(!Arc::ptr_eq(&one.meter, &two.meter));
        let again = activity.label_of_cmd("main.chat", 1);
        assert!(Arc::ptr_eq(&one.meter, &again.meter));
    }

    #[test]
    fn names_that_a_script_makes_up_are_measured_together_in_the_end() {
        let activity = Activity::default();
        let labels: Vec<_> = (0..Activity::METERS + 2)
            .map(|number| activity.label(&number.to_string()))
            .collect();
        let [.., last_own, other, last] = &labels[..] else {
            panic!("there are many");
        };
        assert!(!Arc::ptr_eq(&last_own.meter, &last.meter));
        assert!(Arc::ptr_eq(&other.meter, &last.meter));
        activity.enter(last);
        assert_eq!(activity.current().as_deref(), Some(&*last.text));
    }
}
