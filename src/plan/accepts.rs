//! Which texts the API takes as values of a parameter.

use regex::Regex;

use crate::spec::{Param, ParamType};

/// A parameter's type and limits, ready to be held against many texts.
pub(super) struct Accepts<'p> {
    param: &'p Param,
    pattern: Option<Regex>,
}

impl<'p> Accepts<'p> {
    /// A pattern that is no regular expression is left out here; [`pattern`] says what is wrong with it.
    pub(super) fn of(param: &'p Param) -> Self {
        let pattern = param.pattern.as_deref().and_then(|text| pattern(text).ok());
        Self { param, pattern }
    }

    /// Whether the API would take this value.
    pub(super) fn takes(&self, text: &str) -> bool {
        if !self.param.array {
            return self.takes_one(text);
        }
        let elements = serde_json::from_str::<Vec<serde_json::Value>>(text);
        elements.is_ok_and(|elements| {
            elements.iter().all(|element| {
                !element.is_null()
                    && self.takes_one(
                        &element.as_str().map_or_else(|| element.to_string(), str::to_owned),
                    )
            })
        })
    }

    fn takes_one(&self, text: &str) -> bool {
        let p = self.param;
        let number = text.parse::<f64>().ok();
        let above = p.min.zip(number).is_none_or(|(min, x)| x >= min);
        let below = p.max.zip(number).is_none_or(|(max, x)| x <= max);
        let characters = text.chars().count();
        let short = p.max_length.is_none_or(|most| characters <= most as usize);
        let long = p.min_length.is_none_or(|fewest| characters >= fewest as usize);
        let listed = p.one_of.as_ref().is_none_or(|all| all.iter().any(|one| one == text));
        let matches = self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text));
        fits(p.r#type, text) && above && below && short && long && listed && matches
    }
}

/// A pattern that a whole value must match.
///
/// # Errors
///
/// What is wrong with it, in one line.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    // By itself first: `a)(b` would be one only between our brackets.
    Regex::new(text).and_then(|_| Regex::new(&format!(r"\A(?:{text})\z"))).map_err(|error| {
        let text = error.to_string();
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

/// Whether a text is a value of a type.
pub(super) fn fits(kind: ParamType, text: &str) -> bool {
    match kind {
        ParamType::Text | ParamType::Enum => !text.contains('\0'),
        ParamType::Integer => text.parse::<i32>().is_ok(),
        ParamType::Bigint => text.parse::<i64>().is_ok(),
        ParamType::Float => text.parse::<f64>().is_ok_and(f64::is_finite),
        ParamType::Numeric => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let one_point = digits.bytes().filter(|b| *b == b'.').count() <= 1;
            let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            plain && one_point && digits.bytes().any(|b| b.is_ascii_digit())
        }
        ParamType::Bool => matches!(text, "true" | "false"),
        ParamType::Uuid => uuid::Uuid::parse_str(text).is_ok(),
        ParamType::Date => text.parse::<chrono::NaiveDate>().is_ok(),
        ParamType::Timestamp => text.replacen(' ', "T", 1).parse::<chrono::NaiveDateTime>().is_ok(),
        ParamType::Timestamptz => chrono::DateTime::parse_from_rfc3339(text).is_ok(),
        ParamType::Json => serde_json::from_str::<serde_json::Value>(text).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(toml: serde_json::Value) -> Param {
        serde_json::from_value(toml).expect("a param")
    }

    #[test]
    fn limits_of_texts_hold_for_the_whole_value_and_for_each_of_an_array() {
        let p = param(serde_json::json!({
            "type": "text", "min_length": 2, "max_length": 4, "pattern": "[a-z]+|[0-9]+",
        }));
        let accepts = Accepts::of(&p);
        assert!(accepts.takes("ab") && accepts.takes("1234"));
        for wrong in ["a", "abcde", "ab1", "AB", ""] {
            assert!(!accepts.takes(wrong), "{wrong}");
        }
        let p = param(serde_json::json!({ "type": "integer", "array": true, "min": 0 }));
        let accepts = Accepts::of(&p);
        assert!(accepts.takes("[]") && accepts.takes("[1, 2]"));
        for wrong in ["1", "[-1]", "[1.5]", "[null]", "[[1]]", "{1}", "[\"a\"]"] {
            assert!(!accepts.takes(wrong), "{wrong}");
        }
        let p = param(serde_json::json!({ "type": "enum", "one_of": ["sad", "happy"] }));
        assert!(Accepts::of(&p).takes("sad") && !Accepts::of(&p).takes("Sad"));
    }

    #[test]
    fn a_pattern_is_whole_by_itself() {
        assert!(pattern("[a-z]{1,3}").is_ok_and(|p| p.is_match("abc") && !p.is_match("abcd")));
        for wrong in ["(", "a)(b", "[", "*"] {
            assert!(pattern(wrong).is_err_and(|why| !why.is_empty()), "{wrong}");
        }
    }
}
