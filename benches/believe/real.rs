//! Whole runs on real Postgres and Redis in which the truth is known: planted slowdowns, the price of our own witness, hit
//! ratios that theory gives, and what is in memory before the first request.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use querylab::results::{TrialRecord, read_trials};

use crate::laws::Draws;
use crate::table::Table;
use crate::tools::{Settings, program};

/// Keys of `caches.toml`, and the skew of one of its variants.
const KEYS: u32 = 20_000;
const EXPONENT: f64 = 0.99;
/// Hit ratios are this near to theory.
const POINTS: f64 = 2.0;

/// A run's folder, which goes with it.
struct Ran {
    home: PathBuf,
    results: PathBuf,
}

impl Drop for Ran {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.home).ok();
    }
}

/// A row of `comparisons.csv`.
struct Compared {
    variant: String,
    ratio: f64,
    low: f64,
    high: f64,
    sd_log: f64,
    verdict: String,
}

pub(crate) fn check(settings: Settings, table: &mut Table) -> Result<()> {
    planted(settings, table)?;
    counted(settings, table)?;
    caches(table)?;
    states(table)
}

/// Runs an experiment of `benches/believe/experiments`.
fn run(name: &str, more: &[&str]) -> Result<Ran> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/believe");
    let home = std::env::temp_dir().join(format!("believe-{}-{name}", std::process::id()));
    let experiments = home.join("experiments");
    std::fs::create_dir_all(&experiments)?;
    let items = home.join("migrations/items");
    std::fs::create_dir_all(&items)?;
    let sql = "0001_items.sql";
    std::fs::copy(own.join("migrations/items").join(sql), items.join(sql))?;
    let file = experiments.join(name).with_extension("toml");
    std::fs::copy(own.join("experiments").join(name).with_extension("toml"), &file)?;
    let mut command = Command::new(program());
    command.arg("run").arg(&file).args(["--quiet"]).args(more).current_dir(&home);
    let output = command.stdin(Stdio::null()).output().context("cannot start querylab run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "querylab run {name}: {}: {said}", output.status);
    let profiles = std::fs::read_dir(home.join("results").join(name))?;
    let folders = profiles.filter_map(|entry| Some(entry.ok()?.path()));
    let results = folders.filter(|path| path.is_dir()).last().context("no results")?;
    Ok(Ran { home, results })
}

impl Ran {
    fn trials(&self) -> Result<Vec<TrialRecord>> {
        let csv = std::fs::read(self.results.join("trials.csv"))?;
        let mut trials = read_trials(&csv)?;
        trials.retain(|trial| trial.outcome.is_valid());
        Ok(trials)
    }

    /// What was compared by the primary metric.
    fn compared(&self) -> Result<Vec<Compared>> {
        let mut csv = csv::Reader::from_path(self.results.join("comparisons.csv"))?;
        let heads = csv.headers()?.clone();
        let mut all = Vec::new();
        for row in csv.records() {
            let row = row?;
            let of = |name: &str| {
                let at = heads.iter().position(|head| head == name);
                at.and_then(|at| row.get(at)).unwrap_or_default()
            };
            if !["primary", "a-a"].contains(&of("family")) || of("metric") != "response_time_p50" {
                continue;
            }
            let number = |name: &str| of(name).parse().unwrap_or(f64::NAN);
            all.push(Compared {
                variant: of("variant").to_owned(),
                ratio: number("ratio"),
                low: number("low"),
                high: number("high"),
                sd_log: number("sd_log"),
                verdict: of("verdict").to_owned(),
            });
        }
        ensure!(!all.is_empty(), "nothing was compared");
        Ok(all)
    }
}

/// The same twice, and slower by 5 %, 20 % and 100 %.
fn planted(settings: Settings, table: &mut Table) -> Result<()> {
    let blocks = if settings.is_long { "24" } else { "8" };
    let ran = run("planted", &["--blocks", blocks])?;
    for compared in ran.compared()? {
        let Compared { variant, ratio, low, high, sd_log, verdict } = compared;
        let sd = sd_log * 100.0;
        let got = format!("{ratio:.3} ({low:.3} to {high:.3}), {verdict}; sd of a block {sd:.1} %");
        let more = match variant.as_str() {
            "plus5" => 1.05,
            "plus20" => 1.2,
            "twice" => 2.0,
            _ => {
                let what = format!("Postgres, the same sum twice, {blocks} blocks: ratio");
                table.row(&what, "99 % interval holds 1", &got, low <= 1.0 && 1.0 <= high);
                continue;
            }
        };
        let what = format!("Postgres, {variant}: ratio, truly at most {more}");
        // The round trip is not a sum, so the whole is slower by less than the sum is; and where blocks scatter, 5 % need not
        // be found. The sign is never wrong.
        let may_miss = more < 1.1 && sd_log > 0.03;
        let holds = (low > 1.0 || (may_miss && high > 1.0)) && ratio < more * 1.05;
        table.row(&what, if may_miss { "not faster" } else { "slower" }, &got, holds);
    }
    Ok(())
}

