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
    for entry in std::fs::read_dir(root.join("benches/believe/experiments")).unwrap().flatten() {
        expect_code(&project.output(&["check", entry.path().to_str().unwrap()]), 0);
    }
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
        for (path, bytes) in crate::lab::files(&root) {
            let file = copy.join(path.strip_prefix(&root).unwrap());
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, bytes).unwrap();
        }
        let before = crate::lab::files(&copy);
        let rendered = project.output(&["report", profile]);
        expect_code(&rendered, 0);
        let says = text_of(&rendered.stdout);
        assert!(says.contains("byte for byte"), "{profile}: {says}");
        assert_eq!(crate::lab::files(&copy), before, "{profile}");
    }
}

/// Each line of what was printed, as JSON.
fn lines_of(output: &std::process::Output) -> Vec<serde_json::Value> {
    let text = text_of(&output.stdout);
    let object = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: `{line}` in:\n{text}"))
    };
    text.lines().map(object).collect()
}

#[test]
fn every_verb_that_finds_something_says_it_as_objects_where_that_is_asked_for() {
    let project = Project::new();
    let json = |args: &[&str]| {
        let all: Vec<&str> = args.iter().chain(&["--message-format", "json"]).copied().collect();
        let output = project.output(&all);
        expect_code(&output, 0);
        lines_of(&output)
    };
    let listed = json(&["list"]);
    assert_eq!(listed.len(), 1, "{listed:#?}");
    assert_eq!(listed[0]["event"], "experiment");
    assert_eq!(listed[0]["id"], "tiny");
    assert_eq!(listed[0]["variants"], serde_json::json!(["btree", "cached"]));
    assert_eq!(listed[0]["loads"], serde_json::json!(["one"]));
    assert!(listed[0]["claims"].is_u64() && listed[0]["file"].is_string(), "{listed:#?}");

    assert_eq!(json(&["list", "--runs"]), Vec::<serde_json::Value>::new(), "no runs, no lines");
    let run = project.dir.join(".querylab/runs/tiny/20260101T000000Z-00000000");
    std::fs::create_dir_all(&run).unwrap();
    let state = serde_json::json!({
        "format": 1, "run": "20260101T000000Z-00000000", "experiment": "tiny", "profile": "full",
        "fingerprint": "", "state": "running", "reason": null, "trials_planned": 6, "owner_pid": 1,
        "owner_start_ticks": 1, "boot_id": "another", "started_at": "2026-01-01T00:00:00Z",
    });
    std::fs::write(run.join("run.json"), state.to_string()).unwrap();
    let runs = json(&["list", "--runs"]);
    assert_eq!(runs.len(), 1);
    for (field, value) in [
        ("event", serde_json::json!("run")),
        ("experiment", "tiny".into()),
        ("state", "crashed".into()),
        ("trials", 0.into()),
        ("trials_planned", 6.into()),
    ] {
        assert_eq!(runs[0][field], value, "{field} in {runs:#?}");
    }

    let line = json(&["plan", TINY]);
    let whole = project.output(&["plan", TINY, "--json"]);
    assert_eq!(line, [serde_json::from_slice::<serde_json::Value>(&whole.stdout).unwrap()]);

    let cleaned = json(&["clean", "--runs"]);
    let removed = cleaned.iter().find(|l| l["path"].is_string()).unwrap();
    assert_eq!((&removed["event"], &removed["done"]), (&"cleaned".into(), &"removed".into()));
    assert!(!run.exists());
}

#[test]
fn the_doctors_findings_are_objects_where_that_is_asked_for() {
    let project = Project::new();
    let output = project.output(&["doctor", "--message-format", "json"]);
    let findings = lines_of(&output);
    assert!(findings.len() >= 3, "{findings:#?}");
    for finding in &findings {
        assert_eq!(finding["event"], "finding");
        assert!(["good", "warning", "bad"].contains(&finding["state"].as_str().unwrap()));
        assert!(finding["part"].is_string() && finding["detail"].is_string(), "{finding}");
        assert!(finding.get("fix").is_some(), "a key without a value is null: {finding}");
    }
    let bad = findings.iter().any(|f| f["state"] == "bad");
    expect_code(&output, if bad { 3 } else { 0 });
}

