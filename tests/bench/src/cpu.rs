//! The CPU time of a process.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;

/// User and system time of all threads of a process since it began. The kernel
/// counts in ticks of 10 ms, which over a second is one in a hundred.
pub(crate) fn of_process(pid: u32) -> Result<Duration> {
    let file = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let ticks = ticks(&stat).with_context(|| format!("{file} has no CPU time"))?;
    Ok(Duration::from_secs_f64(
        ticks as f64 / clock_ticks_per_second() as f64,
    ))
}

/// As [`of_process`], to the nanosecond, of the threads that there are: those
/// that have ended are not counted, so that only processes which keep theirs
/// are measured with it.
pub(crate) fn of_threads(pid: u32) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let threads = std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))?;
    let mut sum = 0;
    for thread in threads {
        sum += time_of(&thread?.path());
    }
    Ok(Duration::from_nanos(sum))
}

/// As [`of_threads`], of those of this name alone.
pub(crate) fn of_threads_named(pid: u32, name: &str) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let threads = std::fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))?;
    let mut sum = 0;
    for thread in threads {
        let thread = thread?.path();
        let own = std::fs::read_to_string(thread.join("comm")).unwrap_or_default();
        if own.trim_end() == name {
            sum += time_of(&thread);
        }
    }
    Ok(Duration::from_nanos(sum))
}

/// Nanoseconds; none for one that has ended meanwhile.
fn time_of(thread: &Path) -> u64 {
    let text = std::fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    let first = text.split_ascii_whitespace().next();
    first.and_then(|time| time.parse().ok()).unwrap_or(0)
}

/// Fields 14 and 15. The name in field 2 may have anything in it, so that
/// counting begins after its closing bracket.
fn ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 130 24 0 0 20 0";
        assert_eq!(ticks(stat), Some(154));
        assert_eq!(ticks("nothing"), None);
    }

    #[test]
    fn this_process_has_a_cpu_time() {
        assert!(of_process(std::process::id()).is_ok());
        assert!(of_threads(std::process::id()).unwrap() > Duration::ZERO);
    }
}
