//! How a column's values will be made, as the file states it; and the bounds that they are made within.

use super::checks::Rule;
use super::text::{list, number, quoted};

/// A generator with its keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Recipe {
    generator: &'static str,
    keys: Vec<(&'static str, String)>,
}

impl Recipe {
    /// A generator without keys.
    pub(super) fn of(generator: &'static str) -> Self {
        Self { generator, keys: Vec::new() }
    }

    /// The same with one more key, its value as TOML.
    pub(super) fn with(mut self, key: &'static str, value: String) -> Self {
        self.keys.push((key, value));
        self
    }

    /// The same from `min` to `max`.
    pub(super) fn between(self, min: f64, max: f64) -> Self {
        self.with("min", number(min)).with("max", number(max))
    }

    /// One of these, all alike.
    pub(super) fn choice<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of("choice").with("values", list(values))
    }

    /// Always this.
    pub(super) fn constant(value: &str) -> Self {
        Self::of("constant").with("value", quoted(value))
    }

    /// Whether it counts rows or names other columns, so that no element of an array can be made by it.
    pub(super) fn is_bound(&self) -> bool {
        ["sequence", "permutation", "template", "email", "offset", "foreign-key", "uuid"]
            .contains(&self.generator)
    }

    /// Which generator.
    pub(super) fn generator(&self) -> &'static str {
        self.generator
    }

    /// As an inline table.
    pub(super) fn text(&self) -> String {
        let keys = self.keys.iter().map(|(key, value)| format!(", {key} = {value}"));
        format!("{{ generator = {}{} }}", quoted(self.generator), keys.collect::<String>())
    }
}

/// What the values of a column may be.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bounds {
    /// At least this; more, if true.
    pub(super) least: Option<(String, bool)>,
    /// At most this; less, if true.
    pub(super) most: Option<(String, bool)>,
    /// One of these.
    pub(super) one_of: Option<Vec<String>>,
    /// Fewest characters.
    pub(super) shortest: Option<u32>,
    /// Most characters.
    pub(super) longest: Option<u32>,
    /// Not below the value of this column; above it, if true.
    pub(super) after: Option<(String, bool)>,
    /// Constraints that could not be read.
    pub(super) unread: Vec<String>,
}

impl Bounds {
    /// The bounds that rules set to a column of this name.
    pub(super) fn of(column: &str, rules: &[Rule]) -> Self {
        let mut bounds = Self::default();
        for rule in rules {
            bounds.add(column, rule);
        }
        bounds
    }

    fn add(&mut self, own: &str, rule: &Rule) {
        match rule {
            Rule::Least { column, value, strict } if column == own => {
                self.least = Some((value.clone(), *strict));
            }
            Rule::Most { column, value, strict } if column == own => {
                self.most = Some((value.clone(), *strict));
            }
            Rule::OneOf { column, values } if column == own => {
                self.one_of = Some(values.clone());
            }
            Rule::Length { column, least, most } if column == own => {
                self.shortest = self.shortest.max(*least);
                self.longest = most.or(self.longest);
            }
            Rule::Order { small, large, strict } if large == own => {
                self.after = Some((small.clone(), *strict));
            }
            _ => {}
        }
    }

    /// The bounds as numbers, where they are: a strict one moved by `unit`.
    pub(super) fn numbers(&self, unit: f64) -> (Option<f64>, Option<f64>) {
        let of = |bound: &Option<(String, bool)>, unit: f64| {
            let (text, strict) = bound.as_ref()?;
            let x: f64 = text.parse().ok().filter(|x: &f64| x.is_finite())?;
            Some(if *strict { x + unit } else { x })
        };
        (of(&self.least, unit), of(&self.most, -unit))
    }

    /// A usual range, made to fit into the bounds.
    pub(super) fn fit(&self, (min, max): (f64, f64), unit: f64) -> (f64, f64) {
        let width = (max - min).max(unit);
        match self.numbers(unit) {
            (None, None) => (min, max),
            (Some(least), None) if max > least => (min.max(least), max),
            (Some(least), None) => (least, least + width),
            (None, Some(most)) if min < most => (min, max.min(most)),
            (None, Some(most)) => (most - width, most),
            (Some(least), Some(most)) => {
                let (low, high) = (min.max(least), max.min(most));
                if low < high { (low, high) } else { (least, most.max(least)) }
            }
        }
    }
}
