//! A request's parameters: from path, query string and body to one checked value each, or the first thing that is wrong.

use std::borrow::Cow;

use anyhow::{Context as _, bail, ensure};
use axum::http::StatusCode;

use super::cursor::{self, Cursor};
use super::json_body::{Items, unquoted};
use super::param::{Given, Param, Place};
use super::percent::{Plus, decode};
use super::problem::HttpProblem;
use crate::plan::ParamPlan;

/// All parameters of an endpoint.
#[derive(Debug, Clone)]
pub(super) struct Params {
    list: Vec<Param>,
    cursor: Option<Cursor>,
}

/// What of a request carries parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent<'a> {
    /// The path, as it came.
    pub(super) path: &'a str,
    /// What follows the question mark, as it came.
    pub(super) query: Option<&'a str>,
    /// The body, where the endpoint takes one.
    pub(super) body: &'a [u8],
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
    /// If the path names a parameter that is not declared, or a parameter cannot be what its plan says.
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
            Param::new(plan, segment).with_context(|| format!("parameter `{}`", plan.name))
        });
        let list = params.collect::<anyhow::Result<_>>()?;
        Ok(Self { list, cursor: None })
    }

    /// With those that come in a cursor.
    ///
    /// # Errors
    ///
    /// If another parameter has the cursor's own name.
    pub(super) fn with_cursor(self, cursor: Cursor) -> anyhow::Result<Self> {
        let clash = self.list.iter().any(|param| param.name == cursor::NAME);
        ensure!(!clash, "a parameter is named `{}`, and so is the cursor", cursor::NAME);
        Ok(Self { cursor: Some(cursor), ..self })
    }

    /// Where the next page begins.
    pub(super) fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    /// Each of them.
    pub(super) fn list(&self) -> &[Param] {
        &self.list
    }

    /// Whether a request carries some of them in its body.
    pub(super) fn in_body(&self) -> bool {
        self.list.iter().any(|param| param.place == Place::Body)
    }

    /// Their names and the segments of the path that they are, of those that are in the path.
    pub(super) fn in_path(&self) -> Vec<(String, usize)> {
        let segment = |param: &Param| match param.place {
            Place::Segment(place) => Some((param.name.clone(), place)),
            Place::Query | Place::Body | Place::Cursor => None,
        };
        self.list.iter().filter_map(segment).collect()
    }

    /// Reads and checks all of them, in the order of the plan.
    ///
    /// # Errors
    ///
    /// The answer to give, if anything is missing, given twice, not declared, not decodable or not of its type.
    pub(super) fn read<'a>(&'a self, sent: Sent<'a>) -> Result<Vec<Given<'a>>, HttpProblem> {
        let mut raw: Vec<Option<Cow<'a, str>>> = vec![None; self.list.len()];
        for (param, slot) in self.list.iter().zip(&mut raw) {
            if let Place::Segment(place) = param.place {
                let segment = sent.path.split('/').nth(place).unwrap_or_default();
                *slot = Some(decode(segment, Plus::Itself).map_err(|why| param.unreadable(why))?);
            }
        }
        for pair in sent.query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, Plus::Space)
                .map_err(|_| HttpProblem::parameter("", "a parameter's name is not UTF-8 text"))?;
            if let Some(cursor) = self.cursor.as_ref().filter(|_| name == cursor::NAME) {
                read_cursor(cursor, value, &mut raw)?;
                continue;
            }
            let place = self.declared(Place::Query, &name)?;
            let param = &self.list[place];
            let value = decode(value, Plus::Space).map_err(|why| param.unreadable(why))?;
            if raw[place].replace(value).is_some() {
                return Err(HttpProblem::parameter(&param.name, "is given more than once"));
            }
        }
        if self.in_body() {
            self.read_body(sent.body, &mut raw)?;
        }
        self.list.iter().zip(raw).map(|(param, raw)| param.check(raw)).collect()
    }

    fn read_body<'a>(
        &'a self,
        body: &'a [u8],
        raw: &mut [Option<Cow<'a, str>>],
    ) -> Result<(), HttpProblem> {
        let bad = |detail| HttpProblem::new(StatusCode::BAD_REQUEST, "invalid-body", detail);
        let text = std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8 text"))?;
        let mut items = Items::of_object(text).ok_or_else(|| bad("the body is no JSON object"))?;
        // A member of `null` leaves its slot empty, and may not come again either.
        let mut seen = vec![false; raw.len()];
        while let (Some(name), Some(json)) = (items.next(), items.next()) {
            let name =
                unquoted(name).map_err(|_| bad("a member's name in the body is not text"))?;
            let place = self.declared(Place::Body, &name)?;
            let param = &self.list[place];
            if std::mem::replace(&mut seen[place], true) {
                return Err(HttpProblem::parameter(&param.name, "is given more than once"));
            }
            raw[place] = param.text_of_json(json)?;
        }
        Ok(())
    }

    fn declared(&self, place: Place, name: &str) -> Result<usize, HttpProblem> {
        let found = self.list.iter().position(|param| param.place == place && param.name == name);
        found.ok_or_else(|| HttpProblem::parameter(name, "is not a parameter of this endpoint"))
    }
}

