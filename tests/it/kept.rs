//! Results that people keep, by the real binary: verified, compared, gone on with, joined from parts, held to a kept run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::lab::{Project, expect_code, files, servers, text_of};

const TINY: &str = "experiments/tiny.toml";

/// A published run of the repository.
fn published(profile: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0001-email-lookup").join(profile)
}

/// The same in a folder that may be spoilt.
fn copied(project: &Project, profile: &str) -> PathBuf {
    let to = project.dir.join("results/0001-email-lookup").join(profile);
    for (file, bytes) in files(&published(profile)) {
        let file = to.join(file.strip_prefix(published(profile)).unwrap_or(&file));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    to
}

/// The only run of the project.
fn the_run(project: &Project) -> PathBuf {
    let mut runs = fs::read_dir(project.dir.join(".querylab/runs/tiny")).unwrap().flatten();
    let run = runs.next().unwrap().path();
    assert!(runs.next().is_none(), "one run only");
    run
}

#[test]
fn published_results_verify_and_edited_ones_are_refused_with_the_reason() {
    let project = Project::new();
    for profile in ["ci", "full"] {
        let dir = published(profile);
        let output = project.output(&["verify", dir.to_str().unwrap()]);
        // An older report is no edit; what was measured must be as it was.
        let said = text_of(&output.stderr);
        assert!(!said.contains("changed") && !said.contains("missing"), "{said}");
    }
    let dir = copied(&project, "ci");
    expect_code(&project.output(&["report", dir.to_str().unwrap()]), 0);
    expect_code(&project.output(&["verify", dir.to_str().unwrap()]), 0);
    let trials = fs::read_to_string(dir.join("trials.csv")).unwrap();
    fs::write(dir.join("trials.csv"), trials.replacen(",variant,ok,", ",twin,ok,", 1)).unwrap();
    let output = project.output(&["verify", dir.to_str().unwrap()]);
    expect_code(&output, 2);
    assert!(text_of(&output.stderr).contains("trials.csv was changed since it was published"));
    fs::write(dir.join("trials.csv"), &trials[..trials.len() / 2]).unwrap();
    expect_code(&project.output(&["verify", dir.to_str().unwrap()]), 2);
    expect_code(&project.output(&["verify", project.dir.to_str().unwrap()]), 2);
    let json = project.output(&["verify", dir.to_str().unwrap(), "--message-format", "json"]);
    let first = text_of(&json.stdout).lines().next().unwrap_or_default().to_owned();
    let object: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&object["event"], &object["state"]), (&"verified".into(), &"bad".into()));
}

#[test]
fn runs_of_other_data_are_compared_only_when_told_and_then_without_a_verdict() {
    let project = Project::new();
    let (ci, full) = (published("ci"), published("full"));
    let (ci, full) = (ci.to_str().unwrap(), full.to_str().unwrap());
    let output = project.output(&["compare", ci, full]);
    expect_code(&output, 2);
    assert!(text_of(&output.stderr).contains("other data: "), "{}", text_of(&output.stderr));
    let told = project.output(&["compare", ci, full, "--cross-machine"]);
    expect_code(&told, 0);
    let text = text_of(&told.stdout);
    assert!(text.contains("What is apart is not judged") && !text.contains("**"), "{text}");
    let same = project.output(&["compare", full, full, "--json"]);
    expect_code(&same, 0);
    let object: serde_json::Value = serde_json::from_slice(&same.stdout).unwrap();
    assert_eq!(object["structure_changed"].as_array().unwrap().len(), 0);
    let words: Vec<&str> =
        object["cells"].as_array().unwrap().iter().filter_map(|c| c["word"].as_str()).collect();
    assert!(words.contains(&"no relevant difference"), "{words:?}");
    assert!(
        !words.iter().any(|word| word.contains("slower") || word.contains("faster")),
        "{words:?}"
    );
}

