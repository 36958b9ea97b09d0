//! What this machine is called.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

/// The file in the folder of the configuration that has the name, if it is not the
/// host's.
const FILE: &str = "machine";

/// As long as the domain name system lets a name be.
const LONGEST: usize = 253;

/// The file that has the machine's name is of no use.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// It is there, and cannot be read.
    #[error("cannot read this machine's name from {path}: {error}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// What it holds is not a name.
    #[error(
        "{path} holds {found}: expected one line with this machine's name as the topology has it, \
         such as game-1"
    )]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: &'static str,
    },
}

/// The name of this machine: that in the file `machine` of `etc`, or the host's where there
/// is no such file.
///
/// # Errors
/// When the file is there and of no use: the host's name may be that of another machine of
/// the topology.
pub fn machine(etc: &Path) -> Result<String, MachineError> {
    let path = etc.join(FILE);
    match read(&path) {
        Ok(bytes) => name(&bytes).map_err(|found| MachineError::Wrong { path, found }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(topology::this_machine()),
        Err(error) => Err(MachineError::Unreadable { path, error }),
    }
}

/// Somewhat more than the longest name, if it is that long.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let longest = 4 * LONGEST as u64;
    File::open(path)?.take(longest).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The name in the text of the file, or what is wrong with it. Names may be in any
/// language, like those of the topology.
fn name(bytes: &[u8]) -> Result<String, &'static str> {
    let text = std::str::from_utf8(bytes).map_err(|_| "something that is not UTF-8 text")?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let name = lines.next().ok_or("nothing")?;
    if lines.next().is_some() {
        return Err("several lines");
    }
    if name.len() > LONGEST {
        return Err("a name of more than 253 bytes");
    }
    if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("several words");
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_in_one_line() {
        assert_eq!(name(b"game-1\n").unwrap(), "game-1");
        assert_eq!(
            name(b"\n  Game-1.example.net \r\n\n").unwrap(),
            "Game-1.example.net"
        );
        assert_eq!(name("größte\n".as_bytes()).unwrap(), "größte");
        for (wrong, found) in [
            (&b""[..], "nothing"),
            (b" \n\n", "nothing"),
            (b"game-1\ngame-2\n", "several lines"),
            (b"game 1", "several words"),
            (b"game\x001", "several words"),
            (b"\xff\xfe", "something that is not UTF-8 text"),
            (&[b'a'; 254], "a name of more than 253 bytes"),
        ] {
            assert_eq!(name(wrong).unwrap_err(), found, "{wrong:?}");
        }
    }
}
