//! Whole runs of the real binary on real servers, and what stays after each way in which they can end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use querylab::results::Witness;

use crate::breakdown;
use crate::lab::{Project, expect_code, files, servers, text_of};

const TINY: &str = "experiments/tiny.toml";

#[test]
fn a_file_reaches_a_published_report_and_the_report_is_rebuilt_byte_for_byte() {
    if !servers() {
        return;
    }
    let project = Project::new();
    let output = project.output(&["run", TINY]);
    expect_code(&output, 0);
    let said = text_of(&output.stderr);
    assert!(said.contains("warning: no verdicts below 6 blocks: this run has 2"), "{said}");
    let published = project.dir.join("results/tiny/full");
    for file in [
        "manifest.json",
        "plan.json",
        "experiment.merged.toml",
        "trials.csv",
        "summary.csv",
        "comparisons.csv",
        "claims.csv",
        "indexes.csv",
        "report.md",
        "report.html",
        "plots/timeline-one.svg",
        "plans/btree-find.json",
        "plans/cached-cached.json",
    ] {
        assert!(published.join(file).is_file(), "{file} is missing");
    }
    // Two blocks are too few for a verdict: nothing that is checked in may change.
    assert!(!project.dir.join("results/tiny/history.csv").exists());
    let run =
        fs::read_dir(project.dir.join(".querylab/runs/tiny")).unwrap().next().unwrap().unwrap();
    let log = fs::read_to_string(run.path().join("logs/querylab.jsonl")).unwrap();
    assert!(log.lines().count() > 0);
    for line in log.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(object["timestamp"].is_string() && object["level"].is_string(), "{line}");
    }
    let before = files(&published);
    expect_code(&project.output(&["report", "results/tiny/full"]), 0);
    assert_eq!(files(&published), before, "nothing changed");
    // All that is derived may be gone.
    for file in [
        "report.md",
        "report.html",
        "summary.csv",
        "comparisons.csv",
        "claims.csv",
        "resources.csv",
    ]
    .into_iter()
    .chain(["breakdown.csv", "indexes.csv"])
    {
        fs::remove_file(published.join(file)).unwrap();
    }
    expect_code(&project.output(&["report", "results/tiny/full"]), 0);
    assert_eq!(files(&published), before, "rebuilt byte for byte");
    project.expect_nothing_left();

    sums_are_exact(&fs::read(published.join("trials.csv")).unwrap());
    breakdown::adds_up(&published);

    fs::write(published.join("trials.csv"), "edited").unwrap();
    let refused = project.output(&["report", "results/tiny/full"]);
    expect_code(&refused, 2);
    assert!(text_of(&refused.stderr).contains("was changed since it was published"));
}

fn sums_are_exact(trials: &[u8]) {
    let trials = querylab::results::read_trials(trials).unwrap();
    for trial in &trials {
        let (window, witness) = (trial.window.as_ref().unwrap(), trial.witness.as_ref().unwrap());
        assert_eq!(window.due, window.sent + window.dropped);
        assert_eq!(window.sent, window.answered + window.failed);
        assert_eq!(witness.client_sent, witness.api_requests);
        assert!(window.answered > 0);
        // Where the library is not there, nobody counts.
        let executed = witness.postgres_statements.unwrap_or(witness.api_statements);
        assert_eq!(executed, witness.api_statements);
    }
    // What a busy machine disturbed is there as well, and was repeated.
    let valid = trials.iter().filter(|trial| trial.outcome.is_valid()).count();
    assert_eq!(valid, 6, "2 blocks of 2 variants and a twin");
}

