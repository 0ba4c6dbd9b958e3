//! What a run will take: time, memory, disk. Rough on purpose; every sum is checked, because a file may ask for anything.

use std::collections::BTreeSet;

use super::indexes::table_of;
use super::types::{
    CellPlan, DatasetPlan, Estimate, IndexSetPlan, LoadPlan, ServerPlan, TrialPlan,
};
use crate::rows::{Generator, Piece, Prose, TableSpec};
use crate::spec::IndexCosts;
use crate::units::{self, Bytes};

const SECOND: u64 = 1_000_000_000;
/// Stopping and starting the servers of a trial.
const RESTART: u64 = 2 * SECOND;
/// Draining, counters, EXPLAIN, writing the trial's file.
const AROUND: u64 = SECOND;
/// Rows generated and copied in a second.
const ROWS_PER_S: u64 = 600_000;
/// Rows of one index built in a second.
const INDEX_ROWS_PER_S: u64 = 700_000;
/// Bytes of a database cloned in a second.
const CLONE_BYTES_PER_S: u64 = 250_000_000;
/// Writing to one table of one clone, for the price of its indexes.
const PRICING: u64 = 2 * SECOND;
/// Row header and item pointer.
const ROW_OVERHEAD: u64 = 28;
/// Index entry header, item pointer, and pages that are not full.
const ENTRY_OVERHEAD: u64 = 20;
/// An empty cluster, and another for logs and temporary files.
const CLUSTER_BYTES: u64 = 80 << 20;
/// Postgres' own defaults.
const SHARED_BUFFERS: u64 = 128 << 20;
const MAX_WAL_SIZE: u64 = 1 << 30;
/// Processes, stacks, the API and the load generator.
const PROCESSES_BYTES: u64 = 200 << 20;

/// The estimate; none if a sum does not fit.
pub(super) fn estimate(
    dataset: &DatasetPlan,
    sets: &[IndexSetPlan],
    cells: &[CellPlan],
    trials: &[TrialPlan],
    costs: IndexCosts,
) -> Option<Estimate> {
    let mut template: u64 = 0;
    let mut rows: u64 = 0;
    for table in &dataset.tables {
        template = template.checked_add(table_bytes(table)?)?;
        rows = rows.checked_add(table.rows)?;
    }
    // Each version of Postgres has files of its own.
    let versions: BTreeSet<_> = sets.iter().map(|set| set.major).collect();
    let loads = u64::try_from(versions.len()).ok()?.max(1);
    let loaded = template.checked_mul(loads)?;
    rows = rows.checked_mul(loads)?;
    let count = u64::try_from(sets.len()).ok()?;
    // One set is the database that the rows were loaded into; the others are clones of it.
    let clones = template.checked_mul(count.saturating_sub(loads))?;
    let mut index_rows: u64 = 0;
    let mut index_bytes: u64 = 0;
    for index in sets.iter().flat_map(|set| &set.indexes) {
        let (rows, bytes) = index_size(dataset, &index.sql)?;
        index_rows = index_rows.checked_add(rows)?;
        index_bytes = index_bytes.checked_add(bytes)?;
    }
    let tables = u64::try_from(dataset.tables.len()).ok()?;
    let priced = priced(costs, (template, index_bytes), count, tables)?;
    let preparing = per_second(rows, ROWS_PER_S)?
        .checked_add(per_second(index_rows, INDEX_ROWS_PER_S)?)?
        .checked_add(per_second(clones, CLONE_BYTES_PER_S)?)?
        .checked_add(priced.0)?;
    let time_ns = trials.iter().try_fold(preparing, |sum, trial| {
        sum.checked_add(trial_ns(&cells.get(trial.cell)?.drive)?)
    })?;
    let wal = cells.iter().map(|c| postgres_bytes(&c.stack.postgres, "max_wal_size", MAX_WAL_SIZE));
    let disk_bytes = loaded
        .checked_add(clones)?
        .checked_add(index_bytes)?
        .checked_add(priced.1)?
        .checked_add(wal.max().unwrap_or(MAX_WAL_SIZE))?
        .checked_add(CLUSTER_BYTES)?;
    let memory_bytes = cells.iter().map(memory).max().unwrap_or(PROCESSES_BYTES);
    Some(Estimate { time_ns, memory_bytes, disk_bytes })
}

