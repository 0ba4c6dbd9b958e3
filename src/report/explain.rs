//! EXPLAIN (FORMAT JSON) in short: an indented tree of nodes with their index, relation and conditions.

use serde_json::Value;

use crate::plan::{PlanNode, captured_as};
use crate::results::Results;
use crate::units::count;

/// Nodes of a plan that are printed at most: a report stays readable whatever the statement is.
const MOST_NODES: usize = 100;
/// Depth of a plan that is followed at most.
const DEEPEST: usize = 64;

/// Conditions, in the order in which they are printed.
const CONDITIONS: [&str; 8] = [
    "Index Cond",
    "Recheck Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "Filter",
    "Sort Key",
    "Group Key",
];

/// The tree as lines; empty where the text holds no plan.
pub(super) fn tree(plan: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (depth, node) in nodes(plan) {
        let indent = "  ".repeat(depth);
        let arrow = if depth == 0 { "" } else { "-> " };
        lines.push(format!("{indent}{arrow}{}{}", describe(node), rows(node)));
        for condition in CONDITIONS {
            if let Some(text) = node.get(condition).and_then(text_of) {
                lines.push(format!("{indent}     {condition}: {text}"));
            }
        }
    }
    lines
}

/// What reads the tables, as the plan proof of the decision table: `Index Scan idx_users_email`.
pub(super) fn scans(plan: &Value) -> Vec<String> {
    let mut scans = Vec::new();
    for (_, node) in nodes(plan) {
        let word = |key| node.get(key).and_then(Value::as_str);
        let Some(kind) = word("Node Type").filter(|k| k.contains("Scan")) else { continue };
        // A bitmap heap scan reads what the bitmap index scan below it has found: that one is the proof.
        if kind == "Bitmap Heap Scan" {
            continue;
        }
        let what = word("Index Name").or(word("Relation Name")).unwrap_or_default();
        scans.push(format!("{kind} {what}").trim().to_owned());
    }
    scans
}

/// What the planner expected of a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Expected {
    /// Nodes of its tree.
    pub(super) nodes: usize,
    /// Parallel workers that it planned.
    pub(super) workers: u64,
    /// Cost of the whole, in the planner's units.
    pub(super) cost: Option<f64>,
    /// Rows that it gives.
    pub(super) rows: Option<f64>,
}

/// What the planner expected; none where the text holds no plan.
pub(super) fn expected(plan: &Value) -> Option<Expected> {
    let nodes = nodes(plan);
    let (_, top) = nodes.first()?;
    let number = |key| top.get(key).and_then(Value::as_f64);
    let workers =
        nodes.iter().filter_map(|(_, n)| n.get("Workers Planned").and_then(Value::as_u64));
    Some(Expected {
        nodes: nodes.len(),
        workers: workers.sum(),
        cost: number("Total Cost"),
        rows: number("Plan Rows"),
    })
}

/// The nodes with their indexes and relations, and how they lie in each other; no estimates.
pub(super) fn shape(plan: &Value) -> Vec<String> {
    nodes(plan).into_iter().map(|(depth, node)| format!("{depth} {}", describe(node))).collect()
}

/// The captured plans of a variant's endpoints.
pub(super) fn of_variant<'a>(results: &'a Results, variant: &str) -> Vec<&'a Value> {
    let plan = &results.plan;
    let endpoints = plan.variants.iter().filter(|v| v.name == variant).flat_map(|v| &v.endpoints);
    endpoints.filter_map(|e| results.plans.get(&captured_as(variant, e))).collect()
}

/// Whether the captured plans of the variant, each of them, have the node that the file asserts; none where it asserts none
/// or no plan was captured.
pub(super) fn as_asserted(results: &Results, variant: &str) -> Option<bool> {
    let cell = results.plan.cells.iter().find(|c| c.variant == variant)?;
    let node = cell.expect.plan.as_ref()?;
    let captured = of_variant(results, variant);
    (!captured.is_empty()).then(|| captured.into_iter().all(|plan| has(plan, node)))
}

/// Whether the plan has a node like this.
pub(super) fn has(plan: &Value, wanted: &PlanNode) -> bool {
    nodes(plan).into_iter().any(|(_, node)| {
        let is = |key: &str, want: &Option<String>| {
            want.as_ref().is_none_or(|w| node.get(key).and_then(Value::as_str) == Some(w.as_str()))
        };
        is("Node Type", &Some(wanted.node.clone()))
            && is("Index Name", &wanted.index)
            && is("Relation Name", &wanted.relation)
    })
}

