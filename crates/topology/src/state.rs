//! Where nodes keep what they have to know of their earlier runs.

use std::{
    ffi::{OsStr, OsString},
    net::SocketAddr,
    path::{Path, PathBuf},
};

use vocabulary::GroupName;

/// The folder of a node that was given none. A service manager makes one that
/// stays; without one the temporary folder serves, which lasts at least as long
/// as the nodes of a group on one machine. It is the user's own there, as what
/// is in it is read as the truth.
pub(crate) fn default_folder(environment: &[(OsString, OsString)], user: u32) -> PathBuf {
    let variable = |name: &str| {
        let mut found = environment.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_os_str())
    };
    // A unit with several folders has them all in there.
    let given = variable("STATE_DIRECTORY").and_then(first_path);
    given.map_or_else(
        || {
            let temporary = variable("TMPDIR").filter(|value| !value.is_empty());
            let temporary = temporary.map_or(Path::new("/tmp"), Path::new);
            temporary.join(format!("redrabbit-{user}"))
        },
        Path::to_owned,
    )
}

/// The file in which the master of `group` at `listen` finds its earlier run.
/// It goes by the address, since nodes can only come back to the one that their
/// file names. On a port of the system's choice nobody can: there every process
/// has a file of its own.
pub(crate) fn epoch_file(folder: &Path, group: &GroupName, listen: SocketAddr) -> PathBuf {
    let (ip, port, own) = (listen.ip(), listen.port(), own(listen));
    folder.join(format!("{group}@{ip}-{port}{own}.epoch"))
}

/// The file in which the same master keeps what opens its console.
pub(crate) fn console_token_file(folder: &Path, group: &GroupName, listen: SocketAddr) -> PathBuf {
    epoch_file(folder, group, listen).with_extension("console-token")
}

/// The folder in which each scene of `group` has one of its own. It goes by the
/// group's name alone, as what is in it outlives a master that moves; on a port
/// of the system's choice, which ends with the process, by the process too.
pub(crate) fn scenes_folder(folder: &Path, group: &GroupName, listen: SocketAddr) -> PathBuf {
    folder.join(format!("{group}{}", own(listen)))
}

/// What tells apart groups that nobody can find again.
fn own(listen: SocketAddr) -> String {
    match listen.port() {
        0 => format!(".{}", std::process::id()),
        _ => String::new(),
    }
}

fn first_path(paths: &OsStr) -> Option<&Path> {
    use std::os::unix::ffi::OsStrExt as _;
    let first = paths.as_bytes().split(|byte| *byte == b':').next()?;
    (!first.is_empty()).then(|| Path::new(OsStr::from_bytes(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(variables: &[(&str, &str)]) -> String {
        let variables: Vec<(OsString, OsString)> = variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        default_folder(&variables, 1000).display().to_string()
    }

    #[test]
    fn the_service_managers_folder_goes_before_the_temporary_one() {
        let state = ("STATE_DIRECTORY", "/var/lib/redrabbit");
        assert_eq!(folder(&[("TMPDIR", "/t"), state]), "/var/lib/redrabbit");
        assert_eq!(folder(&[("STATE_DIRECTORY", "/a:/b")]), "/a");
        assert_eq!(
            folder(&[("STATE_DIRECTORY", ""), ("TMPDIR", "/t")]),
            "/t/redrabbit-1000"
        );
        assert_eq!(folder(&[("TMPDIR", "")]), "/tmp/redrabbit-1000");
    }

    #[test]
    fn the_file_is_named_by_the_group_and_its_address() {
        let file = |listen: &str| {
            let group = "GroupA".parse().unwrap();
            let file = epoch_file(Path::new("/s"), &group, listen.parse().unwrap());
            file.display().to_string()
        };
        assert_eq!(file("10.0.0.1:10241"), "/s/GroupA@10.0.0.1-10241.epoch");
        assert_eq!(file("[::1]:10241"), "/s/GroupA@::1-10241.epoch");
        let own = format!("/s/GroupA@127.0.0.1-0.{}.epoch", std::process::id());
        assert_eq!(file("127.0.0.1:0"), own);
    }

    #[test]
    fn scenes_of_two_groups_do_not_share_a_folder() {
        let folder = |group: &str, listen: &str| {
            let (group, listen) = (group.parse().unwrap(), listen.parse().unwrap());
            let folder = scenes_folder(Path::new("/s"), &group, listen);
            folder.display().to_string()
        };
        assert_eq!(folder("GroupA", "10.0.0.1:10241"), "/s/GroupA");
        assert_eq!(folder("GroupB", "10.0.0.1:10241"), "/s/GroupB");
        let own = format!("/s/GroupA.{}", std::process::id());
        assert_eq!(folder("GroupA", "127.0.0.1:0"), own);
    }
}