#[test]
fn a_history_takes_figures_from_runs_that_are_still_there() {
    let project = Project::new();
    copied(&project, "ci");
    copied(&project, "full");
    let history = published("ci").parent().unwrap().join("history.csv");
    // Of rows that were written without figures only those still have them whose runs are published.
    let kept = [published("ci"), published("full")].map(|folder| {
        let text = fs::read_to_string(folder.join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        manifest["run"]["run"].as_str().unwrap().to_owned()
    });
    let rows = fs::read_to_string(&history).unwrap();
    let runs = rows.lines().count() - 1;
    let is_gone = |row: &&str| row.ends_with(",,") && !kept.iter().any(|run| row.contains(run));
    let gone = rows.lines().skip(1).filter(is_gone).count();
    fs::copy(history, project.dir.join("results/0001-email-lookup/history.csv")).unwrap();
    let output = project.output(&["history", "results/0001-email-lookup"]);
    expect_code(&output, 0);
    let text = text_of(&output.stdout);
    assert!(text.contains("cached/btree:unloaded:response_time_p50 (ci, machine "), "{text}");
    assert!(
        gone > 0 && text.contains(&format!("{gone} of {runs} runs kept no figures, and are gone")),
        "{text}"
    );
    expect_code(&project.output(&["history", "results"]), 2);
}

#[test]
fn a_killed_run_is_gone_on_with_at_its_next_trial() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    expect_code(&project.output(&["run", TINY, "--resume"]), 2);
    let flags = [TINY, "--blocks", "3"];
    let mut child = project.start_until(&flags, "trial-ended");
    child.kill().unwrap();
    child.wait().unwrap();
    project.expect_nothing_left();
    let run = the_run(&project);
    let kept = files(&run.join("trials"));
    assert!(kept.len() >= 2, "{kept:?}");

    // Another plan is another run.
    let other = project.output(&["run", TINY, "--blocks", "3", "--seed", "8", "--resume"]);
    expect_code(&other, 2);
    assert!(text_of(&other.stderr).contains("is of another plan"), "{}", text_of(&other.stderr));
    // So is another machine.
    let path = run.join("gathered.json");
    let gathered = fs::read_to_string(&path).unwrap();
    let mut elsewhere: serde_json::Value = serde_json::from_str(&gathered).unwrap();
    elsewhere["host"]["cores"] = "999".into();
    fs::write(&path, elsewhere.to_string()).unwrap();
    let output = project.output(&["run", TINY, "--blocks", "3", "--resume"]);
    expect_code(&output, 3);
    assert!(text_of(&output.stderr).contains("another machine"), "{}", text_of(&output.stderr));
    fs::write(&path, gathered).unwrap();

    let output = project.output(&["run", TINY, "--blocks", "3", "--resume"]);
    expect_code(&output, 0);
    assert_eq!(the_run(&project), run, "in the same folder");
    let after = files(&run.join("trials"));
    for (file, bytes) in &kept {
        let is_whole = after.get(file).is_some_and(|now| now == bytes);
        // The trial under way had its histograms, and no row yet.
        assert!(
            is_whole
                || !file.with_extension("json").exists()
                || file.extension().is_some_and(|e| e == "hlog"),
            "{}",
            file.display()
        );
    }
    let published = project.dir.join("results/tiny/full");
    let trials = fs::read_to_string(published.join("trials.csv")).unwrap();
    // Those that a busy machine has voided were repeated, and stand there too.
    let valid = trials.lines().filter(|row| row.split(',').nth(7) == Some("ok")).count();
    assert_eq!(valid, 9, "three blocks of three: {trials}");
    let report = fs::read_to_string(published.join("report.md")).unwrap();
    assert!(report.contains("gone on with at"), "the note is in the report");
    expect_code(&project.output(&["verify", "results/tiny/full"]), 0);
    // It is complete now.
    expect_code(&project.output(&["run", TINY, "--blocks", "3", "--resume"]), 2);
    project.expect_nothing_left();
}

#[test]
fn an_interrupted_run_is_gone_on_with_and_other_servers_refuse() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let child = project.start_until(&[TINY, "--blocks", "2"], "trial-ended");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    expect_code(&child.wait_with_output().unwrap(), 130);
    let run = the_run(&project);
    let path = run.join("gathered.json");
    let gathered = fs::read_to_string(&path).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&gathered).unwrap();
    other["versions"]["postgres"] = "9.6".into();
    fs::write(&path, other.to_string()).unwrap();
    let output = project.output(&["run", TINY, "--blocks", "2", "--resume"]);
    expect_code(&output, 3);
    assert!(text_of(&output.stderr).contains("was begun with"), "{}", text_of(&output.stderr));
    fs::write(&path, gathered).unwrap();
    expect_code(&project.output(&["run", TINY, "--blocks", "2", "--resume"]), 0);
    expect_code(&project.output(&["verify", "results/tiny/full"]), 0);
    project.expect_nothing_left();
}

#[test]
fn parts_of_a_run_join_to_the_whole() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let part = |n: u32, flags: &[&str]| {
        let (partition, out) = (format!("count:{n}/2"), format!("parts/{n}"));
        let all = [&["run", TINY, "--partition", &partition, "--out", &out], flags].concat();
        expect_code(&project.output(&all), 0);
        format!("{out}/tiny/full")
    };
    let refused = project.output(&["run", TINY, "--partition", "count:1/2"]);
    expect_code(&refused, 2);
    let (first, second) = (part(1, &[]), part(2, &[]));
    let alone = project.output(&["merge", &first]);
    expect_code(&alone, 2);
    assert!(text_of(&alone.stderr).contains("no part has block 2"), "{}", text_of(&alone.stderr));
    expect_code(&project.output(&["merge", &second, &first]), 0);
    expect_code(&project.output(&["verify", "results/tiny/full"]), 0);
    let trials = fs::read_to_string(project.dir.join("results/tiny/full/trials.csv")).unwrap();
    let numbers: Vec<&str> =
        trials.lines().skip(1).filter_map(|row| row.split(',').nth(1)).collect();
    assert_eq!(numbers.len(), 6, "{trials}");
    let other = part(2, &["--seed", "8"]);
    let mixed = project.output(&["merge", &first, &other]);
    expect_code(&mixed, 2);
    assert!(text_of(&mixed.stderr).contains("another plan"), "{}", text_of(&mixed.stderr));
}

