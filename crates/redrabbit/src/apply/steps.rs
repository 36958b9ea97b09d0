//! What the service manager is asked, in which order. Pure.

use protocol::NodeName;
use topology::Restarts;

/// Something to ask of the service manager, for one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) verb: Verb,
    /// `redrabbit-gate@0.service`.
    pub(super) unit: String,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    /// It drains and ends.
    Stop,
    /// It reads the file again.
    Reload,
    /// It drains, ends, and is started again; who asks waits until it is ready.
    Restart,
    /// It is started; who asks waits until it is ready.
    Start,
}

impl Verb {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Verb::Stop => "stop",
            Verb::Reload => "reload",
            Verb::Restart => "restart",
            Verb::Start => "start",
        }
    }
}

/// A node of this machine and its unit.
pub(super) type Placed = (NodeName, String);

/// From those of `before` to those of `after`, which are in the order in which they
/// start. Whoever goes makes room first, in the reverse order; those who stay know the
/// new file before anybody comes.
pub(super) fn steps(before: &[Placed], after: &[Placed], restarts: &Restarts) -> Vec<Step> {
    let has = |units: &[Placed], unit: &str| units.iter().any(|(_, other)| other == unit);
    let step = |verb, unit: &str| Step {
        verb,
        unit: unit.to_owned(),
    };
    let gone = before.iter().rev().filter(|(_, unit)| !has(after, unit));
    let mut steps: Vec<Step> = gone.map(|(_, unit)| step(Verb::Stop, unit)).collect();
    let stay = || after.iter().filter(|(_, unit)| has(before, unit));
    let live = stay().filter(|(node, _)| !restarts.contains(node));
    steps.extend(live.map(|(_, unit)| step(Verb::Reload, unit)));
    let late = stay().filter(|(node, _)| restarts.contains(node));
    steps.extend(late.map(|(_, unit)| step(Verb::Restart, unit)));
    let new = after.iter().filter(|(_, unit)| !has(before, unit));
    steps.extend(new.map(|(_, unit)| step(Verb::Start, unit)));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(names: &[&str]) -> Vec<Placed> {
        let placed = names.iter().map(|name| {
            let node = name.parse().unwrap();
            (node, format!("redrabbit-{name}.service"))
        });
        placed.collect()
    }

    fn told(before: &[&str], after: &[&str], restarts: &Restarts) -> Vec<String> {
        let steps = steps(&placed(before), &placed(after), restarts);
        let told = steps.iter().map(|step| {
            let unit = step.unit.trim_start_matches("redrabbit-");
            format!(
                "{} {}",
                step.verb.as_str(),
                unit.trim_end_matches(".service")
            )
        });
        told.collect()
    }

    #[test]
    fn who_goes_stops_first_and_who_comes_starts_last() {
        let one: NodeName = "scene@0".parse().unwrap();
        let before = ["master@0", "slave@0", "scene@0", "gate@0", "gate@1"];
        let after = ["master@0", "slave@1", "scene@0", "gate@0"];
        assert_eq!(
            told(&before, &after, &Restarts::Nodes([one].into())),
            [
                "stop gate@1",
                "stop slave@0",
                "reload master@0",
                "reload gate@0",
                "restart scene@0",
                "start slave@1",
            ]
        );
    }

    #[test]
    fn everybody_is_restarted_one_after_the_other_in_the_order_of_a_start() {
        let nodes = ["master@0", "scene@0", "gate@0"];
        assert_eq!(
            told(&nodes, &nodes, &Restarts::All),
            ["restart master@0", "restart scene@0", "restart gate@0"]
        );
        assert_eq!(
            told(&[], &nodes, &Restarts::Nodes([].into())),
            ["start master@0", "start scene@0", "start gate@0"]
        );
    }
}
