//! Reading `trials.csv` back, without loss and with its mistakes named by line and column.

use std::collections::BTreeMap;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};

use super::trials_csv::{COMPONENTS, KINDS, kind_word};
use super::{Failure, Outcome, PathSums, Quantiles, Resources, TrialRecord, Window, Witness};
use crate::plan::{Role, StageSums};

/// Reads `trials.csv`.
///
/// # Errors
///
/// If it is no CSV, lacks a column, or a cell is not what its column says; names line and column.
pub fn read_trials(bytes: &[u8]) -> Result<Vec<TrialRecord>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers()?.clone();
    let mut trials = Vec::new();
    for (n, record) in reader.records().enumerate() {
        let record = record?;
        let row: Row<'_> = header.iter().zip(record.iter()).collect();
        trials.push(trial(&row).with_context(|| format!("line {}", n + 2))?);
    }
    Ok(trials)
}

type Row<'a> = BTreeMap<&'a str, &'a str>;

fn cell<T: FromStr>(row: &Row<'_>, name: &str) -> Result<Option<T>> {
    let text = *row.get(name).ok_or_else(|| anyhow!("column `{name}` is missing"))?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| anyhow!("column `{name}`: `{text}` is not what it should be"))
}

/// A cell of a column that older tables do not have.
fn later<T: FromStr>(row: &Row<'_>, name: &str) -> Result<Option<T>> {
    if row.contains_key(name) { cell(row, name) } else { Ok(None) }
}

fn needed<T: FromStr>(row: &Row<'_>, name: &str) -> Result<T> {
    cell(row, name)?.ok_or_else(|| anyhow!("column `{name}` is empty"))
}

fn map_cell(row: &Row<'_>, name: &str) -> Result<BTreeMap<String, u64>> {
    let joined: Option<String> = cell(row, name)?;
    let mut map = BTreeMap::new();
    for pair in joined.iter().flat_map(|j| j.split(';')) {
        let (key, count) =
            pair.rsplit_once('=').ok_or_else(|| anyhow!("column `{name}`: `{pair}`"))?;
        map.insert(
            key.to_owned(),
            count.parse().with_context(|| format!("column `{name}`: `{pair}`"))?,
        );
    }
    Ok(map)
}

fn trial(row: &Row<'_>) -> Result<TrialRecord> {
    let format: u32 = needed(row, "format")?;
    if format > super::FORMAT {
        bail!("a row of format {format}; this querylab reads up to {}", super::FORMAT);
    }
    let notes: Option<String> = cell(row, "notes")?;
    Ok(TrialRecord {
        format,
        number: needed(row, "number")?,
        block: needed(row, "block")?,
        order: needed(row, "order")?,
        variant: needed(row, "variant")?,
        load: needed(row, "load")?,
        role: match needed::<String>(row, "role")?.as_str() {
            "variant" => Role::Variant,
            "twin" => Role::Twin,
            other => bail!("column `role`: `{other}`"),
        },
        outcome: outcome(row)?,
        started_at: needed(row, "started_at")?,
        wall_ms: needed(row, "wall_ms")?,
        fill_ms: cell(row, "fill_ms")?,
        warmup_ms: cell(row, "warmup_ms")?,
        warmup_reached: cell(row, "warmup_reached")?,
        window: window(row)?,
        witness: witness(row)?,
        plan_hash: cell(row, "plan_hash")?,
        notes: notes.map(|n| n.split('\n').map(str::to_owned).collect()).unwrap_or_default(),
    })
}

fn outcome(row: &Row<'_>) -> Result<Outcome> {
    Ok(match needed::<String>(row, "outcome")?.as_str() {
        "ok" => Outcome::Ok,
        "overloaded" => Outcome::Overloaded,
        "failed" => {
            let word: String = needed(row, "failure_kind")?;
            let kind = KINDS
                .into_iter()
                .find(|kind| kind_word(*kind) == word)
                .ok_or_else(|| anyhow!("column `failure_kind`: `{word}`"))?;
            Outcome::Failed(Failure { kind, reason: needed(row, "failure_reason")? })
        }
        "invalid" => Outcome::Invalid(needed(row, "failure_reason")?),
        other => bail!("column `outcome`: `{other}`"),
    })
}

