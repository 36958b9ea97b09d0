//! `redrabbit doctor`: what would keep this machine's nodes from running well, and what
//! to do about it.
//!
//! Each check is a file of its own and gives findings; none changes anything. What
//! several of them look at is gathered once (`here`): the file, this machine's name, the
//! nodes that it runs, what the master says.

mod addresses;
mod args;
mod certificates;
mod clock;
mod finding;
mod here;
mod limits;
mod machine;
mod master;
mod ports;
mod processes;
mod program;
mod python;
mod secrets;
mod sockets;
mod state;
mod twins;
mod units;
mod view;

use std::io::{self, IsTerminal, stdout};

use daemon::Exit;
use topology::Plan;

pub use args::DoctorArgs;
use finding::{Finding, Status};
use here::{Here, Place};

/// Why nothing was looked at.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The runtime does not start.
    #[error("cannot look: {0}")]
    System(#[from] io::Error),
}

impl DoctorError {
    /// How the program ends because of it.
    pub fn exit(&self) -> Exit {
        Exit::Failure
    }
}

/// Looks, and gives what to print and how to end.
///
/// # Errors
/// [`DoctorError`]: nothing was looked at.
pub fn run(args: &DoctorArgs) -> Result<(String, Exit), DoctorError> {
    let findings = look(args)?;
    let text = match args.json {
        true => view::to_json(&findings),
        false => {
            let no_color = std::env::var("NO_COLOR").ok();
            let colour = daemon::wants_colour(None, no_color.as_deref(), stdout().is_terminal());
            view::to_text(&findings, colour)
        }
    };
    let is_bad = findings.iter().any(|one| one.status == Status::Fail);
    let exit = match is_bad {
        true => Exit::Failure,
        false => Exit::Ok,
    };
    Ok((text, exit))
}

fn look(args: &DoctorArgs) -> io::Result<Vec<Finding>> {
    let place = Place::of(args);
    let plan = match Plan::load(&place.file, &args.set) {
        Ok(plan) => plan,
        Err(error) => {
            // Without it, it is not known what else to look at.
            let mut findings = vec![finding::wrong_topology(&place.file, &error)];
            findings.extend(units::complaints(&place));
            findings.extend(clock::synchronised());
            return Ok(findings);
        }
    };
    let mut findings = vec![finding::good_topology(&place.file, &plan)];
    let here = match Here::find(place, plan, args)? {
        Ok(here) => here,
        Err(error) => {
            findings.push(machine::nameless(&error));
            return Ok(findings);
        }
    };
    findings.extend([machine::check(&here)]);
    findings.extend(addresses::check(&here));
    findings.extend(ports::check(&here));
    findings.extend(limits::check(&here));
    findings.extend(clock::check(&here));
    findings.extend(certificates::check(&here));
    findings.extend(secrets::check(&here));
    findings.extend(python::check(&here));
    findings.extend(state::check(&here));
    findings.extend(units::check(&here));
    findings.extend(master::check(&here));
    findings.extend(twins::check(&here));
    Ok(findings)
}
