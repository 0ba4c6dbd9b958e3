//! What a column's name says of its values, where nothing else does.

use super::recipe::{Bounds, Recipe};
use super::text::quoted;

/// Longest that made values become, in characters.
const LONGEST_EMAIL: u32 = 64;
const LONGEST_NAME: u32 = 48;
const LONGEST_SENTENCES: u32 = 600;
/// Length of a text that nothing is known of.
const USUAL: (u32, u32) = (8, 40);

/// The parts of a name: `first_name`, `firstName` → `first`, `name`.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && was_lower;
        if !c.is_ascii_alphanumeric() || begins {
            parts.push(String::new());
        }
        if c.is_ascii_alphanumeric() {
            parts.last_mut().expect("there is one from the start").push(c.to_ascii_lowercase());
        }
        was_lower = c.is_ascii_lowercase();
    }
    parts.retain(|part| !part.is_empty());
    parts
}

fn has(name: &str, words: &[&str]) -> bool {
    parts(name).iter().any(|part| words.contains(&part.as_str()))
}

/// Whether it holds e-mail addresses, with room for them.
pub(super) fn is_email(name: &str, most: Option<u32>) -> bool {
    has(name, &["email", "mail"]) && most.is_none_or(|most| most >= LONGEST_EMAIL)
}

/// A text for a column of this name, of `bounds.shortest` to `bounds.longest` characters.
pub(super) fn text(name: &str, bounds: &Bounds) -> Recipe {
    let (least, most) = (bounds.shortest.unwrap_or(0), bounds.longest);
    let room = |needed: u32| most.is_none_or(|most| most >= needed);
    let of_length = |usual: (u32, u32)| {
        let most = most.unwrap_or(u32::MAX).min(usual.1.max(least)).min(100_000);
        Recipe::of("text").between(f64::from(usual.0.max(least).min(most)), f64::from(most))
    };
    // Names and addresses may be as short as they like.
    if least > 3 {
        return of_length(USUAL);
    }
    if is_email(name, most) {
        return Recipe::of("email");
    }
    let lists: [(&[&str], &[&str]); 4] = [
        (&["country"], &["DE", "FR", "GB", "IN", "JP", "US"]),
        (&["currency"], &["EUR", "GBP", "USD"]),
        (&["language", "locale", "lang"], &["de", "en", "es", "fr"]),
        (&["status", "state"], &["active", "closed", "new", "pending"]),
    ];
    for (words, values) in lists {
        let longest = values.iter().map(|value| value.len()).max().unwrap_or(0);
        if has(name, words) && room(u32::try_from(longest).unwrap_or(u32::MAX)) {
            return Recipe::choice(values.iter().copied());
        }
    }
    if has(name, &["company", "organization", "organisation", "employer", "vendor"])
        && room(LONGEST_NAME)
    {
        return Recipe::of("company");
    }
    if has(name, &["name", "author", "person", "customer"]) && room(LONGEST_NAME) {
        return Recipe::of("person-name");
    }
    let is_prose = ["body", "content", "description", "comment", "text", "bio", "message", "notes"];
    if has(name, &is_prose) && room(LONGEST_SENTENCES) {
        return Recipe::of("sentences").between(1.0, 4.0);
    }
    if has(name, &["url", "link", "website"]) && room(LONGEST_EMAIL) {
        let template = format!("https://example.com/{}/{{row}}", parts(name).join("-"));
        return Recipe::of("template").with("template", quoted(&template));
    }
    of_length(USUAL)
}

/// A usual range of numbers for a column of this name.
pub(super) fn range(name: &str) -> (f64, f64) {
    let usual: [(&[&str], (f64, f64)); 5] = [
        (&["age"], (18.0, 90.0)),
        (&["year"], (2000.0, 2024.0)),
        (&["quantity", "qty", "count", "amount", "number"], (1.0, 100.0)),
        (&["percent", "percentage", "score", "rating"], (0.0, 100.0)),
        (&["price", "total", "cost", "balance", "fee"], (1.0, 500.0)),
    ];
    let known = usual.into_iter().find(|(words, _)| has(name, words));
    known.map_or((1.0, 1000.0), |(_, range)| range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_their_parts_and_only_where_there_is_room() {
        let of = |name: &str, longest: Option<u32>| {
            text(name, &Bounds { longest, ..Bounds::default() }).generator()
        };
        assert_eq!(of("contactEmail", None), "email");
        assert_eq!(of("email", Some(20)), "text");
        assert_eq!(of("first_name", Some(80)), "person-name");
        assert_eq!(of("surname", None), "text");
        assert_eq!(of("country_code", Some(2)), "choice");
        assert_eq!(of("status", Some(3)), "text");
        assert_eq!(range("unit_price"), (1.0, 500.0));
    }

    #[test]
    fn a_text_is_as_long_as_it_may_be() {
        let text = |shortest, longest| {
            text("x", &Bounds { shortest, longest, ..Bounds::default() }).text()
        };
        assert_eq!(text(None, Some(3)), r#"{ generator = "text", min = 3, max = 3 }"#);
        assert_eq!(text(Some(50), None), r#"{ generator = "text", min = 50, max = 50 }"#);
        assert_eq!(text(None, None), r#"{ generator = "text", min = 8, max = 40 }"#);
    }
}