/// Time and disk that the price of indexes takes: twice a clone of each set and one without any declared index, and one
/// more of the latter before that; one at a time, and writes to each table in each of them.
fn priced(
    costs: IndexCosts,
    (template, index_bytes): (u64, u64),
    sets: u64,
    tables: u64,
) -> Option<(u64, u64)> {
    if costs.is_none() {
        return Some((0, 0));
    }
    let clones = sets.checked_add(1)?.checked_mul(2)?.checked_add(1)?;
    let copied = template.checked_mul(clones)?.checked_add(index_bytes.checked_mul(2)?)?;
    let writes = PRICING.checked_mul(tables)?.checked_mul(clones)?;
    let time = per_second(copied, CLONE_BYTES_PER_S)?.checked_add(writes)?;
    Some((time, template.checked_add(index_bytes)?))
}

/// What to say of a run that takes longer than it may.
pub(super) fn beyond_budget(estimate: &Estimate, budget_ns: Option<u64>) -> Option<String> {
    let budget = budget_ns.filter(|budget| *budget < estimate.time_ns)?;
    Some(format!(
        "the run takes about {}, longer than its budget of {}: it will stop after the last whole block",
        units::duration_ns(estimate.time_ns),
        units::duration_ns(budget)
    ))
}

/// Servers' restart, fill, warm-up, search, window, and what is around them.
pub(super) fn trial_ns(load: &LoadPlan) -> Option<u64> {
    let fill = load.fill.as_ref().map_or(0, |fill| fill.max_ns / 4);
    let warmup = load.warmup.max_ns.saturating_sub(load.warmup.min_ns) / 3;
    let step = load.search.map_or(0, |search| search.step_ns.saturating_add(search.settle_ns));
    let search = load.most_search_steps().checked_mul(step)?;
    [fill, load.warmup.min_ns, warmup, search, load.duration_ns, AROUND]
        .iter()
        .try_fold(RESTART, |sum, part| sum.checked_add(*part))
}

fn per_second(amount: u64, rate: u64) -> Option<u64> {
    u64::try_from(u128::from(amount) * u128::from(SECOND) / u128::from(rate)).ok()
}

fn table_bytes(table: &TableSpec) -> Option<u64> {
    // A column that the file does not name is usually a serial key.
    let columns: u64 = table.columns.iter().map(|c| width(&c.generator)).sum::<u64>() + 8;
    table.rows.checked_mul(columns.checked_add(ROW_OVERHEAD)?)
}

