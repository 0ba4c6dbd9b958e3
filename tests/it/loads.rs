//! Loads that are more than one endpoint at one level, on real servers: a mix, and a search for the highest rate.

use std::fs;
use std::path::PathBuf;

use querylab::results::{TrialRecord, read_trials};

use crate::lab::{Project, expect_code, files, servers, text_of};

const TINY: &str = "experiments/tiny.toml";

/// The tiny project with parts of its file replaced; each must be there.
fn changed(changes: &[(&str, &str)]) -> Project {
    let project = Project::new();
    let file = project.dir.join(TINY);
    let mut text = fs::read_to_string(&file).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in the file");
        text = text.replacen(from, to, 1);
    }
    fs::write(&file, text).unwrap();
    project
}

/// The published folder and its trials, after one block.
fn run(project: &Project) -> (PathBuf, Vec<TrialRecord>) {
    expect_code(&project.output(&["run", TINY, "--blocks", "1"]), 0);
    let published = project.dir.join("results/tiny/full");
    let trials = read_trials(&fs::read(published.join("trials.csv")).unwrap()).unwrap();
    assert_eq!(trials.len(), 3, "two variants and a twin");
    (published, trials)
}

#[test]
fn a_mix_is_driven_by_weight_with_every_plan_proved_and_every_request_accounted_for() {
    if !servers() {
        return;
    }
    let project = changed(&[
        ("endpoint = \"cached\"", "mix = { find = 80, cached = 20 }"),
        (
            "cache_hit_ratio = { min = 0.5 }",
            "cache_hit_ratio = { min = 0.5 }, index_scans_per_request = 1",
        ),
    ]);
    let (published, trials) = run(&project);
    for plan in ["cached-find", "cached-cached", "btree-find"] {
        assert!(published.join(format!("plans/{plan}.json")).is_file(), "{plan}");
    }
    let mixed = trials.iter().find(|t| t.variant == "cached").unwrap();
    let witness = mixed.witness.as_ref().unwrap();
    let asked = witness.api_cache_hits + witness.api_cache_misses + witness.api_cache_errors;
    let direct = witness.api_direct.unwrap_or(0);
    assert_eq!(witness.nginx_requests, Some(witness.client_sent - direct));
    assert_eq!(witness.api_cache_bypasses, Some(witness.api_requests - asked));
    let share = asked as f64 / witness.client_sent as f64;
    // Three requests to each before the load; then a fifth of some hundreds or thousands.
    assert!((0.12..0.28).contains(&share), "{asked} of {}", witness.client_sent);
    let report = fs::read_to_string(published.join("report.md")).unwrap();
    assert!(report.contains("80% find, 20% cached"), "the mix is no factor of the report");
    // A mix of which one endpoint has another plan than the variant says is wrong.
    let file = project.dir.join(TINY);
    let text = fs::read_to_string(&file).unwrap();
    let by_name =
        "query = \"SELECT id, email, name, status, score FROM people WHERE name || '' = $1\"";
    let at = text.find("[endpoints.cached]").unwrap();
    let (before, after) = text.split_at(at);
    let query = after.lines().find(|line| line.starts_with("query = ")).unwrap();
    fs::write(&file, format!("{before}{}", after.replacen(query, by_name, 1))).unwrap();
    let output = project.output(&["run", TINY, "--blocks", "1"]);
    expect_code(&output, 6);
    let said = text_of(&output.stdout) + &text_of(&output.stderr);
    assert!(said.contains("endpoint `cached`") && said.contains("Seq Scan"), "{said}");
}

