//! The command line without servers: checking, planning, exit codes, streams.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use crate::lab::{Project, expect_code, text_of};

const TINY: &str = "experiments/tiny.toml";

#[test]
fn eight_different_mistakes_are_eight_located_messages_and_nothing_is_started() {
    let project = Project::new();
    let path = project.dir.join(TINY);
    let text = std::fs::read_to_string(&path)
        .unwrap()
        .replace("seed     = 7", "seed     = -7")
        .replace("duration = \"500ms\"", "durtion = \"500ms\"\nduration = \"500ms\"")
        .replace("max = \"300ms\"", "max = 300")
        .replace("users    = 1\n", "users    = 0\n")
        .replace("loads    = [\"one\"]", "loads    = [\"oen\"]")
        .replace("endpoint = \"find\"", "endpoint = \"fnd\"")
        .replace("[\"idx_people_email\"]\nfill", "[\"idx_people_emial\"]\nfill")
        .replace("WHERE email = $1\"\nbind  = [\"email\"]\ncheck = { status = 200, rows = 1, fields = { email = \"{email}\", status", "WHERE email = $2\"\nbind  = [\"email\"]\ncheck = { status = 200, rows = 1, fields = { email = \"{email}\", status");
    std::fs::write(&path, text).unwrap();
    let output = project.output(&["run", TINY]);
    expect_code(&output, 2);
    let said = text_of(&output.stderr);
    let located = said
        .lines()
        .filter(|line| line.trim_start().starts_with("--> experiments/tiny.toml:"))
        .count();
    assert!(located >= 8, "{said}");
    for part in [
        "`experiment.seed` must be",
        "did you mean `duration`",
        "`load.one.warmup.max` must be a text",
        "`load.one.users` must be",
        "did you mean `one`",
        "did you mean `find`",
        "did you mean `idx_people_email`",
        "$2",
    ] {
        assert!(said.contains(part), "`{part}` in:\n{said}");
    }
    assert!(!project.dir.join(".querylab").exists(), "nothing was started, nothing written");
    assert!(!project.dir.join("results").exists());
}

#[test]
fn every_shipped_experiment_is_right_in_each_of_its_profiles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Project::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(root.join("experiments")).unwrap().flatten() {
        let file = entry.path();
        let file = file.to_str().unwrap();
        for profile in [None, Some("smoke"), Some("ci")] {
            let mut args = vec!["check", file];
            args.extend(profile.iter().flat_map(|p| ["--profile", p]));
            expect_code(&project.output(&args), 0);
            seen += 1;
        }
    }
    assert!(seen >= 3);
}

#[test]
fn the_checked_in_schema_is_what_the_program_prints_and_accepts_every_experiment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Project::new();
    let printed = project.output(&["schema"]);
    expect_code(&printed, 0);
    let kept = std::fs::read_to_string(root.join("infra/schema/experiment.schema.json")).unwrap();
    assert_eq!(
        text_of(&printed.stdout),
        kept,
        "run `querylab schema > infra/schema/experiment.schema.json`"
    );
    let schema: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for entry in std::fs::read_dir(root.join("experiments")).unwrap().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let value: serde_json::Value = toml::from_str(&text).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", entry.path().display());
    }
    let wrong: serde_json::Value = toml::from_str("[experiment]\nfrmat = 1").unwrap();
    assert!(!validator.is_valid(&wrong), "the schema refuses what is wrong");
}

#[test]
fn the_same_file_and_seed_give_the_same_plan_and_another_seed_another() {
    let project = Project::new();
    let plan = |args: &[&str]| {
        let mut all = vec!["plan", TINY, "--json"];
        all.extend(args);
        let output = project.output(&all);
        expect_code(&output, 0);
        text_of(&output.stdout)
    };
    assert_eq!(plan(&[]), plan(&[]));
    assert_ne!(plan(&[]), plan(&["--seed", "8"]));
}

#[test]
fn wrong_flags_are_exit_2_and_help_is_exit_0() {
    let project = Project::new();
    for args in [
        &["rnu"][..],
        &["run"],
        &["run", TINY, "--blocks", "-3"],
        &["run", TINY, "--blocks", "1000000000"],
        &["run", "no-such-file.toml"],
    ] {
        expect_code(&project.output(args), 2);
    }
    let help = project.output(&["--help"]);
    expect_code(&help, 0);
    assert!(text_of(&help.stdout).contains("Usage"));
    assert!(help.stderr.is_empty());
}

#[test]
fn a_reader_that_has_seen_enough_is_no_panic_and_a_full_disk_is_exit_3() {
    let project = Project::new();
    let mut child = project
        .querylab(&["plan", TINY, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    expect_code(&output, 0);
    assert!(!text_of(&output.stderr).contains("panic"));

    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = project.querylab(&["schema"]).stdout(full).output().unwrap();
    expect_code(&output, 3);
}

#[test]
fn an_override_from_the_environment_that_means_nothing_is_refused_by_name() {
    let project = Project::new();
    let output =
        project.querylab(&["check", TINY]).env("QUERYLAB__DESIGN__BLOKCS", "3").output().unwrap();
    expect_code(&output, 2);
    assert!(
        text_of(&output.stderr).contains("QUERYLAB__DESIGN__BLOKCS"),
        "{}",
        text_of(&output.stderr)
    );
    let output =
        project.querylab(&["plan", TINY]).env("QUERYLAB__DESIGN__BLOCKS", "3").output().unwrap();
    expect_code(&output, 0);
    assert!(text_of(&output.stdout).contains("3 blocks"), "{}", text_of(&output.stdout));
}

#[test]
fn colours_are_for_terminals_unless_they_are_asked_for() {
    let project = Project::new();
    let plain = project.output(&["check", "no-such-file.toml"]);
    assert!(!text_of(&plain.stderr).contains('\x1b'));
    let coloured = project.output(&["check", "no-such-file.toml", "--color", "always"]);
    assert!(text_of(&coloured.stderr).contains('\x1b'));
}

#[test]
fn the_readme_shows_the_table_of_the_published_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let report =
        std::fs::read_to_string(root.join("results/0001-email-lookup/full/report.md")).unwrap();
    let (_, after) = readme.split_once("<!-- querylab:0001 -->").unwrap();
    let (shown, _) = after.split_once("<!-- /querylab:0001 -->").unwrap();
    let rows: Vec<&str> = shown.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 7, "a header and five variants");
    for row in rows {
        assert!(report.lines().any(|line| line == row), "not in the report: {row}");
    }
}

#[test]
fn the_published_runs_are_whole_and_their_reports_are_what_they_render_to() {
    for profile in ["full", "ci"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0001-email-lookup");
        let root = root.join(profile);
        let project = Project::new();
        let copy = project.dir.join(profile);
        std::fs::create_dir_all(copy.join("plans")).unwrap();
        for (path, bytes) in crate::lab::files(&root) {
            std::fs::write(copy.join(path.strip_prefix(&root).unwrap()), bytes).unwrap();
        }
        let before = crate::lab::files(&copy);
        let rendered = project.output(&["report", profile]);
        expect_code(&rendered, 0);
        let says = text_of(&rendered.stdout);
        assert!(says.contains("byte for byte"), "{profile}: {says}");
        assert_eq!(crate::lab::files(&copy), before, "{profile}");
    }
}
