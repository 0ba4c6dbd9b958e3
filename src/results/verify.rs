//! Whether a folder still is what was published: each of its files, no others, and trials that are those of its plan.
//!
//! `read` refuses what it cannot trust and stops at the first reason; here every reason is found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use super::read::{ALWAYS, is_derived, is_within, read};
use super::{Manifest, Results, State, TrialRecord, sha256_hex};
use crate::plan::{Plan, TrialPlan};

/// Folders of results are flat: what lies deeper is not ours.
const DEEPEST: u32 = 4;
/// So begins the note of a run that had no time for all of its blocks.
const BUDGET_ENDED: &str = "the time budget ended the run";
/// More files than any folder of results has.
const MOST_FILES: usize = 10_000;
/// Said of a plan that another querylab wrote, or a hand.
const UNKNOWN_KEYS: &str =
    "plan.json has keys that this querylab does not write: its fingerprint could not be checked";

/// What became of a look at a folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// The results; none where they can't be trusted.
    pub results: Option<Results>,
    /// Files whose bytes are those of the manifest.
    pub files: usize,
    /// What is wrong, a line each; none where all is as it was.
    pub wrong: Vec<String>,
    /// What could not be checked, a line each.
    pub unchecked: Vec<String>,
}

/// Looks at every file of a published folder, or of a run's own that has ended.
///
/// # Errors
///
/// If it is no folder of results at all, or of a newer format.
pub fn verify(dir: &Path) -> Result<Verified> {
    let path = dir.join("manifest.json");
    let Ok(bytes) = fs::read(&path) else {
        bail!(
            "{} is no folder of results that could be verified: it has no manifest.json",
            dir.display()
        );
    };
    let manifest: Manifest = match serde_json::from_slice(&bytes) {
        Ok(manifest) => manifest,
        Err(e) => {
            let wrong = vec![format!("manifest.json is broken or was cut off: {e}")];
            return Ok(Verified { results: None, files: 0, wrong, unchecked: Vec::new() });
        }
    };
    if manifest.format > super::FORMAT {
        let (format, most) = (manifest.format, super::FORMAT);
        bail!("{} is of format {format}; this querylab reads up to {most}", dir.display());
    }
    let (files, mut wrong) = files_of(dir, &manifest)?;
    let mut unchecked = Vec::new();
    let results = match read(dir) {
        Ok(results) => {
            if knows_all_of(dir, &results.plan) {
                wrong.extend(edited(&results.plan));
            } else {
                unchecked.push(UNKNOWN_KEYS.to_owned());
            }
            wrong.extend(inconsistent(&results));
            Some(results)
        }
        // Said already, where it is about a digest.
        Err(e) if wrong.is_empty() => {
            wrong.push(format!("{e:#}"));
            None
        }
        Err(_) => None,
    };
    Ok(Verified { results, files, wrong, unchecked })
}

/// Every file beside its digest: how many are right, and what is wrong.
fn files_of(dir: &Path, manifest: &Manifest) -> Result<(usize, Vec<String>)> {
    let (mut right, mut wrong) = (0, Vec::new());
    for (name, digest) in &manifest.digests {
        if !is_within(name) {
            wrong.push(format!("manifest.json names `{name}`, which is not in this folder"));
            continue;
        }
        match fs::read(dir.join(name)) {
            Ok(bytes) if sha256_hex(&bytes) == *digest => right += 1,
            Ok(_) => wrong.push(changed(name)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                wrong.push(format!("{name} is missing"));
            }
            Err(e) => wrong.push(format!("{name} can't be read: {e}")),
        }
    }
    for name in ALWAYS {
        if !manifest.digests.contains_key(name) {
            wrong.push(format!("manifest.json has no digest of {name}"));
        }
    }
    // A run's own folder has its logs, samples and events too.
    if !dir.join("run.json").exists() {
        let mut found = BTreeSet::new();
        below(dir, "", 0, &mut found)?;
        for name in found.iter().filter(|name| !manifest.digests.contains_key(*name)) {
            if name != "manifest.json" {
                wrong.push(format!("{name} was not published with the rest"));
            }
        }
    }
    Ok((right, wrong))
}

fn changed(name: &str) -> String {
    let hint = if is_derived(name) { ": `querylab report` writes it anew" } else { "" };
    format!("{name} was changed since it was published (its digest differs){hint}")
}

fn below(dir: &Path, prefix: &str, depth: u32, found: &mut BTreeSet<String>) -> Result<()> {
    if depth > DEEPEST || found.len() > MOST_FILES {
        bail!("{} holds more than a folder of results has", dir.display());
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            below(&entry.path(), &format!("{name}/"), depth + 1, found)?;
        } else {
            found.insert(name);
        }
    }
    Ok(())
}

