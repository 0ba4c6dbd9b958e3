//! `querylab calibrate` on real servers, with small numbers.

use std::fs;

use crate::lab::{Project, expect_code, servers, text_of};

#[test]
fn a_machine_is_calibrated_as_one_object_and_nothing_is_left() {
    if !servers() {
        return;
    }
    let project = Project::new();
    let small = ["calibrate", "--blocks", "2", "--duration", "300ms"];
    let output = project.output(&[&small[..], &["--json", "--out", "kept"]].concat());
    expect_code(&output, 0);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |path: &str| {
        told.pointer(path)
            .and_then(serde_json::Value::as_f64)
            .unwrap_or_else(|| panic!("{path}: {told}"))
    };
    assert!(number("/clock/read_ns") > 0.0 && number("/clock/overshoot_p50_us") > 0.0);
    assert!(number("/processor/sha256_bytes_per_s") > 1e6);
    assert!(number("/ceiling/rate_rps") > 500.0, "{told}");
    assert!(number("/ceiling/cpu_per_request_us") > 0.5);
    for (load, offered) in [(0, 1000.0), (1, 5000.0)] {
        assert!((number(&format!("/schedule/{load}/offered_rps")) - offered).abs() < 1e-9);
        let at = |key: &str| number(&format!("/schedule/{load}/{key}"));
        assert!((at("sent") + at("dropped") - offered * 0.3).abs() <= 1.0, "{told}");
        assert!(at("lag_p50_us") <= at("lag_p99_us") && at("lag_p99_us") <= at("lag_max_us"));
    }
    for (figure, metric) in ["response_time_p50", "throughput"].into_iter().enumerate() {
        let at = |key: &str| number(&format!("/noise/figures/{figure}/{key}"));
        assert_eq!(told["noise"]["figures"][figure]["metric"], metric);
        assert!((at("n") - 2.0).abs() < 1e-9);
        // The same twice: whatever this machine is doing, not ten times as much.
        assert!(at("ratio") > 0.1 && at("ratio") < 10.0, "{told}");
        assert!(at("sd_log_low_95") <= at("sd_log") && at("sd_log") <= at("sd_log_high_95"));
        assert!(at("blocks_for_5_percent_half_width") >= 2.0);
    }
    let warned = told["warnings"].to_string();
    assert!(warned.contains("that of 2 blocks, which is hardly known"), "{warned}");
    assert!(told["versions"]["postgres"].is_string() && told["machine"]["cores"].is_string());
    let kept = fs::read(project.dir.join("kept/calibrate.json")).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&kept).unwrap(), told);
    let trials = fs::read(project.dir.join("kept/trials.csv")).unwrap();
    assert_eq!(querylab::results::read_trials(&trials).unwrap().len(), 4, "two blocks of two");
    project.expect_nothing_left();
}

#[test]
fn what_cannot_be_calibrated_with_is_refused_before_anything_starts() {
    let project = Project::new();
    let says = |args: &[&str]| {
        let output = project.output(&[&["calibrate"], args].concat());
        expect_code(&output, 2);
        text_of(&output.stderr)
    };
    assert!(says(&["--duration", "10ms"]).contains("is not from 200ms to 1m"));
    assert!(says(&["--duration", "3"]).contains("has no unit"));
    assert!(says(&["--blocks", "1"]).contains("--blocks"));
    fs::write(project.dir.join("a file"), "x").unwrap();
    let output = project.output(&["calibrate", "--out", "a file"]);
    expect_code(&output, 3);
    assert!(text_of(&output.stderr).contains("--out: cannot write to a file"));
    assert!(project.leftovers().is_empty());
}