/// Puts the values of a cursor where their parameters are.
fn read_cursor(
    cursor: &Cursor,
    text: &str,
    raw: &mut [Option<Cow<'_, str>>],
) -> Result<(), HttpProblem> {
    let wrong = |detail| HttpProblem::parameter(cursor::NAME, detail);
    for (place, value) in cursor.read(text).map_err(wrong)? {
        let slot = raw.get_mut(place).ok_or_else(|| wrong("has no such parameter"))?;
        if slot.replace(Cow::Owned(value)).is_some() {
            return Err(wrong("is given more than once"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::canonical::Zeros;
    use crate::api::value::{Kind, Value};
    use crate::plan::ParamPlace;
    use crate::spec::ParamType;

    fn param(name: &str, r#type: ParamType) -> ParamPlan {
        ParamPlan::any(name, r#type)
    }

    fn url<'a>(path: &'a str, query: &'a str) -> Sent<'a> {
        Sent { path, query: Some(query), body: b"" }
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
        let problem = users.read(url(path, query)).expect_err("refused");
        assert_eq!(problem.status(), 400);
        format!("{problem:?}")
    }

    #[test]
    fn values_come_from_the_path_the_query_and_the_default() {
        let users = users();
        let given = users.read(url("/users/7", "email=a%40b.c")).expect("right");
        let values: Vec<&Value<'_>> = given.iter().map(|given| &given.value).collect();
        let email = Value::Text(Cow::Borrowed("a@b.c"));
        assert_eq!(values, [&Value::Integer(7), &email, &Value::Bigint(10)]);
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
        assert!(users.read(url("/users/7", "email=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9")).is_ok());
        assert!(users.read(url("/users/7", "email=abcdef")).is_err());
    }

    #[test]
    fn a_plan_that_cannot_work_is_refused_before_anything_is_served() {
        assert!(Params::new("/users/{who}", &[param("id", ParamType::Text)]).is_err());
        assert!(Params::new("/{id}/{id}", &[param("id", ParamType::Text)]).is_err());
        let wrong = ParamPlan { default: Some("x".to_owned()), ..param("id", ParamType::Integer) };
        assert!(Params::new("/users", &[wrong]).is_err());
        let wrong = ParamPlan { pattern: Some("(".to_owned()), ..param("id", ParamType::Text) };
        assert!(Params::new("/users", &[wrong]).is_err());
    }

    #[test]
    fn what_may_be_left_out_is_null_and_differs_from_an_empty_text() {
        let plan = ParamPlan { optional: true, ..param("name", ParamType::Text) };
        let params = Params::new("/users", &[plan]).expect("a good plan");
        let left_out = params.read(url("/users", "")).expect("right").remove(0);
        let empty = params.read(url("/users", "name=")).expect("right").remove(0);
        assert_eq!(left_out.value, Value::Null(Kind::One(ParamType::Text)));
        assert_eq!(empty.value, Value::Text(Cow::Borrowed("")));
    }

    #[test]
    fn forms_choices_and_arrays_are_checked() {
        let plans = [
            ParamPlan {
                pattern: Some("[a-z]+|x1".to_owned()),
                min_length: Some(2),
                ..param("word", ParamType::Text)
            },
            ParamPlan {
                one_of: vec!["sad".to_owned(), "happy".to_owned()],
                ..param("mood", ParamType::Enum)
            },
            ParamPlan { array: true, max: Some(9.0), ..param("ids", ParamType::Integer) },
        ];
        let params = Params::new("/p", &plans).expect("a good plan");
        let read = |query: &str| {
            params
                .read(url("/p", query))
                .map(|given| given.into_iter().map(|g| g.value.into_owned()).collect::<Vec<_>>())
        };
        let given = read("word=ab&mood=sad&ids=%5B1,2%5D").expect("right");
        assert_eq!(given[1], Value::Enum(Cow::Borrowed("sad")));
        let ids = Value::Array(ParamType::Integer, vec![Value::Integer(1), Value::Integer(2)]);
        assert_eq!(given[2], ids);
        for (query, name) in [
            ("word=a&mood=sad&ids=[]", "word"),
            ("word=ab1&mood=sad&ids=[]", "word"),
            ("word=x1%0A&mood=sad&ids=[]", "word"),
            ("word=ab&mood=glad&ids=[]", "mood"),
            ("word=ab&mood=sad&ids=1", "ids"),
            ("word=ab&mood=sad&ids=[10]", "ids"),
            ("word=ab&mood=sad&ids=[null]", "ids"),
            ("word=ab&mood=sad&ids=[1,]", "ids"),
        ] {
            let problem = format!("{:?}", read(query).expect_err(query));
            assert!(problem.contains(&format!("{name:?}")), "{query}: {problem}");
        }
    }

    #[test]
    fn members_of_a_body_are_parameters_like_others() {
        let body = |plan: ParamPlan| ParamPlan { place: ParamPlace::Body, ..plan };
        let plans = [
            param("id", ParamType::Integer),
            body(param("name", ParamType::Text)),
            body(param("price", ParamType::Numeric)),
            body(ParamPlan { optional: true, ..param("data", ParamType::Json) }),
        ];
        let params = Params::new("/things/{id}", &plans).expect("a good plan");
        assert!(params.in_body());
        let sent = |body| Sent { path: "/things/7", query: None, body };
        let given = params
            .read(sent(br#" {"price": 1.10, "name" : "a\"b", "data":null}"#))
            .expect("a right body");
        let text = |given: &Given<'_>| {
            let mut text = Vec::new();
            given.value.spell(Zeros::Kept, &mut text);
            String::from_utf8(text).expect("UTF-8")
        };
        let texts: Vec<String> = given.iter().map(text).collect();
        assert_eq!(texts, ["7", "a\"b", "1.10", "\0"]);
        for (body, says) in [
            (&b"{\"name\":\"a\"}"[..], "price"),
            (b"{\"name\":null,\"price\":1}", "name"),
            (b"{\"name\":\"a\",\"price\":1,\"name\":\"b\"}", "more than once"),
            (b"{\"name\":\"a\",\"price\":1,\"data\":null,\"data\":1}", "more than once"),
            (b"{\"name\":\"a\",\"price\":1,\"more\":1}", "more"),
            (b"{\"name\":1,\"price\":1}", "JSON string"),
            (b"{\"name\":\"a\\u0000\",\"price\":1}", "NUL"),
            (b"{\"name\":\"a\",\"price\":1,\"id\":8}", "\"id\""),
            (b"[]", "JSON object"),
            (b"", "JSON object"),
            (b"{\"name\":\"\xff\",\"price\":1}", "UTF-8"),
        ] {
            let problem = params.read(sent(body)).expect_err("refused");
            assert!(format!("{problem:?}").contains(says), "{problem:?} and not {says}");
        }
        let in_query = Sent { query: Some("name=a"), ..sent(b"{\"name\":\"a\",\"price\":1}") };
        assert!(params.read(in_query).is_err());
    }
}
