//! The example with mistakes in it.

use super::*;
use crate::spec::Place;

/// Each change alone gives problems of which one starts so.
fn check(cases: &[(&[(&str, &str)], &str)]) {
    for (changes, want) in cases {
        let says = says(changes);
        assert!(says.iter().any(|s| s.contains(want)), "{changes:?}\nwant {want}\ngot {says:#?}");
    }
}

#[test]
fn names_that_nothing_has_are_found_wherever_they_stand() {
    check(&[
        (
            &[("endpoint = \"indexed\"", "endpoint = \"indxed\"")],
            "no endpoint `indxed` | did you mean `indexed`?",
        ),
        (
            &[("indexes  = [\"idx_users_email_active\"]", "indexes = [\"idx_users_email_activ\"]")],
            "no index `idx_users_email_activ` | did you mean `idx_users_email_active`?",
        ),
        (
            &[("baseline    = \"btree\"", "baseline = \"btre\"")],
            "no variant `btre` | did you mean `btree`?",
        ),
        (
            &[("blocks      = 8", "blocks = 8\nvariants = [\"btree\", \"hash\"]")],
            "no variant `hash` | known are",
        ),
        (
            &[("loads       = [\"unloaded\", \"steady\"", "loads = [\"unloaded\", \"stead\"")],
            "no load profile `stead` | did you mean `steady`?",
        ),
        (
            &[(
                "variant = \"scan\"\nload    = \"steady\"",
                "variant = \"scann\"\nload = \"steady\"",
            )],
            "no variant `scann`",
        ),
        (
            &[("variant = \"scan\"\nload    = \"steady\"", "variant = \"scan\"\nload = \"stedy\"")],
            "no load profile `stedy`",
        ),
        (
            &[("aa_check    = \"unloaded\"", "aa_check = \"unload\"")],
            "no load profile `unload` | did you mean `unloaded`?",
        ),
        (
            &[(
                "primary     = { metric = \"response_time_p50\", load = \"unloaded\" }",
                "primary = { metric = \"response_time_p50\", load = \"users10\" }",
            )],
            "no load profile `users10`",
        ),
        (
            &[("variant = \"partial\", vs = \"btree\"", "variant = \"parial\", vs = \"btree\"")],
            "no variant `parial`",
        ),
        (
            &[("variant = \"partial\", vs = \"btree\"", "variant = \"partial\", vs = \"bree\"")],
            "no variant `bree`",
        ),
        (
            &[(
                "variant = \"cached\", load = \"users100\"",
                "variant = \"cached\", load = \"user100\"",
            )],
            "no load profile `user100`",
        ),
        (
            &[("variants = [\"btree\", \"partial\"", "variants = [\"btree\", \"partal\"")],
            "no variant `partal`",
        ),
        (
            &[(
                "load     = { unloaded = { duration = \"30s\" }",
                "load = { unloadd = { duration = \"30s\" }",
            )],
            "no load profile `unloadd`",
        ),
    ]);
}

#[test]
fn names_of_params_columns_tables_and_indexes_are_found_too() {
    check(&[
        (
            &[("bind  = [\"email\"]", "bind = [\"emial\"]")],
            "no param `emial` | did you mean `email`?",
        ),
        (
            &[("from         = \"users.email\"", "from = \"user.email\"")],
            "no table with generated rows `user` | did you mean `users`?",
        ),
        (
            &[("from         = \"users.email\"", "from = \"users.emial\"")],
            "no generated column of `users` `emial` | did you mean `email`?",
        ),
        (
            &[("where        = { status", "where = { stats")],
            "no generated column of `users` `stats`",
        ),
        (
            &[("fields = { email = \"{email}\" }", "fields = { email = \"{emial}\" }")],
            "no param of endpoint `scan` `emial`",
        ),
        (
            &[("key = \"user:email:{email}\"", "key = \"user:email:{mail}\"")],
            "no param of endpoint `cached` `mail`",
        ),
        (
            &[(
                "# --- indexes",
                "[dataset.tables.usrs]\nrows = 1\n[dataset.tables.usrs.columns]\nid = { generator = \"uuid\" }\n# --- indexes",
            )],
            "no migration mentions a table `usrs` | did you mean `users`?",
        ),
        (
            &[("name       = { generator", "nam = { generator")],
            "no migration mentions a column `nam` | did you mean `name`?",
        ),
        (
            &[("relation = \"users\"", "relation = \"user\"")],
            "no table `user` | did you mean `users`?",
        ),
        (
            &[(
                "index = \"idx_users_email\" }, index_scans",
                "index = \"idx_users_emal\" }, index_scans",
            )],
            "no index `idx_users_emal`",
        ),
    ]);
}

