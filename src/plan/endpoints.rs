//! Endpoints: the statement, what it is bound to, and what a right answer looks like.

use std::collections::BTreeSet;

use super::notes::Notes;
use super::routes::{self, Route};
use super::sql::{self, Kind, Scan};
use super::types::{
    BindPlan, CheckPlan, CursorPlan, EndpointPlan, FieldCheck, ParamPlace, ParamPlan,
};
use super::view::View;
use super::{accepts, caches, codes, external, params};
use crate::spec::{AnswerShape, Bind, Endpoint, ParamType, Scalar};

/// Postgres' own limit.
const MOST_PLACEHOLDERS: u32 = 65_535;
/// How a statement of an endpoint may start; the rest is for migrations, or for nobody.
const STARTS: [&str; 7] = ["select", "insert", "update", "delete", "with", "values", "merge"];

/// An endpoint, decided.
pub(super) struct Resolved {
    pub(super) endpoint: EndpointPlan,
    pub(super) check: CheckPlan,
}

/// Decides one endpoint as a variant sees it; none if that is hopeless.
pub(super) fn resolve(notes: &mut Notes<'_>, view: &View<'_>, name: &str) -> Option<Resolved> {
    let endpoint = view.document.endpoints.get(name)?;
    let route = match routes::parse(&endpoint.route) {
        Ok(route) => route,
        Err((what, help)) => {
            let path = notes.path_of(view.name, &["endpoints", name, "route"]);
            notes.error(codes::ROUTE, &path, what, help);
            return None;
        }
    };
    check_statement(notes, view, name, endpoint);
    let (bind, names) = binds(notes, view, name, endpoint);
    check_path_params(notes, view, name, &route, &names);
    let params: Vec<ParamPlan> = names
        .iter()
        .filter_map(|p| {
            let place = if endpoint.cursor.contains_key(*p) {
                ParamPlace::Cursor
            } else if endpoint.body.iter().any(|name| name == p) {
                ParamPlace::Body
            } else {
                ParamPlace::Query
            };
            Some(params::checked(notes, view, p, view.document.params.get(*p)?, place))
        })
        .collect();
    check_body(notes, view, name, &route, &names);
    let cursor = cursor(notes, view, name, &route, &names);
    let cache = caches::resolve(notes, view, name, endpoint, &names);
    let check = check(notes, view, name, endpoint, &names);
    let writes = caches::writes(notes, view, name, endpoint, &names);
    let endpoint = EndpointPlan {
        name: name.to_owned(),
        method: route.method,
        path: route.path,
        query: endpoint.query.clone(),
        bind,
        params,
        answer: endpoint.answer,
        cursor,
        bind_style: view.document.services.api.bind_style,
        writes,
        cache,
    };
    Some(Resolved { endpoint, check })
}

/// One statement of a kind that answers requests, with the placeholders that `bind` fills.
fn check_statement(notes: &mut Notes<'_>, view: &View<'_>, name: &str, endpoint: &Endpoint) {
    let sql = &endpoint.query;
    let scan = sql::scan(sql);
    let path = notes.path_of(view.name, &["endpoints", name, "query"]);
    if let Some(why) = sql::not_one_statement(sql, &scan) {
        let what = format!("the query of `{name}` is not one statement: {why}");
        let help = "an endpoint sends one statement; make a function for more in a migration";
        return notes.error(codes::STATEMENT, &path, what, help);
    }
    let first = scan.tokens.iter().find(|t| t.text(sql) != "(");
    let word = first.filter(|t| t.kind == Kind::Word).map(|t| t.text(sql).to_ascii_lowercase());
    if !word.as_deref().is_some_and(|w| STARTS.contains(&w)) {
        let what = format!("the query of `{name}` starts with no statement that answers a request");
        let help = "it starts with SELECT, WITH, VALUES, INSERT, UPDATE, DELETE or MERGE; \
                    transactions, SET, COPY and DDL are not sent";
        notes.error(codes::STATEMENT, &path, what, help);
    }
    if view.document.services.postgres.url_from.is_some() {
        external::check_reads(notes, name, (sql.as_str(), &scan), &path);
    }
    check_templating(notes, view, name, sql, &path);
    check_placeholders(notes, view, name, endpoint, &scan);
}

