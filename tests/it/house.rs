//! The rules of the house, as tests: who may import whom, which library lives where, how long a file may be, and that
//! the map and the reference are true.
//!
//! They read the sources as text, so a rule can be bent by a macro that builds paths. That is accepted: the rules are
//! there for people who mean well and forget.

use std::collections::{BTreeMap, BTreeSet};

use crate::sources::{
    backticked, names_library, read, rooms_built, rooms_named, root, rust_files, says, texts,
};

/// Every room with its storey, as in `docs/ARCHITECTURE.md`. A room imports from lower storeys only.
const STOREYS: [(&str, u8); 15] = [
    ("units", 1),
    ("plot", 2),
    ("spec", 2),
    ("rows", 2),
    ("stats", 2),
    ("plan", 3),
    ("stack", 4),
    ("dataset", 4),
    ("api", 4),
    ("load", 4),
    ("probe", 4),
    ("results", 4),
    ("lab", 5),
    ("report", 5),
    ("cli", 6),
];

/// Libraries and the only rooms that may name them.
const LIBRARIES: [(&str, &[&str]); 14] = [
    ("annotate_snippets", &["spec"]),
    ("axum", &["api"]),
    ("clap", &["cli"]),
    // Our own files, and the author's.
    ("csv", &["plan", "results"]),
    ("figment", &["spec"]),
    ("hdrhistogram", &["stats", "load", "results"]),
    ("indicatif", &["cli"]),
    ("minijinja", &["report", "stack"]),
    ("procfs", &["probe"]),
    ("pulldown_cmark", &["report"]),
    ("redis", &["api", "probe", "stack"]),
    ("sqlx", &["api", "probe", "dataset", "stack"]),
    ("tokio_postgres", &["api"]),
    ("toml", &["spec"]),
];

/// A longer file is two files.
const LONGEST_FILE: usize = 400;

/// The file that starts processes, and becomes other programs.
const SPAWNS: &str = "src/stack/process.rs";

