//! The options: what each variant is, how it differs from the baseline, what the planner made of it.

use serde::Serialize;

use super::explain;
use super::markdown::{Align, cell as escaped, code, fenced, one_line, table};
use crate::plan::{BindPlan, CachePlan, EndpointPlan, VariantPlan, WritesPlan, captured_as};
use crate::results::Results;
use crate::spec::{CacheStrategy, Metric};
use crate::units::{Span, share};

/// One considered option.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct OptionView {
    /// Heading.
    heading: String,
    /// Route, cache, indexes: one line each.
    facts: Vec<String>,
    /// The statements as fenced blocks.
    statements: Vec<String>,
}

/// The options in the order of the plan.
pub(super) fn options(results: &Results) -> Vec<OptionView> {
    results.plan.variants.iter().map(|v| option(results, v)).collect()
}

fn option(results: &Results, variant: &VariantPlan) -> OptionView {
    let plan = &results.plan;
    let baseline = if variant.name == plan.design.baseline { " (baseline)" } else { "" };
    let indexes = plan.index_sets.get(variant.index_set).map_or(&[][..], |s| &s.indexes);
    let mut facts = Vec::new();
    let mut statements = Vec::new();
    for endpoint in endpoints(results, variant) {
        facts.push(format!(
            "{}Endpoint {}: {}{}",
            part(results, variant, &endpoint.name),
            code(&endpoint.name),
            code(&format!("{} {}", endpoint.method, endpoint.path)),
            binds(endpoint)
        ));
        if let Some(cache) = &endpoint.cache {
            facts.push(cached(cache));
        }
        facts.extend(endpoint.writes.iter().filter_map(|writes| written(results, variant, writes)));
        statements.push(fenced("sql", endpoint.query.trim()));
    }
    if indexes.is_empty() {
        facts.push("No index of its own".into());
    }
    for index in indexes {
        facts.push(format!("Index {}", code(&index.sql)));
    }
    OptionView {
        heading: format!("{}{baseline}: {}", code(&variant.name), escaped(&variant.title)),
        facts,
        statements,
    }
}

/// What a cache does, in the order of an entry's life.
fn cached(cache: &CachePlan) -> String {
    let name = match cache.strategy {
        CacheStrategy::CacheAside => "Cache-aside",
        CacheStrategy::WriteThrough => "Write-through",
        CacheStrategy::WriteBehind => "Write-behind",
        CacheStrategy::RefreshAhead => "Refresh-ahead",
    };
    let parts = [
        Some(format!("{name} in Redis, time to live {}", Span(cache.ttl_ns))),
        cache.jitter.map(|part| format!("up to {} of it taken away at random", share(part))),
        cache.negative_ttl_ns.map(|ns| format!("that there is no row is kept for {}", Span(ns))),
        cache.single_flight.then(|| "of requests that miss together one asks Postgres".to_owned()),
        cache.refresh.map(|left| {
            format!("renewed when asked for with less than {} of its life left", share(left))
        }),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What a write does to the entries of another endpoint.
fn written(results: &Results, variant: &VariantPlan, writes: &WritesPlan) -> Option<String> {
    let read = endpoints(results, variant).into_iter().find(|e| e.name == writes.endpoint)?;
    let name = code(&writes.endpoint);
    Some(match read.cache.as_ref()?.strategy {
        CacheStrategy::WriteThrough => format!("Its answer becomes the entry of {name}"),
        _ => format!("It removes the entry of {name}"),
    })
}

fn endpoints<'a>(results: &'a Results, variant: &VariantPlan) -> Vec<&'a EndpointPlan> {
    let Some(cell) = results.plan.cells.iter().find(|c| c.variant == variant.name) else {
        return Vec::new();
    };
    let named = |e: &&EndpointPlan| variant.endpoints.contains(&e.name);
    cell.api.endpoints.iter().filter(named).collect()
}

/// Which share of a mix an endpoint is; nothing where it is all.
fn part(results: &Results, variant: &VariantPlan, endpoint: &str) -> String {
    let cell = results.plan.cells.iter().find(|c| c.variant == variant.name);
    let targets = cell.map_or(&[][..], |cell| &cell.drive.targets);
    let sum: f64 = targets.iter().map(|target| target.weight).sum();
    match targets.iter().find(|target| target.endpoint == endpoint) {
        Some(target) if targets.len() > 1 => format!("{}: ", share(target.weight / sum)),
        _ => String::new(),
    }
}

