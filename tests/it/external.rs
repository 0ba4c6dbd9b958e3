//! An experiment on a Postgres that is not querylab's: it goes there only where it is allowed, leaves it as it was, says what
//! it can't know, and the password is nowhere.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use querylab::results::read_trials;
use sqlx::PgConnection;

use crate::api::servers::{self, Servers};
use crate::lab::{Project, expect_code, text_of};

const FILE: &str = include_str!("../fixtures/external.toml");
const VARIABLE: &str = "QUERYLAB_TEST_URL";

/// Somebody's tables: a role that may only read, and one function that would write.
async fn fill(servers: &Servers) -> PgConnection {
    let mut boss = servers.boss().await;
    for sql in [
        "CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL)",
        "INSERT INTO people SELECT n, 'p' || n || '@example.com' FROM generate_series(1, 5000) AS n",
        "CREATE UNIQUE INDEX people_email ON people (email)",
        "CREATE TABLE seen (at timestamptz)",
        "CREATE FUNCTION look(wanted text) RETURNS TABLE (id int, email text) LANGUAGE sql VOLATILE SECURITY DEFINER \
         AS 'INSERT INTO seen VALUES (now()); SELECT id, email FROM people WHERE email = wanted'",
        "REVOKE CREATE ON SCHEMA public FROM api",
        "GRANT SELECT ON people TO api",
        "ANALYZE people",
    ] {
        servers::execute(&mut boss, sql).await;
    }
    boss
}

/// What would tell that somebody was there who did more than read.
async fn traces(boss: &mut PgConnection) -> Vec<String> {
    let mut found = Vec::new();
    for sql in [
        "SELECT 'rows ' || count(*) || ' ' || sum(id) FROM people",
        "SELECT 'seen ' || count(*) FROM seen",
        "SELECT 'databases ' || string_agg(datname, ' ' ORDER BY datname) FROM pg_database",
        "SELECT 'roles ' || string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'",
        "SELECT 'relations ' || string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE oid >= 16384",
        "SELECT 'extensions ' || string_agg(extname, ' ' ORDER BY extname) FROM pg_extension",
        "SELECT 'upkeep ' || sum(analyze_count + vacuum_count) FROM pg_stat_user_tables",
    ] {
        let row: String = sqlx::query_scalar(sql).fetch_one(&mut *boss).await.expect(sql);
        found.push(row);
    }
    found
}

/// `querylab …` in the project's folder, with the URL.
fn querylab(project: &Project, args: &[&str], url: Option<&str>) -> Output {
    let mut command: Command = project.querylab(args);
    if let Some(url) = url {
        command.env(VARIABLE, url);
    }
    command.output().expect("it ends")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_reads_from_somebody_elses_postgres_and_leaves_it_as_it_was() {
    let Some(servers) = servers::start_on_tcp().await else { return };
    let mut boss = fill(&servers).await;
    let before = traces(&mut boss).await;
    let project = Project::new();
    let name = "experiments/external.toml";
    fs::write(project.dir.join(name), FILE).expect("written");
    let url = servers.url();

    // Nothing is asked for a check; a run says at the key what it lacks.
    expect_code(&querylab(&project, &["check", name], None), 0);
    let refused = querylab(&project, &["run", name], Some(&url));
    expect_code(&refused, 2);
    let said = text_of(&refused.stderr);
    assert!(said.contains("--allow-external") && said.contains("external.toml:9:"), "{said}");
    let unset = querylab(&project, &["run", "--allow-external", name], None);
    expect_code(&unset, 2);
    assert!(text_of(&unset.stderr).contains("the variable QUERYLAB_TEST_URL is not set"));
    let wrong = querylab(&project, &["run", "--allow-external", name], Some("hunter2"));
    expect_code(&wrong, 2);
    assert!(!text_of(&wrong.stderr).contains("hunter2"), "{}", text_of(&wrong.stderr));
    assert!(!project.dir.join(".querylab").exists(), "nothing was started");

    let done = querylab(&project, &["run", "--allow-external", "--keep", name], Some(&url));
    expect_code(&done, 0);
    assert_eq!(traces(&mut boss).await, before);
    told(&project);
    let password = Servers::password();
    for said in [&done.stdout, &done.stderr] {
        assert!(!text_of(said).contains(password), "{}", text_of(said));
    }
    // The scratch folder was kept, with all that the servers were started with.
    assert_eq!(holds(&project.scratch, "stub_status"), Some(true), "it was looked into");
    for folder in [&project.dir, &project.scratch] {
        assert_eq!(holds(folder, password), Some(false), "{}", folder.display());
    }
}

/// Whether a text is in any file below a folder; none where there is no file. Sockets can't be read.
fn holds(folder: &Path, text: &str) -> Option<bool> {
    let mut open = vec![folder.to_path_buf()];
    let mut found = None;
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else if let Ok(bytes) = fs::read(&path) {
                let has = text_of(&bytes).contains(text);
                found = Some(found.unwrap_or(false) || has);
            }
        }
    }
    found
}

