//! Whether this machine's clock shows what others' do.

use std::ffi::OsStr;

use super::{Finding, Here, program};

const CHECK: &str = "clock";

/// Microseconds by which two clocks may differ without anybody noticing.
const NEAR: i64 = 2_000_000;

/// From here on certificates and logs of two machines make no sense together.
const FAR: i64 = 60_000_000;

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let ahead = here.heard.ahead.map(judge);
    synchronised().into_iter().chain(ahead).collect()
}

/// What the system says of it, if it says anything.
pub(super) fn synchronised() -> Option<Finding> {
    let args = ["show", "--property=NTPSynchronized", "--value"].map(OsStr::new);
    let said = program::ask("timedatectl", &args).ok()?;
    match said.out.as_str() {
        "yes" => Some(Finding::ok(CHECK, "it is synchronised (NTP)")),
        "no" => Some(Finding::warn(
            CHECK,
            "it is not synchronised with any other (NTP)",
            "`timedatectl set-ntp true`, with systemd-timesyncd or chrony installed; in a container \
             the host's clock counts",
        )),
        _ => None,
    }
}

/// By how much the master's clock is ahead of ours.
fn judge(ahead: i64) -> Finding {
    let seconds = ahead.unsigned_abs() as f64 / 1e6;
    let which = match ahead {
        0.. => "behind",
        _ => "ahead of",
    };
    let text = format!("it is {seconds:.1} s {which} the master's");
    let fix = "synchronise the clocks of both machines (NTP)";
    match ahead.abs() {
        0..=NEAR => Finding::ok(CHECK, "it shows what the master's shows"),
        ..=FAR => Finding::warn(CHECK, text, fix),
        _ => Finding::fail(CHECK, text, fix),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn a_clock_that_differs_is_said_to_and_by_how_much() {
        assert_eq!(judge(-1_900_000).status, Status::Ok);
        let behind = judge(5_000_000);
        assert_eq!(behind.status, Status::Warn);
        assert_eq!(behind.text, "it is 5.0 s behind the master's");
        let ahead = judge(-3_600_000_000);
        assert_eq!(ahead.status, Status::Fail);
        assert_eq!(ahead.text, "it is 3600.0 s ahead of the master's");
    }
}
