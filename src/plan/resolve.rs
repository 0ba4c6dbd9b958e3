//! From what was asked to what will be done: every part in its turn, every mistake at once.

use std::collections::BTreeMap;

use super::dataset::{self, Known};
use super::design::{self, Design};
use super::fingerprint::fingerprint;
use super::indexes::{self, Sets};
use super::notes::Notes;
use super::types::{CellPlan, Estimate, ExperimentPlan, FORMAT, Plan, Role, VariantPlan};
use super::view::View;
use super::{
    claims, codes, deltas, endpoints, estimate, limits, merge, order, routes, services, variants,
};
use crate::spec::{Document, Problem, Spec};
use crate::units;

/// The longest run.
const LONGEST_NS: u64 = 6 * 3600 * 1_000_000_000;
/// What to do about a longer one.
const SHORTER: &str = "take fewer blocks, shorter windows or fewer cells";
/// A file without a profile's name is of this size.
const FULL: &str = "full";

/// Looks through a file that has mistakes already, for names that nothing has, placeholders and routes: what does not
/// follow from the other mistakes.
pub fn further_mistakes(partial: &Spec) -> Vec<Problem> {
    let mut found = resolve(partial).err().unwrap_or_default();
    found.retain(|problem| codes::STANDS_ALONE.contains(&problem.code));
    found
}

/// Decides everything about an experiment: reads its migrations, starts nothing.
///
/// # Errors
///
/// Every mistake of the author, in the order of the file.
pub fn resolve(spec: &Spec) -> Result<Plan, Vec<Problem>> {
    let plan = resolve_of_any_length(spec)?;
    check_length(spec, &plan)?;
    Ok(plan)
}

/// Whether a plan, or what [`Plan::restricted_to`] has left of it, fits into a day's work.
///
/// # Errors
///
/// That it does not.
pub fn check_length(spec: &Spec, plan: &Plan) -> Result<(), Vec<Problem>> {
    if plan.estimate.time_ns <= LONGEST_NS {
        return Ok(());
    }
    let about = units::duration_ns(plan.estimate.time_ns);
    let what = format!("the run would take about {about}, and 6 hours is the most");
    let mut notes = Notes::new(spec);
    notes.error(codes::TOO_MUCH, &["design", "blocks"], what, SHORTER);
    Err(notes.into_problems())
}