fn window(row: &Row<'_>) -> Result<Option<Window>> {
    let Some(duration_ns) = cell(row, "window_ns")? else { return Ok(None) };
    Ok(Some(Window {
        duration_ns,
        due: needed(row, "requests_due")?,
        sent: needed(row, "requests_sent")?,
        dropped: needed(row, "requests_dropped")?,
        answered: needed(row, "requests_answered")?,
        failed: needed(row, "requests_failed")?,
        failures: map_cell(row, "failures")?,
        cache: map_cell(row, "cache")?,
        response_bytes: needed(row, "response_bytes")?,
        rate_rps: needed(row, "rate_rps")?,
        response_time: quantiles(row, "response_time")?,
        service_time: quantiles(row, "service_time")?,
        lag_p99_us: needed(row, "lag_p99_us")?,
        generator_cpu_share: needed(row, "generator_cpu_share")?,
        response_lines: later(row, "response_lines")?,
        dated: later(row, "dated_answers")?,
        stale: later(row, "stale_answers")?,
        max_rate_rps: later(row, "max_rate_rps")?,
        drift: later(row, "response_time_drift")?,
        drift_p: later(row, "response_time_drift_p")?,
    }))
}

fn quantiles(row: &Row<'_>, prefix: &str) -> Result<Quantiles> {
    let get = |name: &str| cell::<f64>(row, &format!("{prefix}_{name}_us"));
    Ok(Quantiles {
        p50_us: get("p50")?,
        p90_us: get("p90")?,
        p95_us: get("p95")?,
        p99_us: get("p99")?,
        p999_us: get("p999")?,
        max_us: get("max")?,
        mean_us: get("mean")?,
    })
}

fn witness(row: &Row<'_>) -> Result<Option<Witness>> {
    let Some(client_sent) = cell(row, "client_sent")? else { return Ok(None) };
    let mut resources = BTreeMap::new();
    for component in COMPONENTS {
        if let Some(cpu_us) = cell(row, &format!("{component}_cpu_us"))? {
            let used = Resources {
                cpu_us,
                pss_bytes: cell(row, &format!("{component}_pss_bytes"))?,
                context_switches: cell(row, &format!("{component}_context_switches"))?,
                disk_bytes: cell(row, &format!("{component}_disk_bytes"))?,
                voluntary_switches: later(row, &format!("{component}_voluntary_switches"))?,
                involuntary_switches: later(row, &format!("{component}_involuntary_switches"))?,
                disk_read_bytes: later(row, &format!("{component}_disk_read_bytes"))?,
                disk_written_bytes: later(row, &format!("{component}_disk_written_bytes"))?,
                net_received_bytes: later(row, &format!("{component}_net_received_bytes"))?,
                net_sent_bytes: later(row, &format!("{component}_net_sent_bytes"))?,
            };
            resources.insert(component.to_owned(), used);
        }
    }
    Ok(Some(Witness {
        client_sent,
        api_requests: needed(row, "api_requests")?,
        api_statements: needed(row, "api_statements")?,
        api_cache_hits: needed(row, "api_cache_hits")?,
        api_cache_misses: needed(row, "api_cache_misses")?,
        api_cache_errors: needed(row, "api_cache_errors")?,
        api_refused: later(row, "api_refused")?,
        api_unconnected: later(row, "api_unconnected")?,
        api_cache_bypasses: later(row, "api_cache_bypasses")?,
        nginx_requests: later(row, "nginx_requests")?,
        index_scans: map_cell(row, "index_scans")?,
        seq_scans: map_cell(row, "seq_scans")?,
        buffers_hit: cell(row, "buffers_hit")?,
        buffers_read: cell(row, "buffers_read")?,
        temp_bytes: cell(row, "temp_bytes")?,
        wal_bytes: later(row, "wal_bytes")?,
        redis_operations: later(row, "redis_operations")?,
        redis_hits: cell(row, "redis_hits")?,
        redis_misses: cell(row, "redis_misses")?,
        redis_evicted: cell(row, "redis_evicted")?,
        redis_memory_bytes: cell(row, "redis_memory_bytes")?,
        resources,
        steal_share: needed(row, "steal_share")?,
        foreign_cpu_share: later(row, "foreign_cpu_share")?,
        postgres_statements: later(row, "postgres_statements")?,
        page_cache_share: later(row, "page_cache_share")?,
        api_direct: later(row, "api_direct")?,
        stages: stages(row)?,
        paths: paths(row)?,
    }))
}

fn stages(row: &Row<'_>) -> Result<Option<StageSums>> {
    let Some(requests) = later(row, "stage_requests")? else { return Ok(None) };
    Ok(Some(StageSums {
        requests,
        routing_ns: needed(row, "stage_routing_ns")?,
        pool_wait_ns: needed(row, "stage_pool_wait_ns")?,
        cache_ns: needed(row, "stage_cache_ns")?,
        query_ns: needed(row, "stage_query_ns")?,
        serialise_ns: needed(row, "stage_serialise_ns")?,
    }))
}

fn paths(row: &Row<'_>) -> Result<Option<PathSums>> {
    let Some(rounds) = later(row, "path_rounds")? else { return Ok(None) };
    Ok(Some(PathSums {
        rounds,
        nginx_ns: needed(row, "path_nginx_ns")?,
        api_ns: needed(row, "path_api_ns")?,
        whole_ns: needed(row, "path_whole_ns")?,
    }))
}
