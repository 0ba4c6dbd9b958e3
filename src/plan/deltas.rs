//! How each variant differs from the baseline, factor by factor, and which comparisons are confounded.
//!
//! A factor is what can change a number: the statement, its cache, indexes, settings, version, load, params, pool, processes.
//! A route's name and what is expected of a trial are none.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::mixes::{self, Factor};
use super::notes::Notes;
use super::short;
use super::types::DeltaPlan;
use super::view::View;
use crate::spec::{Bind, Settings};

type Levels = BTreeMap<String, String>;
/// The level of a factor that one of the two does not have.
pub(super) const ABSENT: &str = "–";

/// The table of deltas; variants that differ in more than one factor are named in a warning.
pub(super) fn deltas(
    notes: &mut Notes<'_>,
    views: &[View<'_>],
    baseline: &str,
    loads: &[String],
) -> Vec<DeltaPlan> {
    let Some(base_view) = views.iter().find(|v| v.name == baseline) else { return Vec::new() };
    let base = levels(base_view, loads);
    let mut plans = Vec::new();
    for view in views.iter().filter(|v| v.name != baseline) {
        let own = levels(view, loads);
        let names: BTreeSet<&String> = base.keys().chain(own.keys()).collect();
        let level = |levels: &Levels, name: &String| {
            levels.get(name).cloned().unwrap_or_else(|| ABSENT.to_owned())
        };
        let mut factors: Vec<Factor> = names
            .into_iter()
            .filter(|name| base.get(*name) != own.get(*name))
            .map(|name| (name.clone(), level(&base, name), level(&own, name)))
            .collect();
        mixes::settle(base_view, view, &mut factors);
        warn_if_confounded(notes, view.name, baseline, &factors);
        plans.push(DeltaPlan { variant: view.name.to_owned(), factors });
    }
    plans
}

fn warn_if_confounded(notes: &mut Notes<'_>, variant: &str, baseline: &str, factors: &[Factor]) {
    // A longer window under three loads is one factor, not three.
    let group = |name: &str| match name.split_once('.') {
        Some(("load", _)) => "load".to_owned(),
        _ => name.to_owned(),
    };
    let groups: BTreeSet<String> = factors.iter().map(|(name, _, _)| group(name)).collect();
    let count = match groups.len() {
        0 => {
            return notes
                .warn(format!("`{variant}` does not differ from `{baseline}` in any factor"));
        }
        1 => return,
        2 => "two".to_owned(),
        3 => "three".to_owned(),
        n => n.to_string(),
    };
    let list: Vec<String> = groups.into_iter().collect();
    notes.warn(format!(
        "`{variant}` differs from `{baseline}` in {count} factors: {}",
        list.join(", ")
    ));
}

/// The level of each factor, as full text.
fn levels(view: &View<'_>, loads: &[String]) -> Levels {
    let mut levels = Levels::new();
    let services = &view.document.services;
    if let Some(version) = &services.postgres.version {
        levels.insert("version.postgres".into(), version.clone());
    }
    settings(&mut levels, "postgres", &services.postgres.settings);
    settings(&mut levels, "redis", &services.redis.settings);
    settings(&mut levels, "nginx", &services.nginx.settings);
    if let Some(files) = &services.nginx.r#static {
        flatten(&mut levels, "static", serde_json::to_value(files).unwrap_or_default());
    }
    levels.insert("instances".into(), services.api.instances.to_string());
    levels.insert("cache_timeout".into(), services.api.cache_timeout.to_string());
    let style = serde_json::to_value(services.api.bind_style).unwrap_or_default();
    flatten(&mut levels, "bind_style", style);
    flatten(&mut levels, "pool", serde_json::to_value(&services.api.pool).unwrap_or_default());
    let mode = serde_json::to_value(services.api.pool.mode).unwrap_or_default();
    flatten(&mut levels, "pool.mode", mode);
    if let Some(threads) = services.api.threads {
        levels.insert("threads".into(), threads.to_string());
    }
    for load in loads {
        if let Some(profile) = view.document.load.get(load) {
            let profile = serde_json::to_value(profile).unwrap_or_default();
            flatten(&mut levels, &format!("load.{load}"), profile);
        }
    }
    let mut indexes = view.variant.map(|v| v.indexes.clone()).unwrap_or_default();
    indexes.sort();
    levels.insert("indexes".into(), or_none(indexes.join(", ")));
    endpoints(&mut levels, view);
    levels
}

fn settings(levels: &mut Levels, server: &str, settings: &Settings) {
    for (name, value) in settings {
        levels.insert(format!("settings.{server}.{name}"), value.to_string());
    }
}

/// The statements that are driven, whatever they are called and however often; those of a mix are one level together.
fn endpoints(levels: &mut Levels, view: &View<'_>) {
    let mut kinds: [BTreeSet<String>; 3] = Default::default();
    for (name, _) in view.driven() {
        let Some(endpoint) = view.document.endpoints.get(name) else { continue };
        for (all, one) in kinds.iter_mut().zip(mixes::kind(endpoint)) {
            all.insert(one);
        }
        for param in &endpoint.bind {
            if let Bind::Param(param) = param
                && let Some(declared) = view.document.params.get(param)
            {
                let value = serde_json::to_value(declared).unwrap_or_default();
                flatten(levels, &format!("params.{param}"), value);
            }
        }
    }
    for (name, all) in ["query", "bind", "cache"].into_iter().zip(kinds) {
        levels.insert(name.into(), all.into_iter().collect::<Vec<_>>().join(" | "));
    }
}

/// A statement on one line.
pub(super) fn statement(query: &str) -> String {
    query.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a placeholder is bound to.
pub(super) fn bind(bind: &Bind) -> String {
    match bind {
        Bind::Param(name) => name.clone(),
        Bind::Value(value) => format!("'{value}'"),
    }
}

/// The word for nothing.
pub(super) fn or_none(text: String) -> String {
    if text.is_empty() { "none".into() } else { text }
}

/// Every leaf of a table under its dotted name.
fn flatten(levels: &mut Levels, name: &str, value: Value) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                flatten(levels, &format!("{name}.{key}"), value);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            levels.insert(name.to_owned(), text);
        }
        // Stages: each is a table of a few keys, one behind the other.
        Value::Array(list) if !list.is_empty() && list.iter().all(Value::is_object) => {
            let tables = list.iter().filter_map(Value::as_object);
            let all: Vec<String> = tables
                .map(|table| {
                    let stated = table.iter().filter(|(_, value)| !value.is_null());
                    let word = |value: &Value| {
                        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                    };
                    stated
                        .map(|(key, value)| format!("{key} {}", word(value)))
                        .collect::<Vec<_>>()
                        .join(" ")
                })
                .collect();
            levels.insert(name.to_owned(), all.join(", "));
        }
        other => {
            levels.insert(name.to_owned(), other.to_string());
        }
    }
}

/// Levels as they are printed; they were compared in full before. Of long ones the beginning that both have is cut.
pub(super) fn shorten(plans: &mut [DeltaPlan]) {
    for (_, base, own) in plans.iter_mut().flat_map(|p| p.factors.iter_mut()) {
        if short(base) == *base && short(own) == *own {
            continue;
        }
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (left, right) = (words(base), words(own));
        let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
        // A few words before the difference tell where it is.
        let from = same.saturating_sub(4);
        let cut = |words: &[String]| {
            let lead = if from > 0 { "… " } else { "" };
            short(&format!("{lead}{}", words[from..].join(" ")))
        };
        (*base, *own) = (cut(&left), cut(&right));
    }
}
