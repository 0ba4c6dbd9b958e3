//! What Postgres plans for an endpoint's statement, prepared as the API prepares it.
//!
//! EXPLAIN with bound parameters would always show a custom plan. A prepared statement that runs often may get the generic
//! one from its sixth execution on, so the statement is prepared with the same parameter types and explained six times
//! before a plan counts: then it is one that the API's connections have settled on. Keys may be planned differently, so
//! it is explained for a number of them.

use std::fmt::Write;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};
use tokio::time::timeout;

use super::Session;
use crate::plan::{BindPlan, EndpointPlan, PlanNode};
use crate::spec::BindStyle;

/// Executions after which Postgres has chosen between custom and generic plans (plancache.c looks at five).
const SETTLING: usize = 6;
/// For all explanations of a statement; each takes well under a millisecond.
const EXPLAINING: Duration = Duration::from_secs(30);

/// A plan and the hash of its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// EXPLAIN (FORMAT JSON), its first element.
    pub plan: Value,
    /// Hash of node types, indexes and relations; costs do not count.
    pub shape: String,
}

/// The plans that one statement gets for a number of keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    /// That of the first key.
    pub first: Explained,
    /// One of each other shape, in the order in which they came.
    pub others: Vec<Explained>,
    /// Keys that were asked for.
    pub keys: usize,
}