/// Rows and bytes of an index, its predicate left aside.
fn index_size(dataset: &DatasetPlan, sql: &str) -> Option<(u64, u64)> {
    let table = table_of(sql);
    let Some(table) = dataset.tables.iter().find(|t| Some(&t.name) == table.as_ref()) else {
        return Some((0, 0));
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words: Vec<&str> = sql.split(|c| !word(c)).collect();
    let named = table.columns.iter().filter(|c| words.contains(&c.name.as_str()));
    let columns: u64 = named.map(|c| width(&c.generator)).sum();
    let bytes = table.rows.checked_mul(columns.max(8).checked_add(ENTRY_OVERHEAD)?)?;
    Some((table.rows, bytes))
}

/// Bytes of a value, about.
fn width(generator: &Generator) -> u64 {
    let text = |bytes: usize| bytes as u64 + 1;
    match generator {
        Generator::Sequence { .. }
        | Generator::Timestamp { .. }
        | Generator::Integer { .. }
        | Generator::Float { .. }
        | Generator::Numeric { .. }
        | Generator::Real { .. }
        | Generator::Moment { .. }
        | Generator::Permutation { .. }
        | Generator::Inet { .. } => 8,
        Generator::Bool { .. } => 1,
        Generator::Date { .. } => 4,
        Generator::Uuid
        | Generator::UuidV7 { .. }
        | Generator::PersonName
        | Generator::Point { .. } => 16,
        Generator::Company => 20,
        Generator::Email { .. } => 32,
        Generator::Template { pieces } => {
            let fixed: usize = pieces.iter().map(String::len).sum();
            text(fixed) + 7 * (pieces.len() as u64).saturating_sub(1)
        }
        Generator::Weighted { choices } => {
            choices.iter().map(|(value, _)| text(value.len())).max().unwrap_or(1)
        }
        Generator::Constant { value } => text(value.len()),
        Generator::Words { max, .. } => 7 * u64::from(*max),
        Generator::Prose { unit, max, .. } => {
            let bytes = match unit {
                Prose::Words => 7,
                Prose::Sentences => 56,
                Prose::Characters => 1,
            };
            bytes * u64::from(*max)
        }
        Generator::Bytes { max, .. } => u64::from(*max) + 1,
        Generator::Array { of, max, .. } => 24 + u64::from(*max) * width(&of.generator),
        Generator::Json { fields } => {
            fields.iter().map(|f| text(f.name.len()) + 4 + width(&f.generator)).sum()
        }
        Generator::Format { pieces } => pieces.iter().map(piece_width).sum::<u64>() + 1,
        Generator::ForeignKey { column, .. } | Generator::Offset { column, .. } => {
            width(&column.generator)
        }
        Generator::Dependent { generator, .. } => width(generator),
    }
}

fn piece_width(piece: &Piece) -> u64 {
    match piece {
        Piece::Text(text) => text.len() as u64,
        Piece::Row => 7,
        Piece::Column(column) => width(&column.generator),
    }
}

fn memory(cell: &CellPlan) -> u64 {
    let postgres = postgres_bytes(&cell.stack.postgres, "shared_buffers", SHARED_BUFFERS);
    let redis = cell.stack.redis.as_ref().and_then(|r| r.settings.get("maxmemory"));
    let redis = redis.and_then(|text| text.parse::<Bytes>().ok()).map_or(0, |b| b.0);
    postgres.saturating_add(redis).saturating_add(PROCESSES_BYTES)
}

fn postgres_bytes(server: &ServerPlan, name: &str, default: u64) -> u64 {
    let stated = server.settings.get(name).and_then(|text| text.parse::<Bytes>().ok());
    stated.map_or(default, |b| b.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{FillPlan, ModelPlan, SearchPlan, Until, WarmupPlan};

    #[test]
    fn the_price_of_indexes_is_two_clones_of_each_set_and_three_more() {
        assert_eq!(priced(IndexCosts::None, (9, 9), 3, 1), Some((0, 0)));
        let (template, indexes) = (CLONE_BYTES_PER_S, CLONE_BYTES_PER_S / 2);
        // Seven clones of a second and twice half a second of indexes, and 2 s for each table in each.
        let priced = priced(IndexCosts::Measure, (template, indexes), 2, 2);
        assert_eq!(priced, Some(((8 + 28) * SECOND, template + indexes)));
    }

    #[test]
    fn a_trial_takes_its_restart_fill_warmup_window_and_a_second() {
        let load = LoadPlan {
            model: ModelPlan::Closed { users: 1, think_ns: 0 },
            timeout_ns: SECOND,
            duration_ns: 5 * SECOND,
            warmup: WarmupPlan { min_ns: 2 * SECOND, max_ns: 14 * SECOND, until: Until::Steady },
            fill: Some(FillPlan { users: 1, max_ns: 60 * SECOND, until: Until::Steady }),
            targets: Vec::new(),
            stages: Vec::new(),
            search: None,
            processors: None,
        };
        assert_eq!(trial_ns(&load), Some((2 + 15 + 2 + 4 + 5 + 1) * SECOND));
        // From 100 to 1000 in eleven steps of x1.25, the first one, and three into the last gap: fifteen of 4 s.
        let search = SearchPlan {
            metric: crate::spec::Metric::ResponseTimeP99,
            at_most_ns: SECOND,
            most_per_s: 1000.0,
            step_ns: 3 * SECOND,
            settle_ns: SECOND,
            precision: 0.05,
            error_ratio_max: 0.001,
        };
        let arrival = crate::spec::Arrival::Poisson;
        let model =
            ModelPlan::Open { rate_per_s: 100.0, arrival, max_in_flight: 10, connections: None };
        let searching = LoadPlan { model, search: Some(search), ..load.clone() };
        assert_eq!(trial_ns(&searching), Some((29 + 60) * SECOND));
        assert_eq!(trial_ns(&LoadPlan { duration_ns: u64::MAX, ..load }), None);
    }
}
