//! Somebody else's Postgres: what a file may not ask of it, each thing at its place.

use std::path::Path;

use crate::spec::{Color, Layers, load_text, render};

const FILE: &str = include_str!("../../../tests/fixtures/external.toml");
const URL: &str = "url_from = \"QUERYLAB_TEST_URL\"";
const DESIGN: &str = "blocks   = 2";
const VALUES: &str = "values       = [\"p1@example.com\", \"p2@example.com\", \"p3@example.com\"]";
const DATASET: &str = "[dataset]\nmigrations = \"../migrations/people\"\n";

/// What is said of the file after a change.
fn says(from: &str, to: &str) -> String {
    assert!(FILE.contains(from), "the file has no {from:?}");
    let text = FILE.replacen(from, to, 1);
    match load_text(Path::new("exp/external.toml"), text, &Layers::default()) {
        Ok(_) => "it loads".into(),
        Err(problems) => render(&problems, Color::Plain),
    }
}

/// The same with lines behind a line.
fn with(line: &str, more: &str) -> String {
    says(line, &format!("{line}\n{more}"))
}

#[test]
fn a_file_without_data_is_whole_where_the_data_are_somebody_elses() {
    assert_eq!(says(URL, URL), "it loads");
    assert_eq!(with(DESIGN, "cache_state = \"hot\"\nindex_costs = \"none\""), "it loads");
    let nowhere = says(URL, "");
    let lacks =
        "error[QL0402]: `dataset.migrations` is required unless `services.postgres.url_from`";
    assert!(nowhere.contains(lacks), "{nowhere}");
}

#[test]
fn what_would_be_made_or_brought_about_there_is_refused_where_it_stands() {
    let first = "[params.email]";
    let data = |more: &str| says(first, &format!("{DATASET}{more}{first}"));
    for (said, key) in [
        (with(URL, "version = \">=15\""), "services.postgres.version"),
        (with(URL, "settings = { work_mem = \"8MB\" }"), "services.postgres.settings"),
        (with(URL, "transport = \"unix\""), "services.postgres.transport"),
        (
            with("[variants.five]", "services.postgres.settings = { work_mem = \"8MB\" }"),
            "variants.five.services.postgres.settings",
        ),
        (data(""), "dataset.migrations"),
        (data("after_load = [\"ANALYZE\"]\n"), "dataset.after_load"),
        (data("tables.people = { rows = 1, columns = {} }\n"), "dataset.tables"),
        (
            says(first, &format!("[indexes]\np = \"CREATE INDEX p ON people (id)\"\n{first}")),
            "indexes.p",
        ),
        (with(DESIGN, "cache_state = \"cold\""), "design.cache_state"),
        (with(DESIGN, "index_costs = \"measure\""), "design.index_costs"),
        (says(VALUES, "from = \"people.email\""), "params.email.from"),
        (
            says("expect   = { plan =", "expect   = { index_scans_per_request = 1, plan ="),
            "variants.ten.expect.index_scans_per_request",
        ),
        (
            says("metric = \"error_ratio\"", "metric = \"buffers_per_request\""),
            "thresholds[0].metric",
        ),
        (
            with(DESIGN, "primary = { metric = \"postgres_cpu_per_request\", load = \"one\" }"),
            "design.primary.metric",
        ),
    ] {
        assert!(said.contains(&format!("error[QL0401]: `{key}` ")), "{key}: {said}");
        assert!(said.contains("url_from"), "{key}: {said}");
    }
}

#[test]
fn one_server_is_for_all_variants_and_it_is_a_postgres() {
    let own = with("[variants.five]", "services.postgres.url_from = \"QUERYLAB_OTHER\"");
    assert!(own.contains("`variants.five.services.postgres.url_from` is in a variant"), "{own}");
    for server in ["redis", "nginx"] {
        let own = format!("[services.{server}]\nurl_from = \"QUERYLAB_X\"\n[params.email]");
        let said = says("[params.email]", &own);
        assert!(said.contains("is for Postgres only"), "{said}");
    }
}

#[test]
fn a_url_has_no_place_in_the_file_and_is_not_repeated() {
    for url in ["postgres://me:hunter2@h/d", "hunter2", "DATABASE_URL", "QUERYLAB__A"] {
        let said = says(URL, &format!("url_from = \"{url}\""));
        assert!(said.contains("error[QL0"), "{said}");
        assert!(!url.contains(':') || !said.contains("hunter2"), "{said}");
    }
    let said = says(URL, "url = \"postgres://h/d\"");
    assert!(said.contains("unknown key `url`"), "{said}");
}
