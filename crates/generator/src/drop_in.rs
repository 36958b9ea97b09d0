//! What systemd is told of a unit beside the unit's own file.

use std::{fmt::Write as _, path::Path, time::Duration};

use crate::{files::Complaint, units::Unit};

impl Unit {
    /// The text of its drop-in. `etc` is the folder of the configuration.
    pub fn drop_in(&self, etc: &Path) -> String {
        let source = etc.join(self.source);
        let mut text = format!("# From {}, by redrabbit-generator.\n", shown(&source));
        text.push_str("[Unit]\n");
        // So that systemd knows when it has to be told of a change.
        if let Some(source) = setting(&source) {
            let _ = writeln!(text, "SourcePath={source}");
        }
        // After, and not Requires: nodes cope with each other's absence.
        if !self.after.is_empty() {
            let _ = writeln!(text, "After={}", self.after.join(" "));
        }
        let stop = seconds(self.stop_within);
        let _ = writeln!(text, "\n[Service]\nTimeoutStopSec={stop}");
        if let Some(folder) = self.writes.as_deref().and_then(word) {
            let _ = writeln!(text, "# Its state_dir.\nReadWritePaths={folder}");
        }
        if self.has_low_port {
            text.push_str(
                "# It listens on a port below 1024, which takes a privilege of the host's own users.\n\
                 CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n\
                 AmbientCapabilities=CAP_NET_BIND_SERVICE\n\
                 PrivateUsers=no\n",
            );
        }
        text
    }
}

/// The text of the target's drop-in: why something is missing, where `systemctl status`
/// shows it. A boot in a container has no log that the generator could write to.
pub(crate) fn of_target(complaints: &[Complaint]) -> String {
    let what: Vec<&str> = complaints.iter().map(|it| it.what.as_str()).collect();
    let what: String = what.join("; ").chars().take(LONGEST).collect();
    let what = what.replace(char::is_control, "?").replace('%', "%%");
    // At the end of a line it would have the next one belong to it.
    let what = what.trim_end_matches('\\');
    format!("# By redrabbit-generator.\n[Unit]\nDescription=RedRabbit: {what}\n")
}

/// Longer descriptions are cut.
const LONGEST: usize = 400;

/// `20s`, or `20500ms`.
fn seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{}s", time.as_secs()),
        _ => format!("{}ms", time.as_millis()),
    }
}

/// A path as the whole of a setting; nothing where it cannot be written in a line. As
/// everywhere in units, `%` stands for something else.
fn setting(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let fits = text.trim() == text && !text.ends_with('\\') && !text.contains(char::is_control);
    fits.then(|| text.replace('%', "%%"))
}

/// A path as a word in a list, which does not have to be there.
fn word(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    if text.contains(char::is_control) {
        return None;
    }
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    Some(format!("\"-{}\"", text.replace('%', "%%")))
}

/// A path in a comment.
fn shown(path: &Path) -> String {
    path.display().to_string().replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn unit() -> Unit {
        Unit {
            node: "gate@3".parse().unwrap(),
            source: "topology.toml",
            after: vec!["redrabbit-scene@0.service".to_owned()],
            stop_within: Duration::from_millis(10_500),
            writes: None,
            has_low_port: false,
        }
    }

    #[test]
    fn a_unit_is_told_its_place_and_its_time_to_stop() {
        assert_eq!(
            unit().drop_in(Path::new("/etc/redrabbit")),
            "# From /etc/redrabbit/topology.toml, by redrabbit-generator.\n\
             [Unit]\n\
             SourcePath=/etc/redrabbit/topology.toml\n\
             After=redrabbit-scene@0.service\n\
             \n\
             [Service]\n\
             TimeoutStopSec=10500ms\n"
        );
    }

    #[test]
    fn a_folder_of_any_name_is_one_word_of_the_list() {
        let writes = |path: &str| {
            let writes = Some(PathBuf::from(path));
            let text = Unit { writes, ..unit() }.drop_in(Path::new("/e"));
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("ReadWritePaths="));
            line.map(str::to_owned)
        };
        assert_eq!(writes("/srv/state").as_deref(), Some("\"-/srv/state\""));
        assert_eq!(
            writes("/srv/50% \"a\\b").as_deref(),
            Some("\"-/srv/50%% \\\"a\\\\b\"")
        );
        assert_eq!(writes("/srv/a\nExecStart=/bin/sh"), None);
    }

    #[test]
    fn a_file_that_has_a_strange_name_adds_no_line() {
        let text = unit().drop_in(Path::new("/etc/a\n[Service]\nExecStart=/bin/sh"));
        assert!(!text.contains("\nExecStart"), "{text}");
        assert!(!text.contains("SourcePath"), "{text}");
    }

    #[test]
    fn a_target_says_in_one_line_what_is_missing() {
        let complaint = |what: &str| Complaint {
            what: what.to_owned(),
            mistakes: Vec::new(),
        };
        assert_eq!(
            of_target(&[complaint("a 50%\nWants=b"), complaint("c\\")]),
            "# By redrabbit-generator.\n[Unit]\nDescription=RedRabbit: a 50%%?Wants=b; c\n"
        );
        let long = of_target(&[complaint(&"ß".repeat(5000))]);
        assert!(long.chars().count() < 500, "{long}");
    }
}