#[test]
fn accounts_hold_where_requests_are_refused_or_go_past_the_cache() {
    if !servers() {
        return;
    }
    let project = Project::new();
    let file = project.dir.join(TINY);
    let tiny = fs::read_to_string(&file).unwrap();
    let mut edited = String::new();
    for line in tiny.lines().filter(|line| !line.starts_with("fill ")) {
        let line = if line.contains("index_scans_per_request") || line.contains("cache_hit_ratio") {
            ""
        } else {
            line
        };
        edited.push_str(line);
        edited.push('\n');
    }
    // A key beyond 1024 bytes: 24 times an e-mail of some 80.
    let key = ["{email}"; 24].join(":");
    let long = edited
        .replace("p{row}@", &format!("p{{row}}{}@", "y".repeat(60)))
        .replace("people:{email}", &key);
    fs::write(&file, &long).unwrap();
    expect_code(&project.output(&["run", TINY, "--blocks", "1"]), 0);
    for witness in witnesses(&project) {
        let direct = witness.api_direct.expect("the ways were timed");
        assert_eq!(witness.nginx_requests, Some(witness.client_sent - direct));
        assert_eq!(witness.api_cache_bypasses, Some(witness.client_sent));
        assert_eq!(witness.api_statements, witness.client_sent);
    }
    // And e-mails beyond the length that they may have.
    let refused = edited.replace("max_length   = 255", "max_length   = 3");
    let check = "check = { status = 400 }";
    let refused: Vec<&str> =
        refused.lines().map(|l| if l.starts_with("check = ") { check } else { l }).collect();
    fs::write(&file, refused.join("\n")).unwrap();
    expect_code(&project.output(&["run", TINY, "--blocks", "1"]), 0);
    for witness in witnesses(&project) {
        assert_eq!(witness.api_refused, Some(witness.client_sent));
        assert_eq!(witness.api_statements, 0);
    }
}

/// What the witnesses of each published trial counted.
fn witnesses(project: &Project) -> Vec<Witness> {
    let trials = fs::read(project.dir.join("results/tiny/full/trials.csv")).unwrap();
    let trials = querylab::results::read_trials(&trials).unwrap();
    assert!(!trials.is_empty());
    trials.into_iter().map(|trial| trial.witness.expect("a trial that ended well")).collect()
}

#[test]
fn a_wrong_index_set_is_exit_6_and_says_which_plan_came_instead() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let output =
        project.output(&["run", TINY, "--set", "variants.btree.indexes=[]", "--blocks", "1"]);
    expect_code(&output, 6);
    let said = text_of(&output.stderr);
    assert!(said.contains("should have Index Scan using idx_people_email, but is"), "{said}");
    assert!(said.contains("Seq Scan on people"), "{said}");
    assert!(!project.dir.join("results/tiny/full").exists(), "a run that failed is not published");
    project.expect_nothing_left();
}

#[test]
fn a_wrong_answer_is_exit_6_before_it_can_be_called_fast() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let set = "endpoints.find.check.fields.status=inactive";
    let output = project.output(&["run", TINY, "--set", set, "--blocks", "1"]);
    expect_code(&output, 6);
    assert!(text_of(&output.stderr).contains("wrong answer"), "{}", text_of(&output.stderr));
}

#[test]
fn a_failed_threshold_is_exit_10_and_the_results_are_kept() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let set = "thresholds=[{metric=\"response_time_p50\", max=\"1us\"}]";
    let output = project.output(&["run", TINY, "--set", set, "--blocks", "1"]);
    expect_code(&output, 10);
    assert!(project.dir.join("results/tiny/full/report.md").is_file());
}

#[test]
fn a_runner_killed_in_any_phase_leaves_nothing_and_the_next_run_works() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    expect_code(&project.output(&["run", TINY, "--blocks", "1"]), 0);
    let earlier = files(&project.dir.join("results"));
    let slow = [
        "--set",
        "load.one.warmup.min=3s",
        "--set",
        "load.one.warmup.max=4s",
        "--set",
        "load.one.duration=5s",
    ];
    for (phase, event) in [
        ("provisioning", "run-started"),
        ("seeding", "\"loading\""),
        ("warm-up", "\"phase\":\"warm-up\""),
        ("window", "\"phase\":\"window\""),
    ] {
        let mut args = vec![TINY, "--set", "dataset.tables.people.rows=400000"];
        args.extend(slow);
        let mut child = project.start_until(&args, event);
        child.kill().unwrap();
        child.wait().unwrap();
        project.expect_no_more_than_an_unmarked_folder();
        assert_eq!(files(&project.dir.join("results")), earlier, "killed in {phase}");
    }
    let listed = text_of(&project.output(&["list", "--runs"]).stdout);
    assert!(listed.contains("crashed"), "{listed}");
    let killed = fs::read_dir(project.dir.join(".querylab/runs/tiny")).unwrap().flatten();
    let killed = killed.map(|e| e.path()).find(|run| !run.join("manifest.json").exists()).unwrap();
    expect_code(&project.output(&["report", killed.to_str().unwrap()]), 0);
    assert!(fs::read_to_string(killed.join("report.md")).unwrap().contains("INCOMPLETE"));
    expect_code(&project.output(&["run", TINY, "--blocks", "1"]), 0);
    project.expect_no_more_than_an_unmarked_folder();
}

