//! What a child wrote, made safe to show.
//!
//! Scripts print what players type, and a terminal obeys what it is shown: it
//! can be told to clear itself, to change its title, to answer as if somebody
//! had typed. Of all that only colour gets through.

use std::str::Chars;

/// The text of `line` without anything that a terminal obeys, except tabs and,
/// where `colour` is wanted, colours, which then end with the line.
pub(super) fn printable(line: &[u8], colour: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let mut shown = String::with_capacity(text.len());
    let mut coloured = false;
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        match character {
            ESCAPE => {
                if let Some(parameters) = skip_sequence(&mut rest)
                    && colour
                {
                    shown.extend([ESCAPE, '[']);
                    shown.push_str(parameters);
                    shown.push('m');
                    coloured = true;
                }
            }
            '\t' => shown.push('\t'),
            control if control.is_control() => {}
            other => shown.push(other),
        }
    }
    if coloured {
        shown.push_str("\u{1b}[0m");
    }
    shown
}

const ESCAPE: char = '\u{1b}';

/// Goes past what follows an escape character, and gives its parameters if it
/// is a change of colour.
fn skip_sequence<'a>(rest: &mut Chars<'a>) -> Option<&'a str> {
    let text = rest.as_str();
    match text.chars().next()? {
        '[' => skip_control(text, rest),
        ']' | 'P' | 'X' | '^' | '_' => {
            skip_string(text, rest);
            None
        }
        // A sequence of two characters. A control character begins none.
        other => {
            if !other.is_control() {
                rest.next();
            }
            None
        }
    }
}

/// `[`, parameters, and one letter that says what they are for.
fn skip_control<'a>(text: &'a str, rest: &mut Chars<'a>) -> Option<&'a str> {
    let body = &text[1..];
    let end = body
        .find(|c: char| !matches!(c, ' '..='?'))
        .unwrap_or(body.len());
    let parameters = &body[..end];
    let last = body[end..].chars().next();
    let skipped = match last {
        Some('@'..='~') => end + 1,
        // Cut short: what stands here belongs to the line.
        _ => end,
    };
    *rest = body[skipped..].chars();
    let is_colour = last == Some('m')
        && parameters
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ';' | ':'));
    is_colour.then_some(parameters)
}

/// A string for the terminal itself, up to a bell or `ESC \`; where it is cut
/// short, up to the end of the line.
fn skip_string<'a>(text: &'a str, rest: &mut Chars<'a>) {
    let body = &text[1..];
    let end = match body.find(['\u{7}', ESCAPE]) {
        Some(end) if body[end..].starts_with("\u{1b}\\") => end + 2,
        Some(end) if body[end..].starts_with('\u{7}') => end + 1,
        Some(end) => end,
        None => body.len(),
    };
    *rest = body[end..].chars();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_pass_where_they_are_wanted_and_end_with_the_line() {
        let line = b"\x1b[32m INFO\x1b[0m ready \x1b[1;38;5;200mx";
        assert_eq!(
            printable(line, true),
            "\u{1b}[32m INFO\u{1b}[0m ready \u{1b}[1;38;5;200mx\u{1b}[0m"
        );
        assert_eq!(printable(line, false), " INFO ready x");
    }

    #[test]
    fn what_a_terminal_obeys_is_left_out() {
        for (line, shown) in [
            (&b"a\x1b[2Jb"[..], "ab"),
            (b"a\x1b]0;title\x07b", "ab"),
            (b"a\x1b]0;title\x1b\\b", "ab"),
            (b"a\x1bPquery\x1b\\b", "ab"),
            (b"a\x1bcb", "ab"),
            (b"a\rb\x08\x00c\x7f", "abc"),
            ("a\u{9b}2Jb".as_bytes(), "a2Jb"),
            (b"a\x1b[?1049hb", "ab"),
            (b"a\x1b[31", "a"),
            (b"a\x1b", "a"),
            (b"tab\tstays", "tab\tstays"),
        ] {
            assert_eq!(printable(line, true), shown, "{line:?}");
        }
    }

    #[test]
    fn what_is_not_text_is_marked() {
        assert_eq!(printable(b"a\xffb", false), "a\u{fffd}b");
        assert_eq!(printable("玩家".as_bytes(), false), "玩家");
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_a_terminal_obeys(
            line in prop::collection::vec(
                prop_oneof![
                    4 => any::<u8>(),
                    2 => Just(0x1b),
                    2 => prop::sample::select(b"[]P;m0\\\x07".to_vec()),
                ],
                0..100,
            ),
        ) {
            let plain = printable(&line, false);
            prop_assert!(plain.chars().all(|c| c == '\t' || !c.is_control()), "{plain:?}");
            // With colour: every escape character begins a change of colour.
            for part in printable(&line, true).split('\u{1b}').skip(1) {
                let body = part.strip_prefix('[').unwrap();
                let end = body.find('m').unwrap();
                prop_assert!(body[..end].chars().all(|c| c.is_ascii_digit() || ";:".contains(c)));
            }
        }
    }
}
