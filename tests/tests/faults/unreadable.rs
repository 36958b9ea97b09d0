//! Files and folders that are there, and not for the daemon's user.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;
use tests::{binary, eventually, own_address};

use crate::again::{by, is_possible, passed_over};

/// By which root becomes nobody in particular.
const NOBODY: [&str; 4] = [
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
];

const GROUP: &str = r#"
group = "GroupA"
[master]
listen = "ADDRESS:10241"
state_dir = "state"
[gates."gate@0"]
tcp = "127.0.0.1:0"
[scenes."scene@0"]
script = "main.py"
state_dir = "state"
[security]
secret_file = "secret"
authority = "node.pem"
certificate = "{name}.pem"
key = "{name}.key"
"#;

/// Says whether it could put something into its folder.
const SCRIPT: &str = "
import ffext, logging
try:
    logging.info('took %d', ffext.alloc_id())
except RuntimeError as error:
    logging.error('no id: %s', error)
";

/// A folder of files that everybody may read.
struct Place(TempDir);

/// A daemon of a user who is not root; it ends with this.
struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Place {
    /// None where nobody can start our programs but root.
    fn new() -> Option<Place> {
        if geteuid().is_root() {
            if !is_possible(&NOBODY) {
                return None;
            }
            let asked = by(&NOBODY).arg(binary("gate")).arg("--help").output();
            if !asked.unwrap().status.success() {
                passed_over("users other than root cannot start what is built here");
                return None;
            }
        }
        let topology = GROUP.replace("ADDRESS", &own_address().to_string());
        let place = Place(tempfile::tempdir().unwrap());
        place.is_mode("", 0o755);
        for (file, text) in [
            ("topology.toml", &*topology),
            ("main.py", SCRIPT),
            ("secret", "sesame"),
        ] {
            fs::write(place.path(file), text).unwrap();
            place.is_mode(file, 0o644);
        }
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt"])
            .args([
                "ec_paramgen_curve:P-256",
                "-noenc",
                "-days",
                "1",
                "-subj",
                "/CN=x",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext"])
            .arg("subjectAltName=DNS:0.gate.GroupA,DNS:0.master.GroupA,DNS:0.scene.GroupA")
            .args(["-keyout", "node.key", "-out", "node.pem"])
            .current_dir(place.0.path())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        for node in ["gate@0", "master@0", "scene@0"] {
            for end in ["pem", "key"] {
                let file = format!("{node}.{end}");
                fs::copy(place.path(&format!("node.{end}")), place.path(&file)).unwrap();
                place.is_mode(&file, 0o644);
            }
        }
        Some(place)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn is_mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.path(file), Permissions::from_mode(mode)).unwrap();
    }

    fn start(&self, program: &str, name: &str) -> Daemon {
        let log = self.path("log");
        let output = File::create(&log).unwrap();
        let nobody: &[&str] = match geteuid().is_root() {
            true => &NOBODY,
            false => &[],
        };
        let child = by(nobody)
            .arg(binary(program))
            .arg("--topology")
            .arg(self.path("topology.toml"))
            .args(["--name", name])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Daemon { child, log }
    }
}

impl Daemon {
    async fn says(&self, text: &str) {
        eventually(&format!("{} says {text:?}", self.log()), async || {
            self.log().contains(text).then_some(())
        })
        .await;
    }

    fn stop(&self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }

    /// With which code it ends, and what it has said.
    async fn ends(mut self) -> (i32, String) {
        let child = &mut self.child;
        let status = eventually("it ends", async || child.try_wait().unwrap()).await;
        (status.code().unwrap(), self.log())
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_file_that_may_not_be_read_is_named_before_anything_is_opened() {
    let Some(place) = Place::new() else { return };
    let cases = [
        (
            "topology.toml",
            "topology.toml\n  found     a file that cannot be read: permission denied",
        ),
        (
            "secret",
            "security.secret_file\n  found     a file that cannot be read: permission denied",
        ),
        (
            "node.pem",
            "security.authority\n  found     a file that cannot be read: permission denied",
        ),
        (
            "gate@0.pem",
            "gate@0.pem` cannot be read: Permission denied (os error 13); see [security] in ",
        ),
        (
            "gate@0.key",
            "gate@0.key` cannot be read: Permission denied (os error 13); see [security] in ",
        ),
    ];
    for (file, words) in cases {
        place.is_mode(file, 0);
        let (code, log) = place.start("gate", "gate@0").ends().await;
        place.is_mode(file, 0o644);
        assert_eq!(code, 78, "{file}: {log}");
        assert!(log.contains(words), "{file}: {log}");
        assert!(
            !log.contains("listening") && !log.contains("sesame"),
            "{log}"
        );
    }
    // With all of it readable it has nothing to say against it.
    let gate = place.start("gate", "gate@0");
    gate.says("listening for clients").await;
    gate.stop();
    assert_eq!(gate.ends().await.0, 0);
}

/// Who can list it, and nothing more.
fn is_not_ours(folder: &Path) {
    fs::create_dir(folder).unwrap();
    fs::set_permissions(folder, Permissions::from_mode(0o555)).unwrap();
}

#[tokio::test]
async fn a_master_that_may_not_write_its_state_does_not_start() {
    let Some(place) = Place::new() else { return };
    let state = place.path("state");
    is_not_ours(&state);
    let (code, log) = place.start("broker-master", "master@0").ends().await;
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("the epoch file "), "{log}");
    assert!(log.contains("let the master write to its folder"), "{log}");
    assert_eq!(log.matches("Permission denied").count(), 1, "{log}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
}

#[tokio::test]
async fn a_scene_that_may_not_write_its_state_says_so_to_the_script() {
    let Some(place) = Place::new() else { return };
    is_not_ours(&place.path("state"));
    let scene = place.start("scene-host", "scene@0");
    scene
        .says("no id: what ids are given cannot be kept in ")
        .await;
    assert!(scene.log().contains("Permission denied"), "{}", scene.log());
    scene.stop();
    assert_eq!(scene.ends().await.0, 0);
}

#[tokio::test]
async fn a_script_that_may_not_be_read_is_named_with_the_reason() {
    let Some(place) = Place::new() else { return };
    place.is_mode("main.py", 0);
    let scene = place.start("scene-host", "scene@0");
    scene.says("script not loaded").await;
    let words = "main.py: Permission denied";
    assert!(scene.log().contains(words), "{}", scene.log());
    // Nobody is sent to it.
    assert!(!scene.log().contains("ready"), "{}", scene.log());
}
