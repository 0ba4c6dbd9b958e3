//! The trial procedure on real servers: what is repeated, how many blocks, and what of the data is in memory.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use querylab::results::{Manifest, Outcome, TrialRecord, read_trials};

use crate::lab::{Project, expect_code, servers, text_of};

const TINY: &str = "experiments/tiny.toml";

fn trials(project: &Project) -> Vec<TrialRecord> {
    let csv = fs::read(project.dir.join("results/tiny/full/trials.csv")).unwrap();
    read_trials(&csv).unwrap()
}

/// Programs that use every core, for as long as this lives.
struct Burners(Arc<AtomicBool>);

impl Burners {
    fn new() -> Self {
        let done = Arc::new(AtomicBool::new(false));
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(done)
    }
}

impl Drop for Burners {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_disturbed_trial_is_repeated_on_record_and_a_noisy_machine_still_finishes() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    let burners = Burners::new();
    // Longer windows, so that the kernel's ticks count.
    let output = project.output(&["run", TINY, "--set", "load.one.duration=2s"]);
    drop(burners);
    expect_code(&output, 0);
    let trials = trials(&project);
    assert_eq!(trials.len(), 7, "a fifth of 6 trials is one repetition");
    let invalid: Vec<&TrialRecord> =
        trials.iter().filter(|t| matches!(t.outcome, Outcome::Invalid(_))).collect();
    let [first] = invalid[..] else { panic!("{trials:#?}") };
    let Outcome::Invalid(reason) = &first.outcome else { unreachable!() };
    assert!(reason.contains("other programs used the machine"), "{reason}");
    assert!(first.window.is_some(), "what was measured is kept");
    let again = trials.iter().find(|t| t.block == first.block && t.order == 4).unwrap();
    assert_eq!((again.number, &again.variant), (first.number, &first.variant));
    let counted = |t: &&TrialRecord| t.notes.iter().any(|n| n.contains("other programs used"));
    assert_eq!(trials.iter().filter(|t| t.outcome.is_valid()).filter(counted).count(), 6);
    let foreign = |t: &TrialRecord| t.witness.as_ref().and_then(|w| w.foreign_cpu_share);
    assert!(trials.iter().all(|t| foreign(t).is_some_and(|share| share > 0.1)), "{trials:#?}");
    let report = fs::read_to_string(project.dir.join("results/tiny/full/report.md")).unwrap();
    assert!(report.contains("1 of 7 trials were disturbed"), "{report}");
    let said = text_of(&output.stderr);
    assert!(said.contains("is repeated: "), "{said}");
    assert!(said.contains(": NOT VALID: "), "{said}");
    project.expect_nothing_left();
}

#[test]
fn a_precision_ends_the_run_after_the_blocks_that_its_pilot_decided() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    // A width that any pilot reaches.
    let sets = ["--set", "design.precision=\"100%\"", "--set", "design.aa_check=\"none\""];
    let mut args = vec!["run", TINY, "--blocks", "8"];
    args.extend(sets);
    expect_code(&project.output(&args), 0);
    let manifest = fs::read(project.dir.join("results/tiny/full/manifest.json")).unwrap();
    let manifest: Manifest = serde_json::from_slice(&manifest).unwrap();
    let pilot = manifest.pilot.expect("a pilot");
    assert_eq!((pilot.blocks, pilot.most), (6, 8));
    let last = trials(&project).iter().map(|t| t.block).max().unwrap();
    assert_eq!(last, pilot.decided, "{pilot:?}");
    if last < 8 {
        assert!(manifest.notes.iter().any(|n| n.contains("as its pilot had decided")));
    }
}

/// The experiment without what warms: warm-up, fill, and the variant with a cache.
fn without_warmth(project: &Project) {
    let file = project.dir.join(TINY);
    let tiny = fs::read_to_string(&file).unwrap();
    let warm = ["warmup ", "fill ", "aa_check "];
    let kept: Vec<&str> =
        tiny.lines().filter(|line| !warm.iter().any(|w| line.starts_with(w))).collect();
    let text = kept.join("\n").replace("rows = 2_000", "rows = 200_000");
    // A cache that is not filled first hits as it may.
    let text = text.replace(", cache_hit_ratio = { min = 0.5 }", "");
    fs::write(&file, text).unwrap();
}

#[test]
fn a_cold_trial_begins_with_nothing_in_memory_and_a_warm_one_with_the_files() {
    if !servers() {
        return;
    }
    let project = Project::of_two_users();
    without_warmth(&project);
    let share = |trial: &TrialRecord| trial.witness.as_ref().unwrap().page_cache_share;
    let reads = |trial: &TrialRecord| trial.witness.as_ref().unwrap().buffers_read.unwrap();
    let run = |state: &str| {
        let set = format!("design.cache_state=\"{state}\"");
        expect_code(&project.output(&["run", TINY, "--blocks", "1", "--set", &set]), 0);
        trials(&project)
    };
    let cold = run("cold");
    let warm = run("warm-os");
    for trial in cold.iter().chain(&warm) {
        assert_eq!(trial.warmup_reached, None, "there is none: {trial:#?}");
        assert!(reads(trial) > 0, "shared buffers were empty: {trial:#?}");
    }
    // Where the file system can tell.
    for trial in cold.iter().filter(|t| share(t).is_some()) {
        assert!(share(trial).is_some_and(|share| share <= 0.05), "{trial:#?}");
    }
    for trial in warm.iter().filter(|t| share(t).is_some()) {
        assert!(share(trial).is_some_and(|share| share > 0.9), "{trial:#?}");
    }
    project.expect_nothing_left();
}

#[test]
fn what_would_warm_a_cold_design_is_refused_before_anything_starts() {
    let project = Project::new();
    let set = "design.cache_state=\"cold\"";
    let output = project.output(&["check", TINY, "--set", set]);
    expect_code(&output, 2);
    let said = text_of(&output.stderr);
    assert!(said.contains("`load.one.warmup` would warm what `cache_state` keeps cold"), "{said}");
    assert!(said.contains("`variants.cached.fill` would warm"), "{said}");
}
