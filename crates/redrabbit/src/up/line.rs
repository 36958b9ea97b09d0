//! From bytes that arrive anyhow to lines that are not too long.

/// Gathers a stream of bytes into lines. A line past the limit is cut, and
/// what was cut off is counted, not kept.
#[derive(Debug)]
pub(super) struct LineBuffer {
    line: Vec<u8>,
    cut: usize,
    limit: usize,
}

/// One line, without its line feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What there is of it, at most as long as the limit.
    pub(super) bytes: Vec<u8>,
    /// How many bytes were cut off its end.
    pub(super) cut: usize,
}

impl LineBuffer {
    /// Keeps `limit` bytes of a line.
    pub(super) fn new(limit: usize) -> Self {
        LineBuffer {
            line: Vec::new(),
            cut: 0,
            limit,
        }
    }

    /// Takes what has arrived, and gives the lines that it has completed.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..end]);
            lines.push(self.take());
            rest = &rest[end + 1..];
        }
        self.keep(rest);
        lines
    }

    /// The last line, if the stream ended without a line feed.
    pub(super) fn finish(&mut self) -> Option<Line> {
        (!self.line.is_empty()).then(|| self.take())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (self.limit - self.line.len()).min(bytes.len());
        self.line.extend_from_slice(&bytes[..room]);
        self.cut += bytes.len() - room;
    }

    fn take(&mut self) -> Line {
        Line {
            bytes: std::mem::take(&mut self.line),
            cut: std::mem::take(&mut self.cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines_of(chunks: &[&[u8]], limit: usize) -> Vec<Line> {
        let mut buffer = LineBuffer::new(limit);
        let mut lines: Vec<Line> = chunks.iter().flat_map(|chunk| buffer.feed(chunk)).collect();
        lines.extend(buffer.finish());
        lines
    }

    #[test]
    fn a_long_line_is_cut_and_the_next_is_whole() {
        let lines = lines_of(&[b"abc", b"defgh\nij\n"], 4);
        assert_eq!((&lines[0].bytes[..], lines[0].cut), (&b"abcd"[..], 4));
        assert_eq!((&lines[1].bytes[..], lines[1].cut), (&b"ij"[..], 0));
    }

    #[test]
    fn a_last_line_without_a_line_feed_is_a_line() {
        assert_eq!(lines_of(&[b"a\n", b"b"], 4).len(), 2);
        assert_eq!(lines_of(&[b"a\n"], 4).len(), 1);
    }

    proptest! {
        #[test]
        fn how_bytes_arrive_does_not_change_the_lines(
            bytes in prop::collection::vec(prop_oneof![3 => Just(b'a'), 1 => Just(b'\n')], 0..200),
            sizes in prop::collection::vec(1usize..20, 1..50),
            limit in 1usize..30,
        ) {
            let whole = lines_of(&[&bytes], limit);
            let mut chunks = Vec::new();
            let mut rest = &bytes[..];
            for size in sizes.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (chunk, behind) = rest.split_at((*size).min(rest.len()));
                chunks.push(chunk);
                rest = behind;
            }
            prop_assert_eq!(&whole, &lines_of(&chunks, limit));
            for line in &whole {
                prop_assert!(line.bytes.len() <= limit);
            }
            let total: usize = whole.iter().map(|line| line.bytes.len() + line.cut).sum();
            prop_assert_eq!(total, bytes.iter().filter(|byte| **byte != b'\n').count());
        }
    }
}
