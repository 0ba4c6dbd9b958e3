//! Parts of one run, joined: every block is whole on one machine, so that pairs stay pairs whoever measured them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::timeline::read_timeline;
use super::{Manifest, Results, RunFile, State, Table, read, table_bytes};

/// Parts as one.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// As of a run that had all blocks.
    pub results: Results,
    /// `timeline.csv`, where parts have one.
    pub timeline: Option<Table>,
    /// The merged experiment file.
    pub merged_toml: String,
}

/// Joins parts of a run.
///
/// # Errors
///
/// If a folder is not what was published, or the parts are of another plan, other data or other versions, or a block is in
/// two of them or in none.
pub fn merge(dirs: &[PathBuf]) -> Result<Merged> {
    let mut parts: Vec<(&Path, Results)> =
        dirs.iter().map(|dir| Ok((dir.as_path(), read(dir)?))).collect::<Result<_>>()?;
    // By their first blocks, so that the order in which they are named makes no difference.
    parts.sort_by_key(|(_, part)| (blocks(part).first().copied(), part.manifest.run.run.clone()));
    let Some(((first_dir, first), others)) = parts.split_first() else {
        bail!("there is nothing to join");
    };
    for (dir, part) in others {
        same(first, part).with_context(|| {
            format!("{} is no part of the same run as {}", dir.display(), first_dir.display())
        })?;
    }
    for (dir, part) in &parts {
        let state = part.manifest.run.state;
        ensure!(state == State::Complete, "{} is not complete: go on with it first", dir.display());
    }
    whole(&parts)?;
    let file = first_dir.join("experiment.merged.toml");
    let merged_toml =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let timeline = timeline(&parts)?;
    let all: Vec<&Results> = parts.iter().map(|(_, part)| part).collect();
    let mut trials: Vec<_> = all.iter().flat_map(|part| part.trials.iter().cloned()).collect();
    trials.sort_by_key(|trial| (trial.block, trial.order));
    let plans = all.iter().rev().flat_map(|part| part.plans.clone()).collect();
    let seconds = timeline.as_ref().map(table_bytes).transpose()?;
    let seconds = seconds.map(|bytes| read_timeline(&bytes)).transpose()?.unwrap_or_default();
    let (manifest, plan) = (manifest(&all)?, first.plan.clone());
    let results = Results { manifest, plan, trials, plans, timeline: seconds };
    Ok(Merged { results, timeline, merged_toml })
}

fn blocks(part: &Results) -> BTreeSet<u32> {
    part.trials.iter().map(|trial| trial.block).collect()
}

/// Why a part is of another run, if it is.
fn same(first: &Results, part: &Results) -> Result<()> {
    ensure!(part.plan.fingerprint == first.plan.fingerprint, "another plan");
    ensure!(part.plan.profile == first.plan.profile, "another profile");
    let (ours, theirs) = (&first.manifest, &part.manifest);
    ensure!(theirs.querylab == ours.querylab, "measured by querylab {}", theirs.querylab);
    ensure!(
        theirs.revision == ours.revision,
        "measured at commit {}",
        theirs.revision.as_deref().unwrap_or("unknown")
    );
    for (server, version) in &ours.versions {
        let other = theirs.versions.get(server).map_or("none", String::as_str);
        ensure!(other == version, "another version of {server}: {other} and not {version}");
    }
    // Runs of an older querylab do not know.
    let known = !ours.builds.is_empty() && !theirs.builds.is_empty();
    ensure!(!known || ours.builds == theirs.builds, "another build of Postgres");
    for (place, settings) in &theirs.settings {
        let ours = ours.settings.get(place);
        ensure!(ours.is_none_or(|ours| ours == settings), "other settings in force in {place}");
    }
    for table in &ours.dataset.tables {
        let other = theirs.dataset.tables.iter().find(|other| other.name == table.name);
        let is_same = other.is_some_and(|o| (o.rows, &o.checksum) == (table.rows, &table.checksum));
        ensure!(is_same, "other data: the rows of {} differ", table.name);
    }
    Ok(())
}

/// Each block is there, once.
fn whole(parts: &[(&Path, Results)]) -> Result<()> {
    let mut of_block: BTreeMap<u32, &Path> = BTreeMap::new();
    for (dir, part) in parts {
        for block in blocks(part) {
            if let Some(other) = of_block.insert(block, dir) {
                bail!("block {block} is in {} and in {}", other.display(), dir.display());
            }
        }
    }
    let Some((_, first)) = parts.first() else { return Ok(()) };
    let missing: Vec<String> = (1..=first.plan.design.blocks)
        .filter(|block| !of_block.contains_key(block))
        .map(|block| block.to_string())
        .collect();
    ensure!(missing.is_empty(), "no part has block {}", missing.join(", "));
    Ok(())
}

