//! Whether the file places anything on this machine.

use generator::MachineError;
use protocol::NodeName;
use topology::{Plan, Topology};

use super::{Finding, Here};

const CHECK: &str = "machine";

/// It does not know its name.
pub(super) fn nameless(error: &MachineError) -> Finding {
    let fix = "write this machine's name, as the topology has it, into that file as its only \
               line; or remove it, and the host name counts";
    Finding::fail(CHECK, error.to_string(), fix)
}

pub(super) fn check(here: &Here) -> Finding {
    let machine = &here.machine;
    if !here.nodes.is_empty() {
        let names: Vec<&str> = here.nodes.iter().map(NodeName::as_str).collect();
        return Finding::ok(CHECK, format!("{machine} runs {}", names.join(", ")));
    }
    let machines = machines(&here.plan);
    let text = format!(
        "the file places no node on {machine}; its machines are {}",
        machines.join(", ")
    );
    let fix = match nearest(machine, &machines) {
        Some(near) => format!(
            "if this is {near}: put that name into {}, or into the file put {machine}",
            here.place.etc.join("machine").display()
        ),
        None => format!(
            "put the name that it has in the file into {}, or add nodes with \
             machine = \"{machine}\" to the file",
            here.place.etc.join("machine").display()
        ),
    };
    Finding::fail(CHECK, text, fix)
}

/// The machines that the file names, each once.
fn machines(plan: &Plan) -> Vec<&str> {
    let mut all = match plan {
        Plan::Group(topology) => of_group(topology),
        Plan::Bridges(plan) => plan.machines(),
    };
    all.sort_unstable();
    all.dedup();
    all
}

fn of_group(plan: &Topology) -> Vec<&str> {
    let slaves = plan.slaves.values().map(|node| node.machine.as_str());
    let gates = plan.gates.values().map(|node| node.machine.as_str());
    let scenes = plan.scenes.values().map(|node| node.machine.as_str());
    let master = std::iter::once(plan.master.machine.as_str());
    master.chain(slaves).chain(gates).chain(scenes).collect()
}

/// The one that is probably meant: the same host in another domain, or a slip of the
/// finger away.
fn nearest<'a>(machine: &str, machines: &[&'a str]) -> Option<&'a str> {
    let host = |name: &str| name.split('.').next().unwrap_or(name).to_lowercase();
    let own = host(machine);
    let distance = |name: &str| strsim::damerau_levenshtein(&own, &host(name));
    let near = machines.iter().map(|name| (distance(name), *name));
    let allowed = (own.chars().count() / 3).clamp(1, 3);
    let near = near.filter(|(distance, _)| *distance <= allowed);
    near.min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_that_is_meant_is_found() {
        let machines = ["game-1", "game-2", "login.example.net"];
        assert_eq!(nearest("gmae-1", &machines), Some("game-1"));
        assert_eq!(nearest("game-2.example.net", &machines), Some("game-2"));
        assert_eq!(nearest("login", &machines), Some("login.example.net"));
        assert_eq!(nearest("database", &machines), None);
        assert_eq!(nearest("", &machines), None);
    }
}