/// `'{{email}}'` would be sent as it stands: nothing is ever pasted into a statement.
fn check_templating(notes: &mut Notes<'_>, view: &View<'_>, name: &str, sql: &str, path: &[&str]) {
    for param in view.document.params.keys() {
        if [format!("{{{{{param}}}}}"), format!("{{{{ {param} }}}}")]
            .iter()
            .any(|t| sql.contains(t))
        {
            let what = format!("the query of `{name}` has a template `{{{{{param}}}}}` in it");
            let help = format!(
                "nothing is pasted into a statement: write `$1` and `bind = [\"{param}\"]`"
            );
            notes.error(codes::STATEMENT, path, what, help);
        }
    }
}

fn check_placeholders(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    endpoint: &Endpoint,
    scan: &Scan,
) {
    let query = notes.path_of(view.name, &["endpoints", name, "query"]);
    let bind = notes.path_of(view.name, &["endpoints", name, "bind"]);
    let bound = u32::try_from(endpoint.bind.len()).unwrap_or(u32::MAX);
    let mut used = BTreeSet::new();
    for number in sql::placeholders(scan) {
        match number {
            Some(n) if (1..=MOST_PLACEHOLDERS).contains(&n) => {
                used.insert(n);
            }
            _ => {
                let what =
                    format!("the query of `{name}` has a placeholder that no value can have");
                let help = "placeholders are `$1`, `$2`, … to `$65535`";
                notes.error(codes::UNBOUND, &query, what, help);
            }
        }
    }
    let list = |numbers: &[String]| numbers.join("`, `");
    let beyond: Vec<String> =
        used.iter().filter(|n| **n > bound).map(|n| format!("${n}")).collect();
    if !beyond.is_empty() {
        let what = format!("the query of `{name}` has `{}`, but `bind` has {bound}", list(&beyond));
        let help = "add what it stands for to `bind`: a param's name, or `{ value = … }`";
        notes.error(codes::UNBOUND, &query, what, help);
    }
    let unused: Vec<String> =
        (1..=bound).filter(|n| !used.contains(n)).map(|n| format!("${n}")).collect();
    if !unused.is_empty() {
        let what = format!("the query of `{name}` never uses `{}`", list(&unused));
        let help = "use it in the query, or take its entry out of `bind`";
        notes.error(codes::UNUSED_BIND, &bind, what, help);
    }
}

