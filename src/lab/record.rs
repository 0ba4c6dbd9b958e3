//! From what was measured to what is kept: records of the archive, and events that are also written down.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::clock;
use super::done::Done;
use super::event::Event;
use super::proof::Plans;
use crate::dataset::{self, Dataset, RowCost, WriteCost};
use crate::load::{Recording, Slice};
use crate::plan::{Plan, TrialPlan, captured_as};
use crate::results::{
    DataOrigin, DatasetRecord, Gathered, IndexCostRecord, IndexRecord, Outcome, Run, SliceRecord,
    TableRecord, TrialRecord, UNSTEADY,
};
use crate::units;

/// The archive and whoever listens: what is said is also kept.
pub(super) struct Recorder<'a> {
    /// The run's folder.
    pub(super) archive: &'a mut Run,
    /// Who listens.
    pub(super) events: &'a mut (dyn FnMut(Event) + Send),
}

impl Recorder<'_> {
    /// Says an event, and keeps it if it is not fleeting.
    pub(super) fn say(&mut self, event: Event) {
        let fleeting = matches!(
            event,
            Event::TrialProgress { .. } | Event::Dataset(dataset::Progress::Loading { .. })
        );
        if !fleeting
            && let Ok(json) = serde_json::to_value(&event)
            && let Err(e) = self.archive.event(&json)
        {
            tracing::warn!("{e:#}");
        }
        (self.events)(event);
    }
}

/// What the data cost and where they came from, with the variants that each index serves.
pub(super) fn dataset(plan: &Plan, made: Dataset, origin: DataOrigin) -> DatasetRecord {
    let variants_of = |database: &str| {
        let uses = |set: usize| plan.index_sets.get(set).is_some_and(|s| s.database == database);
        plan.variants.iter().filter(|v| uses(v.index_set)).map(|v| v.name.clone()).collect()
    };
    let index_costs = index_costs(&made.write_costs, variants_of);
    let tables = made.tables.into_iter().map(|t| TableRecord {
        name: t.name,
        rows: t.rows,
        table_bytes: t.table_bytes,
        load_ms: t.load_ms,
        checksum: t.checksum,
    });
    let indexes = made.indexes.into_iter().map(|i| IndexRecord {
        variants: variants_of(&i.database),
        database: i.database,
        name: i.name,
        sql: i.sql,
        build_ms: i.build_ms,
        index_bytes: i.index_bytes,
    });
    DatasetRecord {
        tables: tables.collect(),
        indexes: indexes.collect(),
        prepare_ms: made.prepare_ms,
        origin: Some(origin),
        index_costs,
        only_while_loading: BTreeMap::new(),
    }
}

/// The price of each set, beside that of a database without any declared index.
fn index_costs(
    costs: &[WriteCost],
    variants_of: impl Fn(&str) -> Vec<String>,
) -> Vec<IndexCostRecord> {
    let us = |ns: u64| ns as f64 / 1e3;
    let over = |cost: Option<RowCost>, bare: Option<RowCost>| {
        let bare = bare.filter(|bare| bare.ns > 0)?;
        Some(cost?.ns as f64 / bare.ns as f64)
    };
    let record = |cost: &WriteCost| {
        let database = cost.database.clone()?;
        let bare = costs.iter().find(|c| c.database.is_none() && c.table == cost.table);
        let updated = (cost.updated > 0).then_some(cost.updated as f64);
        Some(IndexCostRecord {
            variants: variants_of(&database),
            database,
            table: cost.table.clone(),
            insert_us: cost.insert.map(|cost| us(cost.ns)),
            insert_min_us: cost.insert.map(|cost| us(cost.least_ns)),
            insert_max_us: cost.insert.map(|cost| us(cost.most_ns)),
            insert_slowdown: over(cost.insert, bare.and_then(|bare| bare.insert)),
            insert_wal_bytes: cost.insert.map(|cost| cost.wal_bytes),
            update_us: cost.update.map(|cost| us(cost.ns)),
            update_min_us: cost.update.map(|cost| us(cost.least_ns)),
            update_max_us: cost.update.map(|cost| us(cost.most_ns)),
            update_slowdown: over(cost.update, bare.and_then(|bare| bare.update)),
            update_wal_bytes: cost.update.map(|cost| cost.wal_bytes),
            hot_update_ratio: updated.map(|updated| cost.hot as f64 / updated),
        })
    };
    costs.iter().filter_map(record).collect()
}

