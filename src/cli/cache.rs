//! `querylab cache list|verify|prune`: the data that earlier runs have made.

use std::sync::atomic::AtomicBool;

use comfy_table::{Table, presets};

use super::args::CacheVerb;
use super::exit::Exit;
use super::{out, tools};
use crate::dataset::{Listed, Store, Verified};
use crate::units;

/// As much of an entry's name as people need to tell it from others.
pub(super) fn short(entry: &str) -> &str {
    entry.get(..12).unwrap_or(entry)
}

pub(super) fn cache(verb: &CacheVerb) -> Result<Exit, Exit> {
    let store =
        Store::open(&tools::cache_folder()?, tools::cache_limit()?).map_err(|e| failed(&e))?;
    match verb {
        CacheVerb::List => list(&store),
        CacheVerb::Verify { entries } => verify(&store, entries),
        CacheVerb::Prune { limit } => prune(&store, limit.as_deref()),
    }
}

fn list(store: &Store) -> Result<Exit, Exit> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(vec![
        "entry",
        "size",
        "tables",
        "databases",
        "postgres",
        "last used",
        "state",
    ]);
    let all = store.list().map_err(|e| failed(&e))?;
    for entry in &all {
        if out::is_json() {
            out::object(&object(entry))?;
        } else {
            table.add_row(row(entry));
        }
    }
    if !out::is_json() {
        let total: u64 = all.iter().map(|entry| entry.bytes).sum();
        let (total, limit) = (total as f64, tools::cache_limit()? as f64);
        let folder = store.folder().display();
        out::tell(&format!(
            "{table}\n{} of {} in {folder}\n",
            units::bytes(total),
            units::bytes(limit)
        ))?;
    }
    Ok(Exit::Done)
}

fn row(entry: &Listed) -> Vec<String> {
    let mut row = vec![short(&entry.key).to_owned(), units::bytes(entry.bytes as f64)];
    match &entry.says {
        Ok((ingredients, kept)) => {
            let tables: Vec<String> = (kept.tables.iter())
                .map(|t| format!("{} ({})", t.name, units::count(t.rows)))
                .collect();
            row.push(tables.join(", "));
            row.push(kept.sets.len().to_string());
            row.push(ingredients.postgres.clone());
        }
        Err(_) => row.extend(["–", "–", "–"].map(str::to_owned)),
    }
    row.push(time(entry));
    row.push(state(entry));
    row
}

/// RFC 3339, to the second.
fn time(entry: &Listed) -> String {
    chrono::DateTime::from_timestamp_nanos(entry.used_ns)
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn state(entry: &Listed) -> String {
    match (&entry.says, &entry.unclean) {
        (Err(why), _) => format!("not used: {why}"),
        (_, Some(why)) => format!("to be looked through: {why}"),
        _ => "kept".into(),
    }
}

fn object(entry: &Listed) -> serde_json::Value {
    let kept = entry.says.as_ref().ok();
    let tables: Vec<serde_json::Value> = kept
        .iter()
        .flat_map(|(_, kept)| &kept.tables)
        .map(|t| serde_json::json!({ "name": t.name, "rows": t.rows }))
        .collect();
    serde_json::json!({
        "event": "cached", "entry": entry.key, "bytes": entry.bytes, "tables": tables,
        "databases": kept.map(|(_, kept)| kept.sets.len()),
        "postgres": kept.map(|(ingredients, _)| &ingredients.postgres),
        "used_at": time(entry), "state": state(entry),
    })
}

fn verify(store: &Store, wanted: &[String]) -> Result<Exit, Exit> {
    let mut exit = Exit::Done;
    let all = store.list().map_err(|e| failed(&e))?;
    for begin in wanted.iter().filter(|w| !all.iter().any(|e| e.key.starts_with(w.as_str()))) {
        exit = out::fail(Exit::Input, format!("there is no cached entry `{begin}`"));
    }
    let is_wanted = |entry: &&Listed| {
        wanted.is_empty() || wanted.iter().any(|begin| entry.key.starts_with(begin.as_str()))
    };
    for entry in all.iter().filter(is_wanted) {
        let verified = store.verify(&entry.key, &AtomicBool::new(false)).map_err(|e| failed(&e))?;
        let (state, why) = match verified {
            Verified::Good => ("good", None),
            Verified::Busy => ("busy", None),
            Verified::Bad(why) => ("bad", Some(why)),
        };
        if why.is_some() {
            exit = exit.worst(Exit::Environment);
        }
        if out::is_json() {
            out::object(&serde_json::json!({
                "event": "verified", "entry": entry.key, "state": state, "reason": why,
            }))?;
            continue;
        }
        let said = match (state, &why) {
            (_, Some(why)) => format!("BAD   {}  {why}; it is not used again", short(&entry.key)),
            ("busy", _) => format!("busy  {}  another run has it", short(&entry.key)),
            _ => {
                format!("ok    {}  {}", short(&entry.key), units::bytes(entry.bytes as f64))
            }
        };
        out::tell(&format!("{said}\n"))?;
    }
    Ok(exit)
}

fn prune(store: &Store, limit: Option<&str>) -> Result<Exit, Exit> {
    let limit = match limit {
        None => tools::cache_limit()?,
        Some(text) => {
            tools::parse_limit(text).map_err(|e| out::fail(Exit::Input, format!("--limit: {e}")))?
        }
    };
    let gone = store.prune(limit).map_err(|e| failed(&e))?;
    for key in &gone {
        if out::is_json() {
            out::object(&serde_json::json!({ "event": "pruned", "entry": key }))?;
        } else {
            out::tell(&format!("removed {}\n", short(key)))?;
        }
    }
    if gone.is_empty() && !out::is_json() {
        out::tell("nothing had to go\n")?;
    }
    Ok(Exit::Done)
}

fn failed(error: &anyhow::Error) -> Exit {
    out::fail(Exit::Environment, format!("the dataset cache: {error:#}"))
}
