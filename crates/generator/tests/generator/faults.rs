//! Whatever is wrong, a boot goes on: the program ends with 0, soon, with a message.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
    time::Duration,
};

use crate::support::{BRIDGES, GROUP, Machine, ended_well};

/// What a boot may wait for: what the program waits for, and a machine that is busy.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn without_files_nothing_is_wanted_and_nothing_is_said() {
    let run = Machine::named("game-1").generate();
    run.wants_nothing();
    assert_eq!((run.said.as_str(), run.tree.len()), ("", 0));
}

#[test]
fn without_the_folder_nothing_is_wanted_and_nothing_is_said() {
    let machine = Machine::named("game-1");
    fs::remove_dir_all(machine.etc()).unwrap();
    let run = machine.generate();
    run.wants_nothing();
    assert_eq!((run.said.as_str(), run.tree.len()), ("", 0));
}

#[test]
fn a_wrong_file_wants_nothing_and_says_each_mistake() {
    let machine = Machine::named("game-1");
    machine.file(
        "topology.toml",
        GROUP
            .replace("script", "scrpt")
            .replace("[master]", "[mastr]"),
    );
    machine.generate().wants_nothing().says(&[
        "none of its nodes is started: /etc/redrabbit/topology.toml is refused (redrabbit check /etc/redrabbit/topology.toml)\n",
        "/etc/redrabbit/topology.toml:3:2: mastr: found an unknown key, expected",
        "scenes.scene@0.scrpt: found an unknown key",
    ]);
}

#[test]
fn a_file_with_many_mistakes_tells_some_and_where_to_find_the_rest() {
    let machine = Machine::named("game-1");
    let wrong: String = (0..100).map(|index| format!("key{index} = 1\n")).collect();
    machine.file("topology.toml", format!("{wrong}{GROUP}"));
    let run = machine.generate();
    run.wants_nothing().says(&["and 95 more mistakes\n"]);
    assert_eq!(run.said.lines().count(), 7, "{}", run.said);
}

#[test]
fn no_message_holds_a_secret() {
    let machine = Machine::named("game-1");
    let wrong = "[security]\nsecret = \"hunter2hunter2\"\nsecret_file = \"hunter2hunter2\"\n";
    machine.file("topology.toml", format!("{GROUP}{wrong}"));
    let run = machine.generate();
    run.wants_nothing().says(&["security.secret_file"]);
    assert!(!run.said.contains("hunter2"), "{}", run.said);
}

#[test]
fn a_wrong_file_of_bridges_takes_no_node_of_the_group_along() {
    let machine = Machine::named("game-1");
    machine
        .file("topology.toml", GROUP)
        .file("bridge.toml", "[bridges]\n");
    let run = machine.generate();
    assert_eq!(run.wanted().len(), 4);
    run.says(&[
        "bridge.toml is refused",
        "wanted: master@0, slave@0, scene@0, gate@1",
    ]);

    machine
        .file("topology.toml", "group =")
        .file("bridge.toml", BRIDGES);
    machine.normal().read_dir().unwrap().for_each(|entry| {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    });
    let run = machine.generate();
    assert_eq!(run.wanted(), ["redrabbit-bridge@0.service"]);
    run.says(&["topology.toml is refused"]);
}

#[test]
fn the_two_files_may_not_be_swapped() {
    let machine = Machine::named("game-1");
    machine
        .file("topology.toml", BRIDGES)
        .file("bridge.toml", GROUP);
    machine
        .generate()
        .wants_nothing()
        .says(&["topology.toml is refused", "bridge.toml is refused"]);
}

#[test]
fn what_is_no_text_is_refused() {
    for wrong in [
        &b"\xff\xfe\x00g"[..],
        b"\0\0\0\0",
        b"",
        b"group",
        b"[[[",
        b"\xef\xbb\xbf",
    ] {
        let machine = Machine::named("game-1");
        machine.file("topology.toml", wrong);
        machine
            .generate()
            .wants_nothing()
            .says(&["topology.toml is refused"]);
    }
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let machine = Machine::named("game-1");
    let file = machine.etc().join("topology.toml");
    fs::create_dir(&file).unwrap();
    machine
        .generate()
        .wants_nothing()
        .says(&["topology.toml is not a file"]);
    fs::remove_dir(&file).unwrap();

    let made = Command::new("mkfifo").arg(&file).status().unwrap();
    assert!(made.success());
    let run = machine.generate();
    run.wants_nothing().says(&["topology.toml is not a file"]);
    assert!(run.took < SOON, "{:?}", run.took);
    fs::remove_file(&file).unwrap();

    for target in ["/dev/zero", "/dev/null"] {
        symlink(target, &file).unwrap();
        machine
            .generate()
            .wants_nothing()
            .says(&["topology.toml is not a file"]);
        fs::remove_file(&file).unwrap();
    }
    // A link in a circle, and one to nowhere.
    symlink("topology.toml", &file).unwrap();
    machine
        .generate()
        .wants_nothing()
        .says(&["cannot look at /etc/redrabbit/topology.toml"]);
    fs::remove_file(&file).unwrap();
    symlink("nowhere", &file).unwrap();
    machine.generate().wants_nothing();
}

