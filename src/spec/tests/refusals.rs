//! One wrong thing in the worked example, one problem: a table of bad inputs.

use super::{changed, codes_and_lines, load_as_worked, says};
use crate::spec::{Color, Layers, render, render_json};

/// What to change, and the codes that it gives.
const CASES: &[(&str, &str, &[&str])] = &[
    // Unknown keys, missing keys, types.
    ("[experiment]", "rte = 1\n[experiment]", &["QL0201"]),
    ("seed     = 20250105", "", &["QL0202"]),
    ("seed     = 20250105", "seed = 1\nseed = 2", &["QL0106"]),
    ("seed     = 20250105", "seed = \"5\"", &["QL0301"]),
    ("seed     = 20250105", "seed = 1.0", &["QL0301"]),
    ("seed     = 20250105", "seed = -1", &["QL0302"]),
    ("seed     = 20250105", "seed = 99999999999999999999", &["QL0306"]),
    ("seed     = 20250105", "seed = inf", &["QL0306"]),
    ("tags     = [\"users\"", "tags     = [2024-01-01", &["QL0301"]),
    ("tags     = [\"users\"", "tags     = [{ a = 1 }", &["QL0301"]),
    ("tags     = [\"users\", \"indexes\", \"cache\"]", "tags = \"users\"", &["QL0301"]),
    // Format, id, names.
    ("format   = 1", "format = 2", &["QL0316"]),
    ("id       = \"0001-email-lookup\"", "id = \"0002-other\"", &["QL0206"]),
    ("[indexes]", "[indexes]\nIdx = \"x\"", &["QL0205"]),
    (
        "[load.unloaded]",
        "[load.none]\nmodel = \"closed\"\nusers = 1\nduration = \"1s\"\n[load.unloaded]",
        &["QL0205"],
    ),
    ("[profiles.ci]", "[profiles.full]\n[profiles.ci]", &["QL0205"]),
    ("[profiles.ci]", "[profiles.x.profiles.y]\n[profiles.ci]", &["QL0201"]),
    (
        "[dataset.tables.users]",
        "[dataset.tables.\"a\\\"; drop table t; --\"]\nrows = 1\ncolumns = {}\n[dataset.tables.users]",
        &["QL0205"],
    ),
    ("route = \"GET /users/scan\"", "route = \"FETCH /users\"", &["QL0307"]),
    ("version  = \">=15\"", "version = \">15\"", &["QL0307"]),
    (
        "title    = \"Email lookup on 10M users: sequential scan, three indexes, Redis cache-aside\"",
        "title = \"\"",
        &["QL0304"],
    ),
    ("rows = 10_000_000", "rows = 1_000_000_000_000", &["QL0302"]),
    // Durations and rates.
    ("rate          = \"1000/s\"", "rate = \"1000\"", &["QL0303"]),
    ("rate          = \"1000/s\"", "rate = 1000", &["QL0301"]),
    ("rate          = \"1000/s\"", "rate = \"0/s\"", &["QL0303"]),
    ("ttl = \"300s\"", "ttl = \"99999999999y\"", &["QL0303"]),
    ("ttl = \"300s\"", "ttl = \"-5s\"", &["QL0303"]),
    ("ttl = \"300s\"", "ttl = \"0s\"", &["QL0308"]),
    ("duration = \"30s\"", "duration = \"0s\"", &["QL0308"]),
    (
        "fill     = { users = 10, max = \"60s\"",
        "fill     = { users = 10, max = \"0s\"",
        &["QL0308"],
    ),
    ("time_budget = \"45m\"", "time_budget = \"0s\"", &["QL0308"]),
    ("blocks      = 8", "blocks = 0", &["QL0302"]),
    // Loads.
    ("users    = 1\n", "", &["QL0402"]),
    ("rate          = \"1000/s\"", "", &["QL0402"]),
    ("users    = 1\n", "users = 1\nrate = \"5/s\"\n", &["QL0401"]),
    (
        "warmup   = { min = \"2s\", max = \"15s\"",
        "warmup = { min = \"20s\", max = \"15s\"",
        &["QL0403"],
    ),
    ("until = \"cache_hit_ratio >= 0.94\"", "until = \"cache_hit_ratio >= 94\"", &["QL0309"]),
    ("until = \"cache_hit_ratio >= 0.94\"", "until = \"hits\"", &["QL0309"]),
    ("until = \"cache_hit_ratio >= 0.94\"", "until = \"throughput >= 5\"", &["QL0501"]),
    // Columns and parameters.
    ("{ generator = \"person-name\" }", "{ generator = \"person-name\", min = 1 }", &["QL0401"]),
    ("{ generator = \"person-name\" }", "{ generator = \"person\" }", &["QL0305"]),
    ("{ generator = \"person-name\" }", "{}", &["QL0402"]),
    (
        "{ generator = \"person-name\" }",
        "{ generator = \"integer\", min = 5, max = 1 }",
        &["QL0403"],
    ),
    (
        "{ generator = \"person-name\" }",
        "{ generator = \"integer\", min = 0.5, max = 1 }",
        &["QL0301"],
    ),
    (
        "weights = { active = 70, inactive = 30 }",
        "weights = { active = 70, inactive = -30 }",
        &["QL0312"],
    ),
    ("weights = { active = 70, inactive = 30 }", "weights = {}", &["QL0312"]),
    (
        "weights = { active = 70, inactive = 30 }",
        "weights = { active = nan, inactive = 30 }",
        &["QL0306"],
    ),
    ("start = \"2024-01-01T00:00:00Z\"", "start = \"2024-13-01\"", &["QL0311"]),
    ("start = \"2024-01-01T00:00:00Z\"", "start = 2024-01-01T00:00:00Z", &["QL0301"]),
    ("step = \"1s\"", "step = 1", &["QL0303"]),
    ("email{row}", "email{row", &["QL0310"]),
    ("email{row}", "email}row", &["QL0310"]),
    ("from         = \"users.email\"", "from = \"public.users.email\"", &["QL0307"]),
    ("from         = \"users.email\"", "from = \"users.email\"\nvalues = [\"a\"]", &["QL0401"]),
    ("kind = \"zipfian\", exponent = 0.99, keys", "exponent = 0.99, keys", &["QL0401"]),
    ("exponent = 0.99, keys = 10_000", "exponent = 0.99", &["QL0402"]),
    (
        "kind = \"zipfian\", exponent = 0.99, keys",
        "kind = \"hot-set\", hot_keys = \"1%\", keys",
        &["QL0402"],
    ),
    (
        "kind = \"zipfian\", exponent = 0.99, keys",
        "kind = \"hot-set\", hot_keys = \"100%\", hot_requests = \"90%\", keys",
        &["QL0302"],
    ),
    (
        "kind = \"zipfian\", exponent = 0.99, keys",
        "kind = \"hot-set\", hot_keys = 0, hot_requests = \"90%\", keys",
        &["QL0302"],
    ),
    (
        "kind = \"zipfian\", exponent = 0.99, keys",
        "kind = \"hot-set\", hot_keys = true, hot_requests = \"90%\", keys",
        &["QL0301"],
    ),
    ("exponent = 0.99, keys", "hot_requests = \"90%\", keys", &["QL0401"]),
    (
        "from         = \"users.email\"",
        "from = \"users.email\"\nfrom_csv = { file = \"a.csv\", column = \"a\" }",
        &["QL0401"],
    ),
    (
        "from         = \"users.email\"\nwhere        = { status = \"active\" }      # drawn from the generator: \
         costs the database nothing\ndistribution = { kind",
        "from_log = { file = \"a.jsonl\" }\ndistribution = { kind",
        &["QL0401"],
    ),
    (
        "from         = \"users.email\"\nwhere        = { status = \"active\" }",
        "from_csv = { file = \"a.csv\" }",
        &["QL0202"],
    ),
    ("\"text\"\nmax_length   = 255", "\"uuid\"\nmax_length = 255", &["QL0401"]),
    ("key = \"user:email:{email}\"", "key = \"user:email:{email\"", &["QL0310"]),
    // Claims, thresholds, expectations, design.
    ("about = \"8000ms\", tolerance = \"25%\"", "tolerance = \"25%\"", &["QL0404"]),
    ("about = \"8000ms\", tolerance = \"25%\"", "about = \"8000ms\"", &["QL0402"]),
    (
        "about = \"8000ms\", tolerance = \"25%\"",
        "about = \"8GB\", tolerance = \"25%\"",
        &["QL0303"],
    ),
    (
        "about = \"8000ms\", tolerance",
        "about = \"8000ms\", at_least = \"1s\", tolerance",
        &["QL0401"],
    ),
    ("vs = \"btree\", ratio = 0.70", "ratio = 0.70", &["QL0402"]),
    (
        "metric = \"index_bytes\", variant",
        "metric = \"index_bytes\", load = \"steady\", variant",
        &["QL0401"],
    ),
    ("load = \"users100\", at_least", "at_least", &["QL0402"]),
    ("at_least = 0.94", "at_least = 94", &["QL0303"]),
    ("max      = 0.001", "", &["QL0405"]),
    ("max      = 0.001", "max = 0.1\nmin = 0.2", &["QL0403"]),
    ("cache_hit_ratio = { min = 0.90 }", "cache_hit_ratio = { min = 90 }", &["QL0302"]),
    ("cache_hit_ratio = { min = 0.90 }", "cache_hit_ratio = {}", &["QL0405"]),
    ("metric   = \"error_ratio\"", "metric = \"errors\"", &["QL0305"]),
    ("aa_check    = \"unloaded\"", "aa_check = \"Un loaded\"", &["QL0205"]),
    ("\"steady\", \"users100\"]\nblocks", "\"steady\", \"steady\"]\nblocks", &["QL0207"]),
    ("id     = \"partial-30-percent-smaller\"", "id = \"scan-8000ms\"", &["QL0207"]),
    ("response_time_p50 = \"10%\"", "response_tim_p50 = \"10%\"", &["QL0201"]),
    ("loads       = [\"unloaded\", \"steady\", \"users100\"]", "loads = []", &["QL0315"]),
    // Texts.
    ("migrations = \"../migrations/users\"", "migrations = \"${HOME}/users\"", &["QL0314"]),
    ("migrations = \"../migrations/users\"", "migrations = \"a\\u0000b\"", &["QL0313"]),
    ("work_mem = \"16MB\"", "work_mem = \"4MB\\nlisten_addresses='*'\"", &["QL0313"]),
    // Not yet.
    ("[services.redis]", "[services.redis]\ntransport = \"tcp\"", &["QL0501"]),
    ("margin      = \"5%\"", "precision = \"5%\"", &[]),
    ("margin      = \"5%\"", "precision = \"0%\"", &["QL0302"]),
    ("margin      = \"5%\"", "precision = \"101%\"", &["QL0302"]),
    ("margin      = \"5%\"", "cache_state = \"lukewarm\"", &["QL0305"]),
    ("strategy = \"cache-aside\"", "strategy = \"write-behind\"", &["QL0501"]),
];

