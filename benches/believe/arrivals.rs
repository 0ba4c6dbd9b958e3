//! Arrivals: their rate, their law and their lateness, as the server saw them.

use anyhow::{Context as _, Result};

use crate::known::is_whole;
use crate::table::Table;
use crate::tools::{Measured, Oracle, Settings, drive};

const RATE: f64 = 5000.0;
/// The statistic of Anderson and Darling that a known law exceeds once in a thousand.
const ANDERSON_DARLING: f64 = 6.0;

pub(crate) fn check(settings: Settings, table: &mut Table) -> Result<()> {
    let (constant, _) = at_5000(settings, "constant")?;
    rate_and_lag(table, "constant", &constant, 0.005);

    let (poisson, seconds) = at_5000(settings, "poisson")?;
    // Five standard deviations of the count of ten seconds.
    rate_and_lag(table, "Poisson", &poisson, 5.0 / (10.0 * RATE).sqrt());
    let worst = seconds.iter().map(|n| (n - RATE).abs() / RATE.sqrt()).fold(0.0, f64::max);
    table.below("the same: each second's count, in standard deviations", 5.0, worst, "");

    let oracle = Oracle::start(settings, &["law=constant:1"])?;
    drive(settings, &oracle.url(), "--rate 200/s --arrival poisson --duration 20s")?;
    let arrived = oracle.end()?.arrived_ns;
    let gaps: Vec<f64> = arrived.windows(2).map(|w| (w[1] - w[0]) as f64 * 200.0 / 1e9).collect();
    let what = "Poisson at 200/s, 20 s: gaps between arrivals at the server, Anderson and Darling";
    table.below(what, ANDERSON_DARLING, anderson_darling(gaps), "(p > 0.001)");
    Ok(())
}

/// Ten seconds, and the counts of the whole seconds among them.
fn at_5000(settings: Settings, arrival: &str) -> Result<(Measured, Vec<f64>)> {
    let oracle = Oracle::start(settings, &["law=constant:1"])?;
    let csv = std::env::temp_dir().join(format!("believe-{}.csv", std::process::id()));
    let args = format!(
        "--rate {RATE}/s --arrival {arrival} --duration 10s --export-csv {}",
        csv.display()
    );
    let got = drive(settings, &oracle.url(), &args)?;
    let text = std::fs::read_to_string(&csv)?;
    std::fs::remove_file(&csv)?;
    let mut counts = Vec::new();
    for row in text.lines().skip(1) {
        counts.push(row.split(',').nth(1).context("no count")?.parse()?);
    }
    // The last row is what came after the last whole second.
    counts.truncate(10);
    // The first second of the run begins a little before the first arrival.
    Ok((got, counts.split_off(1)))
}

fn rate_and_lag(table: &mut Table, name: &str, got: &Measured, tolerance: f64) {
    let off = got.number("rate_rps") / RATE - 1.0;
    table.row(
        &format!("{name} arrivals at {RATE}/s, 10 s: rate"),
        &format!("± {:.1} %, all answered", tolerance * 100.0),
        &format!("{:+.2} %, {} of {}", off * 100.0, got.count("answered"), got.count("due")),
        off.abs() <= tolerance && is_whole(got),
    );
    table.below("the same: schedule lag p99", 1.0, got.lag_p99_ms(), "ms");
    let limited = if got.is_generator_limited() { got.limits() } else { "no".into() };
    table.row("the same: generator limited", "no", &limited, !got.is_generator_limited());
}

/// The statistic of gaps in units of their mean against the exponential law.
fn anderson_darling(mut gaps: Vec<f64>) -> f64 {
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let law = |x: f64| (1.0 - (-x).exp()).clamp(1e-12, 1.0 - 1e-12);
    let terms = gaps.iter().zip(gaps.iter().rev()).enumerate().map(|(i, (low, high))| {
        (2.0 * i as f64 + 1.0) * (law(*low).ln() + (1.0 - law(*high)).ln())
    });
    -n - terms.sum::<f64>() / n
}