#[test]
fn statements_and_their_placeholders_are_checked() {
    let query = "SELECT id, email, name, status, created_at FROM users WHERE email = $1\"";
    let with = |to: &'static str| [(query, to)];
    let cases: [(&'static str, &str); 12] = [
        ("SELECT 1 FROM users WHERE email = $2\"", "has `$2`, but `bind` has 1"),
        ("SELECT 1 FROM users WHERE email = $2\"", "never uses `$1`"),
        ("SELECT 1 FROM users WHERE email = '$1'\"", "QL0603 the query of `scan` never uses `$1`"),
        (
            "SELECT 1 FROM users WHERE email = $0 OR email = $1\"",
            "QL0602 the query of `scan` has a placeholder that no value can have",
        ),
        ("SELECT $1::text, $70000::int\"", "placeholder that no value can have"),
        (
            "SELECT $1::text; DELETE FROM users\"",
            "QL0605 the query of `scan` is not one statement: it is more than one",
        ),
        ("BEGIN\"", "starts with no statement"),
        ("SET work_mem = '1GB'\"", "starts with no statement"),
        ("COPY users TO PROGRAM 'sh'\"", "starts with no statement"),
        ("SELECT $1 || '{{email}}'\"", "has a template `{{email}}` in it"),
        ("SELECT $1 || 'open\"", "string that starts at its line 1, column 14 never ends"),
        ("DROP TABLE users\"", "starts with no statement"),
    ];
    for (to, want) in cases {
        check(&[(&with(to), want)]);
    }
    for fine in [
        "(SELECT $1::text);\"",
        "WITH q AS (SELECT $1::text) SELECT * FROM q\"",
        "VALUES ($1::text)\"",
    ] {
        let plan = planned(&changed(&with(fine)), &Layers::default());
        assert!(plan.is_ok(), "{fine} {plan:?}");
    }
}

#[test]
fn routes_caches_params_and_expectations_are_checked() {
    check(&[
        (
            &[("GET /users/indexed", "GET /users/scan")],
            "endpoints `indexed` and `scan` have the same route",
        ),
        (
            &[
                ("GET /users/indexed", "GET /users/{email}"),
                ("GET /users/partial", "GET /users/{emial}"),
            ],
            "no param `emial`",
        ),
        (&[("GET /users/indexed", "GET /health/live")], "the API itself answers `/health`"),
        (
            &[("key = \"user:email:{email}\"", "key = \"user:email\"")],
            "leaves out `email`, which changes the answer",
        ),
        (
            &[("route = \"GET /users/cached\"", "route = \"POST /users/cached\"")],
            "endpoint `cached` writes",
        ),
        (
            &[("where        = { status = \"active\" }", "where = { status = \"gone\" }")],
            "no row has the value `gone`; it is one of `active`, `inactive`",
        ),
        (
            &[("keys = 10_000", "keys = 8_000_000")],
            "8000000 keys, but about 7000000 to choose from",
        ),
        (
            &[(
                "from         = \"users.email\"\nwhere        = { status = \"active\" }      # drawn from the generator: costs the database nothing",
                "",
            )],
            "has no values to ask for",
        ),
        (
            &[
                ("from         = \"users.email\"", "from = \"users.created_at\""),
                ("type         = \"text\"", "type = \"integer\""),
                ("max_length   = 255", ""),
            ],
            "the values of `users.created_at` are not all of its type",
        ),
        (
            &[(
                "cache = { strategy = \"cache-aside\", key = \"user:email:{email}\", ttl = \"300s\" }",
                "",
            )],
            "variant `cached` expects cache hits, and has no cache",
        ),
        (
            &[(
                "cache = { strategy = \"cache-aside\", key = \"user:email:{email}\", ttl = \"300s\" }",
                "",
            )],
            "fills a cache that none of its endpoints has",
        ),
        (&[("endpoint = \"indexed\"", "")], "variant `btree` drives no endpoint"),
        (
            &[("CREATE INDEX idx_users_email ON", "CREATE INDEX idx_users_mail ON")],
            "the statement makes an index `idx_users_mail`",
        ),
        (
            &[("VACUUM (FREEZE, ANALYZE) users", "VACUUM users; DROP TABLE users")],
            "is not one statement",
        ),
        (&[("VACUUM (FREEZE, ANALYZE) users", "COMMIT")], "can't run after the load"),
    ]);
}

#[test]
fn designs_and_servers_that_cannot_work_are_refused() {
    check(&[
        (
            &[("blocks      = 8", "blocks = 8\nvariants = [\"btree\"]")],
            "the baseline `btree` is the only variant",
        ),
        (
            &[("blocks      = 8", "blocks = 8\nvariants = [\"scan\", \"partial\"]")],
            "the baseline `btree` is not among",
        ),
        (
            &[(
                "variant = \"scan\"\nload    = \"steady\"",
                "variant = \"btree\"\nload = \"unloaded\"",
            )],
            "the baseline is excluded from `unloaded`, under which it is to run twice",
        ),
        (
            &[(
                "variant = \"scan\"\nload    = \"steady\"",
                "variant = \"scan\"\nload = \"unloaded\"",
            )],
            "a claim about `scan` under `unloaded`, which is excluded",
        ),
        (
            &[("loads       = [\"unloaded\", \"steady\", \"users100\"]", "loads = [\"steady\"]")],
            "variant `scan` is excluded from every load",
        ),
        (
            &[(
                "loads       = [\"unloaded\", \"steady\", \"users100\"]",
                "loads = [\"steady\", \"users100\"]",
            )],
            "the primary metric is under load `unloaded`, which is not run",
        ),
        (
            &[(
                "variant = \"cached\", load = \"users100\"",
                "variant = \"btree\", load = \"users100\"",
            )],
            "`btree` has no cache to hit",
        ),
        (
            &[("pre_ping = true", "depth = 8")],
            "so it has no `depth` | leave it out, or write `mode = \"pipeline\"`",
        ),
        (
            &[("jit = \"off\"", "jit = \"off\", max_connections = 40")],
            "`max_connections` is 40, but pools may open 30 and querylab 15",
        ),
        (
            &[("instances = 1", "instances = 16"), ("size = 20", "size = 500")],
            "the pools may open 8175 database connections",
        ),
        (
            &[("jit = \"off\"", "archive_command = \"touch /tmp/pwn\"")],
            "no setting `archive_command` that a file may state",
        ),
        (&[("work_mem = \"16MB\"", "wrk_mem = \"16MB\"")], "did you mean `work_mem`?"),
        (
            &[("work_mem = \"16MB\"", "work_mem = \"16 megs\"")],
            "this is no value for `work_mem` | write a whole number with one of the units",
        ),
        (
            &[("migrations = \"../migrations/users\"", "migrations = \"/etc\"")],
            "is not a relative path",
        ),
        (
            &[("migrations = \"../migrations/users\"", "migrations = \"../migrations/usrs\"")],
            "can't be read: entity not found",
        ),
        (
            &[("kept      = \"../results", "kept = \"/results")],
            "the kept run is not at a relative path",
        ),
        (
            &[("blocks      = 8", "blocks = 100"), ("duration      = \"5s\"", "duration = \"5m\"")],
            "6 hours is the most",
        ),
    ]);
}

#[test]
fn all_mistakes_are_said_at_once_each_at_its_line_and_each_once() {
    let text = changed(&[
        ("endpoint = \"indexed\"", "endpoint = \"indxed\""),
        ("work_mem = \"16MB\"", "wrk_mem = \"16MB\""),
        ("baseline    = \"btree\"", "baseline = \"btre\""),
        ("indexes  = [\"idx_users_email_active\"]", "indexes = [\"idx_x\"]"),
        ("key = \"user:email:{email}\"", "key = \"user:email\""),
        ("where        = { status = \"active\" }", "where = { status = \"gone\" }"),
    ]);
    let problems = planned(&text, &Layers::default()).expect_err("mistakes");
    let mut lines = Vec::new();
    for problem in &problems {
        let Place::File { line, start, end, .. } = &problem.place else {
            panic!("{problem:?} is nowhere")
        };
        lines.push(format!("{} {}: {}", problem.code, &text[*start..*end], problem.what));
        assert!(*line > 1, "{problem:?}");
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_patch_is_blamed_where_it_stands() {
    let text =
        changed(&[("indexes  = []", "indexes = []\nservices.postgres.settings.jitt = \"on\"")]);
    let problems = planned(&text, &Layers::default()).expect_err("a mistake");
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let Place::File { start, .. } = problems[0].place else { panic!("{problems:?}") };
    assert!(text[start..].starts_with("jitt"), "{}", &text[start..start + 40]);
}

#[test]
fn a_design_without_a_primary_metric_gets_the_one_of_its_first_loads_model() {
    let primary = "primary     = { metric = \"response_time_p50\", load = \"unloaded\" }";
    let metric = |loads: &str| {
        let text = changed(&[
            (primary, ""),
            ("loads       = [\"unloaded\", \"steady\", \"users100\"]", loads),
            ("aa_check    = \"unloaded\"", ""),
        ]);
        let plan = planned(&text, &Layers::default()).expect("right");
        (plan.design.primary_metric.name(), plan.design.primary_load)
    };
    assert_eq!(metric("loads = [\"users100\", \"steady\"]"), ("throughput", "users100".into()));
    assert_eq!(
        metric("loads = [\"steady\", \"users100\"]"),
        ("response_time_p95", "steady".into())
    );
}
