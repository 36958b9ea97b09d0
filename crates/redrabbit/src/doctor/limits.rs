//! Whether there may be as many open files as clients need.

use rustix::process::{Resource, getrlimit};

use super::{Finding, Here};

const CHECK: &str = "limits";

/// Files that are open beside the clients' connections.
const OTHER_FILES: u64 = 1024;

pub(super) fn check(here: &Here) -> Option<Finding> {
    let topology = here.group()?;
    let gates = topology.gates.keys();
    let here_are = gates.filter(|gate| here.nodes.contains(gate)).count();
    let sessions = topology.limits.sessions_per_gate + topology.limits.unverified_per_gate;
    let wanted = match here_are {
        0 => OTHER_FILES,
        _ => sessions as u64 + OTHER_FILES,
    };
    if here.place.systemd {
        let text = "the units ask for 1048576 open files (LimitNOFILE)";
        return Some(Finding::ok(CHECK, text));
    }
    // A daemon raises its own as far as this.
    let allowed = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    Some(judge(wanted, allowed))
}

fn judge(wanted: u64, allowed: u64) -> Finding {
    if allowed >= wanted {
        let text = format!("a process may have {} open files", shown(allowed));
        return Finding::ok(CHECK, text);
    }
    let text = format!(
        "a process may have {allowed} open files, and a gate with all its sessions needs {wanted}"
    );
    let fix = format!(
        "raise the hard limit (`ulimit -Hn {wanted}` as root, or /etc/security/limits.conf), or \
         lower limits.sessions_per_gate"
    );
    Finding::warn(CHECK, text, fix)
}

fn shown(allowed: u64) -> String {
    match allowed {
        u64::MAX => "any number of".to_owned(),
        allowed => allowed.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn fewer_files_than_sessions_are_warned_of() {
        assert_eq!(judge(51_024, 1 << 20).status, Status::Ok);
        assert_eq!(judge(51_024, u64::MAX).status, Status::Ok);
        let few = judge(51_024, 4096);
        assert_eq!(few.status, Status::Warn);
        assert!(few.text.contains("4096 open files"), "{}", few.text);
    }
}
