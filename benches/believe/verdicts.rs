//! Real sessions in which the truth is known: the same server twice, and servers that are slower by 5 %, 20 % and 100 %.
//!
//! A session is what a run is: blocks, in each of which every variant is measured once, in random order, with an oracle
//! and a generator that are started for it. The words come from the same functions as a report's.

use anyhow::{Result, anyhow};
use querylab::stats::{Comparison, Orientation, Pair, Question, compare, median};

use crate::laws::{Draws, Law};
use crate::table::Table;
use crate::tools::{Oracle, Settings, drive};

/// What a block measures: a name, and how many times slower than the first.
const VARIANTS: [(&str, f64); 5] =
    [("base", 1.0), ("the same", 1.0), ("+5 %", 1.05), ("+20 %", 1.2), ("x2", 2.0)];
/// Where blocks scatter more than this, 5 % need not be found.
const MOST_SD: f64 = 0.03;

pub(crate) fn check(settings: Settings, table: &mut Table) -> Result<()> {
    let mut draws = Draws::new(20_250_105);
    let (sessions, blocks) = if settings.is_long { (20, 8) } else { (3, 6) };
    let mut all = Vec::new();
    for _ in 0..sessions {
        all.push(session(settings, &mut draws, blocks, 1)?);
    }
    let size = format!("{sessions} sessions of {blocks} blocks of 1 s");
    let same: Vec<&Comparison> = all.iter().map(|session| &session[0]).collect();
    judge_same(table, &size, &same);
    for (i, (name, times)) in VARIANTS.into_iter().enumerate().skip(2) {
        let planted: Vec<&Comparison> = all.iter().map(|session| &session[i - 1]).collect();
        judge_planted(table, (&size, name, times), &planted);
    }
    if settings.is_long {
        let long = session(settings, &mut draws, 24, 2)?;
        judge_same(table, "one session of 24 blocks of 2 s", &[&long[0]]);
        judge_planted(table, ("one session of 24 blocks of 2 s", "+5 %", 1.05), &[&long[1]]);
    }
    Ok(())
}

/// Compares all variants with the first, by their median response time.
fn session(
    settings: Settings,
    draws: &mut Draws,
    blocks: u32,
    seconds: u32,
) -> Result<Vec<Comparison>> {
    let mut p50 = vec![Vec::new(); VARIANTS.len()];
    for _ in 0..blocks {
        let mut order: Vec<usize> = (0..VARIANTS.len()).collect();
        draws.shuffle(&mut order);
        // All of a block have the same arrivals, and latencies of their own.
        let arrivals = draws.word() >> 32;
        for variant in order {
            let law = Law::Lognormal { median: 5.0 * VARIANTS[variant].1, sigma: 0.5 };
            let orders = [format!("law={law}"), format!("seed={}", draws.word())];
            let oracle = Oracle::start(settings, &[&orders[0], &orders[1]])?;
            let args =
                format!("--rate 500/s --arrival poisson --seed {arrivals} --duration {seconds}s");
            let got = drive(settings, &oracle.url(), &args)?;
            p50[variant].push(got.ms("response_time_us", "p50"));
        }
    }
    let question = Question {
        orientation: Orientation::LowerIsBetter,
        confidence: 0.95,
        margin: 0.05,
        family: 1,
    };
    let base = p50.remove(0);
    let compared = p50.iter().map(|variant| {
        let pairs: Vec<Pair> = (0..blocks)
            .zip(base.iter().zip(variant))
            .map(|(block, (baseline, variant))| Pair {
                block,
                baseline: *baseline,
                variant: *variant,
            })
            .collect();
        compare(&pairs, question).map_err(|e| anyhow!("no comparison: {e:?}"))
    });
    compared.collect()
}

/// Whether the 95 % interval lies on one side of 1: below, above, or neither.
fn side(comparison: &Comparison) -> i32 {
    comparison.spread.map_or(0, |spread| {
        i32::from(spread.interval.low > 1.0) - i32::from(spread.interval.high < 1.0)
    })
}

fn spread_of(all: &[&Comparison]) -> f64 {
    let sds: Vec<f64> = all.iter().filter_map(|c| Some(c.spread?.sd_log)).collect();
    median(&sds).unwrap_or(f64::NAN)
}

fn judge_same(table: &mut Table, size: &str, all: &[&Comparison]) {
    let different = all.iter().filter(|c| side(c) != 0).count();
    let most = most_false(all.len());
    let ratios: Vec<f64> = all.iter().map(|c| c.ratio).collect();
    let (low, high) =
        ratios.iter().fold((f64::MAX, f64::MIN), |(low, high), r| (low.min(*r), high.max(*r)));
    let sd = spread_of(all) * 100.0;
    table.row(
        &format!("{size}, the same server twice: called different at 5 %"),
        &format!("at most {most} of {}", all.len()),
        &format!("{different} (ratios {low:.3} to {high:.3}, sd of a block {sd:.1} %)"),
        different <= most,
    );
}

fn judge_planted(table: &mut Table, (size, name, times): (&str, &str, f64), all: &[&Comparison]) {
    let calm: Vec<&&Comparison> =
        all.iter().filter(|c| c.spread.is_some_and(|s| s.sd_log <= MOST_SD)).collect();
    let found = calm.iter().filter(|c| side(c) > 0).count();
    let wrong = all.iter().filter(|c| side(c) < 0).count();
    let ratios: Vec<f64> = all.iter().map(|c| c.ratio).collect();
    let middle = median(&ratios).unwrap_or(f64::NAN);
    let what = format!("{size}, {name}: found where blocks scatter by up to 3 %");
    let sd = spread_of(all) * 100.0;
    let got = format!(
        "{found} of {} (median ratio {middle:.3}, truly {times}; sd {sd:.1} %)",
        calm.len()
    );
    if calm.is_empty() {
        table.skip(&what, &format!("no session was calm enough (sd {sd:.1} %)"));
    } else {
        table.row(&what, "90 %", &got, found * 10 >= calm.len() * 9);
    }
    table.row("the same: the wrong sign", "never", &wrong.to_string(), wrong == 0);
}

/// The most false differences of n at 5 % that chance allows: more have a probability below 1 %.
fn most_false(n: usize) -> usize {
    let n_f = n as f64;
    let mut mass = 0.95f64.powf(n_f);
    let mut below = mass;
    let mut k = 0;
    while 1.0 - below > 0.01 && k < n {
        let k_f = k as f64;
        mass *= (n_f - k_f) / (k_f + 1.0) * 0.05 / 0.95;
        below += mass;
        k += 1;
    }
    k
}
