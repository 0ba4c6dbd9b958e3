//! What the conductor says, drawn: a bar on a terminal, plain lines elsewhere, JSON for machines.

use std::collections::BTreeMap;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{Global, MessageFormat, ProgressKind};
use super::out;
use crate::dataset::{CopyForm, Place, Progress as Data};
use crate::lab::Event;
use crate::units;

/// Draws events as they come.
pub(super) struct Painter {
    kind: Kind,
    quiet: bool,
    doing: String,
    last_share: BTreeMap<String, u64>,
}

enum Kind {
    Bar(ProgressBar),
    Plain,
    None,
    Json,
}

impl Painter {
    /// A painter for this terminal (or none).
    pub(super) fn new(global: &Global, kind: ProgressKind) -> Self {
        let kind = match (global.message_format, kind) {
            (MessageFormat::Json, _) => Kind::Json,
            (_, ProgressKind::None) => Kind::None,
            (_, ProgressKind::Plain) => Kind::Plain,
            (_, ProgressKind::Auto) if global.quiet => Kind::None,
            (_, ProgressKind::Auto) if !out::stderr_is_terminal() => Kind::Plain,
            (_, ProgressKind::Bar | ProgressKind::Auto) => Kind::Bar(bar()),
        };
        Self { kind, quiet: global.quiet, doing: String::new(), last_share: BTreeMap::new() }
    }

    /// Draws one event.
    pub(super) fn draw(&mut self, event: &Event) {
        if let Kind::Json = self.kind {
            if let Ok(line) = serde_json::to_string(event) {
                // A closed pipe must not stop a measurement; the results are on disk.
                out::stdout(&format!("{line}\n")).unwrap_or_default();
            }
            return;
        }
        if let Event::TrialStarted { number, of, left_ns, .. } = event
            && let Kind::Bar(bar) = &self.kind
        {
            bar.set_length(u64::from(*of));
            bar.set_position(u64::from(*number - 1));
            bar.set_prefix(format!("{} left", units::duration_ns(*left_ns)));
        }
        if let Some(message) = self.fleeting(event) {
            if let Kind::Bar(bar) = &self.kind {
                bar.set_message(message);
            }
            return;
        }
        match (line(event), &self.kind) {
            // For whom a run waits is no progress, and said where none is shown.
            (Some(line), Kind::None) if matches!(event, Event::Notice { .. }) && !self.quiet => {
                out::stderr(&format!("{line}\n"));
            }
            (Some(line), _) => self.print(&line),
            (None, _) => {}
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Kind::Bar(bar) = &self.kind {
            bar.finish_and_clear();
        }
    }

    fn print(&self, line: &str) {
        match &self.kind {
            _ if self.quiet => {}
            Kind::Bar(bar) => bar.suspend(|| out::stderr(&format!("{line}\n"))),
            Kind::Plain => out::stderr(&format!("{line}\n")),
            _ => {}
        }
    }

    /// What is worth showing only while it lasts. Plain lines show loading in steps of ten percent.
    fn fleeting(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::TrialStarted { variant, load, .. } => {
                self.doing = format!("{variant}/{load}");
                Some(self.doing.clone())
            }
            Event::TrialPhase { phase } => Some(format!("{} {phase}", self.doing)),
            Event::SearchStep { rate_per_s, end, .. } => {
                Some(format!("{} search, {}/s: {end}", self.doing, units::sig3(*rate_per_s)))
            }
            Event::TrialProgress { answered, rate_rps } => Some(format!(
                "{} {} answers, {}/s",
                self.doing,
                units::count(*answered),
                units::sig3(*rate_rps)
            )),
            Event::Dataset(Data::Loading { table, done, rows, ms }) => {
                let said = loading(table, (*done, *rows), *ms);
                let share = done * 10 / (*rows).max(1);
                if self.last_share.insert(table.clone(), share) != Some(share)
                    && !matches!(self.kind, Kind::Bar(_))
                {
                    self.print(&format!("  {said}"));
                }
                Some(said)
            }
            _ => None,
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(4));
    let style =
        ProgressStyle::with_template("{spinner} [{bar:24}] {pos}/{len} {prefix}  {wide_msg}")
            .expect("the template is right")
            .progress_chars("━━ ");
    bar.set_style(style);
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

/// How far a table is, how fast its rows come, and how long the rest of them takes at that rate; before any has come nothing
/// of that is known.
fn loading(table: &str, (done, rows): (u64, u64), ms: u64) -> String {
    let far = format!("{table}: {} of {} rows", units::count(done), units::count(rows));
    if done == 0 {
        return far;
    }
    let rate = done as f64 / (ms as f64 / 1e3).max(0.001);
    let left_s = rows.saturating_sub(done) as f64 / rate.max(1.0);
    format!("{far}, {}/s, {} s left", units::sig3(rate), units::sig3(left_s))
}

fn seconds(ms: u64) -> String {
    format!("{} s", units::sig3(ms as f64 / 1e3))
}

fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Notice { text } => text.clone(),
        Event::RunStarted { trials, dir, estimate_ns, .. } => {
            format!("{trials} trials, about {}; run folder {dir}", units::duration_ns(*estimate_ns))
        }
        Event::Provisioned { versions } => {
            let list: Vec<String> =
                versions.iter().map(|(server, version)| format!("{server} {version}")).collect();
            format!("servers: {}", list.join(", "))
        }
        Event::Dataset(data) => return data_line(data),
        Event::DatasetReady { ms } => format!("data ready in {}", seconds(*ms)),
        Event::FirstLoad { ms } => format!("first load after {}", seconds(*ms)),
        Event::TrialEnded {
            number,
            of,
            block,
            variant,
            load,
            response_time_p50_us,
            rate_rps,
            failure,
            invalid,
            overloaded,
        } => {
            let rate = units::sig3(rate_rps.unwrap_or(0.0));
            let what = match (failure, invalid, response_time_p50_us) {
                (Some(reason), ..) => format!("FAILED: {reason}"),
                (None, Some(reason), _) => format!("NOT VALID: {reason}"),
                (None, None, _) if *overloaded => format!("OVERLOADED: {rate}/s"),
                (None, None, Some(p50)) => {
                    format!("p50 {}, {rate}/s", units::latency_ns(p50 * 1e3))
                }
                (None, None, None) => "no median".to_owned(),
            };
            format!("[{number}/{of}] block {block} {variant}/{load}: {what}")
        }
        Event::Measured { ms, trials, failed } => {
            format!("{trials} trials in {}, {failed} failed", units::duration_ns(ms * 1_000_000))
        }
        _ => return None,
    })
}