#[test]
fn every_wrong_thing_has_its_code() {
    for (from, to, expected) in CASES {
        let text = changed(&[(from, to)]);
        let found = codes_and_lines(&text, &Layers::default());
        let codes: Vec<&str> = found.iter().map(|f| &f[..6]).collect();
        assert_eq!(&codes, expected, "{to}\n{}", says(&text));
        let changed_lines = to.lines().count();
        let before = &text[..super::WORKED.find(from).expect("there")];
        let line = before.matches('\n').count() + 1;
        for problem in found {
            let at: usize = problem[7..].parse().expect("a line");
            // A missing key is reported at its table, a few lines above.
            let is_missing = ["QL0402", "QL0202", "QL0405", "QL0404"].contains(&&problem[..6]);
            let above = if is_missing { 9 } else { 0 };
            let fits = at + above >= line && at < line + changed_lines.max(1);
            assert!(fits, "{problem}, changed at {line}: {to}");
        }
    }
}

#[test]
fn secrets_are_refused_and_never_printed() {
    let canary = "hunter2-CANARY";
    let cases = [
        ("work_mem = \"16MB\"", format!("password = \"{canary}\"")),
        ("work_mem = \"16MB\"", format!("password = \"{canary}\", bogus_typ = {{}}")),
        ("seed     = 20250105", format!("api_token = \"\"\"\n{canary}\n\"\"\"")),
        ("seed     = 20250105", format!("seed = \"postgres://u:{canary}@prod/db\"")),
        ("ttl = \"300s\"", format!("ttl = \"redis://:{canary}@10.0.0.5\"")),
        ("migrations = \"..", format!("migrations = \"http://h/?password={canary}&..")),
        ("model    = \"closed\"", format!("model = \"https://{canary}@x\"")),
        ("seed     = 20250105", format!("password = \"{canary}")),
        ("seed     = 20250105", format!("password = {canary}")),
        ("seed     = 20250105", format!("x = {{ secret = \"{canary}\", }} y")),
    ];
    for (from, to) in cases {
        let text = changed(&[(from, &to)]);
        let problems = load_as_worked(&text, &Layers::default()).expect_err("a secret");
        let all = format!(
            "{}{}{}{problems}",
            render(&problems, Color::Plain),
            render(&problems, Color::Ansi),
            render_json(&problems)
        );
        assert!(!all.contains(canary), "{to}\n{all}");
    }
    let layers = Layers {
        environment: vec![(
            "QUERYLAB__SERVICES__REDIS__SETTINGS__REQUIREPASS".into(),
            canary.into(),
        )],
        sets: vec![
            format!("services.postgres.settings.password={canary}"),
            format!("experiment.title=postgres://u:{canary}@h"),
        ],
        ..Layers::default()
    };
    let problems = load_as_worked(super::WORKED, &layers).expect_err("secrets");
    let all = format!("{}{}", render(&problems, Color::Plain), render_json(&problems));
    assert!(!all.contains(canary), "{all}");
    assert_eq!(problems.list.iter().filter(|p| p.code == "QL0406").count(), 3, "{all}");
}

#[test]
fn every_code_is_given_by_some_test() {
    let here = concat!(
        include_str!("refusals.rs"),
        include_str!("layers.rs"),
        include_str!("mistakes.rs"),
        include_str!("../file.rs"),
        include_str!("../parse.rs"),
    );
    for (code, _) in crate::spec::codes::ALL {
        // A gap cannot be asked for: the property tests look for one.
        assert!(*code == crate::spec::codes::GAP || here.contains(code), "{code}");
    }
}
