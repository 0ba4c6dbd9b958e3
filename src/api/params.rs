//! A request's parameters: from path and query string to one checked value each, or the first thing that is wrong.

use std::borrow::Cow;

use anyhow::{Context as _, bail, ensure};

use super::percent::{Plus, Undecodable, decode};
use super::problem::HttpProblem;
use super::value::Value;
use crate::plan::ParamPlan;
use crate::spec::ParamType;

/// Where a parameter is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The path's segment at this position.
    Segment(usize),
    /// The query string.
    Query,
}

/// One declared parameter.
#[derive(Debug, Clone)]
struct Param {
    name: String,
    r#type: ParamType,
    place: Place,
    max_length: Option<usize>,
    min: Option<f64>,
    max: Option<f64>,
    default: Option<String>,
}

/// All parameters of an endpoint.
#[derive(Debug, Clone)]
pub(super) struct Params(Vec<Param>);

/// One parameter of one request: as it came (decoded), and typed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given<'a> {
    /// What cache keys are made of.
    pub(super) raw: Cow<'a, str>,
    /// What statements are bound to.
    pub(super) value: Value<'a>,
}

/// The name inside `{…}`, if the segment is one parameter and nothing else.
pub(super) fn parameter_name(segment: &str) -> Option<&str> {
    let name = segment.strip_prefix('{')?.strip_suffix('}')?;
    (!name.is_empty() && !name.contains(['{', '}', '*'])).then_some(name)
}

impl Params {
    /// From the plan, for this path.
    ///
    /// # Errors
    ///
    /// If the path names a parameter that is not declared, or a default does not have its parameter's type.
    pub(super) fn new(path: &str, plans: &[ParamPlan]) -> anyhow::Result<Self> {
        let segments: Vec<Option<&str>> = path.split('/').map(parameter_name).collect();
        for (place, name) in segments.iter().enumerate() {
            let Some(name) = name else { continue };
            ensure!(!segments[..place].contains(&Some(name)), "the path names `{name}` twice");
            if !plans.iter().any(|plan| plan.name == *name) {
                bail!("the path names `{name}`, which is not a parameter of the endpoint");
            }
        }
        let params = plans.iter().map(|plan| {
            let segment = segments.iter().position(|name| *name == Some(plan.name.as_str()));
            let param = Param {
                name: plan.name.clone(),
                r#type: plan.r#type,
                place: segment.map_or(Place::Query, Place::Segment),
                max_length: plan.max_length.and_then(|length| usize::try_from(length).ok()),
                min: plan.min,
                max: plan.max,
                default: plan.default.clone(),
            };
            if let Some(default) = &param.default {
                let value = Value::parse(param.r#type, &Cow::Borrowed(default.as_str()));
                value
                    .and_then(|value| param.within(&value))
                    .map_err(anyhow::Error::msg)
                    .with_context(|| format!("the default of parameter `{}`", param.name))?;
            }
            Ok(param)
        });
        params.collect::<anyhow::Result<_>>().map(Self)
    }

    /// Reads and checks all of them, in the order of the plan.
    ///
    /// # Errors
    ///
    /// The answer to give, if anything is missing, given twice, not declared, not decodable or not of its type.
    pub(super) fn read<'a>(
        &'a self,
        path: &'a str,
        query: Option<&'a str>,
    ) -> Result<Vec<Given<'a>>, HttpProblem> {
        let mut raw: Vec<Option<Cow<'a, str>>> = vec![None; self.0.len()];
        for (param, slot) in self.0.iter().zip(&mut raw) {
            if let Place::Segment(place) = param.place {
                let segment = path.split('/').nth(place).unwrap_or_default();
                *slot = Some(decode(segment, Plus::Itself).map_err(|why| param.unreadable(why))?);
            }
        }
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, Plus::Space)
                .map_err(|_| HttpProblem::parameter("", "a parameter's name is not UTF-8 text"))?;
            let declared = |param: &Param| param.place == Place::Query && param.name == name;
            let Some(place) = self.0.iter().position(declared) else {
                return Err(HttpProblem::parameter(&name, "is not a parameter of this endpoint"));
            };
            let param = &self.0[place];
            let value = decode(value, Plus::Space).map_err(|why| param.unreadable(why))?;
            if raw[place].replace(value).is_some() {
                return Err(HttpProblem::parameter(&param.name, "is given more than once"));
            }
        }
        self.0.iter().zip(raw).map(|(param, raw)| param.check(raw)).collect()
    }
}

