//! Whatever stands in a file or on a command line: an answer, never a panic, and never a gap of the checks.

use std::sync::Arc;

use proptest::prelude::*;

use super::{WORKED, load_as_worked};
use crate::spec::merge::{Layer, Origin, Places, merge};
use crate::spec::source::Source;
use crate::spec::walk::walk;
use crate::spec::{Color, Layers, Place, Problems, codes, parse, render, render_json, schema};

/// Pieces that are likely to fit somewhere.
const PIECES: &[&str] = &[
    "\"",
    "'''",
    "\"\"\"",
    "{",
    "}",
    "[",
    "]",
    "=",
    ".",
    "\n",
    "\r",
    "#",
    "1",
    "-1",
    "0",
    "1.5",
    "nan",
    "1e400",
    "true",
    "\"0s\"",
    "\"5s\"",
    "\"ü\"",
    "2024-01-01",
    "{}",
    "[]",
    "[[a]]",
    "\u{feff}",
    "\u{0}",
    "\"steady\"",
    "99999999999999999999",
    "0x7f",
    "{ a = 1 }",
    "\"${X}\"",
    "é",
];

fn mutated() -> impl Strategy<Value = String> {
    let edit = (any::<prop::sample::Index>(), 0_usize..30, prop::sample::select(PIECES));
    prop::collection::vec(edit, 1..6).prop_map(|edits| {
        let mut text = WORKED.to_owned();
        for (at, length, piece) in edits {
            let start = crate::spec::source::floor(&text, at.index(text.len()));
            let end = crate::spec::source::floor(&text, start + length).max(start);
            text.replace_range(start..end, piece);
        }
        text
    })
}

/// Replaces whole values, so that the text stays TOML and the later checks are reached.
fn other_values() -> impl Strategy<Value = String> {
    let values = prop::sample::select(
        &[
            "0",
            "-1",
            "1",
            "0.5",
            "1e300",
            "\"\"",
            "\"x\"",
            "\"0s\"",
            "\"5s\"",
            "\"5%\"",
            "\"1/s\"",
            "true",
            "[]",
            "{}",
            "[1]",
            "[\"x\"]",
            "{ a = 1 }",
            "{ x = {} }",
            "2024-01-01",
            "nan",
            "\"open\"",
            "\"closed\"",
            "\"integer\"",
            "\"uuid\"",
            "\"index_bytes\"",
            "\"none\"",
        ][..],
    );
    prop::collection::vec((any::<prop::sample::Index>(), values), 1..4).prop_map(|edits| {
        let mut lines: Vec<String> = WORKED.lines().map(str::to_owned).collect();
        for (at, value) in edits {
            let line = at.index(lines.len());
            // Inside of an inline table as well: every second hit takes the last `=` of the line.
            let text = lines[line].clone();
            let equals = if line % 2 == 0 { text.find('=') } else { text.rfind('=') };
            let Some(equals) = equals else { continue };
            let rest = text[equals + 1..]
                .find([',', '}'])
                .filter(|_| equals != text.find('=').unwrap_or(0));
            let tail = rest.map_or("", |r| &text[equals + 1 + r..]);
            lines[line] = format!("{}= {value}{tail}", &text[..equals]);
        }
        lines.join("\n")
    })
}

fn holds(text: &str, layers: &Layers) -> Result<(), TestCaseError> {
    let Err(problems) = load_as_worked(text, layers) else { return Ok(()) };
    prop_assert!(problems.any_error());
    prop_assert!(problems.list.iter().all(|p| p.code != codes::GAP), "{problems}\n{text}");
    let plain = render(&problems, Color::Plain);
    prop_assert!(render(&problems, Color::Ansi).len() >= plain.len());
    prop_assert_eq!(render_json(&problems).lines().count(), problems.list.len());
    for problem in &problems.list {
        if let Place::File { line, column, start, end, .. } = &problem.place {
            prop_assert!(start <= end && *end <= text.len());
            let one = Problems {
                list: vec![problem.clone()],
                sources: problems.sources.clone(),
                partial: None,
            };
            let text = render(&one, Color::Plain);
            let wanted = format!("0001-email-lookup.toml:{line}:{column}\n");
            prop_assert!(text.contains(&wanted), "{} not in\n{}", wanted, text);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_answered(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        holds(&text, &Layers::default())?;
    }

    #[test]
    fn a_mutated_experiment_is_answered(text in mutated()) {
        holds(&text, &Layers::default())?;
    }

    #[test]
    fn an_experiment_with_other_values_is_answered(text in other_values()) {
        holds(&text, &Layers::default())?;
    }

    #[test]
    fn arbitrary_overrides_are_answered(
        name in "QUERYLAB__[A-Z_]{0,20}", value in "\\PC{0,20}", set in "[a-z._\"=\\[\\]{} 0-9]{0,30}",
    ) {
        let layers = Layers {
            profile: Some(value.clone()),
            environment: vec![(name, value.clone()), ("QUERYLAB__DESIGN".into(), value)],
            sets: vec![set],
        };
        holds(WORKED, &layers)?;
    }
}

/// Codes of what a JSON schema can say too.
const STRUCTURE: &[&str] = &[
    codes::UNKNOWN_KEY,
    codes::REQUIRED,
    codes::BAD_NAME,
    codes::WRONG_TYPE,
    codes::OUT_OF_RANGE,
    codes::BAD_LENGTH,
    codes::UNKNOWN_WORD,
    codes::BAD_FORM,
    codes::FORMAT,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_walk_agrees_with_a_validator_of_json_schemas(text in other_values()) {
        let parsed = parse::document(&text);
        // A validator knows no dates, and takes 1e300 for a whole number.
        let is_data = parsed.marks.values().all(|m| !m.date) && !text.contains("1e300");
        if is_data && parsed.faults.is_empty() {
            let source = Arc::new(Source::new("x", text.clone()));
            let layer = Layer { origin: Origin::File, tree: parsed.tree, marks: Arc::new(parsed.marks) };
            let merged = merge(&source, &[layer]);
            let mut found = Vec::new();
            walk(&merged.tree, schema::shared(), Places { merged: &merged, variant: None }, &mut found);
            let is_right = !found.iter().any(|p| STRUCTURE.contains(&p.code));
            let says = jsonschema::validate(schema::shared(), &merged.tree);
            prop_assert_eq!(is_right, says.is_ok(), "{:?}\n{:?}\n{}", found, says, text);
        }
    }
}

#[test]
fn the_schema_is_one_of_draft_07_and_takes_the_worked_example() {
    assert!(jsonschema::draft7::meta::is_valid(schema::shared()));
    let tree = parse::document(WORKED).tree;
    assert!(jsonschema::draft7::is_valid(schema::shared(), &tree));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_in_a_file_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("x.toml");
        std::fs::write(&path, &bytes).expect("written");
        let problems = crate::spec::load(&path, &Layers::default()).expect_err("no experiment");
        prop_assert!(!render(&problems, Color::Plain).is_empty());
    }
}