/// The same as [`resolve`], however long it takes: for who wants only a part of it.
///
/// # Errors
///
/// Every other mistake of the author.
pub fn resolve_of_any_length(spec: &Spec) -> Result<Plan, Vec<Problem>> {
    let mut notes = Notes::new(spec);
    notes.warnings.extend(spec.warnings.iter().map(|w| w.what.clone()));
    let file = &spec.document;
    indexes::check_all(&mut notes, file);
    let (dataset, migrations) = dataset::resolve(&mut notes, spec);
    let known = Known { dataset: &dataset, migrations: migrations.as_ref() };
    let documents = documents(&mut notes, spec);
    let views = views(spec, &documents);
    check_unused(&mut notes, file, &views);
    variants::check_plan_files(&mut notes, &views);
    let design = design::resolve(&mut notes, spec);
    let mut decided = BTreeMap::new();
    for view in &views {
        if let Some(variant) = variants::resolve(&mut notes, view, &known) {
            decided.insert(view.name, variant);
        }
    }
    services::settle_connections(
        &mut decided.values_mut().map(|v| &mut v.servers).collect::<Vec<_>>(),
    );
    let run: Vec<View<'_>> = design
        .variants
        .iter()
        .filter_map(|name| views.iter().find(|v| v.name == name).copied())
        .collect();
    let (sets, variants) = variant_plans(&mut notes, file, &views, &design);
    let mut cells = Vec::new();
    for (variant, load) in &design.cells {
        let view = run.iter().find(|v| v.name == variant);
        let Some((view, decided)) = view.zip(decided.get(variant.as_str())) else { continue };
        let set = variants.iter().find(|v| v.name == *variant).map_or(0, |v| v.index_set);
        let Some(database) = sets.plans.get(set).map(|s| s.database.as_str()) else { continue };
        cells.extend(variants::cell(&mut notes, view, decided, load, database));
    }
    settle_servers(&mut notes, file, &mut cells);
    let claims = claims::claims(&mut notes, spec, &design, &views);
    let thresholds = limits::thresholds(&mut notes, spec, &design);
    let regression = limits::regression(&mut notes, spec);
    let mut deltas = deltas::deltas(&mut notes, &run, &design.plan.baseline, &design.loads);
    deltas::shorten(&mut deltas);
    if notes.any_error() {
        return Err(notes.into_problems());
    }
    let trials = order::trials(file.experiment.seed, design.plan.blocks, &slots(&cells, &design));
    let estimate = estimated(&mut notes, &design, || {
        estimate::estimate(&dataset, &sets.plans, &cells, &trials, design.plan.index_costs)
    });
    if notes.any_error() {
        return Err(notes.into_problems());
    }
    let mut plan = Plan {
        format: FORMAT,
        fingerprint: String::new(),
        experiment: experiment(file),
        profile: spec.profile.clone().unwrap_or_else(|| FULL.into()),
        seed: file.experiment.seed,
        dataset,
        index_sets: sets.plans,
        variants,
        loads: design.loads,
        cells,
        trials,
        design: design.plan,
        claims,
        thresholds,
        regression,
        deltas,
        warnings: notes.warnings,
        estimate,
    };
    plan.fingerprint = fingerprint(&plan);
    Ok(plan)
}

/// The file as each variant sees it, whether or not the design runs it: a mistake is one under any profile.
fn documents(notes: &mut Notes<'_>, spec: &Spec) -> BTreeMap<String, Document> {
    let mut documents = BTreeMap::new();
    for name in &spec.variant_order {
        merge::check_patches(notes, spec, name);
        match merge::document_of(spec, name) {
            Ok(document) => {
                documents.insert(name.clone(), document);
            }
            Err(problems) => notes.take(problems),
        }
    }
    documents
}

fn views<'v>(spec: &'v Spec, documents: &'v BTreeMap<String, Document>) -> Vec<View<'v>> {
    let view = |name: &'v String| {
        let variant = spec.document.variants.get(name)?;
        Some(View { name, document: documents.get(name)?, variant: Some(variant) })
    };
    spec.variant_order.iter().filter_map(view).collect()
}

/// What is declared and never used is checked too, and named.
fn check_unused(notes: &mut Notes<'_>, file: &Document, views: &[View<'_>]) {
    let nobody = View { name: "", document: file, variant: None };
    routes::check_duplicates(notes, &nobody);
    let mut unused: Vec<String> = Vec::new();
    for name in file.endpoints.keys() {
        if !views.iter().any(|v| v.driven().iter().any(|(driven, _)| driven == name)) {
            endpoints::resolve(notes, &nobody, name);
            unused.push(format!("endpoint `{name}`"));
        }
    }
    for name in file.indexes.keys() {
        let has = |v: &View<'_>| v.variant.is_some_and(|v| v.indexes.contains(name));
        if !views.iter().any(has) {
            unused.push(format!("index `{name}`"));
        }
    }
    for name in file.params.keys() {
        let binds = |document: &Document| {
            let bound = crate::spec::Bind::Param(name.clone());
            document.endpoints.values().any(|e| e.bind.contains(&bound))
        };
        if !binds(file) && !views.iter().any(|v| binds(v.document)) {
            unused.push(format!("param `{name}`"));
        }
    }
    if !unused.is_empty() {
        notes.warn(format!("declared, but used by no variant: {}", unused.join(", ")));
    }
}