impl Param {
    fn unreadable(&self, why: Undecodable) -> HttpProblem {
        let detail = match why {
            Undecodable::Escape => "has a percent sign without two hexadecimal digits",
            Undecodable::Utf8 => "is not UTF-8 text",
            Undecodable::Nul => "holds a NUL character",
        };
        HttpProblem::parameter(&self.name, detail)
    }

    fn check<'a>(&'a self, raw: Option<Cow<'a, str>>) -> Result<Given<'a>, HttpProblem> {
        let raw = match (raw, &self.default) {
            (Some(raw), _) => raw,
            (None, Some(default)) => Cow::Borrowed(default.as_str()),
            (None, None) => return Err(HttpProblem::parameter(&self.name, "is missing")),
        };
        let wrong = |detail| HttpProblem::parameter(&self.name, detail);
        let value = Value::parse(self.r#type, &raw).map_err(wrong)?;
        self.within(&value).map_err(wrong)?;
        Ok(Given { raw, value })
    }

    fn within(&self, value: &Value<'_>) -> Result<(), &'static str> {
        if let (Value::Text(text), Some(most)) = (value, self.max_length)
            // Bytes are never fewer than characters, so counting can mostly be left out.
            && text.len() > most
            && text.chars().count() > most
        {
            return Err("is longer than allowed");
        }
        if let Some(magnitude) = value.magnitude() {
            if self.min.is_some_and(|min| magnitude < min) {
                return Err("is smaller than allowed");
            }
            if self.max.is_some_and(|max| magnitude > max) {
                return Err("is larger than allowed");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(name: &str, r#type: ParamType) -> ParamPlan {
        ParamPlan {
            name: name.to_owned(),
            r#type,
            max_length: None,
            min: None,
            max: None,
            default: None,
        }
    }

    fn users() -> Params {
        let plans = [
            param("id", ParamType::Integer),
            ParamPlan { max_length: Some(5), ..param("email", ParamType::Text) },
            ParamPlan {
                min: Some(1.0),
                max: Some(100.0),
                default: Some("10".to_owned()),
                ..param("limit", ParamType::Bigint)
            },
        ];
        Params::new("/users/{id}", &plans).expect("a good plan")
    }

    fn refused(path: &str, query: &str) -> String {
        let users = users();
        let problem = users.read(path, Some(query)).expect_err("refused");
        assert_eq!(problem.status(), 400);
        format!("{problem:?}")
    }

    #[test]
    fn values_come_from_the_path_the_query_and_the_default() {
        let users = users();
        let given = users.read("/users/7", Some("email=a%40b.c")).expect("right");
        let raw: Vec<&str> = given.iter().map(|given| given.raw.as_ref()).collect();
        assert_eq!(raw, ["7", "a@b.c", "10"]);
        assert_eq!(given[2].value, Value::Bigint(10));
    }

    #[test]
    fn missing_duplicate_and_unknown_parameters_are_refused_by_name() {
        assert!(refused("/users/7", "").contains("\"email\""));
        assert!(refused("/users/7", "email=a&email=a").contains("more than once"));
        assert!(refused("/users/7", "email=a&%65mail=b").contains("more than once"));
        assert!(refused("/users/7", "email=a&page=1").contains("\"page\""));
        assert!(refused("/users/7", "email=a&id=8").contains("\"id\""));
    }

    #[test]
    fn wrong_values_are_refused_without_being_repeated() {
        for (path, query) in [
            ("/users/99999999999", "email=a"),
            ("/users/7", "email=secret"),
            ("/users/7", "email=a&limit=0"),
            ("/users/7", "email=a&limit=101"),
            ("/users/%ff", "email=a"),
            ("/users/7", "email=%ff%fe"),
            ("/users/7", "email=%00"),
            ("/users/7", "email=%zz"),
            ("/users/7", "em%ffail=a"),
        ] {
            let problem = refused(path, query);
            for value in ["99999999999", "secret", "101", "\u{fffd}"] {
                assert!(!problem.contains(value), "{problem}");
            }
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        let users = users();
        assert!(users.read("/users/7", Some("email=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9")).is_ok());
        assert!(users.read("/users/7", Some("email=abcdef")).is_err());
    }

    #[test]
    fn a_plan_that_cannot_work_is_refused_before_anything_is_served() {
        assert!(Params::new("/users/{who}", &[param("id", ParamType::Text)]).is_err());
        assert!(Params::new("/{id}/{id}", &[param("id", ParamType::Text)]).is_err());
        let wrong = ParamPlan { default: Some("x".to_owned()), ..param("id", ParamType::Integer) };
        assert!(Params::new("/users", &[wrong]).is_err());
    }
}
