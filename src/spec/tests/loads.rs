//! Load profiles in parts, and searches: what is right, and each mistake at its place.

use super::{changed, codes_and_lines, says};
use crate::spec::Layers;

/// The worked example with one more load, of this model, with these lines, from line 93 on.
fn with_load(model: &str, lines: &str) -> String {
    let load = format!("[load.more]\nmodel = \"{model}\"\n{lines}\n[load.users100]");
    changed(&[("[load.users100]", &load)])
}

/// Code and line in the load of each problem; the header is line 1.
fn codes(model: &str, lines: &str) -> Vec<String> {
    let text = with_load(model, lines);
    let header = text.lines().position(|line| line == "[load.more]").expect("there");
    let numbered = |problem: String| {
        let (code, line) = problem.split_once(' ').expect("code and line");
        let line: usize = line.parse().expect("a line");
        format!("{code} {}", line - header)
    };
    codes_and_lines(&text, &Layers::default()).into_iter().map(numbered).collect()
}

const SEARCH: &str = r#"search = { objective = "response_time_p99 <= 50ms", start = "100/s", most = "20000/s" }
duration = "5s""#;

#[test]
fn levels_ramps_and_searches_are_read() {
    for (model, lines) in [
        (
            "open",
            r#"stages = [{ duration = "10s", rate = "500/s" }, { duration = "20s", ramp_to = "2000/s" }]"#,
        ),
        (
            "closed",
            r#"stages = [{ duration = "10s", users = 5 }, { duration = "20s", ramp_to_users = 50 }]"#,
        ),
        ("open", SEARCH),
        (
            "open",
            &SEARCH.replace("most =", "step = \"2s\", settle = \"0s\", precision = \"2%\", most ="),
        ),
    ] {
        let text = with_load(model, lines);
        assert_eq!(
            codes_and_lines(&text, &Layers::default()),
            Vec::<String>::new(),
            "{}",
            says(&text)
        );
    }
}

#[test]
fn a_load_is_said_once() {
    let stages = r#"stages = [{ duration = "1s", rate = "5/s" }]"#;
    let users = r#"stages = [{ duration = "1s", users = 5 }]"#;
    for (model, lines, expected) in [
        ("open", format!("{stages}\nrate = \"5/s\""), "QL0401 4"),
        ("open", format!("{stages}\nduration = \"5s\""), "QL0401 4"),
        ("closed", format!("{users}\nusers = 5"), "QL0401 4"),
        ("open", format!("{SEARCH}\nrate = \"5/s\""), "QL0401 5"),
        ("closed", format!("{SEARCH}\nusers = 5"), "QL0401 3"),
        ("open", SEARCH.lines().next().expect("a line").to_owned(), "QL0402 1"),
        ("open", "rate = \"5/s\"".to_owned(), "QL0402 1"),
        ("open", "duration = \"5s\"".to_owned(), "QL0402 1"),
    ] {
        assert_eq!(
            codes(model, &lines),
            [expected],
            "{lines}\n{}",
            says(&with_load(model, &lines))
        );
    }
    // Both, and the time of one of them.
    assert_eq!(codes("open", &format!("{stages}\n{SEARCH}")), ["QL0401 4", "QL0401 5"]);
}

#[test]
fn a_stage_is_a_level_or_a_ramp_of_its_model_and_the_first_is_a_level() {
    for (model, stages, expected) in [
        ("open", "", vec!["QL0315 3"]),
        ("open", r#"{ duration = "0s", rate = "5/s" }"#, vec!["QL0308 3"]),
        ("open", r#"{ rate = "5/s" }"#, vec!["QL0202 3"]),
        ("open", r#"{ duration = "1s" }"#, vec!["QL0402 3"]),
        ("open", r#"{ duration = "1s", ramp_to = "5/s" }"#, vec!["QL0402 3"]),
        ("closed", r#"{ duration = "1s", ramp_to_users = 5 }"#, vec!["QL0402 3"]),
        ("open", r#"{ duration = "1s", rate = "5/s", ramp_to = "6/s" }"#, vec!["QL0401 3"]),
        ("open", r#"{ duration = "1s", rate = "5/s", users = 6 }"#, vec!["QL0401 3"]),
        ("closed", r#"{ duration = "1s", users = 5, ramp_to = "6/s" }"#, vec!["QL0401 3"]),
        ("closed", r#"{ duration = "1s", users = 0 }"#, vec!["QL0302 3"]),
        ("open", r#"{ duration = "1s", rate = "0/s" }"#, vec!["QL0303 3"]),
    ] {
        let lines = format!("stages = [{stages}]");
        assert_eq!(codes(model, &lines), expected, "{stages}\n{}", says(&with_load(model, &lines)));
    }
    let many = vec![r#"{ duration = "1s", rate = "5/s" }"#; 101].join(", ");
    assert_eq!(codes("open", &format!("stages = [{many}]")), ["QL0315 3"]);
}

#[test]
fn a_search_has_an_objective_that_can_be_held_and_a_range() {
    for (from, to, expected) in [
        ("<=", "<", "QL0309 3"),
        ("response_time_p99", "throughput", "QL0309 3"),
        ("response_time_p99", "response_time_p98", "QL0309 3"),
        ("50ms", "50", "QL0309 3"),
        ("50ms", "0ms", "QL0309 3"),
        ("100/s", "30000/s", "QL0403 3"),
        ("most =", "step = \"0s\", most =", "QL0308 3"),
        ("most =", "precision = \"0%\", most =", "QL0302 3"),
        ("most =", "precision = \"30%\", most =", "QL0302 3"),
        (", most = \"20000/s\"", "", "QL0202 3"),
    ] {
        let lines = SEARCH.replace(from, to);
        assert_eq!(codes("open", &lines), [expected], "{to}\n{}", says(&with_load("open", &lines)));
    }
}
