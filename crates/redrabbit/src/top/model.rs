//! What is looked at, and how keys change it. Nothing here draws or waits.

use protocol::v1::{WatchResponse, WatchedNode};

/// What is on the screen.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The group as it was last heard of.
    pub(super) group: Option<WatchResponse>,
    /// Why there is nothing newer.
    pub(super) away: Option<String>,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
    /// The node that the cursor is on, by name: rows move under it.
    pub(super) chosen: Option<String>,
    /// That node alone is shown.
    pub(super) details: bool,
    /// How many lines of the details are above the screen; the view sees to it that they
    /// are not more than there are.
    pub(super) scrolled: u16,
}

/// What nodes are in the order of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// The master first, the others by name
    #[default]
    Name,
    /// Sessions, or load, the most first
    Sessions,
    /// Processor time, the most first
    Cpu,
    /// Memory, the most first
    Memory,
    /// Messages in and out, the most first
    Traffic,
    /// How full the fullest queue is, the fullest first
    Queue,
}

/// What a key stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Back,
    Quit,
    NextSort,
    Reverse,
    By(Sort),
}

/// How far a page key goes.
const PAGE: isize = 10;

const SORTS: [Sort; 6] = [
    Sort::Name,
    Sort::Sessions,
    Sort::Cpu,
    Sort::Memory,
    Sort::Traffic,
    Sort::Queue,
];

impl Sort {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Sessions => "sessions",
            Sort::Cpu => "cpu",
            Sort::Memory => "memory",
            Sort::Traffic => "traffic",
            Sort::Queue => "queue",
        }
    }

    fn next(self) -> Sort {
        let place = SORTS.iter().position(|one| *one == self).unwrap_or(0);
        SORTS[(place + 1) % SORTS.len()]
    }

    /// What the node is by it; the most is first.
    fn weight(self, node: &WatchedNode) -> f64 {
        let (vitals, rates) = (node.vitals.as_ref(), node.rates.as_ref());
        let weight = match self {
            Sort::Name => None,
            Sort::Sessions => Some(node.load as f64),
            Sort::Cpu => rates.and_then(|rates| rates.cpu),
            Sort::Memory => vitals
                .and_then(|vitals| vitals.memory_bytes)
                .map(|bytes| bytes as f64),
            Sort::Traffic => rates.map(|rates| rates.messages_in + rates.messages_out),
            Sort::Queue => vitals.map(|vitals| vitals.queue_fill),
        };
        weight.filter(|weight| weight.is_finite()).unwrap_or(-1.0)
    }
}

impl Model {
    /// The group is like this now.
    pub(super) fn hear(&mut self, group: WatchResponse) {
        self.group = Some(group);
        self.away = None;
        if self.chosen().is_none() {
            // Whose they are is gone.
            self.show_details(false);
        }
    }

    /// Nodes in the order in which they are shown.
    pub(super) fn nodes(&self) -> Vec<&WatchedNode> {
        let mut nodes: Vec<&WatchedNode> =
            self.group.iter().flat_map(|group| &group.nodes).collect();
        // The master sends them by name, and sorting keeps that where it says nothing.
        nodes.sort_by(|one, other| self.sort.weight(other).total_cmp(&self.sort.weight(one)));
        if self.reversed {
            nodes.reverse();
        }
        nodes
    }

    /// The node that the cursor is on, and in which row it is.
    pub(super) fn chosen(&self) -> Option<(usize, &WatchedNode)> {
        let chosen = self.chosen.as_deref()?;
        let nodes = self.nodes().into_iter().enumerate();
        let mut nodes = nodes.filter(|(_, node)| node.name == chosen);
        nodes.next()
    }

    /// Does what a key stands for; false to end.
    pub(super) fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Quit => return false,
            Key::Back if self.details => self.show_details(false),
            Key::Back if self.chosen.is_some() => self.chosen = None,
            Key::Back => return false,
            Key::Enter if self.chosen().is_some() => self.show_details(!self.details),
            Key::Enter => self.move_to(0),
            Key::NextSort => self.sort = self.sort.next(),
            Key::By(sort) => self.sort = sort,
            Key::Reverse => self.reversed = !self.reversed,
            Key::Up => self.go(-1),
            Key::Down => self.go(1),
            Key::PageUp => self.go(-PAGE),
            Key::PageDown => self.go(PAGE),
            Key::Home => self.go(isize::MIN),
            Key::End => self.go(isize::MAX),
        }
        true
    }

    fn show_details(&mut self, details: bool) {
        self.details = details;
        self.scrolled = 0;
    }

    fn go(&mut self, rows: isize) {
        if self.details {
            let rows = i16::try_from(rows).unwrap_or(if rows < 0 { i16::MIN } else { i16::MAX });
            self.scrolled = self.scrolled.saturating_add_signed(rows);
            return;
        }
        let row = match self.chosen() {
            Some((row, _)) => row.saturating_add_signed(rows),
            None if rows < 0 => usize::MAX,
            None => 0,
        };
        self.move_to(row);
    }

    /// To that row, or to the last.
    fn move_to(&mut self, row: usize) {
        let nodes = self.nodes();
        let node = nodes.get(row).or(nodes.last());
        self.chosen = node.map(|node| node.name.clone());
    }
}