#[test]
fn a_file_of_any_size_and_depth_ends_soon() {
    let deep_keys = format!("{}a = 1\n", "a.".repeat(1 << 20));
    let deep_sections = format!("[{}a]\n", "a.".repeat(1 << 20));
    let deep_lists = format!("a = {}\n", "[".repeat(1 << 18));
    let deep_tables = format!("a = {}\n", "{a=".repeat(1 << 18));
    let many_keys: String = (0..5_000)
        .map(|index| format!("key{index} = 1\n"))
        .collect();
    let many_sections = "[a]\n".repeat(5_000);
    let too_large = "# comment\n".repeat(1 << 20);
    for (what, text) in [
        ("deep_keys", deep_keys),
        ("deep_sections", deep_sections),
        ("deep_lists", deep_lists),
        ("deep_tables", deep_tables),
        ("many_keys", many_keys),
        ("many_sections", many_sections),
        ("too_large", too_large),
    ] {
        let machine = Machine::named("game-1");
        machine.file("topology.toml", format!("{text}{GROUP}"));
        let run = machine.generate();
        run.wants_nothing();
        assert!(!run.said.is_empty(), "{what}");
        assert!(run.took < SOON, "{what} took {:?}", run.took);
    }
}

#[test]
fn a_folder_that_cannot_be_written_to_is_told() {
    let machine = Machine::named("game-1");
    machine.file("topology.toml", GROUP);
    for wrong in ["/proc/nothing/normal", "/dev/null/normal", "/sys/kernel"] {
        let run = machine.generate_to(Path::new(wrong));
        run.wants_nothing()
            .says(&["no node is started: cannot write", wrong]);
    }
    let run = machine.generate_to(Path::new(""));
    run.wants_nothing().says(&["systemd.generator(7)"]);
    assert!(!Path::new("redrabbit.target.wants").exists());
}

#[test]
fn what_cannot_be_written_whole_is_not_left_in_pieces() {
    let machine = Machine::named("game-1");
    machine.file("topology.toml", GROUP);
    // A file where a folder is needed, late in the order.
    fs::write(machine.normal().join("redrabbit.target.wants"), "").unwrap();
    let run = machine.generate();
    run.says(&["no node is started: cannot write", "redrabbit.target.wants"]);
    let left: Vec<_> = run.tree.keys().collect();
    assert_eq!(left, ["redrabbit.target.wants"], "{}", run.said);
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left() {
    let machine = Machine::named("game-1");
    machine.file("topology.toml", GROUP);
    // Two pages and few files: room for some of the tree and not for all of it.
    let normal = machine.normal();
    let mount = ["-t", "tmpfs", "-o", "size=8k,nr_inodes=8", "none"];
    let script = format!(
        "mount {} {normal} && {} {normal} {normal} {normal}; code=$?; \
         find {normal} -mindepth 1 | wc -l; exit $code",
        mount.join(" "),
        env!("CARGO_BIN_EXE_redrabbit-generator"),
        normal = normal.display(),
    );
    // In a mount namespace of its own, which goes with it.
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "sh", "-c", &script]);
    let output = command
        .env("REDRABBIT_ETC", machine.etc())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare") || said.contains("mount:") {
        eprintln!("skipped: no file systems of one's own here: {said}");
        return;
    }
    assert!(output.status.success(), "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "0",
        "{said}"
    );
}

#[test]
fn a_configuration_that_is_nobodys_to_read_is_told() {
    let machine = Machine::named("game-1");
    machine.file("topology.toml", GROUP);
    let file = machine.etc().join("topology.toml");
    for closed in [file, machine.etc()] {
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        let Some(run) = machine.generate_as_nobody() else {
            eprintln!("skipped: whoever reads everything has to become nobody, and cannot");
            return;
        };
        run.wants_nothing();
        run.says(&["none of its nodes is started: ", "ermission denied"]);
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
    }
    machine
        .generate_as_nobody()
        .unwrap()
        .says(&["cannot write"]);
}

#[test]
fn wrong_arguments_are_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_redrabbit-generator"))
        .env("REDRABBIT_ETC", "/nowhere")
        .output()
        .unwrap();
    assert!(ended_well(&output).contains("systemd.generator(7)"));
}

#[test]
fn hundreds_of_nodes_take_no_time() {
    let machine = Machine::named("edge-1");
    let scenes: String = (1..301)
        .map(|index| {
            format!("[scenes.\"scene@{index}\"]\nmachine = \"edge-1\"\nscript = \"/srv/main.py\"\n")
        })
        .collect();
    machine.file("topology.toml", format!("{GROUP}{scenes}"));
    let run = machine.generate();
    assert_eq!(run.wanted().len(), 301);
    assert!(run.took < SOON, "{:?}", run.took);
}

#[test]
fn the_target_says_what_is_missing() {
    let machine = Machine::named("game-1");
    machine.file("topology.toml", GROUP);
    assert_eq!(machine.generate().description(), "");
    machine.file("bridge.toml", "[bridges]\n");
    assert_eq!(
        machine.generate().description(),
        "RedRabbit: none of its nodes is started: /etc/redrabbit/bridge.toml is refused \
         (redrabbit check /etc/redrabbit/bridge.toml)"
    );
    machine.file("machine", "game 1");
    let said = machine.generate();
    assert!(
        said.description().contains("machine holds several words"),
        "{}",
        said.said
    );
}
