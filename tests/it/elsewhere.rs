//! Tables whose rows come from files and queries, loaded into a real Postgres; and what is refused before that.

use std::fs;
use std::path::Path;

use querylab::dataset::{self, Addresses};
use querylab::plan::{self, Plan, PostgresAddress};
use querylab::spec::{Layers, load_text};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use crate::api::servers;

const SCHEMA: &str = "
CREATE TABLE countries (code char(2) PRIMARY KEY, name text, area numeric);
CREATE TABLE people (id serial PRIMARY KEY, country char(2) NOT NULL REFERENCES countries, note text);
CREATE TABLE visits (id bigserial PRIMARY KEY, person integer NOT NULL REFERENCES people, country char(2) REFERENCES countries);
CREATE TABLE days (day date PRIMARY KEY, working boolean NOT NULL);
CREATE TABLE notes (id int PRIMARY KEY, body text);
";

const EXPERIMENT: &str = r#"
[experiment]
format = 1
id = "elsewhere"
title = "Rows from elsewhere"
question = "Do they arrive?"
seed = 1
[dataset]
migrations = "../migrations/all"
[dataset.tables.countries]
from = { csv = "data/countries.csv", null_as = "-" }
[dataset.tables.people]
rows = 40
columns.id = { generator = "sequence" }
columns.country = { generator = "choice", values = ["de", "fr"] }
[dataset.tables.visits]
from = { dump = "data/dump.sql" }
[dataset.tables.days]
from = { query = "SELECT d, extract(isodow FROM d) < 6 FROM generate_series(date '2024-01-01', '2024-01-31', '1 day') AS d;", columns = ["day", "working"] }
[dataset.tables.notes]
from = { sql = "data/notes.sql" }
[params.code]
type = "text"
from = "countries.code"
[endpoints.find]
route = "GET /countries"
query = "SELECT name FROM countries WHERE code = $1::bpchar"
bind = ["code"]
[load.one]
model = "closed"
users = 1
duration = "1s"
[variants.one]
endpoint = "find"
[variants.two]
endpoint = "find"
services.postgres.settings.jit = "off"
[design]
baseline = "one"
loads = ["one"]
blocks = 2
"#;

const COUNTRIES: &str = "code,name,area\nde,\"Germany, \"\"D\"\"\",357\nfr,-,-\ngb,\"-\",-\n";
const DUMP: &str = "\\restrict x\nSET client_encoding = 'UTF8';\nCREATE TABLE public.visits (id bigint);\n\
                    COPY public.people (id) FROM stdin;\n99\n\\.\n\
                    COPY public.visits (id, person, country) FROM stdin;\n1\t1\tde\n2\t40\t\\N\n\\.\n\
                    ALTER TABLE public.visits OWNER TO nobody;\n";
const NOTES: &str = "INSERT INTO notes VALUES (1, 'a;b');\nINSERT INTO notes SELECT n, 'x' FROM generate_series(2, 5) AS n;\n";

/// Files of an experiment, and itself.
fn files(folder: &Path, changes: &[(&str, &str)]) {
    for (file, text) in [
        ("migrations/all/0001_all.sql", SCHEMA),
        ("experiments/data/countries.csv", COUNTRIES),
        ("experiments/data/dump.sql", DUMP),
        ("experiments/data/notes.sql", NOTES),
    ] {
        let other = changes.iter().find(|(name, _)| file.ends_with(name)).map(|(_, text)| *text);
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, other.unwrap_or(text)).unwrap();
    }
}