/// What placeholders stand for, and the endpoint's params in order of first use.
fn binds<'e>(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    endpoint: &'e Endpoint,
) -> (Vec<BindPlan>, Vec<&'e str>) {
    let mut names: Vec<&str> = Vec::new();
    let mut plans = Vec::with_capacity(endpoint.bind.len());
    for (index, bind) in endpoint.bind.iter().enumerate() {
        let index = index.to_string();
        let path = notes.path_of(view.name, &["endpoints", name, "bind"]);
        let path: Vec<&str> = path.into_iter().chain([index.as_str()]).collect();
        match bind {
            Bind::Value(value) => {
                let text = value.to_string();
                let r#type = type_of(value);
                if !accepts::fits(r#type, &text) {
                    let what = format!("endpoint `{name}` binds a value that can't be sent");
                    notes.error(codes::PARAM, &path, what, "write a finite number or plain text");
                }
                plans.push(BindPlan::Value { r#type, text });
            }
            Bind::Param(param) if view.document.params.contains_key(param) => {
                let position = names.iter().position(|n| n == param).unwrap_or_else(|| {
                    names.push(param);
                    names.len() - 1
                });
                plans.push(BindPlan::Param(position));
            }
            Bind::Param(param) => {
                let known: Vec<&str> = view.document.params.keys().map(String::as_str).collect();
                notes.unknown(&path, "param", param, known);
            }
        }
    }
    (plans, names)
}

/// The type that Postgres would give such a constant.
fn type_of(value: &Scalar) -> ParamType {
    match value {
        Scalar::Text(_) => ParamType::Text,
        Scalar::Int(n) if i32::try_from(*n).is_ok() => ParamType::Integer,
        Scalar::Int(_) => ParamType::Bigint,
        Scalar::Float(_) => ParamType::Float,
        Scalar::Bool(_) => ParamType::Bool,
    }
}

fn check_path_params(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    route: &Route,
    bound: &[&str],
) {
    let path = notes.path_of(view.name, &["endpoints", name, "route"]);
    for param in &route.params {
        if !view.document.params.contains_key(param) {
            let known: Vec<&str> = view.document.params.keys().map(String::as_str).collect();
            notes.unknown(&path, "param", param, known);
        } else if !bound.contains(&param.as_str()) {
            let what =
                format!("the path of `{name}` names `{{{param}}}`, which its query never uses");
            notes.error(codes::ROUTE, &path, what, "add it to `bind`, or take it out of the path");
        }
    }
}

/// Params of a body are bound, in no path, and carried by a method whose body means something.
fn check_body(notes: &mut Notes<'_>, view: &View<'_>, name: &str, route: &Route, bound: &[&str]) {
    let body = view.document.endpoints.get(name).map_or(&[][..], |endpoint| &endpoint.body[..]);
    let path = notes.path_of(view.name, &["endpoints", name, "body"]);
    if !body.is_empty() && !["POST", "PUT", "PATCH"].contains(&route.method.as_str()) {
        let what = format!("endpoint `{name}` takes a body with {}", route.method);
        notes.error(codes::ROUTE, &path, what, "only POST, PUT and PATCH have one");
    }
    for (index, param) in body.iter().enumerate() {
        if body[..index].contains(param) {
            let what = format!("the body of `{name}` names `{param}` twice");
            notes.error(codes::ROUTE, &path, what, "name each once");
        } else if route.params.contains(param) {
            let what = format!("`{param}` of `{name}` is in the path and in the body");
            notes.error(codes::ROUTE, &path, what, "take it out of one of them");
        } else if !bound.contains(&param.as_str()) {
            let kind = format!("bound param of endpoint `{name}`");
            notes.unknown(&path, &kind, param, bound.iter().copied());
        }
    }
}

/// Params that come in a cursor: bound, nowhere else, and NULL for the first page.
fn cursor(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    route: &Route,
    bound: &[&str],
) -> Vec<CursorPlan> {
    let Some(endpoint) = view.document.endpoints.get(name) else { return Vec::new() };
    let path = notes.path_of(view.name, &["endpoints", name, "cursor"]);
    if !endpoint.cursor.is_empty() && endpoint.answer != AnswerShape::Rows {
        let what = format!("endpoint `{name}` has a cursor, and answers no array of rows");
        notes.error(codes::ROUTE, &path, what, "write `answer = \"rows\"`");
    }
    let mut plans = Vec::new();
    for (param, column) in &endpoint.cursor {
        let Some(position) = bound.iter().position(|name| name == param) else {
            let kind = format!("bound param of endpoint `{name}`");
            notes.unknown(&path, &kind, param, bound.iter().copied());
            continue;
        };
        let Some(p) = view.document.params.get(param) else { continue };
        let sourced =
            p.from.is_some() || p.values.is_some() || p.from_csv.is_some() || p.from_log.is_some();
        if p.required != Some(false) || sourced {
            let what =
                format!("`{param}` comes in the cursor of `{name}`, which the first page has not");
            let help = "write `required = false`, and no values to ask for";
            notes.error(codes::PARAM, &path, what, help);
        } else if route.params.contains(param) || endpoint.body.contains(param) {
            let what = format!("`{param}` of `{name}` is in the cursor and elsewhere");
            notes.error(codes::ROUTE, &path, what, "take it out of the path or the body");
        }
        plans.push(CursorPlan { param: position, column: column.clone() });
    }
    plans
}

fn check(
    notes: &mut Notes<'_>,
    view: &View<'_>,
    name: &str,
    endpoint: &Endpoint,
    names: &[&str],
) -> CheckPlan {
    let check = &endpoint.check;
    let mut fields = Vec::new();
    for (field, want) in &check.fields {
        let template = match want {
            Scalar::Text(text) => text.strip_prefix('{').and_then(|t| t.strip_suffix('}')),
            _ => None,
        };
        let want = match template.filter(|t| routes::is_name(t)) {
            Some(param) if names.contains(&param) => FieldCheck::Param(param.to_owned()),
            Some(param) => {
                let path = notes.path_of(view.name, &["endpoints", name, "check", "fields", field]);
                let kind = format!("param of endpoint `{name}`");
                notes.unknown(&path, &kind, param, names.iter().copied());
                continue;
            }
            None => match serde_json::to_value(want) {
                Ok(value) => FieldCheck::Value(value),
                Err(_) => continue,
            },
        };
        fields.push((field.clone(), want));
    }
    let status = check.status.unwrap_or(200);
    if !(100..=599).contains(&status) {
        let path = notes.path_of(view.name, &["endpoints", name, "check", "status"]);
        notes.error(
            codes::EXPECT,
            &path,
            format!("{status} is no HTTP status"),
            "write like `200`",
        );
    }
    CheckPlan { status, rows: check.rows, fields }
}
