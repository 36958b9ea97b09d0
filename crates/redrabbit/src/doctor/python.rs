//! Whether scenes can run their scripts.

use std::{
    ffi::OsStr,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use protocol::NodeName;
use topology::Scene;

use super::{Finding, Here, program};
use crate::binaries;

const CHECK: &str = "python";

/// Compiles a file without leaving anything behind.
const COMPILE: &str = "import sys\n\
    try:\n    compile(open(sys.argv[1], 'rb').read(), sys.argv[1], 'exec')\n\
    except (SyntaxError, ValueError) as error:\n    sys.exit(f'{type(error).__name__}: {error}')\n";

const VERSION: &str = "import sys; print('%d.%d' % sys.version_info[:2])";

pub(super) fn check(here: &Here) -> Vec<Finding> {
    let scenes = here.group().map(|group| &group.scenes);
    let scenes = scenes.into_iter().flatten();
    let scenes: Vec<_> = scenes
        .filter(|(name, _)| here.nodes.contains(name))
        .collect();
    if scenes.is_empty() {
        return Vec::new();
    }
    let (host, version) = host();
    let mut findings = vec![host];
    for (name, scene) in scenes {
        findings.push(script(name, scene, version.as_deref()));
    }
    findings
}

/// The program that has Python in it, and which one that is.
fn host() -> (Finding, Option<String>) {
    let found = binaries::own_folder()
        .and_then(|folder| binaries::find(&folder, "scene-host", "scene-host"));
    let path = match found {
        Ok(path) => path,
        Err(error) => {
            let fix = "install the package, or build it; without it no scene runs here";
            return (Finding::fail(CHECK, error.to_string(), fix), None);
        }
    };
    let version = linked(&path);
    let python = match &version {
        Some(version) => format!("Python {version}"),
        None => "Python".to_owned(),
    };
    let finding = match program::ask(&path, &[OsStr::new("--version")]) {
        Ok(said) if said.good => Finding::ok(CHECK, format!("{} starts, with {python}", said.out)),
        Ok(said) => Finding::fail(
            CHECK,
            format!("{} does not start: {}", path.display(), said.error),
            format!("install the library of {python} (on Debian: libpython3.11)"),
        ),
        Err(error) => Finding::fail(
            CHECK,
            format!("{} does not start: {error}", path.display()),
            "install the package anew",
        ),
    };
    (finding, version)
}

/// Which Python a program is linked with: the name of the library stands near its start.
fn linked(program: &Path) -> Option<String> {
    const NAME: &[u8] = b"libpython";
    let mut bytes = Vec::new();
    File::open(program)
        .ok()?
        .take(8 << 20)
        .read_to_end(&mut bytes)
        .ok()?;
    let at = bytes
        .windows(NAME.len())
        .position(|window| window == NAME)?;
    let version = bytes.get(at + NAME.len()..)?;
    let is_part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
    let version: Vec<u8> = version.iter().take_while(is_part).copied().collect();
    let version = String::from_utf8(version).ok()?;
    let version = version.trim_matches('.').to_owned();
    (!version.is_empty()).then_some(version)
}

fn script(name: &NodeName, scene: &Scene, version: Option<&str>) -> Finding {
    let path = scene.script.display();
    if !scene.script.is_file() {
        let text = format!("{name} runs {path}, which is not there");
        let fix = format!("put it there, or change scenes.{name}.script");
        return Finding::fail(CHECK, text, fix);
    }
    let Some((python, found)) = interpreter(scene, version) else {
        return match &scene.venv {
            Some(venv) => Finding::fail(
                CHECK,
                format!("{name} has no Python in its venv {}", venv.display()),
                format!("make it: `python3 -m venv {}`", venv.display()),
            ),
            // The library is enough for a scene, and the package asks for no more.
            None => Finding::ok(
                CHECK,
                format!("{path} of {name} is there; no python3 is, to see whether it compiles"),
            ),
        };
    };
    if let (Some(venv), Some(version)) = (&scene.venv, version)
        && found != version
    {
        let text = format!(
            "the venv {} of {name} is of Python {found}, and scene-host has {version}",
            venv.display()
        );
        let fix = format!("make it anew with python{version}");
        return Finding::fail(CHECK, text, fix);
    }
    let args = [
        OsStr::new("-I"),
        OsStr::new("-c"),
        OsStr::new(COMPILE),
        scene.script.as_os_str(),
    ];
    match program::ask(&python, &args) {
        Ok(said) if said.good => Finding::ok(CHECK, format!("{path} of {name} compiles")),
        Ok(said) => Finding::fail(
            CHECK,
            format!(
                "{path} of {name} does not compile: {}",
                last_line(&said.error)
            ),
            "put it right; until then the scene does not start, or goes on with what it has",
        ),
        Err(error) => Finding::warn(
            CHECK,
            format!(
                "{} could not compile {path} of {name}: {error}",
                python.display()
            ),
            "try it by hand",
        ),
    }
}

/// What compiles a script, and its version: the venv's own, or the nearest to the host's.
fn interpreter(scene: &Scene, version: Option<&str>) -> Option<(PathBuf, String)> {
    let candidates = match &scene.venv {
        Some(venv) => vec![venv.join("bin/python")],
        None => {
            let same = version.map(|version| PathBuf::from(format!("python{version}")));
            same.into_iter().chain([PathBuf::from("python3")]).collect()
        }
    };
    candidates.into_iter().find_map(|python| {
        let args = ["-I", "-c", VERSION].map(OsStr::new);
        let said = program::ask(&python, &args).ok()?;
        said.good.then_some((python, said.out))
    })
}

fn last_line(text: &str) -> String {
    let line = text.lines().next_back().unwrap_or_default();
    crate::names::printable(line)
}