impl Samples {
    /// One of each shape.
    pub fn all(&self) -> impl Iterator<Item = &Explained> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// Name and value of a request's parameters, as text.
pub type Params = [(String, String)];

impl Session {
    /// Explains an endpoint's statement with the parameters of each of these requests, of which there is one at least.
    ///
    /// # Errors
    ///
    /// If Postgres refuses the statement, takes more than 30 s, or there is no request.
    pub async fn explain(
        &mut self,
        endpoint: &EndpointPlan,
        requests: &[&Params],
    ) -> Result<Samples> {
        timeout(EXPLAINING, explain_each(&mut self.0, endpoint, requests))
            .await
            .with_context(|| {
                format!("explaining endpoint `{}` took longer than 30 s", endpoint.name)
            })?
            .with_context(|| format!("cannot explain endpoint `{}`", endpoint.name))
    }
}

async fn explain_each(
    connection: &mut PgConnection,
    endpoint: &EndpointPlan,
    requests: &[&Params],
) -> Result<Samples> {
    let types: Vec<String> = endpoint.bind.iter().map(|bind| declared(endpoint, bind)).collect();
    let declared = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
    // What the API's connections do by their own setting, or by planning anew for each request.
    let mode = match endpoint.bind_style {
        BindStyle::Prepared => None,
        BindStyle::GenericPlan => Some("SET plan_cache_mode = force_generic_plan"),
        BindStyle::Literal => Some("SET plan_cache_mode = force_custom_plan"),
    };
    if let Some(mode) = mode {
        sqlx::raw_sql(mode).execute(&mut *connection).await?;
    }
    sqlx::raw_sql(AssertSqlSafe(format!(
        "PREPARE querylab_probe {declared} AS {}",
        endpoint.query
    )))
    .execute(&mut *connection)
    .await?;
    // Postgres weighs the custom plans of its first executions, so these have keys of their own too.
    for params in requests.iter().cycle().take(SETTLING) {
        explain_once(connection, endpoint, params).await?;
    }
    let mut found: Vec<Explained> = Vec::new();
    for params in requests {
        let plan = explain_once(connection, endpoint, params).await?;
        let shape = shape_hash(&plan);
        if !found.iter().any(|known| known.shape == shape) {
            found.push(Explained { plan, shape });
        }
    }
    sqlx::raw_sql("DEALLOCATE querylab_probe; RESET plan_cache_mode")
        .execute(&mut *connection)
        .await?;
    let mut found = found.into_iter();
    let first = found.next().context("there is no request to explain it with")?;
    Ok(Samples { first, others: found.collect(), keys: requests.len() })
}

async fn explain_once(
    connection: &mut PgConnection,
    endpoint: &EndpointPlan,
    params: &Params,
) -> Result<Value> {
    let values: Vec<Option<String>> =
        endpoint.bind.iter().map(|bind| value_of(endpoint, bind, params)).collect();
    // Postgres itself quotes the values: nothing is pasted into a statement here.
    let holes = vec!["%L"; values.len()].join(", ");
    let arguments = if values.is_empty() { String::new() } else { format!("({holes})") };
    let format = format!("EXPLAIN (FORMAT JSON) EXECUTE querylab_probe{arguments}");
    let statement: String = sqlx::query_scalar("SELECT format($1, VARIADIC $2::text[])")
        .bind(format)
        .bind(values)
        .fetch_one(&mut *connection)
        .await?;
    let row = sqlx::raw_sql(AssertSqlSafe(statement)).fetch_one(&mut *connection).await?;
    let text: String = row.try_get_unchecked(0)?;
    let all: Value = serde_json::from_str(&text).context("EXPLAIN (FORMAT JSON) was no JSON")?;
    Ok(all.get(0).cloned().unwrap_or(all))
}

/// What `PREPARE` is told of a placeholder.
fn declared(endpoint: &EndpointPlan, bind: &BindPlan) -> String {
    match bind {
        BindPlan::Param(position) => {
            let param = &endpoint.params[*position];
            let dimensions = if param.array { "[]" } else { "" };
            format!("{}{dimensions}", param.r#type.sql_name())
        }
        BindPlan::Value { r#type, .. } => r#type.sql_name().to_owned(),
    }
}

/// A JSON array as Postgres writes an array; what is no array is left to Postgres to refuse.
fn array_literal(json: &str) -> String {
    let Ok(elements) = serde_json::from_str::<Vec<Value>>(json) else { return json.to_owned() };
    let elements: Vec<String> = elements
        .iter()
        .map(|element| {
            if element.is_null() {
                return "NULL".to_owned();
            }
            let text = element.as_str().map_or_else(|| element.to_string(), str::to_owned);
            format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
        })
        .collect();
    format!("{{{}}}", elements.join(","))
}

fn value_of(endpoint: &EndpointPlan, bind: &BindPlan, params: &Params) -> Option<String> {
    match bind {
        BindPlan::Value { text, .. } => Some(text.clone()),
        BindPlan::Param(position) => {
            let param = &endpoint.params[*position];
            let sent =
                params.iter().find(|(name, _)| *name == param.name).map(|(_, value)| value.clone());
            let text = sent.or_else(|| param.default.clone());
            if param.array { text.map(|json| array_literal(&json)) } else { text }
        }
    }
}

/// All nodes of a plan, outermost first.
fn nodes(plan: &Value) -> Vec<&Value> {
    let mut all = Vec::new();
    let mut open = vec![plan.get("Plan").unwrap_or(plan)];
    while let Some(node) = open.pop() {
        all.push(node);
        if let Some(children) = node.get("Plans").and_then(Value::as_array) {
            open.extend(children.iter().rev());
        }
    }
    all
}

fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node.get(key).and_then(Value::as_str).unwrap_or("")
}

/// Whether the plan has the expected node; if not, what it has instead: `Seq Scan on users`.
///
/// # Errors
///
/// The plan's own nodes, for the message.
pub fn find_node(plan: &Value, expected: &PlanNode) -> Result<(), String> {
    let matches = |node: &&Value| {
        text(node, "Node Type") == expected.node
            && expected.index.as_ref().is_none_or(|index| text(node, "Index Name") == index)
            && expected
                .relation
                .as_ref()
                .is_none_or(|relation| text(node, "Relation Name") == relation)
    };
    let all = nodes(plan);
    if all.iter().any(matches) {
        return Ok(());
    }
    Err(all.iter().map(|node| describe(node)).collect::<Vec<_>>().join(" > "))
}

fn describe(node: &Value) -> String {
    let mut words = text(node, "Node Type").to_owned();
    if node.get("Parallel Aware").and_then(Value::as_bool) == Some(true) {
        words.insert_str(0, "Parallel ");
    }
    for (key, word) in [("Index Name", " using "), ("Relation Name", " on ")] {
        if !text(node, key).is_empty() {
            words.push_str(word);
            words.push_str(text(node, key));
        }
    }
    words
}

/// SHA-256 over node types, indexes and relations with their depth, first 16 hex digits.
pub fn shape_hash(plan: &Value) -> String {
    let shape: Vec<String> = nodes(plan).iter().map(|node| describe(node)).collect();
    let digest = Sha256::digest(shape.join("\n"));
    digest.iter().take(8).fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes all");
        hex
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scan(index: &str) -> Value {
        json!({ "Plan": { "Node Type": "Limit", "Plans": [
            { "Node Type": "Index Scan", "Index Name": index, "Relation Name": "users", "Total Cost": 8.5 } ] } })
    }

    fn wanted(index: &str) -> PlanNode {
        PlanNode { node: "Index Scan".into(), index: Some(index.into()), relation: None }
    }

    #[test]
    fn a_node_is_found_by_type_and_index_at_any_depth() {
        assert_eq!(find_node(&scan("a"), &wanted("a")), Ok(()));
        assert_eq!(
            find_node(&scan("b"), &wanted("a")),
            Err("Limit > Index Scan using b on users".into())
        );
    }

    #[test]
    fn the_shape_changes_with_the_index_and_not_with_the_cost() {
        let mut dearer = scan("a");
        dearer["Plan"]["Plans"][0]["Total Cost"] = json!(99);
        assert_eq!(shape_hash(&scan("a")), shape_hash(&dearer));
        assert_ne!(shape_hash(&scan("a")), shape_hash(&scan("b")));
    }
}
