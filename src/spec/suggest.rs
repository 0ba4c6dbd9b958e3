//! "did you mean": the closest of the known words.

/// Longer words are not compared: the distance takes time and memory by the product of the lengths.
const LONGEST: usize = 80;

/// The closest of `known` to `wrong`, if it is close enough to be what was meant.
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = plain(wrong);
    let length = wrong.chars().count();
    if length == 0 || length > LONGEST {
        return None;
    }
    known
        .into_iter()
        .filter(|k| k.chars().count() <= LONGEST)
        .map(|k| (strsim::damerau_levenshtein(&wrong, &plain(k)), k))
        .filter(|(distance, k)| *distance <= length.max(k.chars().count()).div_ceil(3).min(3))
        .filter(|(distance, k)| *distance < length.max(k.chars().count()))
        .min()
        .map(|(_, k)| k)
}

/// `max-in-flight`, `MAX_IN_FLIGHT` and `max_in_flight` are one word.
pub(super) fn plain(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// The help for a word that is none of the `known`: the closest, else all of them if they are few.
pub(super) fn help<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some(meant) = did_you_mean(wrong, known.iter().copied()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    list(&known).map(|all| format!("known: {all}"))
}

/// Words as a list, if there are any; the first thirty where there are more.
pub(super) fn list(words: &[&str]) -> Option<String> {
    let shown = words.iter().take(30).map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ");
    let more = if words.len() > 30 { ", …" } else { "" };
    (!words.is_empty()).then(|| format!("{shown}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_word_is_what_was_meant() {
        let known = ["rate", "users", "max_in_flight", "model"];
        let cases = [
            ("rte", Some("rate")),
            ("usres", Some("users")),
            ("max-in-flight", Some("max_in_flight")),
            ("Model", Some("model")),
            ("x", None),
            ("something", None),
            ("", None),
        ];
        for (wrong, meant) in cases {
            assert_eq!(did_you_mean(wrong, known), meant, "{wrong}");
        }
        assert_eq!(did_you_mean(&"r".repeat(1 << 20), known), None);
        assert_eq!(help("zzz", ["a", "b"]).as_deref(), Some("known: `a`, `b`"));
    }
}