fn binds(endpoint: &EndpointPlan) -> String {
    let bind = |(i, b): (usize, &BindPlan)| {
        let what = match b {
            BindPlan::Param(at) => {
                endpoint.params.get(*at).map_or("?".to_owned(), |p| format!("parameter {}", p.name))
            }
            BindPlan::Value { text, .. } => format!("'{text}'"),
        };
        code(&format!("${} = {what}", i + 1))
    };
    let all: Vec<String> = endpoint.bind.iter().enumerate().map(bind).collect();
    if all.is_empty() { String::new() } else { format!(", bound {}", all.join(", ")) }
}

/// Table of deltas to the baseline; empty where none are known.
pub(super) fn deltas(results: &Results) -> String {
    let mut rows = Vec::new();
    for delta in &results.plan.deltas {
        for (factor, baseline, own) in &delta.factors {
            rows.push(vec![code(&delta.variant), escaped(factor), short(baseline), short(own)]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let baseline = code(&results.plan.design.baseline);
    table(
        &[
            ("variant", Align::Left),
            ("factor", Align::Left),
            (&baseline, Align::Left),
            ("variant's", Align::Left),
        ],
        &rows,
    )
}

/// A level of a factor on one line, cut where it is a page.
fn short(level: &str) -> String {
    const LONGEST: usize = 100;
    let level = one_line(level);
    if level.chars().count() <= LONGEST {
        return escaped(&level);
    }
    let cut: String = level.chars().take(LONGEST).collect();
    escaped(&cut) + " …"
}

/// A captured plan in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct PlanView {
    /// The variants and endpoints that share it.
    heading: String,
    /// Fenced tree.
    tree: String,
}

/// Plans side by side: what reads, what the planner expected, and what a request touched under the primary load.
pub(super) fn plan_table(results: &Results) -> String {
    let mut rows = Vec::new();
    for variant in &results.plan.variants {
        let cell = super::cells::cell(results, &variant.name, &results.plan.design.primary_load);
        let touched =
            cell.map_or("–".to_owned(), |c| super::loads::one(&c, Metric::BuffersPerRequest));
        for endpoint in &variant.endpoints {
            let key = captured_as(&variant.name, endpoint);
            let Some(explained) = results.plans.get(&key) else { continue };
            let Some(expected) = explain::expected(explained) else { continue };
            let figure = |x: Option<f64>| x.map_or("–".to_owned(), super::values::digits);
            rows.push(vec![
                code(&variant.name),
                code(endpoint),
                escaped(&explain::scans(explained).join(", ")),
                expected.nodes.to_string(),
                expected.workers.to_string(),
                figure(expected.cost),
                figure(expected.rows),
                touched.clone(),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    table(
        &[
            ("variant", Align::Left),
            ("endpoint", Align::Left),
            ("reads by", Align::Left),
            ("nodes", Align::Right),
            ("workers", Align::Right),
            ("cost (planner's units)", Align::Right),
            ("rows expected", Align::Right),
            ("buffers per request", Align::Right),
        ],
        &rows,
    )
}

/// Plans in the order of the plan's variants; equal trees are shown once.
pub(super) fn plans(results: &Results) -> Vec<PlanView> {
    let mut trees: Vec<(String, Vec<String>)> = Vec::new();
    for variant in &results.plan.variants {
        for endpoint in &variant.endpoints {
            let key = captured_as(&variant.name, endpoint);
            let Some(explained) = results.plans.get(&key) else { continue };
            let name = format!("{}, endpoint {}", code(&variant.name), code(endpoint));
            let tree = explain::tree(explained).join("\n");
            match trees.iter_mut().find(|(t, _)| *t == tree) {
                Some((_, names)) => names.push(name),
                None => trees.push((tree, vec![name])),
            }
        }
    }
    trees
        .into_iter()
        .map(|(tree, names)| PlanView {
            heading: names.join("; "),
            tree: if tree.is_empty() {
                "(what was captured holds no plan)".into()
            } else {
                fenced("text", &tree)
            },
        })
        .collect()
}