/// What Postgres' count of statements costs.
fn counted(settings: Settings, table: &mut Table) -> Result<()> {
    let ran = run("counted", &["--blocks", if settings.is_long { "24" } else { "12" }])?;
    for compared in ran.compared()? {
        let Compared { variant, ratio, low, high, sd_log, verdict } = compared;
        let sd = sd_log * 100.0;
        table.note(
            &format!("a lookup, {variant} beside uncounted: ratio of medians"),
            &format!("{ratio:.3} ({low:.3} to {high:.3}) {verdict}; sd of a block {sd:.1} %"),
        );
    }
    Ok(())
}

/// Hit ratios of a cache that holds a part of its keys.
fn caches(table: &mut Table) -> Result<()> {
    let ran = run("caches", &[])?;
    for trial in ran.trials()? {
        let (Some(window), Some(witness)) = (&trial.window, &trial.witness) else { continue };
        let of = |what: &str| window.cache.get(what).copied().unwrap_or(0) as f64;
        let measured = of("hit") / (of("hit") + of("miss")) * 100.0;
        // Each miss has put one key in, each eviction has taken one out.
        let (misses, evicted) = witness.redis_misses.zip(witness.redis_evicted).unwrap_or((0, 0));
        let held = misses.saturating_sub(evicted);
        let theory = if trial.variant == "uniform" {
            held as f64 / f64::from(KEYS) * 100.0
        } else {
            lru_hits(usize::try_from(held)?) * 100.0
        };
        let what = format!(
            "Redis holds {held} of {KEYS} keys, {}, block {}: hit ratio",
            trial.variant, trial.block
        );
        table.near(&what, (round(theory), POINTS), measured, "%");
    }
    Ok(())
}

fn round(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

/// The hit ratio of a cache that gives up the least recently used of its keys, by simulation.
fn lru_hits(capacity: usize) -> f64 {
    let weights = (1..=KEYS).map(|rank| f64::from(rank).powf(-EXPONENT));
    let mut sum = 0.0;
    let below: Vec<f64> = weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect();
    let mut draws = Draws::new(1);
    let mut last = vec![None; below.len()];
    let mut order = std::collections::BTreeMap::new();
    let (warm, measured) = (300_000u32, 300_000u32);
    let mut hits = 0u32;
    for now in 0..warm + measured {
        let at = draws.share() * sum;
        let key = below.partition_point(|weight| *weight < at).min(below.len() - 1);
        match last[key].replace(now) {
            Some(then) => {
                order.remove(&then);
                hits += u32::from(now >= warm);
            }
            None if order.len() >= capacity => {
                if let Some((_, oldest)) = order.pop_first() {
                    let oldest: usize = oldest;
                    last[oldest] = None;
                }
            }
            None => {}
        }
        order.insert(now, key);
    }
    f64::from(hits) / f64::from(measured)
}

/// Cold windows read from the disk, hot ones do not.
fn states(table: &mut Table) -> Result<()> {
    for (state, more) in [("cold", &[][..]), ("hot", &["--profile", "hot"][..])] {
        for trial in run("states", more)?.trials()? {
            let Some(witness) = &trial.witness else { continue };
            let Some(pages) = witness.buffers_read else { continue };
            let reads = pages as f64 / witness.api_requests.max(1) as f64;
            let block = trial.block;
            let what = format!("{state}, block {block}: pages read for a request");
            if state == "cold" {
                table.row(&what, "more than 0.1", &format!("{reads:.3}"), reads > 0.1);
                let share = witness.page_cache_share.unwrap_or(1.0) * 100.0;
                table.below("the same: in the page cache before", 5.0, share, "%");
            } else {
                table.below(&what, 0.1, reads, "(the first touch of each page)");
            }
        }
    }
    Ok(())
}