/// Depth and node, from the top; bounded.
fn nodes(plan: &Value) -> Vec<(usize, &Value)> {
    let mut found = Vec::new();
    let mut waiting: Vec<(usize, &Value)> = root(plan, 0).map(|r| (0, r)).into_iter().collect();
    while let Some((depth, node)) = waiting.pop() {
        if found.len() >= MOST_NODES {
            break;
        }
        found.push((depth, node));
        if depth < DEEPEST
            && let Some(children) = node.get("Plans").and_then(Value::as_array)
        {
            waiting.extend(children.iter().rev().map(|child| (depth + 1, child)));
        }
    }
    found
}

/// EXPLAIN wraps the tree as `[{"Plan": …}]`.
fn root(value: &Value, depth: usize) -> Option<&Value> {
    match value {
        _ if depth > 4 => None,
        Value::Array(items) => items.iter().find_map(|item| root(item, depth + 1)),
        Value::Object(map) if map.contains_key("Node Type") => Some(value),
        Value::Object(map) => map.get("Plan"),
        _ => None,
    }
}

fn describe(node: &Value) -> String {
    let word = |key| node.get(key).and_then(Value::as_str);
    let mut text = word("Node Type").unwrap_or("?").to_owned();
    for (before, key) in [(" using ", "Index Name"), (" on ", "Relation Name")] {
        if let Some(name) = word(key) {
            text.push_str(before);
            text.push_str(name);
        }
    }
    text
}

fn rows(node: &Value) -> String {
    let estimated = node.get("Plan Rows").and_then(Value::as_f64).filter(|r| *r >= 0.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative, and the cast saturates"
    )]
    let text = estimated.map(|rows| format!("  (rows {})", count(rows as u64)));
    text.unwrap_or_default()
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(super::markdown::one_line(text)),
        Value::Array(items) => {
            Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn join() -> Value {
        json!([{ "Plan": { "Node Type": "Nested Loop", "Plan Rows": 12, "Plans": [
            { "Node Type": "Index Scan", "Index Name": "idx_a", "Relation Name": "a",
              "Index Cond": "(a.x = $1)", "Plan Rows": 1 },
            { "Node Type": "Bitmap Heap Scan", "Relation Name": "b", "Recheck Cond": "(b.y = a.y)",
              "Plan Rows": 12_000, "Plans": [
                { "Node Type": "Bitmap Index Scan", "Index Name": "idx_b", "Plan Rows": 12 } ] } ] } }])
    }

    #[test]
    fn a_plan_becomes_a_tree_with_its_conditions() {
        let want = "\
Nested Loop  (rows 12)
  -> Index Scan using idx_a on a  (rows 1)
       Index Cond: (a.x = $1)
  -> Bitmap Heap Scan on b  (rows 12,000)
       Recheck Cond: (b.y = a.y)
    -> Bitmap Index Scan using idx_b  (rows 12)";
        assert_eq!(tree(&join()).join("\n"), want);
        assert_eq!(scans(&join()), ["Index Scan idx_a", "Bitmap Index Scan idx_b"]);
    }

    #[test]
    fn an_expected_node_is_found_by_all_that_is_said_of_it() {
        let node = |node: &str, index: Option<&str>| PlanNode {
            node: node.into(),
            index: index.map(Into::into),
            relation: None,
        };
        assert!(has(&join(), &node("Index Scan", Some("idx_a"))));
        assert!(!has(&join(), &node("Index Scan", Some("idx_b"))));
        assert!(!has(&join(), &node("Seq Scan", None)));
    }

    #[test]
    fn of_a_mix_each_plan_must_be_the_asserted_one() {
        let mut results = crate::report::fixture::results();
        assert_eq!(as_asserted(&results, "btree"), Some(true));
        let mixed = results.plan.variants.iter_mut().find(|v| v.name == "btree");
        mixed.expect("a variant").endpoints.push("other".into());
        let scan = json!([{ "Plan": { "Node Type": "Seq Scan", "Relation Name": "users" } }]);
        results.plans.insert("btree-other".into(), scan);
        assert_eq!(as_asserted(&results, "btree"), Some(false));
    }

    #[test]
    fn what_is_no_plan_is_an_empty_tree_and_a_deep_one_is_cut() {
        for nothing in [json!(null), json!([]), json!("x"), json!({ "Planning Time": 1 })] {
            assert!(tree(&nothing).is_empty());
        }
        let mut deep = json!({ "Node Type": "Result" });
        for _ in 0..100 {
            deep = json!({ "Node Type": "Result", "Plans": [deep] });
        }
        assert!(tree(&deep).len() <= MOST_NODES);
    }
}
