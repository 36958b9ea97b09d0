//! Whether nodes can keep what outlives them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statvfs};
use topology::Topology;

use super::{Finding, Here};

const CHECK: &str = "state";

const MIB: u64 = 1 << 20;

/// Below this nothing is to be relied on.
const LEAST: u64 = 64 * MIB;
/// Below this somebody should look.
const LITTLE: u64 = 1024 * MIB;

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let Some(topology) = here.group() else {
        return Vec::new();
    };
    // Under systemd the state is elsewhere than for whoever asks at a terminal.
    let installed = match here.place.systemd {
        true => Topology::load_layout(&here.place.file).ok(),
        false => None,
    };
    let folders = folders(here, installed.as_ref().unwrap_or(topology));
    folders.iter().map(|folder| look(folder)).collect()
}

fn folders(here: &Here, topology: &Topology) -> BTreeSet<PathBuf> {
    let mut folders = BTreeSet::new();
    if here.nodes.contains(&topology.master.name) {
        let folder = topology.master.epoch_file.parent();
        folders.extend(folder.map(Path::to_owned));
    }
    for (name, scene) in &topology.scenes {
        if here.nodes.contains(name) {
            // Scenes of a group have folders of their own in it, made when they are needed.
            let folder = scene.state_dir.parent().unwrap_or(&scene.state_dir);
            folders.insert(folder.to_owned());
        }
    }
    folders
}

fn look(folder: &Path) -> Finding {
    let shown = folder.display();
    // What is not there yet is made in the first of those around it that is.
    let there = folder.ancestors().find(|path| path.is_dir());
    let there = there.unwrap_or(Path::new("/"));
    if let Err(error) = access(there, Access::WRITE_OK | Access::EXEC_OK) {
        let text = format!("{} cannot be written to: {error}", there.display());
        let fix = format!(
            "give it to the user who runs the nodes, or set state_dir of the master and the \
             scenes to another place than {shown}"
        );
        return Finding::fail(CHECK, text, fix);
    }
    match statvfs(there) {
        Ok(disk) => judge(folder, disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => Finding::warn(
            CHECK,
            format!("the room on the disk of {shown} is not known: {error}"),
            format!("`df {}` may say more", there.display()),
        ),
    }
}

fn judge(folder: &Path, free: u64) -> Finding {
    let (shown, mib) = (folder.display(), free / MIB);
    let text = format!("the disk of {shown} has {mib} MiB left");
    let fix = "make room: snapshots and the group's epoch are written there";
    match free {
        ..LEAST => Finding::fail(CHECK, text, fix),
        LEAST..LITTLE => Finding::warn(CHECK, text, fix),
        _ => Finding::ok(
            CHECK,
            format!("{shown} can be written to, {} GiB left", mib / 1024),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Status, *};

    #[test]
    fn a_disk_that_is_nearly_full_is_told_of_before_it_is() {
        let at = |free| judge(Path::new("/x"), free).status;
        assert_eq!(at(5 << 30), Status::Ok);
        assert_eq!(at(500 * MIB), Status::Warn);
        assert_eq!(at(0), Status::Fail);
    }

    #[test]
    fn a_folder_that_is_still_to_be_made_is_looked_for_where_it_will_be() {
        let folder = tempfile::tempdir().unwrap();
        let found = look(&folder.path().join("a/b/c"));
        assert!(!found.text.contains("cannot"), "{}", found.text);
    }
}
