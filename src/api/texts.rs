//! Statements by their texts: which types each is prepared with, and how equal texts are told apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::value::Kind;
use crate::plan::{BindPlan, EndpointPlan};

/// The types that the endpoint's query is prepared with; those of unknown parameters are refused elsewhere.
pub(super) fn bind_types(plan: &EndpointPlan) -> Vec<Kind> {
    let param = |place: &usize| plan.params.get(*place).map(Kind::of);
    plan.bind
        .iter()
        .filter_map(|bind| match bind {
            BindPlan::Value { r#type, .. } => Some(Kind::One(*r#type)),
            BindPlan::Param(place) => param(place),
        })
        .collect()
}

/// The queries seen so far, with the types that each was prepared with.
///
/// sqlx keeps prepared statements by their text alone: two endpoints with one text and different types would get each
/// other's statement.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeMap<String, Vec<Vec<Kind>>>);

impl Texts {
    /// The endpoint's query, with a line break at its end for each other list of types that the same text came with before.
    pub(super) fn distinct(&mut self, plan: &EndpointPlan) -> Arc<str> {
        let seen = self.0.entry(plan.query.clone()).or_default();
        let types = bind_types(plan);
        let place = seen.iter().position(|other| *other == types).unwrap_or_else(|| {
            seen.push(types);
            seen.len() - 1
        });
        Arc::from(plan.query.clone() + &"\n".repeat(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::statement::tests::endpoint;
    use crate::spec::ParamType;

    #[test]
    fn one_text_with_other_types_is_another_statement() {
        let mut texts = Texts::default();
        let mut text = |query, types: &[ParamType]| texts.distinct(&endpoint(query, types));
        assert_eq!(&*text("SELECT $1", &[ParamType::Text]), "SELECT $1");
        assert_eq!(&*text("SELECT $1", &[ParamType::Integer]), "SELECT $1\n");
        assert_eq!(&*text("SELECT $1", &[ParamType::Text]), "SELECT $1");
        assert_eq!(&*text("SELECT $1", &[ParamType::Bool]), "SELECT $1\n\n");
        assert_eq!(&*text("SELECT 1", &[]), "SELECT 1");
    }
}