/// What does not belong together, though each file is as the manifest says: somebody wrote the digests anew.
fn inconsistent(results: &Results) -> Vec<String> {
    let Results { manifest, plan, trials, .. } = results;
    let mut wrong = Vec::new();
    let run = &manifest.run;
    if run.fingerprint != plan.fingerprint {
        wrong.push(format!(
            "mixed: manifest.json is of the plan {}, plan.json is {}",
            short(&run.fingerprint),
            short(&plan.fingerprint)
        ));
    }
    for (what, a, b) in [
        ("experiment", &run.experiment, &plan.experiment.id),
        ("profile", &run.profile, &plan.profile),
    ] {
        if a != b {
            wrong.push(format!("mixed: the {what} of manifest.json is `{a}`, of plan.json `{b}`"));
        }
    }
    wrong.extend(unplanned(plan, trials));
    if run.state == State::Complete {
        wrong.extend(lost(results));
    }
    wrong
}

/// Whether this querylab knows every key of the plan: only such a one can be digested again. It is held as values, so that no
/// blank in the file makes it another.
fn knows_all_of(dir: &Path, plan: &Plan) -> bool {
    let there: Option<serde_json::Value> =
        fs::read(dir.join("plan.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    there.is_some() && serde_json::to_value(plan).ok() == there
}

fn edited(plan: &Plan) -> Option<String> {
    (plan.own_fingerprint() != plan.fingerprint)
        .then(|| "plan.json was edited: its fingerprint is not that of what it plans".into())
}

/// Trials that no plan has, or that are there twice.
fn unplanned(plan: &Plan, trials: &[TrialRecord]) -> Vec<String> {
    let by_number: BTreeMap<u32, &TrialPlan> = plan.trials.iter().map(|t| (t.number, t)).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for trial in trials {
        let is_planned = by_number.get(&trial.number).is_some_and(|planned| {
            let cell = plan.cells.get(planned.cell);
            planned.block == trial.block
                && planned.role == trial.role
                && cell.is_some_and(|c| c.variant == trial.variant && c.load == trial.load)
        });
        let (block, order) = (trial.block, trial.order);
        if !is_planned {
            wrong.push(format!("mixed: trials.csv has a trial in block {block}, place {order}, that plan.json has not"));
        }
        if !seen.insert((block, order)) {
            wrong.push(format!("trials.csv has block {block}, place {order}, twice"));
        }
    }
    wrong
}

/// Of a complete run every block is there, and whole. Only a time budget may have ended it sooner.
fn lost(results: &Results) -> Vec<String> {
    let there: BTreeSet<u32> = results.trials.iter().map(|t| t.number).collect();
    let blocks: BTreeSet<u32> = results.trials.iter().map(|t| t.block).collect();
    let mut wrong = Vec::new();
    if blocks.is_empty() {
        wrong.push("truncated: the run is complete, and trials.csv has no trial".into());
    }
    for block in to_be_run(results).difference(&blocks) {
        wrong.push(format!("truncated: block {block} is missing in trials.csv"));
    }
    for block in blocks {
        let of_block = results.plan.trials.iter().filter(|t| t.block == block);
        let missing = of_block.filter(|t| !there.contains(&t.number)).count();
        if missing > 0 {
            wrong.push(format!(
                "truncated: {missing} trials of block {block} are missing in trials.csv"
            ));
        }
    }
    wrong
}

/// Blocks that a complete run of this plan must have.
fn to_be_run(results: &Results) -> BTreeSet<u32> {
    let Results { manifest, plan, .. } = results;
    // A run that its budget ended says so.
    let was_ended = manifest.notes.iter().any(|note| note.starts_with(BUDGET_ENDED));
    let most = match (&manifest.pilot, plan.design.precision) {
        _ if was_ended => 0,
        (Some(pilot), _) => pilot.decided,
        (None, Some(_)) => 0,
        (None, None) => plan.design.blocks,
    };
    let is_own = |block: u32| manifest.run.partition.is_none_or(|part| part.has(block));
    let planned = plan.trials.iter().map(|trial| trial.block);
    planned.filter(|block| *block <= most && is_own(*block)).collect()
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::results::run::json;

    /// A copy of a published folder.
    fn copy() -> (tempfile::TempDir, PathBuf) {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0001-email-lookup/ci");
        let root = tempfile::tempdir().expect("a folder");
        let dir = root.path().join("ci");
        fs::create_dir_all(dir.join("plans")).expect("made");
        let mut found = BTreeSet::new();
        below(&from, "", 0, &mut found).expect("listed");
        for name in found {
            if let Some(parent) = dir.join(&name).parent() {
                fs::create_dir_all(parent).expect("made");
            }
            fs::copy(from.join(&name), dir.join(&name)).expect("copied");
        }
        (root, dir)
    }

    fn edit(dir: &Path, file: &str, change: impl Fn(&str) -> String) {
        let text = fs::read_to_string(dir.join(file)).expect("read");
        let changed = change(&text);
        assert_ne!(text, changed, "{file} is changed");
        fs::write(dir.join(file), changed).expect("written");
    }

    /// Writes the digests anew, as somebody would who wants to hide what he did.
    fn cover_up(dir: &Path) {
        let path = dir.join("manifest.json");
        let mut manifest: Manifest =
            serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        for (name, digest) in &mut manifest.digests {
            *digest = sha256_hex(&fs::read(dir.join(name)).expect("read"));
        }
        fs::write(&path, json(&manifest).expect("JSON")).expect("written");
    }

    fn wrong(dir: &Path) -> String {
        verify(dir).expect("a folder").wrong.join("\n")
    }

    #[test]
    fn what_is_checked_in_is_as_it_was_published() {
        for profile in ["ci", "full"] {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("results/0001-email-lookup")
                .join(profile);
            let verified = verify(&dir).expect("a folder");
            assert_eq!(verified.wrong, Vec::<String>::new());
            assert!(verified.results.is_some() && verified.files > 10);
        }
    }

    #[test]
    fn an_edited_file_a_missing_one_and_one_too_many_are_named() {
        let (_root, dir) = copy();
        // Whatever was measured: the last line's last digit, and a word that every report has.
        edit(&dir, "trials.csv", |text| {
            let at = text.rfind(|c: char| c.is_ascii_digit()).expect("a figure");
            let other = if text[at..].starts_with('1') { "2" } else { "1" };
            format!("{}{other}{}", &text[..at], &text[at + 1..])
        });
        edit(&dir, "report.md", |text| text.replace("blocks", "bricks"));
        fs::remove_file(dir.join("claims.csv")).expect("removed");
        fs::write(dir.join("plans/other.json"), "{}").expect("written");
        let verified = verify(&dir).expect("a folder");
        assert!(verified.results.is_none());
        let all = verified.wrong.join("\n");
        for want in [
            "trials.csv was changed since it was published (its digest differs)\n",
            "report.md was changed since it was published (its digest differs): `querylab report`",
            "claims.csv is missing",
            "plans/other.json was not published with the rest",
        ] {
            assert!(all.contains(want), "{want}: {all}");
        }
    }

    #[test]
    fn what_was_edited_and_covered_up_is_still_found() {
        let (_root, dir) = copy();
        edit(&dir, "trials.csv", |text| text.split_inclusive('\n').take(40).collect());
        cover_up(&dir);
        assert!(wrong(&dir).contains("truncated: "), "{}", wrong(&dir));
        let (_root, dir) = copy();
        edit(&dir, "plan.json", |text| text.replace("\"confidence\": 0.95", "\"confidence\": 0.5"));
        cover_up(&dir);
        assert!(wrong(&dir).contains("plan.json was edited"), "{}", wrong(&dir));
        // Nor does it help to write the same in other words.
        let (_root, dir) = copy();
        edit(&dir, "plan.json", |text| {
            let short = text.replace("\"confidence\": 0.95", "\"confidence\": 0.5");
            short.lines().map(str::trim).collect()
        });
        cover_up(&dir);
        assert!(wrong(&dir).contains("plan.json was edited"), "{}", wrong(&dir));
        let (_root, dir) = copy();
        edit(&dir, "plan.json", |text| text.replacen('{', "{\"other\": 1,", 1));
        cover_up(&dir);
        let told = verify(&dir).expect("a folder").unchecked;
        assert_eq!(told, [UNKNOWN_KEYS]);
        // A whole block that was cut off is missing like half of one.
        let (_root, dir) = copy();
        edit(&dir, "trials.csv", |text| {
            let is_kept = |line: &&str| line.split(',').nth(2) != Some("6");
            text.split_inclusive('\n').filter(is_kept).collect()
        });
        cover_up(&dir);
        assert!(wrong(&dir).contains("truncated: block 6 is missing"), "{}", wrong(&dir));
        let (_root, dir) = copy();
        edit(&dir, "trials.csv", |text| {
            text.replacen(",composite,users100,", ",composite,unloaded,", 1)
        });
        cover_up(&dir);
        assert!(wrong(&dir).contains("that plan.json has not"), "{}", wrong(&dir));
    }

    #[test]
    fn a_folder_of_two_runs_is_mixed() {
        let (_root, dir) = copy();
        let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0001-email-lookup/full");
        fs::copy(other.join("plan.json"), dir.join("plan.json")).expect("copied");
        assert!(wrong(&dir).contains("plan.json was changed"), "{}", wrong(&dir));
        cover_up(&dir);
        assert!(wrong(&dir).contains("mixed: manifest.json is of the plan"), "{}", wrong(&dir));
    }

    #[test]
    fn a_cut_off_manifest_and_a_folder_without_one_are_told_apart() {
        let (_root, dir) = copy();
        edit(&dir, "manifest.json", |text| text[..text.len() / 2].to_owned());
        assert!(wrong(&dir).contains("manifest.json is broken or was cut off"));
        fs::remove_file(dir.join("manifest.json")).expect("removed");
        let refused = verify(&dir).expect_err("nothing to verify").to_string();
        assert!(refused.contains("no manifest.json"), "{refused}");
    }
}