/// A slice with the rate that a search tried at its middle.
fn slice(recording: &Recording, slice: &Slice) -> SliceRecord {
    let middle = slice.t_ns + 500_000_000;
    let mut steps = recording.search.iter().flat_map(|search| &search.steps);
    let step = steps.find(|step| (step.from_ns..step.until_ns).contains(&middle));
    SliceRecord {
        t_ms: slice.t_ns / 1_000_000,
        answered: slice.answered,
        failed: slice.failed,
        response_time_p50_us: slice.p50_us,
        response_time_p99_us: slice.p99_us,
        offered_rps: step.map(|step| step.rate_per_s),
    }
}

/// What a recording says of itself, though the trial is valid.
fn notes_of(recording: Option<&Recording>) -> Vec<String> {
    let Some(recording) = recording else { return Vec::new() };
    let mut notes = Vec::new();
    if recording.window.is_unsteady() {
        notes.push(UNSTEADY.to_owned());
    }
    if let Some(stall_ns) = recording.window.stall_ns() {
        let long = units::latency_ns(stall_ns as f64);
        notes.push(format!("stall: no request ended for {long}, though some were under way"));
    }
    if let Some(kept) = recording.samples.filter(|kept| kept.lost > 0) {
        notes.push(format!(
            "{} raw samples are kept, {} are not: the disk was too slow, or there were too many",
            kept.written, kept.lost
        ));
    }
    notes
}

/// Writes the trial's files before anything else can go wrong; gives what was written.
pub(super) fn keep(
    plan: &Plan,
    trial: &TrialPlan,
    done: &Done,
    (started, wall_ms): (DateTime<Utc>, u64),
    recorder: &mut Recorder<'_>,
    gathered: &mut Gathered,
) -> anyhow::Result<TrialRecord> {
    let cell = &plan.cells[trial.cell];
    let to_ms = |ns: u64| ns / 1_000_000;
    let record = TrialRecord {
        format: crate::results::FORMAT,
        number: trial.number,
        block: trial.block,
        order: trial.order,
        variant: cell.variant.clone(),
        load: cell.load.clone(),
        role: trial.role,
        outcome: done.outcome.clone(),
        started_at: clock::rfc3339(started),
        wall_ms,
        fill_ms: done.recording.as_ref().and_then(|r| r.fill_ns).map(to_ms),
        warmup_ms: done.recording.as_ref().map(|r| to_ms(r.warmup_ns)),
        // What has a length and no condition can't end in time, and there may be none at all.
        warmup_reached: (done.recording.as_ref())
            .filter(|_| cell.drive.warmup.max_ns > cell.drive.warmup.min_ns)
            .map(|r| r.warmup_reached),
        window: done.window.clone(),
        witness: done.witness.clone(),
        plan_hash: done.plans.as_ref().map(Plans::hash),
        notes: done.notes.iter().cloned().chain(notes_of(done.recording.as_ref())).collect(),
    };
    let hlog = done.recording.as_ref().map(|r| r.window.hlog(started.into())).transpose()?;
    let slices =
        done.recording.as_ref().map(|r| r.slices.iter().map(|s| slice(r, s)).collect::<Vec<_>>());
    recorder.archive.append(&record, hlog.as_deref(), slices.as_deref())?;
    recorder.archive.keep_samples(&record)?;
    for (endpoint, plans) in done.plans.iter().flat_map(|plans| &plans.by_endpoint) {
        recorder.archive.save_plan(&captured_as(&cell.variant, endpoint), &plans.first.plan)?;
    }
    if gathered.settings.note(&cell.variant, &cell.load, &done.settings) {
        recorder.archive.save_gathered(gathered)?;
    }
    recorder.say(Event::TrialEnded {
        number: trial.number + 1,
        of: u32::try_from(plan.trials.len()).unwrap_or(u32::MAX),
        block: trial.block,
        variant: cell.variant.clone(),
        load: cell.load.clone(),
        response_time_p50_us: record.window.as_ref().and_then(|w| w.response_time.p50_us),
        rate_rps: record.window.as_ref().map(|w| w.rate_rps),
        failure: match &record.outcome {
            Outcome::Failed(failure) => Some(failure.reason.clone()),
            _ => None,
        },
        invalid: match &record.outcome {
            Outcome::Invalid(reason) => Some(reason.clone()),
            _ => None,
        },
        overloaded: record.outcome == Outcome::Overloaded,
    });
    Ok(record)
}
