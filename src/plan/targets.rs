//! What is sent to an endpoint, and in what shape its answer comes.

use super::dataset::Known;
use super::endpoints::Resolved;
use super::notes::Notes;
use super::types::{
    AnswerPlan, CheckPlan, EndpointPlan, MemberForm, MemberPlan, ParamPlace, TargetPlan,
    VersionPlan, VersionRole, VersionedRow,
};
use super::view::View;
use super::{codes, params, sql};
use crate::spec::{AnswerShape, ParamType};

/// Statements that change rows; without `RETURNING` they answer how many.
const CHANGES: [&str; 4] = ["insert", "update", "delete", "merge"];

/// The requests to an endpoint that is driven with this weight.
pub(super) fn target(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    known: &Known<'_>,
    resolved: &Resolved,
    weight: f64,
) -> TargetPlan {
    let endpoint = &resolved.endpoint;
    let in_path = |param: &str| endpoint.path.contains(&format!("{{{param}}}"));
    let draws = endpoint
        .params
        .iter()
        .filter_map(|p| params::draw(notes, view, known.dataset, &p.name, in_path(&p.name)))
        .collect();
    let in_body = endpoint.params.iter().filter(|p| p.place == ParamPlace::Body);
    let body = in_body.map(|p| MemberPlan { param: p.name.clone(), form: form(p.r#type, p.array) });
    let version = version(notes, view, endpoint);
    TargetPlan {
        endpoint: endpoint.name.clone(),
        weight,
        method: endpoint.method.clone(),
        path: endpoint.path.clone(),
        draws,
        body: body.collect(),
        check: resolved.check.clone(),
        answer: answer(endpoint, &resolved.check),
        version,
    }
}

/// Which rows' versions the endpoint's answers tell: those that it reads through a cache, or those of the reading
/// endpoints that it writes to.
fn version(notes: &mut Notes<'_>, view: &View<'_>, plan: &EndpointPlan) -> Option<VersionPlan> {
    let name = plan.name.as_str();
    let endpoint = view.document.endpoints.get(name)?;
    let column = endpoint.check.version.clone()?;
    let path = notes.path_of(view.name, &["endpoints", name, "check", "version"]);
    if endpoint.cache.is_none() && endpoint.writes.is_empty() {
        let what = format!("the version of `{name}` is compared with nothing");
        let help = "give the endpoint a `cache`, or let it say what it `writes`";
        notes.error(codes::EXPECT, &path, what, help);
    }
    let has_one_row = endpoint.check.rows == Some(1) || endpoint.answer == AnswerShape::Row;
    if !has_one_row || endpoint.answer == AnswerShape::Lines {
        let what = format!("an answer of `{name}` may have several rows, and so several versions");
        notes.error(codes::EXPECT, &path, what, "write `rows = 1` beside it");
    }
    let names = |places: &[usize]| -> Vec<String> {
        places.iter().filter_map(|place| Some(plan.params.get(*place)?.name.clone())).collect()
    };
    let (role, rows) = if endpoint.writes.is_empty() {
        let params = plan.params.iter().map(|param| param.name.clone()).collect();
        (VersionRole::Reads, vec![VersionedRow { endpoint: name.to_owned(), params }])
    } else {
        let rows = plan.writes.iter().map(|writes| VersionedRow {
            endpoint: writes.endpoint.clone(),
            params: names(&writes.params),
        });
        (VersionRole::Writes, rows.collect())
    };
    Some(VersionPlan { column, role, rows })
}

/// How a value of a type is written in JSON so that the API takes it for the same value.
fn form(r#type: ParamType, is_array: bool) -> MemberForm {
    match r#type {
        _ if is_array => MemberForm::Json,
        ParamType::Bool | ParamType::Json => MemberForm::Json,
        ParamType::Integer | ParamType::Float => MemberForm::Number,
        ParamType::Bigint | ParamType::Numeric => MemberForm::Digits,
        ParamType::Text
        | ParamType::Enum
        | ParamType::Uuid
        | ParamType::Date
        | ParamType::Timestamp
        | ParamType::Timestamptz => MemberForm::Text,
    }
}

/// Whether a statement answers how many rows it changed is asked only where something is said about its rows.
fn answer(endpoint: &EndpointPlan, check: &CheckPlan) -> AnswerPlan {
    match endpoint.answer {
        AnswerShape::Row => AnswerPlan::Row,
        AnswerShape::Lines => AnswerPlan::Lines,
        AnswerShape::Rows if check.rows.is_none() && check.fields.is_empty() => AnswerPlan::Rows,
        AnswerShape::Rows if has_no_columns(&endpoint.query) => AnswerPlan::Row,
        AnswerShape::Rows => AnswerPlan::Rows,
    }
}

/// Whether a statement certainly returns no columns. One that begins with `WITH` may or may not: it is taken for one
/// that does.
fn has_no_columns(query: &str) -> bool {
    let tokens = sql::scan(query).tokens;
    let changes =
        tokens.first().is_some_and(|token| CHANGES.iter().any(|word| token.is(query, word)));
    changes && !tokens.iter().any(|token| token.is(query, "returning"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_changes_rows_and_returns_none_answers_how_many() {
        for query in ["UPDATE t SET a = $1", "delete from t", "INSERT INTO t VALUES ('returning')"]
        {
            assert!(has_no_columns(query), "{query}");
        }
        for query in ["SELECT 1", "UPDATE t SET a = 1 Returning a", "WITH x AS (SELECT 1) SELECT 1"]
        {
            assert!(!has_no_columns(query), "{query}");
        }
    }
}
