//! What `calibrate` has found: a page for people, one object for programs.

use std::fmt::Write;

use comfy_table::{Table, presets};

use crate::lab::{Calibration, NoiseFigure};
use crate::units::{bytes, count, latency_ns, share, sig3};

/// One object, on one line.
pub(super) fn json(calibration: &Calibration) -> String {
    serde_json::to_string(calibration).expect("numbers and texts are JSON")
}

/// The page for people.
pub(super) fn page(c: &Calibration) -> String {
    let mut page = String::new();
    let mut line = |name: &str, text: String| {
        writeln!(page, "{name:<10} {text}").expect("a String takes all");
    };
    let said = |key: &str| c.machine.get(key).map_or("?", String::as_str);
    line(
        "machine",
        format!("{} cores, {}, Linux {}", said("cores"), said("cpu_model"), said("kernel")),
    );
    let clock = &c.clock;
    line(
        "clock",
        format!(
            "resolution {}, a reading takes {}",
            latency_ns(clock.resolution_ns as f64),
            latency_ns(clock.read_ns)
        ),
    );
    line(
        "timers",
        format!(
            "late by p50 {}, p99 {}, at most {} ({} waits of 1 ms)",
            latency(clock.overshoot_p50_us),
            latency(clock.overshoot_p99_us),
            latency(clock.overshoot_max_us),
            count(clock.waits)
        ),
    );
    line(
        "processor",
        format!(
            "SHA-256 of {}/s, scatters by {} over {} rounds; {} of its time was stolen",
            bytes(c.processor.sha256_bytes_per_s),
            share(c.processor.spread),
            count(c.processor.rounds as u64),
            share(c.steal_share)
        ),
    );
    let ceiling = &c.ceiling;
    line(
        "generator",
        format!(
            "{} users at Nginx' static answer: {}/s, {} of CPU a request, {} of a core",
            ceiling.users,
            count_of(ceiling.rate_rps),
            latency(ceiling.cpu_per_request_us),
            sig3(ceiling.generator_cpu_share)
        ),
    );
    let (schedule, noise) = (schedule(c), noise(&c.noise.figures));
    let window = latency_ns(c.window_s * 1e9);
    let blocks = c.noise.blocks;
    write!(
        page,
        "\nSent by the clock, at Nginx' static answer:\n{schedule}\n\nThe same variant twice, 1 user on 1 processor, {blocks} blocks, \
         windows of {window}:\n{noise}\n\nA scatter is the standard deviation of a block's log-ratio. What blocks show is a \
         difference\nthat four of five runs find at 95 %. Another load or variant may scatter otherwise.\n"
    )
    .expect("a String takes all");
    for warning in &c.warnings {
        writeln!(page, "warning: {warning}").expect("a String takes all");
    }
    page
}

fn schedule(c: &Calibration) -> Table {
    let mut table = table(&["offered", "answered", "dropped", "late p50", "p99", "max"]);
    for load in &c.schedule {
        table.add_row([
            format!("{}/s", count_of(load.offered_rps)),
            format!("{}/s", count_of(load.rate_rps)),
            count(load.dropped),
            latency(load.lag_p50_us),
            latency(load.lag_p99_us),
            latency(load.lag_max_us),
        ]);
    }
    table
}

fn noise(figures: &[NoiseFigure]) -> Table {
    let mut header = vec!["metric", "n", "ratio (99%)", "scatter (95%)"];
    let shown: Vec<String> = figures
        .first()
        .map(|f| f.detectable.iter().map(|s| format!("{} blocks show", s.blocks)).collect())
        .unwrap_or_default();
    header.extend(shown.iter().map(String::as_str));
    header.extend(["blocks to see 5%", "blocks for ±5%"]);
    let mut table = table(&header);
    for f in figures {
        let mut row = vec![
            f.metric.replace('_', " "),
            f.n.to_string(),
            format!("{}x ({}-{})", sig3(f.ratio), sig3(f.ratio_low_99), sig3(f.ratio_high_99)),
            format!("{} ({}-{})", share(f.sd_log), share(f.sd_log_low_95), share(f.sd_log_high_95)),
        ];
        row.extend(f.detectable.iter().map(|s| format!(">= {}", share(s.difference))));
        row.push(f.blocks_to_see_5_percent.map_or("over 1000".into(), |n| n.to_string()));
        row.push(f.blocks_for_5_percent_half_width.to_string());
        table.add_row(row);
    }
    table
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header.to_vec());
    table
}

fn latency(us: f64) -> String {
    latency_ns(us * 1e3)
}

/// Three digits of a rate, in groups.
fn count_of(rate: f64) -> String {
    let text = sig3(rate);
    text.parse().map_or(text, count)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::lab::{Ceiling, ClockFigures, Lag, Noise, ProcessorFigures, Seen};

    fn made_up() -> Calibration {
        let lag = |rate: f64| Lag {
            offered_rps: rate,
            rate_rps: rate * 0.9999,
            sent: 15_000,
            dropped: 0,
            lag_p50_us: 9.12,
            lag_p99_us: 87.65,
            lag_max_us: 1234.5,
        };
        let figure = |metric: &str, sd: f64, blocks: Option<u32>| NoiseFigure {
            metric: metric.into(),
            n: 8,
            ratio: 1.002,
            ratio_low_99: 0.981,
            ratio_high_99: 1.023,
            sd_log: sd,
            sd_log_low_95: sd * 0.66,
            sd_log_high_95: sd * 2.04,
            detectable: [6, 8, 12]
                .map(|n| Seen { blocks: n, difference: sd * 8.0 / n as f64 })
                .to_vec(),
            blocks_to_see_5_percent: blocks,
            blocks_for_5_percent_half_width: 8,
        };
        let machine = [("cores", "2"), ("cpu_model", "A Processor"), ("kernel", "6.1.0")];
        Calibration {
            format: 1,
            querylab: "0.1.0".into(),
            finished_at: "2026-11-22T10:00:00.000Z".into(),
            machine: machine.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            versions: BTreeMap::from([("postgres".to_owned(), "15.18".to_owned())]),
            window_s: 3.0,
            clock: ClockFigures {
                resolution_ns: 1,
                read_ns: 31.4,
                waits: 500,
                overshoot_p50_us: 58.1,
                overshoot_p99_us: 131.0,
                overshoot_max_us: 702.0,
            },
            processor: ProcessorFigures { rounds: 561, sha256_bytes_per_s: 1.61e9, spread: 0.0123 },
            schedule: vec![lag(1000.0), lag(5000.0)],
            ceiling: Ceiling {
                users: 50,
                rate_rps: 91_234.0,
                cpu_per_request_us: 6.21,
                generator_cpu_share: 0.567,
            },
            steal_share: 0.0012,
            noise: Noise {
                blocks: 8,
                figures: vec![
                    figure("response_time_p50", 0.0213, Some(6)),
                    figure("throughput", 0.9, None),
                ],
            },
            warnings: vec!["the coffee is cold".into()],
        }
    }

    #[test]
    fn the_page_of_a_calibration() {
        insta::assert_snapshot!(page(&made_up()));
    }

    #[test]
    fn the_object_of_a_calibration() {
        let object: serde_json::Value = serde_json::from_str(&json(&made_up())).expect("an object");
        insta::assert_snapshot!(serde_json::to_string_pretty(&object).expect("JSON"));
    }
}
