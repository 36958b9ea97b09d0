//! Lines of a file, of the standard input, or of a program.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, stdin},
    path::Path,
};

use super::{LogsError, merge::Lines, record::Record};
use crate::time::Micros;

/// Lines that are read one by one.
pub(super) struct Source {
    name: String,
    reader: Box<dyn BufRead>,
    /// Of the last line that had one.
    time: Option<Micros>,
    failed: Option<io::Error>,
    /// Whether it is journalctl that writes them.
    is_journal: bool,
}

/// The longest line that is kept whole. What is behind that is left out.
const LONGEST: u64 = 1 << 20;

impl Source {
    /// The lines of a file; of the standard input for `-`.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn open(path: &Path) -> Result<Source, LogsError> {
        if path == Path::new("-") {
            return Ok(Source::new("the standard input", Box::new(stdin().lock())));
        }
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => Ok(file),
        });
        match opened {
            Ok(file) => Ok(Source::new(&name, Box::new(BufReader::new(file)))),
            Err(source) => Err(LogsError::File { path: name, source }),
        }
    }

    /// What journalctl writes.
    pub(super) fn of_journal(output: impl Read + 'static) -> Source {
        Source {
            is_journal: true,
            ..Source::new("the journal", Box::new(BufReader::new(output)))
        }
    }

    fn new(name: &str, reader: Box<dyn BufRead>) -> Source {
        Source {
            name: name.to_owned(),
            reader,
            time: None,
            failed: None,
            is_journal: false,
        }
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.reader).take(LONGEST);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            self.reader.skip_until(b'\n')?;
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some(String::from_utf8_lossy(&line).into_owned()))
    }
}

impl Lines for Source {
    fn next(&mut self) -> Option<Record> {
        loop {
            let line = match self.line() {
                Ok(line) => line?,
                Err(error) => {
                    self.failed = Some(error);
                    return None;
                }
            };
            // "-- No entries --", "-- Boot … --".
            if line.is_empty() || self.is_journal && line.starts_with("-- ") {
                continue;
            }
            let mut record = Record::read(&line);
            self.time = record.time.or(self.time);
            record.time = self.time;
            return Some(record);
        }
    }

    fn complaint(&mut self) -> Option<LogsError> {
        let source = self.failed.take()?;
        Some(LogsError::File {
            path: self.name.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(bytes: &'static [u8]) -> Vec<(String, Option<Micros>)> {
        let mut source = Source::new("x", Box::new(bytes));
        let records = std::iter::from_fn(|| source.next());
        records
            .map(|record| (record.message, record.time))
            .collect()
    }

    #[test]
    fn a_line_without_a_time_has_that_of_the_one_before() {
        let lines = messages(b"first\n1970-01-01T00:00:01Z INFO x: second\r\n\nthird \xff");
        assert_eq!(
            lines,
            [
                ("first".to_owned(), None),
                ("second".to_owned(), Some(1_000_000)),
                ("third \u{fffd}".to_owned(), Some(1_000_000)),
            ]
        );
    }

    #[test]
    fn a_line_without_an_end_is_cut_and_the_next_is_whole() {
        let mut bytes = vec![b'x'; 3 << 20];
        bytes.extend(b"\nnext\n");
        let mut source = Source::new("x", Box::new(io::Cursor::new(bytes)));
        assert_eq!(source.next().unwrap().message.len(), 1 << 20);
        assert_eq!(source.next().unwrap().message, "next");
    }
}
