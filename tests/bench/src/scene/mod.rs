//! What scripts do within a scene, and what that takes: the share of the thread
//! that runs Python, and what of it is Python itself.
//!
//! - [`crossing`] is a script's host in this process, without any socket: full
//!   batches in and out, so that the crossing itself is all that is measured. It
//!   also lets a script hold many objects, and looks for pauses.
//! - [`group`] is a group of released processes under load, whose handlers echo,
//!   call services, make timers and ask databases.

mod crossing;
mod group;
mod options;

use anyhow::{Context, Result};

pub(crate) use self::options::Options;

/// Measures, and prints as it goes.
pub(crate) fn run(options: Options) -> Result<()> {
    daemon::raise_file_limit().context("cannot raise the limit of open files")?;
    let plan = options.plan();
    if plan.crossing {
        crossing::run(&plan)?;
    }
    if plan.crossing && !plan.loads.is_empty() {
        println!();
    }
    group::run(&plan)
}
