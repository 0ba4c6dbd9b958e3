//! The sources as text: which files there are, what in them is code, and which names that code uses.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// One Rust source.
pub(crate) struct Source {
    /// From the package's root, with `/`.
    pub(crate) path: String,
    /// As it stands in the file.
    pub(crate) text: String,
    /// The text with comments and literals blanked, same lines.
    pub(crate) code: String,
}

impl Source {
    /// `stack` for `src/stack/process.rs`; none for `src/main.rs` and `src/lib.rs`.
    pub(crate) fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        match rest.split_once('/') {
            Some((room, _)) => Some(room),
            None => rest.strip_suffix(".rs").filter(|name| !["main", "lib"].contains(name)),
        }
    }

    /// Line number and code.
    pub(crate) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(i, code)| (i + 1, code))
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("cannot read {path}: {e}"))
}

/// The folders of `src`, which are the rooms.
pub(crate) fn rooms_built() -> Vec<String> {
    let entries = fs::read_dir(root().join("src")).expect("src can be listed");
    let paths = entries.map(|entry| entry.expect("an entry of src").path());
    let folders = paths.filter(|path| path.is_dir());
    folders.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}

/// Read once, for all tests.
static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let mut todo: Vec<PathBuf> = ["src", "tests"].map(|folder| root().join(folder)).into();
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of sources can be listed") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let code = code_of(&text);
                let path = path.strip_prefix(root()).expect("it is under the root");
                found.push(Source { path: path.to_string_lossy().into_owned(), text, code });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
});

/// Every Rust source under a folder (`src`, `src/spec`, or nothing for all), in the order of their paths.
pub(crate) fn rust_files(folder: &str) -> impl Iterator<Item = &'static Source> {
    let mut files = SOURCES.iter().filter(move |file| file.path.starts_with(folder)).peekable();
    assert!(files.peek().is_some(), "no sources under {folder}: a check that cannot fail");
    files
}

/// What stands between single backticks.
pub(crate) fn backticked(markdown: &str) -> impl Iterator<Item = &str> {
    markdown.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// `x` of every `crate::x` and `querylab::x`.
pub(crate) fn rooms_named(code: &str) -> Vec<&str> {
    let mut named = Vec::new();
    for prefix in ["crate::", "querylab::"] {
        for (at, _) in code.match_indices(prefix) {
            let rest = &code[at + prefix.len()..];
            let end = rest.find(|c: char| !is_ident(c)).unwrap_or(rest.len());
            if starts_a_path(code, at) && end > 0 {
                named.push(&rest[..end]);
            }
        }
    }
    named
}

/// Whether the code has `library::…` or `use library`, and not as the name of somebody's module.
pub(crate) fn names_library(code: &str, library: &str) -> bool {
    code.match_indices(library).any(|(at, _)| {
        let rest = &code[at + library.len()..];
        let used = rest.starts_with("::") || (rest.starts_with(';') && code.contains("use "));
        used && starts_a_path(code, at)
    })
}

/// Whether a path starts at `at`: no identifier and no `name::` before it.
fn starts_a_path(code: &str, at: usize) -> bool {
    let before = &code[..at];
    match before.strip_suffix("::") {
        Some(before) => !before.ends_with(|c: char| is_ident(c) || c == '>'),
        None => !before.ends_with(is_ident),
    }
}

fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Line and inside of every string literal that is not in a test: what a program may say.
pub(crate) fn texts(text: &str) -> Vec<(usize, String)> {
    let end = ["#[cfg(test)]\nmod tests {", "#[cfg(test)]\nmod cells_of"];
    let end = end.iter().filter_map(|marker| text.find(marker)).min().unwrap_or(text.len());
    let chars: Vec<char> = text[..end].chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let (from, to, next) = end_of_text(&chars, at);
        if chars[at] != '/' && to > from {
            let line = 1 + chars[..from].iter().filter(|c| **c == '\n').count();
            found.push((line, chars[from..to].iter().collect()));
        }
        at = next;
    }
    found
}

