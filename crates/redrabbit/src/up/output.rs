//! One log of many processes: each line behind the name of who wrote it.

use std::{
    io::{self, Write},
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{json_line, line::Line, printable::printable};

/// The merged log. It is written by a thread of its own, because a terminal
/// that is held up must not hold up the signals that end us.
#[derive(Clone, Debug)]
pub(super) struct Output {
    lines: mpsc::Sender<String>,
    form: Form,
    width: usize,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// For people.
    Plain,
    /// For people at a terminal.
    Colour,
    /// An object each, for programs.
    Json,
}

/// The thread that writes.
#[derive(Debug)]
pub(super) struct Writer {
    done: oneshot::Receiver<()>,
    /// Happens when nobody reads the log any more.
    pub(super) gone: CancellationToken,
}

/// Somebody who speaks in the log.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    output: Output,
    name: String,
    prefix: String,
}

/// Lines that wait to be written. When they are this many, children wait too:
/// their pipes fill, as they would at a terminal that is held up.
const QUEUE: usize = 1024;

/// How long we try to say something ourselves while the log is held up.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long the last lines may take.
const LAST_LINES: Duration = Duration::from_secs(2);

/// One for each role, in turn; red is for what goes wrong.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
];

impl Output {
    /// Writes to `writer` from now on. Names are filled up to `width`.
    pub(super) fn spawn(
        writer: impl Write + Send + 'static,
        form: Form,
        width: usize,
    ) -> io::Result<(Output, Writer)> {
        let (lines, lines_rx) = mpsc::channel(QUEUE);
        let (done_tx, done) = oneshot::channel();
        let gone = CancellationToken::new();
        let nobody_reads = gone.clone();
        std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || {
                if write_all(writer, lines_rx).is_err() {
                    nobody_reads.cancel();
                }
                // Nobody may be waiting for the end any more.
                let _ = done_tx.send(());
            })?;
        let output = Output { lines, form, width };
        Ok((output, Writer { done, gone }))
    }

    /// Somebody who speaks under `name`, in the `index`th colour.
    pub(super) fn voice(&self, name: &str, index: usize) -> Voice {
        self.styled_voice(name, COLOURS[index % COLOURS.len()].on_default())
    }

    /// Ourselves.
    pub(super) fn own_voice(&self) -> Voice {
        self.styled_voice(super::OWN_NAME, Style::new().bold())
    }

    fn styled_voice(&self, name: &str, style: Style) -> Voice {
        let width = self.width;
        Voice {
            prefix: self.paint(style, &format!("{name:<width$} |")),
            name: name.to_owned(),
            output: self.clone(),
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.form == Form::Colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

impl Writer {
    /// Waits until everything is written: call it when all voices are gone.
    pub(super) async fn finish(self) {
        // What a held up terminal has not taken by then is lost.
        let _ = tokio::time::timeout(LAST_LINES, self.done).await;
    }
}

impl Voice {
    /// Shows a line that a child wrote. Waits while the log is held up.
    pub(super) async fn relay(&self, line: &Line) {
        let mut text = printable(&line.bytes, self.output.form == Form::Colour);
        if line.cut > 0 {
            text.push_str(&format!(" … ({} bytes more)", line.cut));
        }
        let line = match self.output.form {
            Form::Json => json_line::relayed(&self.name, &text),
            Form::Plain | Form::Colour => self.compose(&text),
        };
        // When nobody reads the log, the child must still get rid of its own.
        let _ = self.output.lines.send(line).await;
    }

    /// Says something.
    pub(super) async fn say(&self, text: &str) {
        self.send(text, "INFO").await;
    }

    /// Says that something went wrong.
    pub(super) async fn shout(&self, text: &str) {
        let red = AnsiColor::Red.on_default().bold();
        self.send(&self.output.paint(red, text), "ERROR").await;
    }

    async fn send(&self, text: &str, level: &str) {
        let line = match self.output.form {
            Form::Json => json_line::own(&self.name, level, text),
            Form::Plain | Form::Colour => self.compose(text),
        };
        // A log that is held up must not hold up what we do.
        let _ = self.output.lines.send_timeout(line, PATIENCE).await;
    }

    fn compose(&self, text: &str) -> String {
        format!("{} {text}\n", self.prefix)
    }
}

fn write_all(writer: impl Write, mut lines: mpsc::Receiver<String>) -> io::Result<()> {
    let mut writer = io::BufWriter::new(writer);
    while let Some(line) = lines.blocking_recv() {
        writer.write_all(line.as_bytes())?;
        if lines.is_empty() {
            writer.flush()?;
        }
    }
    writer.flush()
}
