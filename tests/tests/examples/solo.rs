//! Each script of the examples loads in a group of one process, whatever else its
//! README starts beside it.

use std::fs;

use tests::eventually;

use crate::stage::{EXAMPLES, Stage, root};

/// What other scripts import, and what is none.
const NO_SCENES: [&str; 4] = [
    "cross-group/life.py",
    "cross-group/world.py",
    "door/room.py",
    "play.py",
];

/// The scripts of scenes, as `chat/main.py`.
fn scripts() -> Vec<String> {
    let mut found = Vec::new();
    for folder in fs::read_dir(root().join(EXAMPLES)).unwrap() {
        let folder = folder.unwrap();
        if !folder.file_type().unwrap().is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path()).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            let script = format!("{}/{name}", folder.file_name().to_str().unwrap());
            let is_script = name.ends_with(".py") && !name.starts_with("test_");
            if is_script && !NO_SCENES.contains(&script.as_str()) {
                found.push(script);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn every_script_loads_in_a_group_of_one_process() {
    let scripts = scripts();
    assert!(scripts.len() >= 10, "{scripts:?}");
    for script in scripts {
        let stage = Stage::new();
        let words = [
            "configs/local.toml".to_owned(),
            "--script".to_owned(),
            format!("{EXAMPLES}/{script}"),
        ];
        let group = stage.redrabbit("solo", &words);
        eventually("the script has loaded, or not", async || {
            group.log().contains("script loaded").then_some(())
        })
        .await;
        let log = group.log();
        for wrong in ["script failed", "script not loaded", "but for some of it"] {
            assert!(!log.contains(wrong), "{script}: {log}");
        }
    }
}
