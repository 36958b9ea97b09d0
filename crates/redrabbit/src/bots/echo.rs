//! What a bot says: its message's number and padding, which it wants back.

use std::io::Write;

/// Makes messages of one size, and knows them again.
#[derive(Clone, Debug)]
pub(super) struct Echo {
    size: usize,
    /// As much as the shortest number wants.
    padding: Vec<u8>,
}

/// `[0,""]`
pub(super) const SMALLEST: usize = 6;

impl Echo {
    /// Of messages of `size` bytes, or of as many as their numbers want.
    pub(super) fn new(size: usize) -> Echo {
        Echo {
            size,
            padding: vec![b'x'; size.saturating_sub(SMALLEST - 1)],
        }
    }

    /// Message `number`, in the place of what is in `body`.
    pub(super) fn write(&self, number: u64, body: &mut Vec<u8>) {
        body.clear();
        // Writing to memory cannot fail.
        let _ = write!(body, "[{number},\"");
        body.extend_from_slice(self.padding_after(body.len()));
        body.extend_from_slice(b"\"]");
    }

    /// Which message this is; `None` if it is none, or not as it was sent. How a
    /// script's JSON puts blanks is its own affair.
    pub(super) fn read(&self, body: &[u8]) -> Option<u64> {
        let rest = body.trim_ascii().strip_prefix(b"[")?.trim_ascii_start();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = rest.split_at(digits);
        let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
        let rest = rest.trim_ascii_start().strip_prefix(b",")?;
        let rest = rest.trim_ascii_start().strip_prefix(b"\"")?;
        let rest = rest.strip_suffix(b"]")?.trim_ascii_end();
        let padding = rest.strip_suffix(b"\"")?;
        let head = b"[".len() + digits.len() + b",\"".len();
        (padding == self.padding_after(head)).then_some(number)
    }

    /// What fills a message up whose beginning has so many bytes.
    fn padding_after(&self, head: usize) -> &[u8] {
        let wanted = self.size.saturating_sub(head + b"\"]".len());
        &self.padding[..wanted.min(self.padding.len())]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_a_number_and_padding() {
        let mut body = Vec::new();
        Echo::new(12).write(7, &mut body);
        assert_eq!(body, br#"[7,"xxxxxx"]"#);
        Echo::new(0).write(70, &mut body);
        assert_eq!(body, br#"[70,""]"#);
    }

    #[test]
    fn what_is_not_as_it_was_sent_is_no_answer() {
        let echo = Echo::new(12);
        assert_eq!(echo.read(b" [ 7 , \"xxxxxx\" ] "), Some(7));
        for other in [
            &br#"[7,"xxxxx"]"#[..],
            br#"[7,"xxxxxy"]"#,
            br#"[-7,"xxxxxx"]"#,
            br#"[7,"xxxxxx"] 8"#,
            br#"{"kind":"chat"}"#,
            br#"[99999999999999999999,""]"#,
            b"[7,",
            b"",
        ] {
            assert_eq!(echo.read(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u64, size in 0usize..200) {
            let echo = Echo::new(size);
            let mut body = Vec::new();
            echo.write(number, &mut body);
            prop_assert_eq!(echo.read(&body), Some(number));
            let least = SMALLEST + number.to_string().len() - 1;
            prop_assert_eq!(body.len(), size.max(least));
        }

        #[test]
        fn garbage_is_harmless(body in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Echo::new(12).read(&body);
        }
    }
}
