//! A machine's configuration, and what the program makes of it.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Two folders: the configuration, and what systemd would read.
pub(crate) struct Machine {
    folder: TempDir,
}

/// What a run left.
pub(crate) struct Run {
    /// Each file by its path below the folder: its text, or `-> ` and where a link leads.
    pub(crate) tree: BTreeMap<String, String>,
    /// What it said.
    pub(crate) said: String,
    pub(crate) took: Duration,
}

/// A group of four machines, and bridges.
pub(crate) const GROUP: &str = r#"
group = "GroupA"
[master]
machine = "game-1"
listen = "127.0.0.1:10241"
[slaves."slave@0"]
machine = "game-1"
listen = "127.0.0.1:10251"
[slaves."slave@1"]
machine = "game-2"
listen = "127.0.0.1:10252"
[gates."gate@0"]
machine = "edge-1"
tcp = "0.0.0.0:10242"
[gates."gate@1"]
machine = "game-1"
tcp = "0.0.0.0:10243"
[scenes."scene@0"]
machine = "game-1"
script = "/srv/game/main.py"
"#;

pub(crate) const BRIDGES: &str = r#"
[bridges."bridge@0"]
machine = "game-1"
[[groups]]
name = "GroupA"
master = "127.0.0.1:10241"
[[groups]]
name = "GroupB"
master = "127.0.0.1:20241"
[limits]
drain_grace = "2500ms"
"#;

impl Machine {
    /// One that is called `name`.
    pub(crate) fn named(name: &str) -> Machine {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        fs::create_dir(folder.path().join("normal")).unwrap();
        let machine = Machine { folder };
        machine.file("machine", format!("{name}\n"));
        machine
    }

    pub(crate) fn etc(&self) -> PathBuf {
        self.folder.path().join("etc")
    }

    pub(crate) fn normal(&self) -> PathBuf {
        self.folder.path().join("normal")
    }

    /// Writes a file of the configuration.
    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> &Machine {
        fs::write(self.etc().join(name), text).unwrap();
        self
    }

    /// Runs the program as systemd does. It must end well, and soon.
    pub(crate) fn generate(&self) -> Run {
        self.generate_to(&self.normal())
    }

    pub(crate) fn generate_to(&self, folder: &Path) -> Run {
        self.run(&mut self.command(folder)).unwrap()
    }

    /// As a user who may read what everybody may, and write nothing; nothing where we may
    /// not become one.
    pub(crate) fn generate_as_nobody(&self) -> Option<Run> {
        const NOBODY: u32 = 65534;
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = self.command(&self.normal());
        self.run(command.uid(NOBODY).gid(NOBODY)).ok()
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_redrabbit-generator"));
        command.args([folder, folder, folder]);
        command.env("REDRABBIT_ETC", self.etc());
        command
    }

    fn run(&self, command: &mut Command) -> io::Result<Run> {
        let begun = Instant::now();
        let output = command.output()?;
        let took = begun.elapsed();
        let said = ended_well(&output);
        let said = said.replace(&self.etc().display().to_string(), "/etc/redrabbit");
        Ok(Run {
            tree: tree(&self.normal(), &self.etc()),
            said,
            took,
        })
    }
}

/// What it said, of a program that ended with 0 and said nothing on stdout.
pub(crate) fn ended_well(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(output.status.success(), "{}: {said}", output.status);
    assert!(output.stdout.is_empty(), "it said something on stdout");
    said
}

impl Run {
    /// The units that the target wants.
    pub(crate) fn wanted(&self) -> Vec<&str> {
        let wants = |path: &'_ &String| path.starts_with("redrabbit.target.wants/");
        let paths = self.tree.keys().filter(wants);
        paths
            .map(|path| &path["redrabbit.target.wants/".len()..])
            .collect()
    }

    /// Every one of these was said.
    pub(crate) fn says(&self, texts: &[&str]) -> &Run {
        for text in texts {
            assert!(self.said.contains(text), "{text} is not in:\n{}", self.said);
        }
        self
    }

    pub(crate) fn wants_nothing(&self) -> &Run {
        assert!(self.wanted().is_empty(), "{:?}: {}", self.tree, self.said);
        assert!(self.tree.len() <= 1, "{:?}", self.tree);
        self
    }

    /// What `systemctl status redrabbit.target` shows of it.
    pub(crate) fn description(&self) -> &str {
        let text = self.tree.get("redrabbit.target.d/50-topology.conf");
        let line = text.and_then(|text| text.lines().last());
        line.and_then(|line| line.strip_prefix("Description="))
            .unwrap_or("")
    }
}

fn tree(folder: &Path, etc: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let what = if path.is_symlink() {
                format!("-> {}", fs::read_link(&path).unwrap().display())
            } else if path.is_dir() {
                folders.push(path);
                continue;
            } else {
                let text = fs::read_to_string(&path).unwrap();
                text.replace(&etc.display().to_string(), "/etc/redrabbit")
            };
            found.insert(name, what);
        }
    }
    found
}