/// Whether a text has these words as words: `no verdict` is not in `no verdicts`.
pub(crate) fn says(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, _)| {
        !text[..at].ends_with(is_ident) && !text[at + words.len()..].starts_with(is_ident)
    })
}

/// The text with everything blanked that is not code: comments, and the insides of string and character literals.
fn code_of(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = chars.clone();
    let mut at = 0;
    while at < chars.len() {
        let end = end_of_text(&chars, at);
        for blanked in &mut out[end.0..end.1] {
            if *blanked != '\n' {
                *blanked = ' ';
            }
        }
        at = end.2;
    }
    out.into_iter().collect()
}

/// From `at`: the first and one past the last character to blank, and where code goes on.
fn end_of_text(chars: &[char], at: usize) -> (usize, usize, usize) {
    let starts =
        |i: usize, word: &str| word.chars().enumerate().all(|(k, c)| chars.get(i + k) == Some(&c));
    let find = |from: usize, word: &str| {
        (from..chars.len()).find(|i| starts(*i, word)).unwrap_or(chars.len())
    };
    let plain = (at, at, at + 1);
    if !matches!(chars[at], '/' | 'r' | '"' | '\'') {
        return plain;
    }
    if starts(at, "//") {
        let end = find(at, "\n");
        return (at, end, end);
    }
    if starts(at, "/*") {
        let mut depth = 0_usize;
        let mut i = at;
        while i < chars.len() {
            let (step, change) = match (starts(i, "/*"), starts(i, "*/")) {
                (true, _) => (2, 1),
                (_, true) => (2, -1),
                _ => (1, 0),
            };
            depth = depth.saturating_add_signed(change);
            i += step;
            if depth == 0 {
                break;
            }
        }
        return (at, i, i);
    }
    let raw = starts(at, "r\"") || starts(at, "r#");
    if raw && !at.checked_sub(1).is_some_and(|i| is_ident(chars[i]) && chars[i] != 'b') {
        let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
        if chars.get(at + 1 + hashes) != Some(&'"') {
            return plain; // A raw identifier.
        }
        let close = format!("\"{}", "#".repeat(hashes));
        let inside = at + 2 + hashes;
        let end = find(inside, &close);
        return (inside, end, end + close.len());
    }
    if starts(at, "\"") {
        let mut i = at + 1;
        while i < chars.len() && chars[i] != '"' {
            i += if chars[i] == '\\' { 2 } else { 1 };
        }
        let end = i.min(chars.len());
        return (at + 1, end, end + 1);
    }
    if starts(at, "'\\") || (starts(at, "'") && chars.get(at + 2) == Some(&'\'')) {
        let end = if chars[at + 1] == '\\' { find(at + 3, "'") } else { at + 2 };
        return (at + 1, end, end + 1);
    }
    plain
}

#[test]
fn what_a_program_may_say_is_what_stands_between_its_quotes() {
    let text = "// \"a\"\nf(\"b c\", 'd');\n#[cfg(test)]\nmod tests {\n    \"e\" }";
    assert_eq!(texts(text), [(2, "b c".to_owned()), (2, "d".to_owned())]);
    assert!(says("is **faster** here", "faster") && says("faster", "faster"));
    assert!(!says("no verdicts", "no verdict") && !says("claims_refuted", "refuted"));
}

#[test]
fn comments_and_strings_are_not_code() {
    let code = |text: &str| code_of(text);
    assert_eq!(code("a // crate::lab\nb"), "a              \nb");
    assert_eq!(code("a /* x /* y */ z */ b"), "a                   b");
    assert_eq!(code("f(\"csv::\\\"x\", 'c', 'a)"), "f(\"        \", ' ', 'a)");
    assert_eq!(code("r#\"a\"toml::\"#; b"), "r#\"        \"#; b");
    assert_eq!(code("('\"', x); // y"), "(' ', x);     ");
    assert_eq!(rooms_named("use crate::units::Span; crate::spec::load()"), ["units", "spec"]);
    assert!(names_library("use csv::Writer;", "csv"));
    assert!(!names_library("super::csv::write(); my_csv::x(); csv.rows", "csv"));
}
