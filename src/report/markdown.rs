//! Markdown that cannot be broken from inside: cells, code, prose.

/// How a column's cells stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with its columns padded, so that it also reads as plain text. Cells are Markdown already: what comes
/// from people or servers passes through [`cell`] first.
pub(super) fn table(header: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let width = |i: usize| {
        let cells = rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count());
        cells.chain([header[i].0.chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let pad = |text: &str, i: usize| match header[i].1 {
        Align::Left => format!("{text:<w$}", w = widths[i]),
        Align::Right => format!("{text:>w$}", w = widths[i]),
    };
    let mut out = line(header.iter().enumerate().map(|(i, (h, _))| pad(h, i)).collect());
    out += &line(
        header
            .iter()
            .zip(&widths)
            .map(|((_, align), w)| match align {
                Align::Left => "-".repeat(*w),
                Align::Right => "-".repeat(w - 1) + ":",
            })
            .collect(),
    );
    for row in rows {
        out += &line(
            (0..header.len()).map(|i| pad(row.get(i).map_or("", String::as_str), i)).collect(),
        );
    }
    out.truncate(out.trim_end().len());
    out
}

/// A text on one line that cannot end its cell, open a tag or a comment.
pub(super) fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '|' => out.push_str("\\|"),
            '<' => out.push_str("&lt;"),
            c => out.push(c),
        }
    }
    out
}

/// A name as code in a cell; backticks in it would end the code and are left out.
pub(super) fn code(text: &str) -> String {
    let plain = one_line(text).replace('`', "").replace('|', "\\|");
    if plain.is_empty() { String::new() } else { format!("`{plain}`") }
}

/// Whitespace of any kind becomes one space, other control characters vanish.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|w| w.chars().filter(|c| !c.is_control()).collect::<String>())
        .collect();
    words.join(" ")
}

/// A block of code whose fence is longer than any run of backticks in it.
pub(super) fn fenced(language: &str, text: &str) -> String {
    let fence = "`".repeat((longest_run(text, '`') + 1).max(3));
    format!("{fence}{language}\n{}\n{fence}", unix(text).trim_end())
}

fn longest_run(text: &str, of: char) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in text.chars() {
        run = if c == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn unix(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// An author's Markdown below a heading of level 2: its own headings step down below it, an open fence or comment
/// is closed, so that it cannot swallow the rest of the page.
pub(super) fn prose(text: &str) -> String {
    let mut out = Vec::new();
    let mut open: Option<(char, usize)> = None;
    for line in unix(text).trim().lines() {
        let line = line.trim_end();
        let (mark, run, rest) = fence_mark(line);
        match (open, mark) {
            // A backtick after the run makes it code within a line.
            (None, Some(mark)) if run >= 3 && !(mark == '`' && rest.contains('`')) => {
                open = Some((mark, run));
            }
            (Some((fence, length)), Some(mark))
                if fence == mark && run >= length && rest.trim().is_empty() =>
            {
                open = None;
            }
            (None, _) => {
                out.push(outside_code(line));
                continue;
            }
            _ => {}
        }
        out.push(line.to_owned());
    }
    if let Some((mark, length)) = open {
        out.push(mark.to_string().repeat(length));
    }
    out.join("\n")
}

/// The mark that a line of a fence would begin with, how often, and what follows. Four spaces before it make it
/// indented code, which opens and closes nothing.
fn fence_mark(line: &str) -> (Option<char>, usize, &str) {
    let bare = line.trim_start();
    let indent = line.len() - bare.len();
    let mark = bare.chars().next().filter(|c| matches!(c, '`' | '~') && indent < 4);
    let run = mark.map_or(0, |m| bare.chars().take_while(|c| *c == m).count());
    (mark, run, &bare[run..])
}

/// Under a heading of level 2, an author's first level is the third. A line of `===` or `---` under a text would
/// make it a heading too.
fn outside_code(line: &str) -> String {
    let line = line.replace("<!--", "&lt;!--");
    let bare = line.trim_start();
    let level = bare.chars().take_while(|c| *c == '#').count();
    let is_heading =
        (1..=6).contains(&level) && bare.chars().nth(level).is_none_or(char::is_whitespace);
    let is_underline =
        !bare.is_empty() && (bare.chars().all(|c| c == '=') || bare.chars().all(|c| c == '-'));
    if is_heading {
        format!("{} {}", "#".repeat((level + 2).min(6)), bare[level..].trim())
    } else if is_underline {
        String::new()
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_stands_in_columns() {
        let rows = vec![vec!["a".into(), "1.20 ms".into()], vec!["bcdef".into(), "9 µs".into()]];
        let got = table(&[("name", Align::Left), ("p50", Align::Right)], &rows);
        let want = "\
| name  |     p50 |
| ----- | ------: |
| a     | 1.20 ms |
| bcdef |    9 µs |";
        assert_eq!(got, want);
    }

    #[test]
    fn a_text_cannot_leave_its_cell() {
        assert_eq!(cell("a|b\n\\| <!-- c"), "a\\|b \\\\\\| &lt;!-- c");
        assert_eq!(code("a`|`b"), "`a\\|b`");
    }

    #[test]
    fn code_cannot_leave_its_fence() {
        assert_eq!(fenced("sql", "SELECT '```'"), "````sql\nSELECT '```'\n````");
    }

    #[test]
    fn prose_steps_below_our_headings_and_closes_what_it_opens() {
        let got = prose("# Why\r\ntext\n## Then\n```sh\n# no heading\n--");
        assert_eq!(got, "### Why\ntext\n#### Then\n```sh\n# no heading\n--\n```");
        assert_eq!(prose("title\n=====\n<!-- gone"), "title\n\n&lt;!-- gone");
        assert_eq!(prose("#hashtag"), "#hashtag");
        assert_eq!(prose("    ```\n# A"), "```\n# A\n```");
        assert_eq!(prose("a\n    ```\n# A"), "a\n    ```\n### A");
        assert_eq!(prose("```a`b\n# A"), "```a`b\n### A");
    }

    proptest! {
        #[test]
        fn no_cell_holds_a_bare_pipe_or_a_line_break(text in any::<String>()) {
            let got = cell(&text);
            prop_assert!(!got.contains('\n') && !got.contains('\r'));
            let mut escaped = false;
            for c in got.chars() {
                prop_assert!(escaped || c != '|', "{got}");
                escaped = c == '\\' && !escaped;
            }
        }

        #[test]
        fn any_prose_leaves_no_heading_above_the_third_level(text in "[#=a\n -]{0,60}") {
            for line in prose(&text).lines() {
                let line = line.trim_start();
                prop_assert!(!(line.starts_with("# ") || line.starts_with("## ")), "{line}");
                prop_assert!(line.is_empty() || !line.chars().all(|c| c == '='), "{line}");
            }
        }

        #[test]
        fn what_prose_opens_it_closes(text in "[`~a\n ]{0,60}") {
            // What is closed already does not change again, and a line after it is outside of any code.
            let closed = prose(&text);
            let again = prose(&closed);
            prop_assert_eq!(again.trim_end(), closed.trim_end());
            let after = prose(&format!("{closed}\n\n# After"));
            prop_assert!(after.ends_with("### After"), "{}", after);
        }
    }
}
