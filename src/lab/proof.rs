//! The proof that a variant does what it claims: its plans, before and after the window.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::load::Shot;
use crate::plan::{CellPlan, Plan, PostgresAddress};
use crate::probe::{self, Params, Samples, Session};

/// Plans of the cell's driven endpoints, by name.
pub(super) struct Plans {
    /// Endpoint and its plans.
    pub by_endpoint: Vec<(String, Samples)>,
}

impl Plans {
    /// One hash for the first plans of all of them.
    pub(super) fn hash(&self) -> String {
        let first = self.by_endpoint.iter().map(|(_, plans)| plans.first.shape.as_str());
        first.collect::<Vec<_>>().join("+")
    }

    /// Every endpoint with each shape that its statement was given.
    pub(super) fn shapes(&self) -> BTreeSet<(String, String)> {
        let each = self.by_endpoint.iter();
        each.flat_map(|(name, plans)| plans.all().map(|e| (name.clone(), e.shape.clone())))
            .collect()
    }

    /// Statements that are planned differently from key to key, for people.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> {
        let differing = self.by_endpoint.iter().filter(|(_, plans)| !plans.others.is_empty());
        differing.map(|(endpoint, plans)| {
            format!(
                "the statement of `{endpoint}` has {} plans for {} keys",
                plans.others.len() + 1,
                plans.keys
            )
        })
    }
}

/// Explains every driven endpoint, each with the values of its own samples, as the role that the API uses, on a connection
/// of its own.
pub(super) async fn explain_all(
    cell: &CellPlan,
    app: &PostgresAddress,
    samples: &[Shot],
) -> Result<Plans> {
    let mut connection = probe::connect(app).await?;
    let explained = explain_on(&mut connection, cell, samples).await;
    // The connection must be gone before backends are counted, whatever became of the plans.
    let closed = connection.close().await;
    let plans = explained?;
    closed?;
    Ok(plans)
}

async fn explain_on(connection: &mut Session, cell: &CellPlan, samples: &[Shot]) -> Result<Plans> {
    let mut by_endpoint = Vec::new();
    for (position, target) in cell.drive.targets.iter().enumerate() {
        let own = samples.iter().filter(|sample| sample.target == position);
        let requests: Vec<&Params> = own.map(|sample| sample.params.as_slice()).collect();
        let endpoint = cell.api.endpoints.iter().find(|e| e.name == target.endpoint);
        if let Some(endpoint) = endpoint {
            let explained = connection.explain(endpoint, &requests).await?;
            by_endpoint.push((endpoint.name.clone(), explained));
        }
    }
    Ok(Plans { by_endpoint })
}

/// What is wrong with the indexes that are there, if anything: one of the variant's own is missing, or one of another
/// variant's is there too. Those of the migrations belong to all.
pub(super) fn wrong_indexes(plan: &Plan, cell: &CellPlan, there: &[String]) -> Option<String> {
    let own = plan.index_sets.iter().find(|set| set.database == cell.database)?;
    let is_ours = cell.stack.postgres.url_from.is_none();
    let is_own = |name: &String| own.indexes.iter().any(|i| i.name == *name);
    let missing: Vec<&str> = own
        .indexes
        .iter()
        .map(|i| i.name.as_str())
        .filter(|name| !there.iter().any(|t| t == name))
        .collect();
    let declared = plan.index_sets.iter().flat_map(|set| &set.indexes);
    let foreign: BTreeSet<&str> = declared
        .filter(|index| is_ours && !is_own(&index.name) && there.contains(&index.name))
        .map(|index| index.name.as_str())
        .collect();
    if missing.is_empty() && foreign.is_empty() {
        return None;
    }
    if !is_ours {
        // All variants have the same database there, and what else is in it is not theirs to say.
        return Some(format!(
            "variant `{}`: the external Postgres has no index [{}]",
            cell.variant,
            missing.join(", ")
        ));
    }
    Some(format!(
        "variant `{}`: its database lacks the indexes [{}] and has those of other variants [{}]",
        cell.variant,
        missing.join(", "),
        foreign.into_iter().collect::<Vec<_>>().join(", ")
    ))
}

/// What is wrong with the plans, if anything: expected node, and what came instead.
pub(super) fn wrong_plan(cell: &CellPlan, plans: &Plans, when: &str) -> Option<String> {
    let expected = cell.expect.plan.as_ref()?;
    let each = plans.by_endpoint.iter();
    for (endpoint, explained) in each.flat_map(|(name, of)| of.all().map(move |e| (name, e))) {
        if let Err(instead) = probe::find_node(&explained.plan, expected) {
            let mut wanted = expected.node.clone();
            for (word, name) in [(" using ", &expected.index), (" on ", &expected.relation)] {
                if let Some(name) = name {
                    wanted.push_str(word);
                    wanted.push_str(name);
                }
            }
            return Some(format!(
                "variant `{}`, endpoint `{endpoint}`: the plan {when} the window should have {wanted}, but is {instead}",
                cell.variant
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::spec::{Layers, load};

    #[test]
    fn in_somebody_elses_postgres_the_named_indexes_are_there_and_others_are_nobodys_business() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/external.toml");
        let spec = load(&file, &Layers::default()).expect("a file");
        let plan = crate::plan::resolve(&spec).expect("a plan");
        let cell = &plan.cells[0];
        let there = ["another".to_owned(), "people_email".to_owned()];
        assert_eq!(wrong_indexes(&plan, cell, &there), None);
        let wrong = wrong_indexes(&plan, cell, &there[..1]).expect("it is missed");
        assert_eq!(wrong, "variant `ten`: the external Postgres has no index [people_email]");
    }
}