#[test]
fn a_search_gives_one_rate_a_trial_and_it_reaches_the_report_and_the_claims() {
    if !servers() {
        return;
    }
    let load = r#"model    = "open"
search   = { objective = "response_time_p99 <= 1s", start = "100/s", most = "150/s", step = "500ms", settle = "100ms" }
"#;
    let claim = r#"[[claims]]
id     = "fast-enough"
text   = "It keeps ten requests a second"
expect = { metric = "max_rate", variant = "btree", load = "one", at_least = 10 }

[[thresholds]]"#;
    let project =
        changed(&[("model    = \"closed\"\nusers    = 1\n", load), ("[[thresholds]]", claim)]);
    let (published, trials) = run(&project);
    for trial in &trials {
        let window = trial.window.as_ref().unwrap();
        let rate = window.max_rate_rps.expect("a rate");
        assert!(rate > 0.0 && rate <= 150.0, "{rate}");
        // The window was driven at it.
        let due = window.due as f64 / (window.duration_ns as f64 / 1e9);
        assert!((due / rate - 1.0).abs() < 0.6, "{due} {rate}");
    }
    let read = |name: &str| fs::read_to_string(published.join(name)).unwrap();
    let header = read("summary.csv").lines().next().unwrap().to_owned();
    assert!(header.ends_with(",max_rate_rps,max_rate_low_rps,max_rate_high_rps"), "{header}");
    assert!(read("comparisons.csv").contains("one,cached,btree,max_rate,primary,"));
    assert!(read("timeline.csv").lines().next().unwrap().ends_with(",offered_rps"));
    assert!(read("claims.csv").contains("fast-enough"));
    let report = read("report.md");
    assert!(report.contains("max rate") && report.contains("up to 150/s"), "{report}");
    let runs = project.dir.join(".querylab/runs/tiny");
    let run = fs::read_dir(runs).unwrap().next().unwrap().unwrap().path();
    let events = fs::read_to_string(run.join("events.jsonl")).unwrap();
    assert!(events.contains("\"event\":\"search-step\""), "{events}");
    let before = files(&published);
    fs::remove_file(published.join("report.md")).unwrap();
    expect_code(&project.output(&["report", "results/tiny/full"]), 0);
    assert_eq!(files(&published), before, "rebuilt byte for byte");
}

/// Writes with bodies of their own, and an answer in lines.
const WRITES: &str = r#"
[params.nick]
type   = "text"
values = ["Ada \"Countess\" L.", "Grace & Co", "é\\"]
[params.points]
type   = "numeric"
values = [1.5, 20, 300]
[params.note]
type     = "text"
required = false

[endpoints.rename]
route = "PATCH /people/{email}"
query = "UPDATE people SET name = coalesce($4, $2), score = $3::numeric WHERE email = $1 RETURNING email, name, score::numeric AS score"
bind  = ["email", "nick", "points", "note"]
body  = ["nick", "points", "note"]
check = { status = 200, rows = 1, fields = { email = "{email}", name = "{nick}" } }
[endpoints.touch]
route = "POST /people/touch"
query = "UPDATE people SET status = status WHERE email = $1"
bind  = ["email"]
body  = ["email"]
check = { status = 200, fields = { affected = 1 } }
[endpoints.some]
route  = "GET /people/some"
query  = "SELECT n, $1 AS email FROM generate_series(1, 3000) n"
bind   = ["email"]
answer = "lines"
check  = { status = 200, rows = 3000, fields = { email = "{email}" } }

[endpoints.cached]"#;

#[test]
fn bodies_are_sent_and_lines_are_read_and_each_answer_is_checked() {
    if !servers() {
        return;
    }
    let project = changed(&[
        ("\n[endpoints.cached]", WRITES),
        (
            "endpoint = \"cached\"",
            "mix = { find = 2, cached = 2, rename = 2, touch = 1, some = 1 }",
        ),
        (
            "expect   = { plan = { node = \"Index Scan\", index = \"idx_people_email\" }, cache_hit_ratio = { min = 0.5 } }",
            "",
        ),
        ("fill     = { users = 2, max = \"10s\", until = \"cache_hit_ratio >= 0.80\" }", ""),
    ]);
    let (_, trials) = run(&project);
    let mixed = trials.iter().find(|t| t.variant == "cached").unwrap();
    assert_eq!(mixed.outcome, querylab::results::Outcome::Ok, "{mixed:?}");
    let window = mixed.window.as_ref().unwrap();
    assert!(window.answered > 20 && window.failed == 0, "{window:?}");
    // Lines are most of what came: 3000 of them are more than 60 kB.
    assert!(window.response_bytes > 60_000 * (window.answered / 40), "{window:?}");

    // An answer that is not as the body asked for is a wrong one: the run fails, and says what was sent.
    let file = project.dir.join(TINY);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("coalesce($4, $2)", "coalesce($4, 'x' || $2)", 1)).unwrap();
    let output = project.output(&["run", TINY, "--blocks", "1"]);
    expect_code(&output, 6);
    let said = text_of(&output.stdout) + &text_of(&output.stderr);
    assert!(said.contains("PATCH /people/p") && said.contains("\"nick\":"), "{said}");
}
