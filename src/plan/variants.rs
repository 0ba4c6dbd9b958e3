//! Variants: merged with the file, checked, and turned into cells with one load profile each.

use std::collections::BTreeMap;

use super::dataset::Known;
use super::notes::Notes;
use super::services::{self, Servers};
use super::types::{
    ApiPlan, CellPlan, ExpectPlan, LoadPlan, PlanNode, PointPlan, StackPlan, TargetPlan,
};
use super::view::View;
use super::{caches, codes, endpoints, loads, routes, targets};
use crate::spec::{AnswerShape, Expect, Variant};

/// Failed requests that a trial may have where the file states no limit.
const ERROR_RATIO: f64 = 0.001;

/// One variant, decided but for its loads.
pub(super) struct Resolved {
    pub(super) servers: Servers,
    pub(super) api: Vec<super::types::EndpointPlan>,
    pub(super) targets: Vec<TargetPlan>,
    pub(super) expect: ExpectPlan,
}

/// Decides one variant; every mistake in it is noted, whether or not the design runs it.
pub(super) fn resolve(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    known: &Known<'_>,
) -> Option<Resolved> {
    let variant = view.variant?;
    routes::check_duplicates(notes, view);
    caches::check_shared_keys(notes, view);
    let servers = services::resolve(notes, view);
    check_driven(notes, view, variant);
    let mut api = Vec::new();
    let mut driven = Vec::new();
    for (name, weight) in view.driven() {
        let Some(resolved) = endpoints::resolve(notes, view, name) else { continue };
        driven.push(targets::target(notes, view, known, &resolved, weight));
        let is_shared = servers.pool.pipeline_depth.is_some();
        if is_shared && resolved.endpoint.answer == AnswerShape::Lines {
            let what = format!(
                "`{name}` answers in lines, and has its connection for as long as its client reads: it can't share one"
            );
            let path = notes.path_of(view.name, &["services", "api", "pool", "mode"]);
            notes.error(codes::SETTING, &path, what, "write `mode = \"pool\"`");
        }
        api.push(resolved.endpoint);
    }
    let expect = expect(notes, view, variant, known);
    for name in view.document.load.keys() {
        loads::resolve(notes, view, name, expect.error_ratio_max);
    }
    Some(Resolved { servers, api, targets: driven, expect })
}

/// What the captured plan of a variant's endpoint is called, wherever it is kept.
pub fn captured_as(variant: &str, endpoint: &str) -> String {
    format!("{variant}-{endpoint}")
}

/// The plan of each pair is kept in `plans/<variant>-<endpoint>.json`, and names may hold hyphens themselves: two pairs
/// that come to one name would leave one plan for both.
pub(super) fn check_plan_files(notes: &mut Notes<'_>, views: &[View<'_>]) {
    let mut taken: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for view in views {
        for (endpoint, _) in view.driven() {
            let file = captured_as(view.name, endpoint);
            let Some((variant, other)) = taken.get(&file) else {
                taken.insert(file, (view.name, endpoint));
                continue;
            };
            let what = format!(
                "variant `{}` with endpoint `{endpoint}` and variant `{variant}` with endpoint `{other}` would both be \
                 `plans/{file}.json`",
                view.name
            );
            let path = ["variants", view.name];
            let second = ["variants", *variant];
            let other = (&second[..], "the other one");
            notes.contradiction(
                codes::SAME_FILE,
                &path,
                what,
                "name one of the two otherwise",
                other,
            );
        }
    }
}

/// One variant under one load; none if the load is wrong, which has been noted.
pub(super) fn cell(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    variant: &Resolved,
    load: &str,
    database: &str,
) -> Option<CellPlan> {
    let drive = loads::resolve(notes, view, load, variant.expect.error_ratio_max)?;
    let drive = LoadPlan { targets: variant.targets.clone(), ..drive };
    let servers = &variant.servers;
    Some(CellPlan {
        variant: view.name.to_owned(),
        load: load.to_owned(),
        database: database.to_owned(),
        stack: StackPlan {
            postgres: servers.postgres.clone(),
            redis: Some(servers.redis.clone()),
            nginx: servers.nginx.clone(),
            static_files: servers.static_files.clone(),
            api_instances: servers.api_instances,
            client_connections: loads::connections(&drive),
        },
        api: ApiPlan {
            pool: servers.pool.clone(),
            cache_timeout_ns: servers.cache_timeout_ns,
            // The client no longer waits by then, and a statement left running would disturb the next trial.
            statement_timeout_ns: drive.timeout_ns,
            threads: servers.threads,
            endpoints: variant.api.clone(),
        },
        drive,
        expect: variant.expect.clone(),
        point: point(view, load),
    })
}

