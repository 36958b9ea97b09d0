//! Which log lines are written: `info`, `info,gate=debug`.

/// What a message says of it.
pub(super) const EXPECTED: &str = "a level in quotes, off, error, warn, info, debug or trace, and \
                                   others for parts of a program behind it, such as \
                                   \"info,gate=debug\"";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Longer than anybody writes by hand.
const LONGEST: usize = 1024;

/// Whether each part is a level, or a part of a program with its level. A program's
/// name alone would be one with every level, which nobody expects.
pub(super) fn are_levels(text: &str) -> bool {
    let is_part = |part: &str| match part.split_once('=') {
        Some((target, level)) => is_target(target) && LEVELS.contains(&level),
        None => LEVELS.contains(&part),
    };
    text.len() <= LONGEST && text.split(',').all(|part| is_part(part.trim()))
}

/// A module, as the log names it: `gate`, `scene_host::script`.
fn is_target(target: &str) -> bool {
    let of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(of_a_name);
    target.split("::").all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_and_those_of_parts_are_levels() {
        for right in [
            "info",
            "off",
            "info,gate=debug",
            "warn, scene_host::script=trace",
            "gate=debug",
        ] {
            assert!(are_levels(right), "{right}");
        }
    }

    #[test]
    fn what_would_log_nothing_or_too_much_is_no_level() {
        let long = "info,".repeat(300) + "info";
        for wrong in [
            "",
            "INFO",
            "verbose",
            "info,",
            "gate",
            "scene-host=debug",
            "gate=",
            "=info",
            "gate::=info",
            "[span]=info",
            long.as_str(),
        ] {
            assert!(!are_levels(wrong), "{wrong}");
        }
    }
}