/// What the results say of it.
fn told(project: &Project) {
    let published = project.dir.join("results/external/full");
    let read = |file: &str| fs::read_to_string(published.join(file)).expect(file);
    let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).expect("JSON");
    assert!(manifest["versions"]["postgres"].as_str().expect("a version").starts_with('1'));
    assert_eq!(manifest["dataset"]["origin"]["how"], "external");
    assert_eq!(manifest["dataset"]["origin"]["could_write"], false);
    assert_eq!(manifest["settings"]["ten/postgres"]["max_connections"], "100");
    let trials = read_trials(read("trials.csv").as_bytes()).expect("trials");
    assert!(trials.iter().filter(|trial| trial.outcome.is_valid()).count() >= 2, "{trials:#?}");
    for witness in trials.iter().filter_map(|trial| trial.witness.as_ref()) {
        assert_eq!((witness.buffers_hit, witness.wal_bytes), (None, None));
        assert_eq!((witness.postgres_statements, witness.foreign_cpu_share), (None, None));
        assert!(witness.index_scans.is_empty() && !witness.resources.contains_key("postgres"));
        assert!(witness.api_statements > 0 && witness.resources.contains_key("api"));
    }
    let report = read("report.md");
    assert!(report.contains("Postgres is not querylab's"), "{report}");
    assert!(report.contains("cells are empty, which is not zero"), "{report}");
    let plan = read("plans/ten-find.json");
    assert!(plan.contains("people_email"), "{plan}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_write_there_fails_and_an_index_that_is_not_there_is_missed() {
    let Some(servers) = servers::start_on_tcp().await else { return };
    let mut boss = fill(&servers).await;
    let before = traces(&mut boss).await;
    let project = Project::new();
    let name = "experiments/external.toml";
    let url = servers.url();
    let run = |text: String| {
        fs::write(project.dir.join(name), text).expect("written");
        querylab(&project, &["run", "--allow-external", name], Some(&url))
    };
    // What a function does inside nobody sees before: the server refuses it, and the trial fails.
    let query = "SELECT id, email FROM people WHERE email = $1";
    assert!(FILE.contains(query));
    let calls = FILE.replace(query, "SELECT id, email FROM look($1)");
    let calls = calls.lines().filter(|line| !line.starts_with("expect")).collect::<Vec<_>>();
    let output = run(calls.join("\n"));
    assert_ne!(output.status.code(), Some(0), "{}", text_of(&output.stderr));
    assert_eq!(traces(&mut boss).await, before);

    let missed = run(FILE.replace("people_email", "people_name"));
    expect_code(&missed, 6);
    let said = text_of(&missed.stderr);
    assert!(said.contains("the external Postgres has no index [people_name]"), "{said}");

    servers::execute(&mut boss, "ALTER ROLE api SUPERUSER").await;
    let boss_like = run(FILE.to_owned());
    expect_code(&boss_like, 3);
    assert!(text_of(&boss_like.stderr).contains("superuser"), "{}", text_of(&boss_like.stderr));
    project.expect_nothing_left();
}