/// Where a cell lies on a curve; none where neither its variant nor its load is a point.
fn point(view: &View<'_>, load: &str) -> Option<PointPlan> {
    let (variant, profile) = (view.variant?, view.document.load.get(load)?);
    let settings = variant.at.iter().chain(&profile.at);
    let at: BTreeMap<String, String> =
        settings.map(|(axis, value)| (axis.clone(), value.to_string())).collect();
    let of = |curve: &Option<String>, own: &str| curve.clone().unwrap_or_else(|| own.to_owned());
    (!at.is_empty()).then(|| PointPlan {
        variant: of(&variant.curve, view.name),
        load: of(&profile.curve, load),
        at,
    })
}

fn check_driven(notes: &mut Notes<'_>, view: &View<'_>, variant: &Variant) {
    let name = view.name;
    let path = ["variants", name];
    match (&variant.endpoint, &variant.mix) {
        (None, None) => {
            let what = format!("variant `{name}` drives no endpoint");
            let help = "write `endpoint = \"…\"`, or `mix = { … }`";
            notes.error(codes::VARIANT, &path, what, help);
        }
        (Some(_), Some(_)) => {
            let what = format!("variant `{name}` has both `endpoint` and `mix`");
            let other = (&["variants", name, "endpoint"][..], "`endpoint` stands here");
            let mix = ["variants", name, "mix"];
            notes.contradiction(codes::VARIANT, &mix, what, "leave one of them out", other);
        }
        _ => {}
    }
    for (endpoint, _) in view.driven() {
        if !view.document.endpoints.contains_key(endpoint) {
            let known = view.document.endpoints.keys().map(String::as_str);
            let mixed = ["variants", name, "mix", endpoint];
            let single = ["variants", name, "endpoint"];
            let path = if variant.mix.is_some() { &mixed[..] } else { &single[..] };
            notes.unknown(path, "endpoint", endpoint, known);
        }
    }
    let Some(mix) = &variant.mix else { return };
    let sum: f64 = mix.values().sum();
    if mix.is_empty() || !sum.is_finite() || mix.values().any(|w| !w.is_finite() || *w <= 0.0) {
        let path = ["variants", name, "mix"];
        let what = format!("variant `{name}`: every weight of a mix is a number above 0");
        notes.error(codes::VARIANT, &path, what, "write like `mix = { read = 9, write = 1 }`");
    }
}

fn expect(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    variant: &Variant,
    known: &Known<'_>,
) -> ExpectPlan {
    let Expect { plan, index_scans_per_request, cache_hit_ratio, error_ratio } = &variant.expect;
    let path = |key| ["variants", view.name, "expect", key];
    if let Some(node) = plan {
        check_node(notes, view, variant, known, node);
    }
    if cache_hit_ratio.is_some() && !view.has_cache() {
        let what = format!("variant `{}` expects cache hits, and has no cache", view.name);
        notes.error(codes::EXPECT, &path("cache_hit_ratio"), what, "leave it out");
    }
    if error_ratio.as_ref().is_some_and(|l| l.min.is_some()) {
        notes.not_yet(&path("error_ratio"), "a smallest `error_ratio`");
    }
    if view.driven().len() > 1 && index_scans_per_request.is_some_and(|n| n.fract() != 0.0) {
        notes.warn(format!(
            "variant `{}` draws its endpoints at random, so no exact number of requests can make {} index scans each",
            view.name,
            index_scans_per_request.unwrap_or_default()
        ));
    }
    let hits = cache_hit_ratio.as_ref();
    ExpectPlan {
        plan: plan.as_ref().map(|p| PlanNode {
            node: p.node.clone(),
            index: p.index.clone(),
            relation: p.relation.clone(),
        }),
        index_scans_per_request: *index_scans_per_request,
        cache_hit_ratio_min: hits.and_then(|l| l.min),
        cache_hit_ratio_max: hits.and_then(|l| l.max),
        error_ratio_max: error_ratio.as_ref().and_then(|l| l.max).unwrap_or(ERROR_RATIO),
    }
}

/// A plan can only use an index that exists in the variant's database.
fn check_node(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    variant: &Variant,
    known: &Known<'_>,
    node: &crate::spec::ExpectPlan,
) {
    let name = view.name;
    let path = |key| ["variants", name, "expect", "plan", key];
    if node.node.trim().is_empty() {
        notes.error(
            codes::EXPECT,
            &path("node"),
            "the node has no name",
            "write like `Index Scan`",
        );
    }
    if let Some(index) = &node.index {
        let declared = &view.document.indexes;
        if declared.contains_key(index) && !variant.indexes.contains(index) {
            // No mistake of form: the run itself proves it wrong, and says which plan came instead.
            notes.warnings.push(format!(
                "variant `{name}` expects index `{index}`, which it does not have: its trials will fail"
            ));
        } else if !declared.contains_key(index) && !known.may_be_index(index) {
            notes.unknown(&path("index"), "index", index, declared.keys().map(String::as_str));
        }
    }
    if let Some(relation) = node.relation.as_deref().filter(|r| !known.may_be_table(r)) {
        notes.unknown(&path("relation"), "table", relation, known.tables());
    }
}
