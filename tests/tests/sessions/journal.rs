//! What the scripts have written down: what happened to which session, in each
//! process of a scene.

use std::{collections::BTreeMap, path::Path};

/// The journals of all processes there have been, by their ids.
pub(crate) struct Journals(BTreeMap<u32, Vec<Line>>);

struct Line {
    what: String,
    session: String,
    rest: String,
}

impl Journals {
    pub(crate) fn read(folder: &Path) -> Journals {
        let mut journals = BTreeMap::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let Some(process) = name.strip_prefix("journal.") else {
                continue;
            };
            let text = std::fs::read_to_string(&path).unwrap();
            // One that was killed may have been in the middle of a line.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let lines = whole.lines().map(|line| {
                let mut words = line.splitn(3, ' ').map(str::to_owned);
                let mut word = || words.next().unwrap_or_default();
                Line {
                    what: word(),
                    session: word(),
                    rest: word(),
                }
            });
            journals.insert(process.parse().unwrap(), lines.collect());
        }
        Journals(journals)
    }

    /// How often this has happened in a process.
    pub(crate) fn count(&self, process: u32, what: &str) -> usize {
        let lines = self.0.get(&process).into_iter().flatten();
        lines.filter(|line| line.what == what).count()
    }

    /// What has happened to a session in a process: `enter leave enter offline`.
    pub(crate) fn story(&self, process: u32, session: &str) -> String {
        let lines = self.0.get(&process).into_iter().flatten();
        let of_session = lines.filter(|line| line.session == session);
        let words: Vec<_> = of_session.map(|line| &*line.what).collect();
        words.join(" ")
    }

    /// How often a session has gone offline, in all processes together.
    pub(crate) fn offlines(&self, session: &str) -> usize {
        let lines = self.0.values().flatten();
        lines
            .filter(|line| line.what == "offline" && line.session == session)
            .count()
    }

    /// No script has seen anything wrong; and in each process every session
    /// entered before it left or went offline, and did one of them once.
    pub(crate) fn are_sound(&self) {
        self.are_sound_where(|_| false);
    }

    /// The same where scenes come and go: who is sent to one that is not in the group
    /// just then stays where it is, and goes on there.
    pub(crate) fn are_sound_but_for_those_who_stay(&self) {
        self.are_sound_where(|what| what == "stays");
    }

    fn are_sound_where(&self, is_allowed: impl Fn(&str) -> bool) {
        for (process, lines) in &self.0 {
            let mut here = BTreeMap::<&str, bool>::new();
            for line in lines {
                let is_here = here.entry(&line.session).or_default();
                let was_here = match line.what.as_str() {
                    "enter" => std::mem::replace(is_here, true),
                    "leave" | "offline" => !std::mem::replace(is_here, false),
                    what => !is_allowed(what),
                };
                let Line {
                    what,
                    session,
                    rest,
                } = line;
                assert!(!was_here, "process {process}: {what} {session} {rest}");
            }
        }
    }
}
