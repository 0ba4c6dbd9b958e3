//! An experiment file of any bytes: a plan or located mistakes, never a panic, and a plan can say its requests.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use querylab::spec::{Color, Layers, load_text, render, render_json};
use querylab::{load, plan};

/// Requests drawn from each load, so that keys and paths are walked too.
const REQUESTS: u64 = 4;
/// Tables with more rows are planned, but no key is drawn from them: some generators walk all rows for it.
const MOST_ROWS: u64 = 100_000;

fuzz_target!(|text: String| {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../experiments/0000-fuzzed.toml"));
    let spec = match load_text(path, text, &Layers::default()) {
        Ok(spec) => spec,
        Err(problems) => {
            assert!(!problems.list.is_empty(), "refused without a reason");
            let _ = (render(&problems, Color::Plain), render_json(&problems));
            return;
        }
    };
    let Ok(plan) = plan::resolve(&spec) else { return };
    let _ = (plan.fingerprint.clone(), serde_json::to_string(&plan));
    if plan.dataset.tables.iter().any(|t| t.rows > MOST_ROWS) {
        return;
    }
    for cell in &plan.cells {
        if let Ok(shots) = load::Shots::new(&cell.drive, &plan.dataset.tables, 1, 2) {
            for number in 0..REQUESTS {
                let _ = shots.get(number);
            }
        }
    }
});
