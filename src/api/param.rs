//! One declared parameter: where it is, what it may be, and what is said when it is not.

use std::borrow::Cow;

use anyhow::Context as _;
use regex::Regex;

use super::percent::Undecodable;
use super::problem::HttpProblem;
use super::value::{Kind, Value};
use super::{array, json_body};
use crate::plan::{ParamPlace, ParamPlan};

/// A pattern is compiled into a machine of this many bytes at most.
const LARGEST_PATTERN: usize = 1024 * 1024;

/// Where a parameter is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The path's segment at this position.
    Segment(usize),
    /// The query string.
    Query,
    /// A member of the JSON object in the body.
    Body,
    /// The signed cursor.
    Cursor,
}

/// One declared parameter.
#[derive(Debug, Clone)]
pub(super) struct Param {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) kind: Kind,
    pub(super) optional: bool,
    pub(super) min_length: Option<usize>,
    pub(super) max_length: Option<usize>,
    pub(super) pattern: Option<Regex>,
    pub(super) one_of: Vec<String>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) default: Option<String>,
}

/// One parameter of one request, checked and typed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given<'a> {
    /// What statements are bound to, and cache keys are made of.
    pub(super) value: Value<'a>,
}

impl Given<'_> {
    /// The same, without anything that belongs to a request.
    pub(super) fn owned(&self) -> Given<'static> {
        Given { value: self.value.clone().into_owned() }
    }
}

impl Param {
    /// From the plan; `segment` is its place in the path, if it has one.
    ///
    /// # Errors
    ///
    /// If its pattern is no regular expression, or its default none of its values.
    pub(super) fn new(plan: &ParamPlan, segment: Option<usize>) -> anyhow::Result<Self> {
        let place = match (segment, plan.place) {
            (Some(place), _) => Place::Segment(place),
            (None, ParamPlace::Query) => Place::Query,
            (None, ParamPlace::Body) => Place::Body,
            (None, ParamPlace::Cursor) => Place::Cursor,
        };
        let length = |length: Option<u32>| length.and_then(|length| usize::try_from(length).ok());
        let param = Self {
            name: plan.name.clone(),
            place,
            kind: Kind::of(plan),
            optional: plan.optional,
            min_length: length(plan.min_length),
            max_length: length(plan.max_length),
            pattern: plan.pattern.as_deref().map(whole).transpose()?,
            one_of: plan.one_of.clone(),
            min: plan.min,
            max: plan.max,
            default: plan.default.clone(),
        };
        if let Some(default) = &param.default {
            param.value(&Cow::Borrowed(default.as_str())).map_err(anyhow::Error::msg)?;
        }
        Ok(param)
    }

    /// Whether a request must have it.
    pub(super) fn is_required(&self) -> bool {
        !self.optional && self.default.is_none()
    }

    /// What is said of bytes that are no text.
    pub(super) fn unreadable(&self, why: Undecodable) -> HttpProblem {
        let detail = match why {
            Undecodable::Escape => "has a percent sign without two hexadecimal digits",
            Undecodable::Utf8 => "is not UTF-8 text",
            Undecodable::Nul => "holds a NUL character",
        };
        HttpProblem::parameter(&self.name, detail)
    }

    /// A member of the body as it would stand in a query string; none for `null`.
    pub(super) fn text_of_json<'a>(
        &self,
        json: &'a str,
    ) -> Result<Option<Cow<'a, str>>, HttpProblem> {
        let text = match self.kind {
            Kind::One(r#type) => json_body::text_of(r#type, json),
            Kind::Array(_) if json == "null" => Ok(None),
            Kind::Array(_) => Ok(Some(Cow::Borrowed(json))),
        };
        text.map_err(|detail| HttpProblem::parameter(&self.name, detail))
    }

    /// The checked value of what came with the request, of the default, or NULL.
    pub(super) fn check<'a>(&'a self, raw: Option<Cow<'a, str>>) -> Result<Given<'a>, HttpProblem> {
        let raw = match (raw, &self.default) {
            (Some(raw), _) => raw,
            (None, Some(default)) => Cow::Borrowed(default.as_str()),
            (None, None) if self.optional => {
                return Ok(Given { value: Value::Null(self.kind) });
            }
            (None, None) => return Err(HttpProblem::parameter(&self.name, "is missing")),
        };
        let value =
            self.value(&raw).map_err(|detail| HttpProblem::parameter(&self.name, detail))?;
        Ok(Given { value })
    }

    fn value<'a>(&self, raw: &Cow<'a, str>) -> Result<Value<'a>, &'static str> {
        match self.kind {
            Kind::One(r#type) => {
                let value = Value::parse(r#type, raw)?;
                self.within(&value)?;
                Ok(value)
            }
            Kind::Array(r#type) => array::parse(r#type, raw, |value| self.within(value)),
        }
    }

    fn within(&self, value: &Value<'_>) -> Result<(), &'static str> {
        if let Some(text) = value.text() {
            self.text_within(text)?;
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

    fn text_within(&self, text: &str) -> Result<(), &'static str> {
        // Bytes are never fewer than characters, so counting can mostly be left out.
        if self.max_length.is_some_and(|most| text.len() > most && text.chars().count() > most) {
            return Err("is longer than allowed");
        }
        if self.min_length.is_some_and(|fewest| text.chars().count() < fewest) {
            return Err("is shorter than allowed");
        }
        if !self.one_of.is_empty() && !self.one_of.iter().any(|one| one == text) {
            return Err("is none of the allowed values");
        }
        if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(text)) {
            return Err("does not have the form that it must have");
        }
        Ok(())
    }
}

/// A regular expression for the whole of a text.
fn whole(pattern: &str) -> anyhow::Result<Regex> {
    regex::RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .size_limit(LARGEST_PATTERN)
        .build()
        .context("its pattern is no regular expression")
}
