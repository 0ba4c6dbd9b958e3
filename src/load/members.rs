//! The body of a request: a JSON object of parameters, each written as its type is.

use serde_json::Number;

use crate::plan::{MemberForm, MemberPlan};

/// A member whose value is drawn.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Position among the target's draws.
    pub(super) draw: usize,
    form: MemberForm,
    /// Its name in quotes, with the colon.
    name: String,
}

impl Member {
    /// The member whose value is draw `draw`.
    pub(super) fn new(plan: &MemberPlan, draw: usize) -> Self {
        Self { draw, form: plan.form, name: format!("{}:", quoted(&plan.param)) }
    }
}

/// The object of these members; what was drawn is name and text.
pub(super) fn object(members: &[Member], drawn: &[(String, String)]) -> String {
    let mut body = String::from("{");
    for (i, member) in members.iter().enumerate() {
        if i > 0 {
            body.push(',');
        }
        body.push_str(&member.name);
        write(member.form, &drawn[member.draw].1, &mut body);
    }
    body.push('}');
    body
}

/// A text that its form has no room for goes out as a string: the API says what is wrong with it, and that counts.
fn write(form: MemberForm, text: &str, body: &mut String) {
    let number = || serde_json::from_str::<Number>(text).is_ok_and(|_| text.trim() == text);
    match form {
        MemberForm::Json if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => {
            body.push_str(text);
        }
        MemberForm::Number | MemberForm::Digits if number() => body.push_str(text),
        MemberForm::Number => match rewritten(text) {
            Some(number) => body.push_str(&number),
            None => body.push_str(&quoted(text)),
        },
        MemberForm::Json | MemberForm::Digits | MemberForm::Text => body.push_str(&quoted(text)),
    }
}

/// A number as JSON writes it; none if it is none.
fn rewritten(text: &str) -> Option<String> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.to_string());
    }
    Number::from_f64(text.parse().ok()?).map(|number| number.to_string())
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn body(form: MemberForm, text: &str) -> String {
        let plan = MemberPlan { param: "p".into(), form };
        object(&[Member::new(&plan, 0)], &[("p".into(), text.into())])
    }

    #[test]
    fn each_type_is_written_as_json_has_it_and_no_digit_is_lost() {
        let says = |form, text: &str, wanted: &str| {
            assert_eq!(body(form, text), format!("{{\"p\":{wanted}}}"));
        };
        says(MemberForm::Text, "a\"b\\é\n7", r#""a\"b\\é\n7""#);
        says(MemberForm::Number, "-12", "-12");
        says(MemberForm::Number, "+007", "7");
        says(MemberForm::Number, ".5", "0.5");
        says(MemberForm::Number, "x", "\"x\"");
        says(
            MemberForm::Digits,
            "123456789012345678901234567890.10",
            "123456789012345678901234567890.10",
        );
        says(MemberForm::Digits, "007", "\"007\"");
        says(MemberForm::Json, "[1, {\"a\": null}]", "[1, {\"a\": null}]");
        says(MemberForm::Json, "true", "true");
        says(MemberForm::Json, "tru\"", r#""tru\"""#);
    }

    #[test]
    fn members_stand_in_the_order_of_the_plan_and_an_object_may_be_empty() {
        let plan = |param: &str| MemberPlan { param: param.into(), form: MemberForm::Text };
        let members = [Member::new(&plan("b"), 1), Member::new(&plan("a-1"), 0)];
        let drawn = [("a-1".into(), "x".into()), ("b".into(), "y".into())];
        assert_eq!(object(&members, &drawn), r#"{"b":"y","a-1":"x"}"#);
        assert_eq!(object(&[], &[]), "{}");
    }

    proptest! {
        #[test]
        fn whatever_is_drawn_the_body_is_json_and_a_text_comes_back_to_the_letter(text: String) {
            for form in [MemberForm::Text, MemberForm::Number, MemberForm::Digits, MemberForm::Json] {
                let body = body(form, &text);
                let read: Value = serde_json::from_str(&body).map_err(|e| TestCaseError::fail(e.to_string()))?;
                if form == MemberForm::Text {
                    prop_assert_eq!(read["p"].as_str(), Some(text.as_str()));
                }
            }
        }
    }
}
