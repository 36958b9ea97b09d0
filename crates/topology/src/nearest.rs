//! The name that was probably meant.

/// The candidate that differs from `wrong` by so few letters that it is worth
/// naming: one in three, at least one. Case and `-` for `_` do not count.
pub(crate) fn nearest<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wrong = plain(wrong);
    let allowed = (wrong.chars().count() / 3).max(1);
    // A name is short; comparing a whole book with it would take a while.
    if wrong.len() > 64 {
        return None;
    }
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&wrong, &plain(candidate)),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let keys = ["tcp", "websocket", "verify", "frame_bytes"];
        assert_eq!(nearest("tpc", keys), Some("tcp"));
        assert_eq!(nearest("web_socket", keys), Some("websocket"));
        assert_eq!(nearest("Frame-Bytes", keys), Some("frame_bytes"));
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("slaves", ["scenes", "gates", "limits"]), None);
        assert_eq!(nearest("", ["tcp"]), None);
        assert_eq!(nearest(&"x".repeat(100_000), ["tcp"]), None);
    }
}