fn manifest(parts: &[&Results]) -> Result<Manifest> {
    let all: Vec<&Manifest> = parts.iter().map(|part| &part.manifest).collect();
    let first = *all.first().context("there is nothing to join")?;
    let earliest = all.iter().map(|m| &m.run).min_by_key(|run| &run.started_at);
    let mut notes: Vec<String> = Vec::new();
    for note in all.iter().flat_map(|m| &m.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    let named: Vec<String> = parts.iter().map(|part| says(part)).collect();
    notes.push(format!(
        "joined from {} parts, each of whole blocks: {}",
        parts.len(),
        named.join("; ")
    ));
    let run = RunFile {
        trials_planned: u32::try_from(parts[0].plan.trials.len())?,
        partition: None,
        first_load_ms: None,
        ..earliest.unwrap_or(&first.run).clone()
    };
    Ok(Manifest {
        run,
        command: without_partition(&first.command),
        finished_at: all.iter().map(|m| m.finished_at.clone()).max().unwrap_or_default(),
        wall_ms: all.iter().map(|m| m.wall_ms).sum(),
        settings: all.iter().rev().flat_map(|m| m.settings.clone()).collect(),
        host: host(&all),
        notes,
        digests: BTreeMap::new(),
        ..first.clone()
    })
}

/// The run and its blocks.
fn says(part: &Results) -> String {
    let blocks: Vec<String> = blocks(part).iter().map(u32::to_string).collect();
    format!("{} has block {}", part.manifest.run.run, blocks.join(", "))
}

/// Every machine: what they share once, what differs side by side.
fn host(all: &[&Manifest]) -> BTreeMap<String, String> {
    let mut values: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
    for (key, value) in all.iter().flat_map(|manifest| &manifest.host) {
        let known = values.entry(key).or_default();
        if !known.contains(&value.as_str()) {
            known.push(value);
        }
    }
    values.into_iter().map(|(key, values)| (key.clone(), values.join(" and "))).collect()
}

/// The command that would have run all of it.
fn without_partition(command: &[String]) -> Vec<String> {
    let at = command.iter().position(|word| word == "--partition");
    let gone = |n: usize| at.is_some_and(|at| n == at || n == at + 1);
    let words = command.iter().enumerate().filter(|(n, _)| !gone(*n)).map(|(_, word)| word);
    words.filter(|word| !word.starts_with("--partition=")).cloned().collect()
}

fn timeline(parts: &[(&Path, Results)]) -> Result<Option<Table>> {
    let mut joined: Option<Table> = None;
    for (dir, _) in parts {
        let path = dir.join("timeline.csv");
        if !path.exists() {
            continue;
        }
        let mut reader = csv::Reader::from_path(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
        let table = joined.get_or_insert_with(|| Table {
            file: "timeline.csv".into(),
            header: header.clone(),
            rows: Vec::new(),
        });
        ensure!(
            table.header == header,
            "{} has other columns than the other parts",
            path.display()
        );
        for record in reader.records() {
            let record = record.with_context(|| format!("{}", path.display()))?;
            table.rows.push(record.iter().map(str::to_owned).collect());
        }
    }
    if let Some(table) = &mut joined {
        let column = |name: &str| table.header.iter().position(|column| column == name);
        let (block, order) = (column("block"), column("order"));
        let number = |row: &Vec<String>, at: Option<usize>| -> u64 {
            at.and_then(|at| row.get(at)).and_then(|cell| cell.parse().ok()).unwrap_or(u64::MAX)
        };
        // Stable: the seconds of a trial stay in their order.
        table.rows.sort_by_key(|row| (number(row, block), number(row, order)));
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Partition;
    use crate::results::{Publication, publish};

    fn kept() -> (Results, String, Table) {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/0001-email-lookup/ci");
        let results = read(&dir).expect("results");
        let toml = fs::read_to_string(dir.join("experiment.merged.toml")).expect("read");
        let timeline = timeline(&[(&dir, results.clone())]).expect("read").expect("a timeline");
        (results, toml, timeline)
    }

    /// The kept run in parts, as so many machines would have measured it.
    fn parts(root: &Path, of: u32, change: impl Fn(u32, &mut Results)) -> Vec<PathBuf> {
        let (whole, toml, timeline) = kept();
        let part = |n: u32| {
            let partition: Partition = format!("count:{n}/{of}").parse().expect("a part");
            let mut results = whole.clone();
            results.trials.retain(|trial| partition.has(trial.block));
            results.manifest.run.partition = Some(partition);
            results.manifest.run.run = format!("part-{n}");
            change(n, &mut results);
            let mut timeline = timeline.clone();
            timeline.rows.retain(|row| partition.has(row[1].parse().expect("a block")));
            let publication = Publication {
                results: &results,
                merged_toml: &toml,
                tables: &[],
                timeline: Some(timeline),
                texts: &[],
                history: Vec::new(),
            };
            publish(&root.join(n.to_string()), &publication).expect("published")
        };
        (1..=of).map(part).collect()
    }

    fn refused(of: u32, change: impl Fn(u32, &mut Results)) -> String {
        let root = tempfile::tempdir().expect("a folder");
        let error = merge(&parts(root.path(), of, change)).expect_err("refused");
        format!("{error:#}")
    }

    #[test]
    fn parts_of_different_machines_join_to_the_whole_in_any_order() {
        let root = tempfile::tempdir().expect("a folder");
        let mut dirs = parts(root.path(), 3, |n, part| {
            part.manifest.host.insert("cores".into(), format!("{}", 2 * n));
        });
        let joined = merge(&dirs).expect("joined");
        dirs.reverse();
        assert_eq!(merge(&dirs).expect("joined"), joined);
        let (whole, toml, timeline) = kept();
        assert_eq!(joined.results.trials, whole.trials);
        assert_eq!((joined.merged_toml, joined.timeline), (toml, Some(timeline)));
        let manifest = &joined.results.manifest;
        assert_eq!(manifest.host["cores"], "2 and 4 and 6");
        assert_eq!(manifest.host["kernel"], whole.manifest.host["kernel"]);
        let note = manifest.notes.last().expect("a note");
        assert!(note.contains("part-2 has block 2, 5"), "{note}");
        assert_eq!(manifest.run.partition, None);
    }

    #[test]
    fn parts_of_another_plan_other_data_and_other_versions_are_refused() {
        type Change = fn(u32, &mut Results);
        let changes: [(Change, &str); 5] = [
            (
                |n, part| {
                    if n == 2 {
                        part.manifest.revision = Some("deadbeef".into());
                    }
                },
                "measured at commit deadbeef",
            ),
            (
                |n, part| {
                    if n == 2 {
                        part.plan.fingerprint = "x".into();
                    }
                },
                "another plan",
            ),
            (
                |n, part| {
                    if n == 2 {
                        part.manifest.dataset.tables[0].checksum = "x".into();
                    }
                },
                "other data: the rows of users",
            ),
            (
                |n, part| {
                    if n == 2 {
                        part.manifest.versions.insert("redis".into(), "8".into());
                    }
                },
                "another version of redis: 8 and not",
            ),
            (
                |n, part| {
                    if n == 2 {
                        part.manifest.run.state = State::Failed;
                    }
                },
                "is not complete",
            ),
        ];
        for (change, want) in changes {
            let text = refused(2, change);
            assert!(text.contains(want), "{want}: {text}");
        }
    }

    #[test]
    fn the_command_of_the_whole_names_no_part() {
        for words in [["--partition", "count:1/4"].as_slice(), &["--partition=count:1/4"]] {
            let mut all = vec!["run".to_owned()];
            all.extend(words.iter().map(|word| (*word).to_owned()));
            all.push("--fresh".to_owned());
            assert_eq!(without_partition(&all), ["run", "--fresh"]);
        }
    }

    #[test]
    fn a_block_that_is_there_twice_or_never_is_named() {
        let root = tempfile::tempdir().expect("a folder");
        let mut dirs = parts(root.path(), 3, |_, _| {});
        let twice = [&dirs[..], &dirs[..1]].concat();
        let text = format!("{:#}", merge(&twice).expect_err("twice"));
        assert!(text.starts_with("block 1 is in "), "{text}");
        dirs.remove(1);
        assert_eq!(format!("{:#}", merge(&dirs).expect_err("never")), "no part has block 2, 5");
        assert!(merge(&[]).is_err());
    }
}