#[test]
fn arrows_point_down() {
    let mut broken = Vec::new();
    for file in rust_files("src") {
        let Some(room) = file.room() else { continue };
        let Some(from) = storey(room) else {
            broken.push(format!("{}: room `{room}` is on no storey", file.path));
            continue;
        };
        for (line, code) in file.code_lines() {
            for to in rooms_named(code).into_iter().filter(|to| *to != room) {
                match storey(to) {
                    None => broken.push(format!("{}:{line}: `{to}` is no room", file.path)),
                    Some(s) if s >= from => {
                        let broke = format!("`{room}` may not import `{to}`");
                        broken.push(format!("{}:{line}: {broke}", file.path));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    none_of(&broken);
}

#[test]
fn rooms_are_imported_by_their_full_name() {
    let mut broken = Vec::new();
    for file in rust_files("src") {
        for (line, code) in file.code_lines() {
            for wrong in ["crate::{", "crate::*", "super::super"] {
                if code.contains(wrong) {
                    broken.push(format!("{}:{line}: `{wrong}` hides an arrow", file.path));
                }
            }
        }
        // From a room's own front page, `super` is the whole house.
        let front = file.room().is_some_and(|r| file.path == format!("src/{r}/mod.rs"));
        let before_tests = file.code_lines().take_while(|(_, code)| !code.contains("mod tests"));
        for (line, code) in before_tests.filter(|_| front) {
            if code.contains("super::") && !code.contains("pub(super)") {
                broken.push(format!("{}:{line}: write `crate::`, not `super::`", file.path));
            }
        }
    }
    none_of(&broken);
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut broken = Vec::new();
    for file in rust_files("src") {
        let place = file.room().unwrap_or("the door");
        for (library, rooms) in LIBRARIES.iter().filter(|(_, rooms)| !rooms.contains(&place)) {
            // A module of the room's own may have a library's name: `settings::redis`.
            if file.code.contains(&format!("mod {library};")) {
                continue;
            }
            for (line, _) in file.code_lines().filter(|(_, code)| names_library(code, library)) {
                let belongs = format!("`{library}` belongs to {}", rooms.join(", "));
                broken.push(format!("{}:{line}: {belongs}, not to {place}", file.path));
            }
        }
    }
    none_of(&broken);
}

#[test]
fn only_one_file_starts_processes() {
    let mut broken = Vec::new();
    for file in rust_files("src").filter(|f| f.path != SPAWNS) {
        for (line, code) in file.code_lines() {
            let ours = code.replace("clap::Command", "");
            if ours.contains("Command::new(") || code.contains("process::Command") {
                broken.push(format!("{}:{line}: only {SPAWNS} starts processes", file.path));
            }
        }
    }
    none_of(&broken);
}

/// What is said about a difference or a claim; only `stats` may have these words, so that a rule chooses them.
const VERDICTS: [&str; 14] = [
    "faster",
    "slower",
    "slightly",
    "inconclusive",
    "no relevant difference",
    "no verdict",
    "not comparable",
    "no steady state",
    "saturated",
    "supported",
    "refuted",
    "significant",
    "significantly",
    "winner",
];

#[test]
fn verdict_words_are_written_in_one_place() {
    let mut broken = Vec::new();
    let is_test = |path: &str| path.contains("/fixture/") || path.ends_with("/tests.rs");
    for file in ["src/report", "src/cli"].into_iter().flat_map(rust_files) {
        for (line, text) in texts(&file.text).into_iter().filter(|_| !is_test(&file.path)) {
            for words in VERDICTS.into_iter().filter(|words| says(&text, words)) {
                let take = "take it from `stats::Verdict` or `stats::Held`";
                broken.push(format!("{}:{line}: `{words}` by hand: {take}", file.path));
            }
        }
    }
    let home: Vec<(usize, String)> =
        rust_files("src/stats").flat_map(|file| texts(&file.text)).collect();
    let given: Vec<&str> = VERDICTS[..11].to_vec();
    for words in given.into_iter().filter(|words| !home.iter().any(|(_, text)| says(text, words))) {
        broken.push(format!("`{words}` is said nowhere in src/stats: is the list old?"));
    }
    none_of(&broken);
}

#[test]
fn files_are_short_and_introduce_themselves() {
    let mut broken = Vec::new();
    for file in rust_files("") {
        let lines = file.text.lines().count();
        if lines > LONGEST_FILE {
            broken.push(format!("{}: {lines} lines, {LONGEST_FILE} at most", file.path));
        }
        if !file.text.starts_with("//! ") {
            broken.push(format!("{}:1: no card (`//! …`) on line 1", file.path));
        }
    }
    none_of(&broken);
}

#[test]
fn the_map_names_only_places_that_exist() {
    let map = read("docs/ARCHITECTURE.md");
    let mut broken = Vec::new();
    for name in backticked(&map) {
        let a_path = name.contains('/') && !name.contains(|c: char| c.is_whitespace() || c == '<');
        let top = name.split('/').next().unwrap_or_default();
        let ours = ["src", "tests", "docs", "infra", "experiments", "migrations", ".ci"];
        if a_path && ours.contains(&top) && !root().join(name).exists() {
            broken.push(format!("docs/ARCHITECTURE.md: `{name}` does not exist"));
        }
    }
    let rows = map.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next());
    let drawn: BTreeSet<&str> = rows.collect();
    let built = rooms_built();
    let built: BTreeSet<&str> = built.iter().map(String::as_str).collect();
    let placed: BTreeSet<&str> = STOREYS.iter().map(|(room, _)| *room).collect();
    for room in built.difference(&drawn) {
        broken.push(format!("docs/ARCHITECTURE.md: room `{room}` has no row"));
    }
    for room in drawn.difference(&built) {
        broken.push(format!("docs/ARCHITECTURE.md: `{room}` has a row, but is no room in src"));
    }
    for room in built.symmetric_difference(&placed) {
        broken.push(format!("tests/it/house.rs: `{room}` is not both a room and on a storey"));
    }
    none_of(&broken);
}

#[test]
fn the_reference_names_every_key_and_every_metric() {
    let reference = read("docs/EXPERIMENT.md");
    let named = backticked(&reference).map(|name| name.trim_matches(['[', ']']));
    let named: BTreeSet<&str> = named.collect();
    let mut broken = Vec::new();
    for file in rust_files("src/spec") {
        let keys = file.text.contains("deny_unknown_fields");
        let metrics = file.path.ends_with("/metric.rs");
        for line in file.text.lines().map(str::trim) {
            let key = line.strip_prefix("pub ").and_then(|l| l.split_once(": ")).map(|(k, _)| k);
            let metric = line.split_once(" => \"").and_then(|(_, m)| m.strip_suffix("\","));
            let key = key.map(|k| k.trim_start_matches("r#")).filter(|k| keys && is_name(k));
            for word in [key, metric.filter(|_| metrics)].into_iter().flatten() {
                if !named.contains(word) {
                    broken.push(format!("docs/EXPERIMENT.md: `{word}` ({}) is missing", file.path));
                }
            }
        }
    }
    none_of(&broken);
}

#[test]
fn the_reference_explains_exactly_the_error_codes_that_exist() {
    let mut broken = Vec::new();
    let mut used: BTreeMap<String, String> = BTreeMap::new();
    let mut defined: BTreeMap<String, String> = BTreeMap::new();
    for file in rust_files("src") {
        // Comments may show a code as an example; only quoted ones are given out.
        for (at, _) in file.text.match_indices("\"QL") {
            let code: String = file.text[at + 1..].chars().take_while(|c| *c != '"').collect();
            if code.len() != 6 || !code[2..].bytes().all(|b| b.is_ascii_digit()) {
                continue;
            }
            used.insert(code.clone(), file.path.clone());
            let definition = file.text[..at].ends_with(" = ");
            if definition && let Some(other) = defined.insert(code.clone(), file.path.clone()) {
                broken.push(format!("{}: {code} is defined in {other} too", file.path));
            }
        }
    }
    let reference = read("docs/EXPERIMENT.md");
    let rows = reference.lines().filter_map(|l| l.strip_prefix("| QL")?.split(' ').next());
    let explained: BTreeSet<String> = rows.map(|digits| format!("QL{digits}")).collect();
    for (code, path) in used.iter().filter(|(code, _)| !explained.contains(*code)) {
        broken.push(format!("docs/EXPERIMENT.md: {code} ({path}) has no row"));
    }
    for code in explained.iter().filter(|code| !used.contains_key(*code)) {
        broken.push(format!("docs/EXPERIMENT.md: {code} has a row, but nothing gives it out"));
    }
    none_of(&broken);
}

#[test]
fn every_dependency_is_argued_for() {
    let manifest = read("Cargo.toml");
    let mut used = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| inside) {
            used.insert(name);
        }
    }
    let page = read("docs/dependencies.md");
    let rows = page.lines().filter_map(|l| l.strip_prefix("| `")?.split('`').next());
    let argued: BTreeSet<&str> = rows.collect();
    let broken: Vec<String> = used
        .symmetric_difference(&argued)
        .map(|name| format!("`{name}` is not both in Cargo.toml and in docs/dependencies.md"))
        .collect();
    none_of(&broken);
}

fn none_of(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

fn storey(room: &str) -> Option<u8> {
    STOREYS.iter().find(|(name, _)| *name == room).map(|(_, storey)| *storey)
}

fn is_name(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}