#[test]
fn a_gate_passes_what_is_unchanged_and_names_the_tier_of_what_is_not() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let file = project.dir.join(TINY);
    // Two noisy blocks beside themselves could condemn the whole run, and then nothing is noted of it.
    let text = fs::read_to_string(&file).unwrap();
    let noisy = text.lines().find(|line| line.starts_with("aa_check")).unwrap();
    let text = text.replace(noisy, "aa_check = \"none\"");
    let regression = "\n[regression]\nkept = \"../results/tiny/full\"\nstructure = \"2%\"\n";
    fs::write(&file, format!("{text}{regression}")).unwrap();
    // Nothing is kept yet: said before anything is started.
    expect_code(&project.output(&["run", TINY, "--gate"]), 2);
    assert!(!project.dir.join(".querylab/runs").exists());
    expect_code(&project.output(&["run", TINY]), 0);
    let kept = files(&project.dir.join("results/tiny/full"));
    expect_code(&project.output(&["run", TINY, "--gate"]), 0);
    assert_eq!(files(&project.dir.join("results/tiny/full")), kept, "the mark stays");

    // Two blocks are too few for times, and that is not passed over.
    let ratios = format!("{text}{regression}ratios = {{ response_time_p50 = \"10%\" }}\n");
    fs::write(&file, &ratios).unwrap();
    let output = project.output(&["run", TINY, "--gate"]);
    expect_code(&output, 11);
    assert!(
        text_of(&output.stderr).contains("gate, timing, inconclusive: 6 blocks is the minimum")
    );
    // What it measured is noted for those who run it again.
    let ledgers = fs::read_dir(project.dir.join(".querylab/gate/tiny")).unwrap();
    let looks: String =
        ledgers.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert_eq!(looks.lines().count(), 2, "of two plans: {looks}");
    assert!(looks.contains("\"response_time_p50:one:cached\":[[1,"), "{looks}");

    // Each answer looks through the whole table, too.
    let query = "FROM people WHERE email = $1\"\nbind  = [\"email\"]\ncheck = { status = 200, rows = 1, fields = { email = \"{email}\", status";
    assert!(ratios.contains(query));
    let more = query.replace("$1\"", "$1 AND (SELECT count(score) FROM people) >= 0\"");
    fs::write(&file, ratios.replace(query, &more)).unwrap();
    let output = project
        .querylab(&["run", TINY, "--gate", "--junit", "junit.xml"])
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", project.dir.join("summary.md"))
        .output()
        .unwrap();
    expect_code(&output, 10);
    let said = text_of(&output.stderr);
    assert!(said.contains("gate, structure: plan of btree: "), "{said}");
    assert!(
        said.contains(
            "gate, structure: buffers of Postgres for each statement of btree under one: "
        ),
        "{said}"
    );
    let line = ratios.lines().position(|line| line == "[variants.btree]").unwrap() + 1;
    let near = [line, line + 1].map(|line| format!("tiny.toml,line={line},"));
    assert!(near.iter().any(|at| said.contains(at)), "{near:?}: {said}");
    let junit = fs::read_to_string(project.dir.join("junit.xml")).unwrap();
    assert!(
        junit.contains("classname=\"tiny.gate-structure\"") && junit.contains("<failure "),
        "{junit}"
    );
    let summary = fs::read_to_string(project.dir.join("summary.md")).unwrap();
    assert!(summary.contains("- ❌ gate structure: "), "{summary}");
    project.expect_nothing_left();
}

#[test]
fn the_jobs_of_a_project_are_what_its_experiments_are() {
    let project = Project::new();
    let github = project.output(&["matrix", "--format", "github", "--parts", "2"]);
    expect_code(&github, 0);
    let object: serde_json::Value = serde_json::from_slice(&github.stdout).unwrap();
    let jobs = object["include"].as_array().unwrap();
    assert_eq!(jobs.len(), 2);
    assert_eq!(jobs[1]["partition"], "count:2/2");
    assert_eq!(jobs[0]["file"], TINY);
    let none = project.output(&["matrix", "--profile", "ci"]);
    expect_code(&none, 0);
    assert_eq!(text_of(&none.stdout), "[]\n");
    expect_code(&project.output(&["matrix", "--format", "gitlab"]), 0);
}

#[test]
fn every_experiment_of_the_repository_is_held_by_a_gate_in_its_ci_size() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let experiments = files(&root.join("experiments"));
    let mut words = vec!["matrix", "--format", "json", "--profile", "ci"];
    words.extend(experiments.keys().map(|file| file.to_str().unwrap()));
    let jobs = Project::new().output(&words);
    expect_code(&jobs, 0);
    let jobs: serde_json::Value = serde_json::from_slice(&jobs.stdout).unwrap();
    let jobs = jobs.as_array().unwrap();
    assert_eq!(jobs.len(), experiments.len());
    for job in jobs {
        assert!(job["gate"] == true && job["minutes"].as_u64() <= Some(30), "{job}");
    }
}
