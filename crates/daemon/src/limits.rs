//! The system's limits on this process.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many open files as we ask for at most. Where the hard limit is a billion
/// (containers have such), some libraries walk through all of them.
const ENOUGH_FILES: u64 = 1 << 20;

/// Raises the number of files that this process may have open as far as the
/// system lets it, and says how far that is. Each client is an open file, and
/// the limit that a shell hands down (1,024) is meant for programs of another
/// kind.
///
/// # Errors
/// When the system refuses; the limit is then what it was.
pub fn raise_file_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let target = wanted(current, limit.maximum);
    if target > current {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(target),
                maximum: limit.maximum,
            },
        )?;
    }
    Ok(target)
}

/// The limit to have, of what is had and what could be had (`None`: anything).
fn wanted(current: u64, maximum: Option<u64>) -> u64 {
    current.max(maximum.unwrap_or(ENOUGH_FILES).min(ENOUGH_FILES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_goes_up_to_the_hard_one_and_never_down() {
        assert_eq!(wanted(1024, Some(4096)), 4096);
        assert_eq!(wanted(1024, Some(1024)), 1024);
        assert_eq!(wanted(1024, None), ENOUGH_FILES);
        assert_eq!(wanted(1024, Some(1 << 30)), ENOUGH_FILES);
        assert_eq!(wanted(1 << 25, Some(1 << 30)), 1 << 25);
    }

    #[test]
    fn raising_reaches_what_it_says() {
        let raised = raise_file_limit().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current, Some(raised));
    }
}