/// The plan of the experiment with parts replaced, or what is wrong with it.
fn planned(folder: &Path, changes: &[(&str, &str)]) -> Result<Plan, Vec<String>> {
    let text = changes.iter().fold(EXPERIMENT.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let file = folder.join("experiments/elsewhere.toml");
    let shown = |problems: &[querylab::spec::Problem]| -> Vec<String> {
        problems.iter().map(|p| format!("{} {:?}: {}", p.code, p.place, p.what)).collect()
    };
    let spec = load_text(&file, text, &Layers::default()).map_err(|p| shown(&p.list))?;
    plan::resolve(&spec).map_err(|p| shown(&p))
}

async fn truth(connection: &mut PgConnection, sql: &str) -> Option<bool> {
    let query = AssertSqlSafe(format!("SELECT {sql}"));
    sqlx::query_scalar(query).fetch_one(connection).await.unwrap_or_else(|e| panic!("{sql}: {e}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_files_and_queries_arrive_as_they_are() {
    let Some(running) = servers::start(false).await else { return };
    let folder = tempfile::tempdir().unwrap();
    files(folder.path(), &[]);
    let plan = planned(folder.path(), &[]).unwrap();
    let sources: Vec<(&str, Option<u64>)> =
        plan.dataset.sources.iter().map(|s| (s.table.as_str(), s.rows)).collect();
    assert_eq!(
        sources,
        [("countries", Some(3)), ("visits", Some(2)), ("days", None), ("notes", None)]
    );
    let app = running.launch(Vec::new()).postgres;
    let admin = PostgresAddress { user: "boss".into(), ..app.clone() };
    let addresses = Addresses { admin, app };
    let migrations = folder.path().join("experiments").join(&plan.dataset.migrations);
    let made = dataset::prepare(&addresses, &migrations, &plan, &mut |_| {}).await.unwrap();
    let loaded: Vec<(&str, u64)> = made.tables.iter().map(|t| (t.name.as_str(), t.rows)).collect();
    // What refers to made rows comes after them.
    let wanted = [("countries", 3), ("days", 31), ("notes", 5), ("people", 40), ("visits", 2)];
    assert_eq!(loaded, wanted);
    let mut connection = servers::connect_to(&addresses.app_to("ql_set_0")).await;
    for sql in [
        "(SELECT name = 'Germany, \"D\"' AND area = 357 FROM countries WHERE code = 'de')",
        // NULL is what stands there without quotes.
        "(SELECT name IS NULL AND area IS NULL FROM countries WHERE code = 'fr')",
        "(SELECT name = '-' AND area IS NULL FROM countries WHERE code = 'gb')",
        "(SELECT count(*) = 2 AND bool_and(country = 'de' OR person = 40) FROM visits)",
        "(SELECT count(*) = 23 FROM days WHERE working)",
        "(SELECT body = 'a;b' FROM notes WHERE id = 1)",
        "(SELECT nextval('visits_id_seq') = 3)",
    ] {
        assert_eq!(truth(&mut connection, sql).await, Some(true), "{sql}");
    }
    // A file that is another one by then is not loaded.
    files(folder.path(), &[("countries.csv", "code,name,area\nxx,y,1\nde,-,-\nfr,-,-\n")]);
    drop(connection);
    let mut boss = running.boss().await;
    for set in &plan.index_sets {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", set.database);
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut boss).await.unwrap();
    }
    let changed = dataset::prepare(&addresses, &migrations, &plan, &mut |_| {}).await.unwrap_err();
    assert!(format!("{changed:#}").contains("was changed since it was looked at"), "{changed:#}");
}

#[test]
fn what_no_file_and_no_query_can_give_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    files(folder.path(), &[]);
    planned(folder.path(), &[]).unwrap();
    let refused = |from: &str, to: &str, says: &str| {
        let wrong = planned(folder.path(), &[(from, to)]).unwrap_err();
        assert!(wrong.iter().any(|w| w.contains(says)), "`{says}` in {wrong:#?}");
    };
    refused("data/countries.csv", "data/none.csv", "can't be read");
    refused("data/countries.csv", "/etc/passwd", "is not a relative path");
    refused(
        "null_as = \"-\"",
        "columns = [\"code\"]",
        "names the columns, as the file's first line does",
    );
    refused(
        "null_as = \"-\"",
        "header = false",
        "`dataset.tables.countries.from.columns` is required",
    );
    refused("null_as = \"-\"", "sql = \"x\"", "is a second source beside `csv`");
    refused("null_as = \"-\"", "delimiter = \",,\"", "is no delimiter");
    refused(
        "sql = \"data/notes.sql\"",
        "sql = \"data/notes.sql\", quote = \"'\"",
        "says how a CSV file is written",
    );
    refused("sql = \"data/notes.sql\"", "sql = \"data/dump.sql\"", "psql commands are not SQL");
    refused(
        "from = { sql = \"data/notes.sql\" }",
        "rows = 5",
        "unless the rows come `from` elsewhere",
    );
    refused("from = { dump", "rows = 1\nfrom = { dump", "is for rows that are made");
    refused("SELECT d, extract", "DELETE FROM days; SELECT d, extract", "not one statement");
    refused("SELECT d, extract(isodow FROM d) < 6 FROM", "DELETE FROM", "it gives no rows");
    refused("columns = [\"day\", \"working\"]", "columns = [\"dya\"]", "`dya`");
    refused("from = \"countries.code\"", "from = \"visits.id\"", "known to the server only");
    let to_file = r#"{ generator = "foreign-key", references = "countries.code" }"#;
    let choice = r#"{ generator = "choice", values = ["de", "fr"] }"#;
    refused(choice, to_file, "come from elsewhere, so its keys are not known here");

    let in_file = |file: &str, text: &str, says: &str| {
        files(folder.path(), &[(file, text)]);
        let wrong = planned(folder.path(), &[]).unwrap_err();
        assert!(wrong.iter().any(|w| w.contains(says) && w.contains("QL0630")), "{wrong:#?}");
        files(folder.path(), &[]);
    };
    in_file("countries.csv", "code,name,area\nde,x\n", "this line has 2 cells");
    in_file("dump.sql", "INSERT INTO public.visits VALUES (1);\n", "has no `COPY visits");
    in_file("dump.sql", "PGDMP", "not a plain one");
    in_file("notes.sql", "SELECT 1;", "mentions `notes`");
    files(folder.path(), &[("countries.csv", "code,nmae,area\n")]);
    let wrong = planned(folder.path(), &[]).unwrap_err();
    assert!(
        wrong.iter().any(|w| w.contains("no migration mentions a column `nmae`")),
        "{wrong:#?}"
    );
}