#[test]
fn a_report_that_is_rendered_again_is_one_object_where_that_is_asked_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0001-email-lookup/full");
    let project = Project::new();
    let shown = project.output(&["report", root.to_str().unwrap(), "--stdout"]);
    let json =
        project.output(&["report", root.to_str().unwrap(), "--stdout", "--message-format", "json"]);
    let lines = lines_of(&json);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["event"], "report");
    assert_eq!(lines[0]["markdown"], text_of(&shown.stdout));
}

#[test]
fn a_name_that_is_no_unicode_is_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let project = Project::new();
    let name = std::ffi::OsStr::from_bytes(b"experiments/ti\xffny.toml");
    std::fs::copy(project.dir.join(TINY), project.dir.join(name)).unwrap();
    for args in [&["check", "--message-format", "json"][..], &["check"], &["plan"]] {
        let output = project.querylab(args).arg(name).output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 2)), "{:?}", text_of(&output.stderr));
    }
    let listed = project.output(&["list", "--message-format", "json"]);
    assert!(matches!(listed.status.code(), Some(0 | 2)), "{}", text_of(&listed.stderr));
}

#[test]
fn a_filter_of_diagnostics_that_means_nothing_is_refused_by_name() {
    let project = Project::new();
    for wrong in ["querylab=lous", "=", "loud", "querylab=debug,loud"] {
        let output = project.querylab(&["schema"]).env("QUERYLAB_LOG", wrong).output().unwrap();
        expect_code(&output, 2);
        let said = text_of(&output.stderr);
        assert!(
            said.contains("QUERYLAB_LOG") && said.contains("querylab=debug"),
            "{wrong}: {said}"
        );
        assert!(output.stdout.is_empty(), "nothing was done");
    }
    for right in ["", "debug", "off", "querylab=debug,sqlx=warn", "info,querylab::lab=trace"] {
        expect_code(&project.querylab(&["schema"]).env("QUERYLAB_LOG", right).output().unwrap(), 0);
    }
}

#[test]
fn the_plan_of_a_part_has_the_estimate_of_the_part_and_a_glob_without_a_match_is_refused() {
    let project = Project::new();
    let time = |args: &[&str]| {
        let mut all = vec!["plan", TINY, "--json"];
        all.extend(args);
        let output = project.output(&all);
        expect_code(&output, 0);
        let plan: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        plan["estimate"]["time_ns"].as_u64().unwrap()
    };
    assert!(time(&["--variant", "btree"]) < time(&[]));
    for (flag, wrong) in [("--variant", "btere"), ("--load", "oen"), ("--variant", "[")] {
        let output = project.output(&["plan", TINY, flag, wrong]);
        expect_code(&output, 2);
        let said = text_of(&output.stderr);
        assert!(said.contains(flag) && said.contains(wrong), "{said}");
    }
}

#[test]
fn a_wrong_command_line_is_plain_text_in_a_file_and_an_object_where_that_is_asked_for() {
    let project = Project::new();
    let plain = project.output(&["run", TINY, "--progress", "bra"]);
    expect_code(&plain, 2);
    let said = text_of(&plain.stderr);
    assert!(said.contains("`bra`") || said.contains("'bra'"), "{said}");
    assert!(!said.contains('\x1b'), "no colours outside of a terminal: {said}");
    let coloured = project.output(&["run", TINY, "--progress", "bra", "--color", "always"]);
    assert!(text_of(&coloured.stderr).contains('\x1b'));
    for args in [&["--message-format", "json", "rnu"][..], &["run", "--message-format=json"]] {
        let output = project.output(args);
        expect_code(&output, 2);
        let lines = lines_of(&output);
        assert_eq!((&lines[0]["event"], &lines[0]["exit"]), (&"error".into(), &2.into()));
        assert!(!lines[0]["text"].as_str().unwrap().contains('\x1b'));
    }
}

#[test]
fn a_folder_that_is_not_there_has_no_runs_to_list_or_to_clean() {
    let project = Project::new();
    for args in [&["list", "--runs", "nowhere"][..], &["clean", "--runs", "nowhere"]] {
        let output = project.output(args);
        expect_code(&output, 2);
        assert!(text_of(&output.stderr).contains("nowhere"), "{}", text_of(&output.stderr));
    }
    // Both ways of naming a project have the same runs.
    for args in [&["list", "--runs"][..], &["list", "--runs", "experiments"]] {
        expect_code(&project.output(args), 0);
    }
}