/// What is said of the data while they are made.
fn data_line(data: &Data) -> Option<String> {
    Some(match data {
        Data::Restored { entry, bytes, place, ms } => format!(
            "  data from the cache ({}): {} {} in {}, nothing is loaded",
            super::cache::short(entry),
            units::bytes(*bytes as f64),
            match place {
                Place::Copy => "copied",
                Place::InPlace => "looked through and used where they are",
            },
            seconds(*ms)
        ),
        Data::Kept { entry, ms } => {
            format!("  kept for the next run ({}): {}", super::cache::short(entry), seconds(*ms))
        }
        Data::Migrated { migrations } => format!("  {migrations} migrations"),
        Data::Loaded { table, rows, ms, form, frozen, indexes } => format!(
            "  {table}: {} rows in {}, {}/s ({}{}{})",
            units::count(*rows),
            seconds(*ms),
            units::sig3(*rows as f64 / (*ms as f64 / 1e3).max(0.001)),
            match form {
                CopyForm::Binary => "binary",
                CopyForm::Text => "as text",
            },
            if *frozen { ", frozen" } else { "" },
            match indexes {
                0 => String::new(),
                1 => ", an index after them".into(),
                n => format!(", {n} indexes after them"),
            }
        ),
        Data::AfterLoad { ms } => format!("  after load: {}", seconds(*ms)),
        Data::Cloned { database, ms } => {
            format!("  cloned {database}: {}", seconds(*ms))
        }
        Data::Priced { database, round: 0, ms } => {
            format!("  writes tried in a clone of {database}, not counted: {}", seconds(*ms))
        }
        Data::Priced { database, round, ms } => {
            format!("  writes priced in a clone of {database}, round {round}: {}", seconds(*ms))
        }
        Data::Indexed { index, ms, bytes } => {
            format!("  built {index}: {}, {}", seconds(*ms), units::bytes(*bytes as f64))
        }
        Data::Loading { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(failure: Option<&str>, invalid: Option<&str>, overloaded: bool) -> String {
        let event = Event::TrialEnded {
            number: 3,
            of: 8,
            block: 2,
            variant: "btree".into(),
            load: "one".into(),
            response_time_p50_us: Some(178.0),
            rate_rps: Some(4210.0),
            failure: failure.map(str::to_owned),
            invalid: invalid.map(str::to_owned),
            overloaded,
        };
        line(&event).expect("a line")
    }

    #[test]
    fn a_table_that_is_loaded_tells_how_fast_and_how_long_still() {
        assert_eq!(loading("users", (0, 10_000), 5), "users: 0 of 10,000 rows");
        let half = loading("users", (4000, 10_000), 2000);
        assert_eq!(half, "users: 4,000 of 10,000 rows, 2000/s, 3.00 s left");
        let all = loading("users", (10_000, 10_000), 4000);
        assert_eq!(all, "users: 10,000 of 10,000 rows, 2500/s, 0 s left");
    }

    #[test]
    fn a_trial_that_does_not_count_is_not_told_like_one_that_does() {
        assert_eq!(ended(None, None, false), "[3/8] block 2 btree/one: p50 178 µs, 4210/s");
        assert_eq!(ended(None, None, true), "[3/8] block 2 btree/one: OVERLOADED: 4210/s");
        let starved = ended(None, Some("the generator was busy"), false);
        assert_eq!(starved, "[3/8] block 2 btree/one: NOT VALID: the generator was busy");
        assert_eq!(ended(Some("wrong"), None, false), "[3/8] block 2 btree/one: FAILED: wrong");
    }
}
