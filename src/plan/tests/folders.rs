//! Folders of migrations with something wrong in them.

use super::*;
use crate::spec::Place;

#[test]
fn a_folder_of_migrations_is_checked_file_by_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("migrations/users");
    std::fs::create_dir_all(&users).expect("made");
    std::fs::create_dir(folder.path().join("experiments")).expect("made");
    let sql = "CREATE TABLE users (email text, name text, status text, created_at date);\n";
    for (name, text) in [
        ("0001_users.sql", sql.as_bytes()),
        ("0001_again.sql", b"SELECT 1"),
        ("README.md", b"# notes"),
        ("0002_psql.sql", b"SELECT 1;\n\\c other\n"),
        ("0003_copy.sql", b"\nCOPY users FROM stdin;\nit's\n\\.\n"),
        ("0004_latin.sql", b"SELECT '\xe9'"),
    ] {
        std::fs::write(users.join(name), text).expect("written");
    }
    let file = folder.path().join("experiments/0001-email-lookup.toml");
    let spec = load_text(&file, EXAMPLE.to_owned(), &Layers::default()).expect("read");
    let mut says: Vec<String> = resolve(&spec)
        .expect_err("mistakes")
        .into_iter()
        .map(|p| {
            let Place::File { line, path, .. } = p.place else { panic!("nowhere") };
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            format!("{name}:{line} {}", p.what)
        })
        .collect();
    says.sort();
    insta::assert_snapshot!(says.join("\n"));
}

#[test]
fn a_folder_that_is_empty_or_no_folder_is_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("migrations/users")).expect("made");
    std::fs::create_dir(folder.path().join("experiments")).expect("made");
    let file = folder.path().join("experiments/0001-email-lookup.toml");
    let what = || {
        let spec = load_text(&file, EXAMPLE.to_owned(), &Layers::default()).expect("read");
        let problems = resolve(&spec).expect_err("a mistake");
        assert_eq!(problems.len(), 1, "{problems:#?}");
        problems[0].what.clone()
    };
    assert!(what().contains("there is no migration in"), "{}", what());
    std::fs::remove_dir(folder.path().join("migrations/users")).expect("removed");
    std::fs::write(folder.path().join("migrations/users"), "").expect("written");
    assert!(what().contains("can't be read: not a directory"), "{}", what());
}

/// What is wrong with the example on this migration.
fn on(sql: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("migrations/users")).expect("made");
    std::fs::create_dir(folder.path().join("experiments")).expect("made");
    std::fs::write(folder.path().join("migrations/users/0001_users.sql"), sql).expect("written");
    let file = folder.path().join("experiments/0001-email-lookup.toml");
    let spec = load_text(&file, EXAMPLE.to_owned(), &Layers::default()).expect("read");
    let place = |p: &Problem| match &p.place {
        Place::File { line, .. } => EXAMPLE.lines().nth(line - 1).unwrap_or_default().to_owned(),
        _ => "nowhere".to_owned(),
    };
    let problems = resolve(&spec).err().unwrap_or_default();
    problems.iter().map(|p| format!("{} {} @ {}", p.code, p.what, place(p))).collect()
}

#[test]
fn a_generator_that_repeats_where_values_must_be_unique_is_refused() {
    let table = |rest: &str| {
        format!("CREATE TABLE users (id serial PRIMARY KEY, email text UNIQUE, {rest});")
    };
    let fine = "name text, status text, created_at timestamp NOT NULL, UNIQUE (name, email)";
    assert_eq!(on(&table(fine)), [""; 0]);
    for (rest, says) in [
        (
            "name text UNIQUE, status text, created_at timestamp",
            "`name` of `users` must be unique (0001_users.sql:1), and rows ",
        ),
        (
            "name text, status text, created_at timestamp, UNIQUE (name, status)",
            "`name` with `status` of `users` must be unique",
        ),
        (
            "name text, status text, created_at timestamp); CREATE UNIQUE INDEX ON users (status",
            "`status` of `users` must be unique",
        ),
    ] {
        let said = on(&table(rest));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("QL0620") && said[0].contains(says), "{said:?}");
        assert!(said[0].contains("generator = "), "at the generator: {said:?}");
    }
}
