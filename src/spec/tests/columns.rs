//! One wrong thing in a column, one problem: a table of bad inputs.

use super::{changed, codes_and_lines, says};
use crate::spec::Layers;

/// What a column has instead of `generator = "person-name"`, and the codes that it gives.
const CASES: &[(&str, &[&str])] = &[
    ("generator = \"company\", min = 1", &["QL0401"]),
    ("generator = \"timestamp\", start = \"2024-01-01T00:00:00Z\"", &["QL0402"]),
    (
        "generator = \"timestamp\", start = \"2024-01-01T00:00:00Z\", end = \"2025-01-01T00:00:00Z\", step = \"1s\"",
        &["QL0401"],
    ),
    (
        "generator = \"timestamp\", start = \"2024-01-01T00:00:00Z\", step = \"1s\", growth = 2",
        &["QL0402"],
    ),
    (
        "generator = \"timestamp\", start = \"2024-01-01T00:00:00Z\", end = \"tomorrow\"",
        &["QL0311"],
    ),
    (
        "generator = \"timestamp\", start = \"2024-01-01T00:00:00Z\", end = \"2025-01-01T00:00:00Z\", growth = 0",
        &["QL0302"],
    ),
    ("generator = \"date\", start = \"2024-02-30\", end = \"2024-03-01\"", &["QL0311"]),
    ("generator = \"integer\", min = 0, max = 9, distribution = \"exponential\"", &["QL0402"]),
    ("generator = \"integer\", min = 0, max = 9, distribution = \"bell\"", &["QL0305"]),
    ("generator = \"integer\", min = 0, max = 9, mean = 3", &["QL0401"]),
    ("generator = \"float\", min = 0, max = 9, distribution = \"zipfian\"", &["QL0401"]),
    ("generator = \"numeric\", min = 0, max = 9, scale = 10", &["QL0302"]),
    ("generator = \"permutation\", max = 0.5", &["QL0301"]),
    ("generator = \"uuid\", version = 7", &["QL0402", "QL0402"]),
    ("generator = \"uuid\", version = 5", &["QL0302"]),
    ("generator = \"uuid\", step = \"1s\"", &["QL0401"]),
    ("generator = \"foreign-key\", references = \"users\"", &["QL0307"]),
    (
        "generator = \"foreign-key\", references = \"users.id\", distribution = \"normal\"",
        &["QL0401"],
    ),
    (
        "generator = \"foreign-key\", references = \"users.id\", distribution = \"uniform\", per_parent = \"equal\"",
        &["QL0401"],
    ),
    (
        "generator = \"json\", fields = { a = { generator = \"integer\", min = 2, max = 1 } }",
        &["QL0403"],
    ),
    ("generator = \"json\", fields = { a = {} }", &["QL0402"]),
    ("generator = \"array\", min = 0, max = 3", &["QL0402"]),
    (
        "generator = \"array\", min = 0, max = 3, of = { generator = \"uuid\", colour = 1 }",
        &["QL0201"],
    ),
    ("generator = \"bytea\", min = -1, max = 3", &["QL0302"]),
    ("generator = \"offset\", column = \"created_at\", shortest = \"1s\"", &["QL0402"]),
    (
        "generator = \"offset\", column = \"created_at\", shortest = \"2d\", longest = \"1d\"",
        &["QL0403"],
    ),
    ("generator = \"offset\", column = \"created_at\", longest = \"30\"", &["QL0303"]),
    ("generator = \"offset\", column = \"created_at\", longest = \"3d\", min = 1", &["QL0401"]),
    ("generator = \"company\", dependence = 0.5", &["QL0402"]),
    ("generator = \"template\", template = \"{a-b}\"", &["QL0310"]),
];

#[test]
fn every_wrong_column_has_its_code_at_its_line() {
    let from = "{ generator = \"person-name\" }";
    let line = |text: &str| {
        let at = text.find("name       = {").expect("the column is there");
        text[..at].matches('\n').count() + 1
    };
    for (column, expected) in CASES {
        let text = changed(&[(from, &format!("{{ {column} }}"))]);
        let found = codes_and_lines(&text, &Layers::default());
        let codes: Vec<&str> = found.iter().map(|f| &f[..6]).collect();
        assert_eq!(&codes, expected, "{column}\n{}", says(&text));
        for problem in found {
            let at: usize = problem[7..].parse().expect("a line");
            // A missing key is reported at its table, a few lines above.
            let above = if problem.starts_with("QL0402") { 9 } else { 0 };
            let line = line(&text);
            assert!((line - above..=line).contains(&at), "{problem} {column}");
        }
    }
}

#[test]
fn good_columns_of_every_generator_are_taken() {
    let good = [
        "generator = \"sequence\", start = 5, step = -1",
        "generator = \"template\", template = \"{row}-{status}\"",
        "generator = \"choice\", values = [\"a\", 1, true]",
        "generator = \"timestamp\", start = \"2024-01-01T00:00:00Z\", end = \"2025-01-01T00:00:00Z\", \
         growth = 4, business_hours = \"09:00-17:00\", order = \"ascending\"",
        "generator = \"date\", start = \"2024-01-01\", end = \"2024-12-31\", growth = 0.5",
        "generator = \"integer\", min = 1, max = 9, distribution = \"zipfian\", exponent = 1.1",
        "generator = \"float\", min = 1, max = 9, distribution = \"normal\", mean = 3, deviation = 1",
        "generator = \"numeric\", min = 0.5, max = 9, scale = 3, distribution = \"exponential\", mean = 2",
        "generator = \"words\", min = 1, max = 9, vocabulary = 10_000, exponent = 1.0",
        "generator = \"sentences\", min = 1, max = 9",
        "generator = \"text\", min = 0, max = 255",
        "generator = \"uuid\", version = 7, start = \"2024-01-01T00:00:00Z\", step = \"1ms\"",
        "generator = \"email\", domain = \"my.test\", null_ratio = 0.1",
        "generator = \"company\", depends_on = \"status\", dependence = 0.9",
        "generator = \"permutation\", min = -5, max = 90_000_000",
        "generator = \"foreign-key\", references = \"users.id\", distribution = \"zipfian\"",
        "generator = \"foreign-key\", references = \"users.id\", per_parent = \"exponential\"",
        "generator = \"json\", fields = { a = { generator = \"bool\" }, b = { generator = \"array\", \
         min = 0, max = 3, of = { generator = \"uuid\", null_ratio = 0.5 } } }",
        "generator = \"bytea\", min = 0, max = 16",
        "generator = \"inet\", network = \"2001:db8::/32\"",
        "generator = \"point\", area = [0, 0, 1, 1.5]",
        "generator = \"offset\", column = \"created_at\", shortest = \"1s\", longest = \"30d\"",
        "generator = \"offset\", column = \"id\", min = 1, max = 5.5, distribution = \"normal\"",
    ];
    for column in good {
        let text = changed(&[("{ generator = \"person-name\" }", &format!("{{ {column} }}"))]);
        let found = codes_and_lines(&text, &Layers::default());
        assert!(found.is_empty(), "{column}\n{}", says(&text));
    }
}