#[test]
fn an_interrupt_in_any_phase_ends_within_ten_seconds_and_a_second_one_at_once() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let slow = ["--set", "load.one.warmup.min=20s", "--set", "load.one.warmup.max=20s"];
    for (event, interrupts) in [
        ("run-started", 1),
        ("\"loading\"", 1),
        ("\"phase\":\"warm-up\"", 1),
        ("\"phase\":\"warm-up\"", 2),
    ] {
        let mut args = vec![TINY, "--blocks", "1", "--set", "dataset.tables.people.rows=1000000"];
        args.extend(slow);
        let child = project.start_until(&args, event);
        let pid = rustix::process::Pid::from_child(&child);
        let start = std::time::Instant::now();
        for _ in 0..interrupts {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        expect_code(&child.wait_with_output().unwrap(), 130);
        let took = start.elapsed();
        assert!(took.as_secs() < if interrupts == 1 { 12 } else { 2 }, "{event}: {took:?}");
        project.expect_nothing_left();
    }
}

#[test]
fn an_interrupt_while_the_servers_of_a_trial_start_does_not_wait_for_them() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let mut child = project
        .querylab(&["run", TINY, "--blocks", "1", "--message-format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("trial-started")));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.collect();
    expect_code(&child.wait_with_output().unwrap(), 130);
    assert!(!rest.iter().any(|line| line.contains("\"phase\":\"check\"")), "{rest:#?}");
    project.expect_nothing_left();
}

#[test]
fn one_interrupt_stops_cleanly_and_keeps_finished_trials() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let child = project.start_until(&[TINY, "--blocks", "20"], "trial-ended");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    expect_code(&output, 130);
    project.expect_nothing_left();
    let run = fs::read_dir(project.dir.join(".querylab/runs/tiny"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let state = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(state.contains("interrupted"), "{state}");
    assert!(fs::read_to_string(run.join("report.md")).unwrap().contains("INCOMPLETE"));
    assert!(!project.dir.join("results/tiny").exists());
}

#[test]
fn a_server_too_old_is_exit_3_with_a_fix_and_nothing_is_left() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let output =
        project.output(&["run", TINY, "--no-setup", "--set", "services.nginx.version=\">=99\""]);
    expect_code(&output, 3);
    let said = text_of(&output.stderr);
    assert!(said.contains("nginx") && said.contains("fix:"), "{said}");
    project.expect_nothing_left();
}

#[test]
fn serve_says_as_an_object_where_it_is_and_answers_there() {
    if !servers() {
        return;
    }
    let project = Project::new();
    // Taken, and then free: a moment ago nobody else had it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let taken = project.output(&["serve", TINY, "--variant", "cached", "--port", &port]);
    expect_code(&taken, 3);
    assert!(text_of(&taken.stderr).contains("is taken"), "{}", text_of(&taken.stderr));
    drop(listener);
    let mut child = project
        .querylab(&["serve", TINY, "--variant", "cached", "--message-format", "json"])
        .args(["--port", &port])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let objects =
        lines.map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap());
    let ready = objects.into_iter().find(|object| object["event"] == "serving");
    let pid = rustix::process::Pid::from_child(&child);
    let address = ready.as_ref().and_then(|r| r["url"].as_str()?.strip_prefix("http://"));
    let reached = address.map(std::net::TcpStream::connect);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    expect_code(&output, 0);
    let ready = ready.unwrap_or_else(|| panic!("never ready: {}", text_of(&output.stderr)));
    assert!(matches!(reached, Some(Ok(_))), "{reached:?} {ready}");
    assert_eq!(ready["variant"], "cached");
    assert!(ready["endpoints"][0]["url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(ready["url"].as_str().unwrap().ends_with(&format!(":{port}")), "{ready}");
    assert!(ready["database"].is_string() && ready["postgres_socket_dir"].is_string(), "{ready}");
    project.expect_nothing_left();
}
