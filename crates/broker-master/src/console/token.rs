//! What opens the console: a text in a file that only the group's user can read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use subtle::ConstantTimeEq;
use tracing::warn;

/// The text that has to be shown.
pub(super) struct Token(String);

/// No token has fewer characters, or more.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=256;

impl Token {
    /// The token in this file, which is made if it is not there: 256 random bits.
    pub(super) fn load_or_make(path: &Path) -> io::Result<Token> {
        match File::open(path) {
            Ok(file) => Token::read(file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Token::make(path),
            Err(error) => Err(error),
        }
    }

    fn read(file: File, path: &Path) -> io::Result<Token> {
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            warn!(path = %path.display(), "others can read the console's token: chmod 600");
        }
        let mut text = String::new();
        // One more than it may have, with the end of its line.
        file.take(*LENGTHS.end() as u64 + 2)
            .read_to_string(&mut text)?;
        let text = text.trim_end();
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !plain || !LENGTHS.contains(&text.len()) {
            return Err(io::Error::other(
                "it is no token: 16 to 256 letters and digits, on one line; delete it to have \
                 one made",
            ));
        }
        Ok(Token(text.to_owned()))
    }

    fn make(path: &Path) -> io::Result<Token> {
        let bytes: [u8; 32] = rand::random();
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = path.with_file_name(name);
        let made = write(&new, &text).and_then(|()| fs::rename(&new, path));
        if made.is_err() {
            let _ = fs::remove_file(&new);
        }
        made.map(|()| Token(text))
    }

    /// Whether this is it. Takes the same time wherever a wrong one differs.
    pub(super) fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // Whatever is left of another attempt, or was put there, is not written through.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/a.console-token");
        let made = Token::load_or_make(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        let again = Token::load_or_make(&path).unwrap();
        assert!(made.is(text.trim_end()) && again.is(text.trim_end()));
        assert!(!made.is("") && !made.is(&text[..10]));
        let others = fs::read_dir(folder.path().join("state")).unwrap().count();
        assert_eq!(others, 1);
    }

    #[test]
    fn a_token_of_the_operators_own_is_taken_and_a_poor_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let load = |text: &str| {
            fs::write(&path, text).unwrap();
            Token::load_or_make(&path)
        };
        assert!(load("0123456789abcdefG\n").unwrap().is("0123456789abcdefG"));
        for poor in [
            "",
            "short",
            "with a blank in it x",
            &"a".repeat(257),
            "0123456789abcdef\nx",
        ] {
            let error = load(poor).err().expect(poor);
            assert!(error.to_string().contains("delete it"), "{error}");
        }
        fs::write(&path, [0xff; 20]).unwrap();
        assert!(Token::load_or_make(&path).is_err());
    }
}
