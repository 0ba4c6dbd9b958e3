//! Check constraints as Postgres writes them, read as bounds of values where they are that simple.

use super::terms::{self, Term};

/// What a check constraint asks of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Rule {
    /// At least so much; more, where strict.
    Least { column: String, value: String, strict: bool },
    /// At most so much; less, where strict.
    Most { column: String, value: String, strict: bool },
    /// One of these.
    OneOf { column: String, values: Vec<String> },
    /// So many characters at least, and at most.
    Length { column: String, least: Option<u32>, most: Option<u32> },
    /// The one is not above the other; below it, where strict.
    Order { small: String, large: String, strict: bool },
    /// It asks for nothing that a made value would not have.
    Harmless,
    /// It can't be read; the text.
    Unread(String),
}

/// What `CHECK ((price > (0)::numeric) AND …)` asks for.
pub(super) fn rules(check: &str) -> Vec<Rule> {
    let unread = || vec![Rule::Unread(check.to_owned())];
    let body = check.trim();
    let body = body.strip_prefix("CHECK").unwrap_or(body);
    let body = body.strip_suffix("NOT VALID").unwrap_or(body);
    let Some(term) = terms::parse(body) else { return unread() };
    let mut rules = Vec::new();
    read(&term, check, &mut rules);
    rules
}

/// What a term asks for; `whole` is told where it can't be read.
fn read(term: &Term, whole: &str, rules: &mut Vec<Rule>) {
    let rule = match term {
        Term::All(terms) => {
            for term in terms {
                read(term, whole, rules);
            }
            return;
        }
        Term::Compared(sign, left, right) => match (&**left, &**right) {
            (Term::Value(_), Term::Column(_) | Term::Length(_)) => {
                mirrored(sign).and_then(|sign| bound(sign, right, left))
            }
            (Term::Column(small), Term::Column(large)) if sign.starts_with('<') => {
                order(sign, small, large)
            }
            (Term::Column(large), Term::Column(small)) if sign.starts_with('>') => {
                order(sign, small, large)
            }
            _ => bound(sign, left, right),
        },
        _ => None,
    };
    rules.push(rule.unwrap_or_else(|| Rule::Unread(whole.to_owned())));
}

fn mirrored(sign: &str) -> Option<&'static str> {
    [("<", ">"), ("<=", ">="), (">", "<"), (">=", "<="), ("=", "="), ("<>", "<>")]
        .into_iter()
        .find_map(|(from, to)| (from == sign).then_some(to))
}

fn order(sign: &str, small: &str, large: &str) -> Option<Rule> {
    let strict = sign.len() == 1;
    ["<", "<=", ">", ">="].contains(&sign).then(|| Rule::Order {
        small: small.to_owned(),
        large: large.to_owned(),
        strict,
    })
}

fn bound(sign: &str, left: &Term, right: &Term) -> Option<Rule> {
    match (left, right) {
        (Term::Column(column), Term::Value(value)) => {
            let (column, value) = (column.clone(), value.clone());
            Some(match sign {
                ">" | ">=" => Rule::Least { column, value, strict: sign == ">" },
                "<" | "<=" => Rule::Most { column, value, strict: sign == "<" },
                "=" => Rule::OneOf { column, values: vec![value] },
                "<>" => Rule::Harmless,
                _ => return None,
            })
        }
        (Term::Column(column), Term::List(terms)) if sign == "=" => {
            let values = terms.iter().map(|term| match term {
                Term::Value(value) => Some(value.clone()),
                _ => None,
            });
            let values = values.collect::<Option<Vec<String>>>()?;
            (!values.is_empty()).then(|| Rule::OneOf { column: column.clone(), values })
        }
        (Term::Length(column), Term::Value(value)) => {
            let n: u32 = value.parse().ok()?;
            let (least, most) = match sign {
                ">" => (Some(n.saturating_add(1)), None),
                ">=" => (Some(n), None),
                "<" => (None, Some(n.checked_sub(1)?)),
                "<=" => (None, Some(n)),
                "=" => (Some(n), Some(n)),
                "<>" => return Some(Rule::Harmless),
                _ => return None,
            };
            Some(Rule::Length { column: column.clone(), least, most })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least(column: &str, value: &str, strict: bool) -> Rule {
        Rule::Least { column: column.into(), value: value.into(), strict }
    }

    #[test]
    fn bounds_lists_lengths_and_orders_are_read_whatever_their_casts() {
        for (check, wanted) in [
            ("CHECK ((price > (0)::numeric))", vec![least("price", "0", true)]),
            ("CHECK (((n >= '-5'::integer) AND (5 <= n)))", {
                vec![least("n", "-5", false), least("n", "5", false)]
            }),
            (
                "CHECK (((state)::text = ANY ((ARRAY['a'::character varying, 'it''s'::character varying])::text[])))",
                vec![Rule::OneOf {
                    column: "state".into(),
                    values: vec!["a".into(), "it's".into()],
                }],
            ),
            (
                "CHECK ((char_length((\"Name\")::text) <= 20))",
                vec![Rule::Length { column: "Name".into(), least: None, most: Some(20) }],
            ),
            (
                "CHECK ((ends_at > starts_at))",
                vec![Rule::Order {
                    small: "starts_at".into(),
                    large: "ends_at".into(),
                    strict: true,
                }],
            ),
            ("CHECK ((name <> ''::text))", vec![Rule::Harmless]),
        ] {
            assert_eq!(rules(check), wanted, "{check}");
        }
    }

    #[test]
    fn what_is_more_than_a_bound_is_told_and_nothing_panics() {
        for check in [
            "CHECK ((email ~ '^[^@]+$'::text))",
            "CHECK (((a IS NULL) OR (a > 0)))",
            "CHECK ((lower(a) = a))",
            "CHECK ((a > (b + 1)))",
            "CHECK (('open",
            "CHECK (",
            "",
            "CHECK ((NOT a))",
            "é\u{0}",
        ] {
            assert_eq!(rules(check), [Rule::Unread(check.into())], "{check}");
        }
        let deep = format!("CHECK {}a > 1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(rules(&deep), [Rule::Unread(deep.clone())]);
    }
}
