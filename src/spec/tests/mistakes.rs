//! How mistakes look to people and to machines.

use super::{WORKED, changed, load_as_worked, says};
use crate::spec::{Color, Layers, Place, Problem, Problems, render, render_json};

#[test]
fn eight_different_mistakes_are_eight_located_messages() {
    let text = changed(&[
        ("title    = \"Email lookup", "tilte    = \"Email lookup"),
        ("max_overflow = 10", "max_overflow = 1000"),
        ("email{row}@example.com", "email{nr}@example.com"),
        ("ttl = \"300s\"", "ttl = \"300\""),
        ("users    = 1\n", "users    = \"1\"\n"),
        ("max_in_flight = 1000 ", "users = 1000 "),
        ("aa_check    = \"unloaded\"", "precision   = \"0%\""),
        ("about = \"8000ms\"", "about = 8000"),
    ]);
    // The title is there, so that only the wrong spelling is a mistake.
    let text = text.replacen("id       = ", "title = \"x\"\nid       = ", 1);
    let problems = load_as_worked(&text, &Layers::default()).expect_err("eight mistakes");
    let codes: Vec<&str> = problems.list.iter().map(|p| p.code).collect();
    let expected = ["QL0201", "QL0302", "QL0310", "QL0303", "QL0301", "QL0401", "QL0302", "QL0303"];
    assert_eq!(codes, expected);
    insta::assert_snapshot!("eight_mistakes", render(&problems, Color::Plain));
    insta::assert_snapshot!("eight_mistakes_json", render_json(&problems));
}

#[test]
fn an_empty_file_is_told_what_to_write() {
    for text in ["", "# only a comment\n", "\u{feff}"] {
        let says = says(text);
        assert!(says.contains("error[QL0202]: `experiment.title` is required"), "{says}");
        assert!(says.contains("exp/0001-email-lookup.toml:1:1"), "{says}");
        assert!(says.contains("`variants` is required"), "{says}");
    }
}

#[test]
fn mistakes_of_syntax_come_all_at_once() {
    insta::assert_snapshot!("syntax", says("[experiment]\ntitle = \"open\nseed = \nid = 'ü' x\n"));
}

#[test]
fn byte_order_mark_and_crlf_are_fine() {
    let text = format!("\u{feff}{}", WORKED.replace('\n', "\r\n"));
    assert_eq!(says(&text), "it loads");
    let says = says(&text.replace("seed     =", "sed     ="));
    assert!(says.contains(".toml:10:1\n"), "{says}");
    assert!(says.contains("| sed     = 20250105\n"), "{says}");
}

#[test]
fn odd_spans_and_lines_are_drawn() {
    let long = format!("a = \"{}\" # ü\n\tb = 'é'", "ü".repeat(5000));
    let end = long.len();
    let texts = [("long", long.as_str()), ("empty", ""), ("bom", "\u{feff}é"), ("cr", "a\r\n\r\n")];
    let sources: Vec<(String, String)> =
        texts.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())).collect();
    let mut list = Vec::new();
    for (path, _) in texts {
        for (start, stop) in
            [(0, 0), (1, 2), (5, 6), (0, end), (9000, 9001), (end, end), (end + 9, 3)]
        {
            let place =
                Place::File { path: path.into(), start, end: stop, line: 1, column: start + 1 };
            let problem = Problem::error("QL0105", "a\nb", place.clone());
            list.push(problem.with_help(Some("c\nd".into())).with_other(place, "here"));
        }
    }
    let missing = Place::File { path: "gone".into(), start: 1, end: 2, line: 7, column: 8 };
    list.push(Problem::error("QL0105", "no source", missing));
    list.push(Problem::error("QL0105", "", Place::Nowhere));
    let problems = Problems { list, sources, partial: None };
    assert!(render(&problems, Color::Plain).contains("gone:7:8"));
    assert!(render(&problems, Color::Ansi).contains("\u{1b}["));
    assert_eq!(render_json(&problems).lines().count(), problems.list.len());
}

#[test]
fn a_thousand_mistakes_are_cut_to_what_is_read() {
    let many: Vec<String> = (0..90_000).map(|i| format!("a{i}=1")).collect();
    let many = many.join("\n");
    let problems = load_as_worked(&many, &Layers::default()).expect_err("unknown keys");
    assert_eq!(problems.list.len(), 201);
    assert_eq!(problems.list[200].code, "QL0199");
}

#[test]
fn a_line_of_a_megabyte_is_answered() {
    let repeated = |head: &str, piece: &str, tail: &str| {
        format!("{head}{}{tail}", piece.repeat((1 << 20) / piece.len()))
    };
    let numbered = |head: &str, piece: &str, tail: &str| {
        let all: Vec<String> = (0..60_000).map(|i| format!("a{i}{piece}")).collect();
        format!("{head}{}{tail}", all.join(","))
    };
    let texts = [
        repeated("experiment.tags = [", "12345678901, ", "]"),
        repeated("experiment.tags = [", "nan,         ", "]"),
        repeated("experiment.tags = [", "\"p://u:p@\", ", "]"),
        repeated("experiment.title = \"", "?token=a", "\""),
        repeated("experiment.title = \"", "${", "\""),
        repeated("", "= ", ""),
        repeated("a", ".a", " = 1"),
        numbered("experiment = { ", " = 1", " }"),
        numbered("dataset.tables.t.columns = { ", " = {}", " }"),
        numbered("variants = { ", "A = {}", " }"),
    ];
    for text in texts {
        let problems = load_as_worked(&text, &Layers::default()).expect_err("no experiment");
        assert!(render(&problems, Color::Plain).len() < 1 << 20);
    }
}
