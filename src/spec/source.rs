//! The text of the file: bytes to lines and columns, and a copy of it that is safe to print.

use std::ops::Range;

use super::Place;

/// A file's text with the starts of its lines.
#[derive(Debug, Clone)]
pub(super) struct Source {
    path: String,
    text: String,
    lines: Vec<usize>,
}

impl Source {
    /// Indexes the lines of `text`.
    pub(super) fn new(path: &str, text: String) -> Self {
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Self { path: path.to_owned(), text, lines }
    }

    /// The path, as the author gave it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The text, with the secrets found so far masked.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Bytes as a place; a span that ends outside of the text is cut.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end).max(start);
        let line = self.lines.partition_point(|s| *s <= start).max(1);
        let before = &self.text[self.lines[line - 1]..start];
        // A byte order mark is no part of the first line; anywhere else it is a character like others.
        let before = if line == 1 { before.trim_start_matches('\u{feff}') } else { before };
        let column = before.chars().count() + 1;
        Place::File { path: self.path.clone(), start, end, line, column }
    }

    /// Overwrites bytes with stars, one for each byte so that no offset moves.
    pub(super) fn mask(&mut self, spans: impl IntoIterator<Item = Range<usize>>) {
        let mut bytes = self.text.clone().into_bytes();
        for span in spans {
            let (start, end) = (floor(&self.text, span.start), floor(&self.text, span.end));
            for byte in bytes.get_mut(start..end).into_iter().flatten().filter(|b| **b != b'\n') {
                *byte = b'*';
            }
        }
        // Whole characters were overwritten, so this is text; if not, nothing of it is shown.
        self.text = String::from_utf8(bytes).unwrap_or_default();
    }
}

/// The last character boundary at or before `at`.
pub(super) fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let source = Source::new("x", "\u{feff}a\r\né = \"ü\"\n".into());
        let at = |span| match source.place(span) {
            Place::File { line, column, .. } => (line, column),
            _ => (0, 0),
        };
        assert_eq!(at(3..4), (1, 1), "the byte order mark is no column");
        assert_eq!(at(6..8), (2, 1));
        assert_eq!(at(11..15), (2, 5));
        assert_eq!(at(7..7), (2, 1), "inside of a character");
        assert_eq!(at(999..1000), (3, 1), "the end of the file");
        assert_eq!(at(16..16), (3, 1));
    }

    #[test]
    fn a_masked_secret_keeps_every_offset() {
        let mut source = Source::new("x", "a = \"ü\"\nb = 1\n".into());
        let before = source.place(13..14);
        source.mask(std::iter::once(4..8));
        assert_eq!(source.text(), "a = ****\nb = 1\n");
        assert_eq!(source.place(13..14), before);
    }
}
