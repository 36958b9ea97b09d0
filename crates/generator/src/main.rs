//! `redrabbit-generator NORMAL-DIR EARLY-DIR LATE-DIR`, as systemd.generator(7) has it.
//!
//! Whatever happens, it ends soon and with 0.

use std::{
    ffi::OsString,
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use generator::{Complaint, ETC, Files, Output, Report};

/// Where the configuration is, for tests.
const ETC_VARIABLE: &str = "REDRABBIT_ETC";

/// Who waits longer holds the boot up. What is known to take its time is a disk that
/// does not answer; the largest file takes a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(10);

const USAGE: &str = "nothing is done without a folder to write to: see systemd.generator(7)";

/// A file that is nested as deep as it can be is taken apart on it.
const STACK: usize = 64 << 20;

fn main() -> ExitCode {
    let trial = std::env::var_os(ETC_VARIABLE);
    let report = Report::open(trial.is_some());
    let etc = trial.map_or_else(|| PathBuf::from(ETC), PathBuf::from);
    // What panics is told as any other mistake.
    panic::set_hook(Box::new(|_| {}));
    match std::env::args_os().nth(1) {
        // Of an empty name, the folder would be wherever we happen to be.
        Some(folder) if !folder.is_empty() => generate(&folder, &etc, &report),
        _ => report.warn(USAGE),
    }
    ExitCode::SUCCESS
}

fn generate(folder: &OsString, etc: &Path, report: &Report) {
    let read = {
        let etc = etc.to_owned();
        within(PATIENCE, move || {
            let files = Files::read(&etc);
            let (units, complaints) = (files.units(), files.complaints());
            Output { units, complaints }
        })
    };
    let output = read.unwrap_or_else(|why| {
        let what = format!("no node is started: {why} while reading the configuration");
        let complaint = Complaint {
            what,
            mistakes: Vec::new(),
        };
        Output {
            units: Vec::new(),
            complaints: vec![complaint],
        }
    });
    for complaint in &output.complaints {
        report.warn(&complaint.what);
        complaint
            .mistakes
            .iter()
            .for_each(|mistake| report.warn(mistake));
    }
    let names: Vec<&str> = output.units.iter().map(|unit| unit.node.as_str()).collect();
    let wanted = format!("wanted: {}", names.join(", "));
    let is_idle = names.is_empty();
    let (folder, etc) = (PathBuf::from(folder), etc.to_owned());
    match within(PATIENCE, move || output.write(&folder, &etc)) {
        Ok(Ok(())) if is_idle => {}
        Ok(Ok(())) => report.info(&wanted),
        Ok(Err(error)) => report.warn(&error.to_string()),
        Err(why) => report.warn(&format!("nodes may not be started: {why} while writing")),
    }
}

/// Does something elsewhere, so that neither its panic nor its endless wait is ours.
fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, &'static str> {
    let (done_tx, done_rx) = mpsc::sync_channel(1);
    let worker = thread::Builder::new().stack_size(STACK);
    // Nobody waits for its end: the process takes it along.
    worker
        .spawn(move || drop(done_tx.send(work())))
        .map_err(|_| "no thread could be had")?;
    done_rx.recv_timeout(patience).map_err(|error| match error {
        RecvTimeoutError::Timeout => "it took too long",
        RecvTimeoutError::Disconnected => "a bug ended it",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_panic_nor_an_endless_wait_is_ours() {
        assert_eq!(within(PATIENCE, || 1), Ok(1));
        let panics = || -> u8 { panic!("a bug") };
        assert_eq!(within(PATIENCE, panics), Err("a bug ended it"));
        let (_never_tx, never_rx) = mpsc::sync_channel::<u8>(1);
        let waits = within(Duration::from_millis(10), move || never_rx.recv());
        assert_eq!(waits, Err("it took too long"));
    }
}