/// The databases and the variants that use them, in the order of the report.
fn variant_plans(
    notes: &mut Notes<'_>,
    file: &Document,
    views: &[View<'_>],
    design: &Design,
) -> (Sets, Vec<VariantPlan>) {
    let mut sets = Sets::default();
    let mut plans = Vec::new();
    for name in &design.variants {
        let Some(view) = views.iter().find(|v| v.name == name) else { continue };
        let Some(variant) = view.variant else { continue };
        plans.push(VariantPlan {
            name: name.clone(),
            title: variant.title.clone().unwrap_or_else(|| name.clone()),
            index_set: sets.of(notes, file, name, (variant, major_of(view))),
            endpoints: view.driven().iter().map(|(endpoint, _)| (*endpoint).to_owned()).collect(),
        });
    }
    // Variants that are not run get no database, but their mistakes are mistakes.
    let mut not_run = Sets::default();
    for view in views.iter().filter(|v| !design.variants.iter().any(|name| name == v.name)) {
        if let Some(variant) = view.variant {
            not_run.of(notes, file, view.name, (variant, major_of(view)));
        }
    }
    (sets, plans)
}

/// The major version of Postgres that a variant names.
fn major_of(view: &View<'_>) -> Option<u32> {
    view.document.services.postgres.version.as_deref().and_then(services::major)
}

/// All variants get the same servers: Redis for all or for none, and room for the same connections under a load.
fn settle_servers(notes: &mut Notes<'_>, file: &Document, cells: &mut [CellPlan]) {
    let cached = cells.iter().any(|c| c.api.endpoints.iter().any(|e| e.cache.is_some()));
    let stated = !file.services.redis.settings.is_empty() || file.services.redis.version.is_some();
    if !cached && stated && !cells.is_empty() {
        notes.warn("no endpoint that is driven has a cache: Redis is not started".into());
    }
    if let Some(variable) = &file.services.postgres.url_from {
        notes.warn(format!(
            "Postgres is not querylab's (its URL is in {variable}): it is only read from, and what it does and uses is not known"
        ));
    }
    let mut connections = BTreeMap::<String, u32>::new();
    for cell in cells.iter() {
        let most = connections.entry(cell.load.clone()).or_default();
        *most = (*most).max(cell.stack.client_connections);
    }
    for cell in cells {
        cell.stack.client_connections = connections.get(&cell.load).copied().unwrap_or(1);
        if !cached {
            cell.stack.redis = None;
        }
    }
}

/// What each block runs once: every cell, and the baseline's twin.
fn slots(cells: &[CellPlan], design: &Design) -> Vec<order::Slot> {
    let twin = cells.iter().position(|c| {
        c.variant == design.plan.baseline && Some(&c.load) == design.plan.aa_check.as_ref()
    });
    let own = (0..cells.len()).map(|cell| (cell, Role::Variant));
    own.chain(twin.map(|cell| (cell, Role::Twin))).collect()
}

/// The estimate, if it can be counted.
fn estimated(
    notes: &mut Notes<'_>,
    design: &Design,
    estimate: impl FnOnce() -> Option<Estimate>,
) -> Estimate {
    let Some(estimate) = estimate() else {
        let what = "the run would take longer, or more space, than can be counted";
        notes.error(codes::TOO_MUCH, &["design", "blocks"], what, SHORTER);
        return Estimate::default();
    };
    if let Some(warning) = estimate::beyond_budget(&estimate, design.plan.time_budget_ns) {
        notes.warn(warning);
    }
    estimate
}

fn experiment(file: &Document) -> ExperimentPlan {
    let e = &file.experiment;
    ExperimentPlan {
        id: e.id.clone(),
        title: e.title.clone(),
        question: e.question.clone(),
        context: e.context.clone(),
        drivers: e.drivers.clone(),
        decision: e.decision.clone(),
        consequences: e.consequences.clone(),
        tags: e.tags.clone(),
    }
}