#[cfg(test)]
mod tests {
    use protocol::v1::{Rates, Vitals};

    use super::*;

    fn node(name: &str, load: u64, cpu: f64) -> WatchedNode {
        WatchedNode {
            name: name.to_owned(),
            load,
            vitals: Some(Vitals::default()),
            rates: Some(Rates {
                cpu: Some(cpu),
                ..Rates::default()
            }),
            ..WatchedNode::default()
        }
    }

    fn model() -> Model {
        let mut model = Model::default();
        model.hear(WatchResponse {
            nodes: vec![
                node("master@0", 0, 0.1),
                node("gate@0", 5, 0.3),
                node("gate@1", 9, 0.2),
                WatchedNode {
                    name: "scene@0".to_owned(),
                    ..WatchedNode::default()
                },
            ],
            ..WatchResponse::default()
        });
        model
    }

    fn names(model: &Model) -> Vec<&str> {
        model.nodes().iter().map(|node| &*node.name).collect()
    }

    #[test]
    fn nodes_are_sorted_by_what_was_asked_for_and_the_quiet_ones_are_last() {
        let mut model = model();
        assert_eq!(names(&model), ["master@0", "gate@0", "gate@1", "scene@0"]);
        model.press(Key::By(Sort::Cpu));
        assert_eq!(names(&model), ["gate@0", "gate@1", "master@0", "scene@0"]);
        model.press(Key::By(Sort::Sessions));
        assert_eq!(names(&model)[..2], ["gate@1", "gate@0"]);
        model.press(Key::Reverse);
        assert_eq!(names(&model)[3], "gate@1");
        for _ in SORTS {
            model.press(Key::NextSort);
        }
        assert_eq!(model.sort, Sort::Sessions);
    }

    #[test]
    fn the_cursor_stays_with_its_node_and_within_the_rows() {
        let mut model = model();
        model.press(Key::Down);
        model.press(Key::Down);
        assert_eq!(model.chosen().unwrap().0, 1);
        model.press(Key::By(Sort::Sessions));
        assert_eq!(model.chosen.as_deref(), Some("gate@0"));
        model.press(Key::End);
        model.press(Key::Down);
        assert_eq!(model.chosen().unwrap().0, 3);
        model.press(Key::Home);
        model.press(Key::Up);
        assert_eq!(model.chosen().unwrap().0, 0);
        // It is gone: the cursor begins anew.
        model.chosen = Some("gate@9".to_owned());
        assert!(model.chosen().is_none());
        model.press(Key::Down);
        assert_eq!(model.chosen().unwrap().0, 0);
    }

    #[test]
    fn one_key_leads_in_another_out_step_by_step() {
        let mut model = model();
        model.press(Key::Enter);
        assert!(model.chosen.is_some() && !model.details);
        model.press(Key::Enter);
        model.press(Key::Down);
        assert!(model.details && model.scrolled == 1);
        model.press(Key::Home);
        assert_eq!(model.scrolled, 0);
        assert!(model.press(Key::Back) && !model.details);
        assert!(model.press(Key::Back) && model.chosen.is_none());
        assert!(!model.press(Key::Back));
        assert!(!model.press(Key::Quit));
    }

    #[test]
    fn details_of_a_node_that_goes_end_with_it() {
        let mut model = model();
        for key in [Key::Enter, Key::Enter, Key::Down] {
            model.press(key);
        }
        assert!(model.details);
        model.hear(WatchResponse::default());
        assert!(!model.details && model.scrolled == 0);
    }

    #[test]
    fn a_group_of_nobody_can_be_walked_through() {
        let mut model = Model::default();
        for key in [Key::Down, Key::Up, Key::Enter, Key::PageDown, Key::End] {
            assert!(model.press(key));
        }
        assert!(model.chosen().is_none() && !model.details);
    }
}
