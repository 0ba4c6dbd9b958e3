//! Texts where room is short: their width without a font, lines, and labels that must not lie on one another.

/// About how many pixels a text takes in the widest of the fonts that a reader may have, at this size.
pub fn text_width(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.34,
        ' ' | 'f' | 't' | 'r' | '(' | ')' | '-' | '/' | '[' | ']' => 0.41,
        'm' | 'w' | 'M' | 'W' | '%' | '∞' => 0.95,
        c if c.is_ascii_uppercase() => 0.71,
        c if c.is_ascii() => 0.62,
        'µ' | '×' | '–' | '…' | '±' => 0.75,
        _ => 1.0,
    };
    text.chars().map(of).sum::<f64>() * size
}

/// The text in so many pixels: cut with an ellipsis where it is longer.
pub fn fit(text: &str, pixels: f64, size: f64) -> String {
    if text_width(text, size) <= pixels {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if text_width(&out, size) + text_width("…", size) + text_width(&c.to_string(), size)
            > pixels
        {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// The text in lines of at most so many pixels, broken at spaces.
pub fn wrap(text: &str, pixels: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line)
                if text_width(line, size) + text_width(" ", size) + text_width(word, size)
                    <= pixels =>
            {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, pixels, size)),
        }
    }
    lines
}

/// Moves places apart until each is `gap` from the next, within `low` and `high` as far as they have room; in the
/// order in which they were given.
pub fn spread_out(places: &[f64], gap: f64, (low, high): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut out = places.to_vec();
    let mut least = low;
    for i in &order {
        out[*i] = out[*i].max(least);
        least = out[*i] + gap;
    }
    let mut most = high;
    for i in order.iter().rev() {
        out[*i] = out[*i].min(most);
        most = out[*i] - gap;
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_text_is_cut_or_broken_and_a_short_one_stays() {
        assert_eq!(fit("btree", 100.0, 12.0), "btree");
        let cut = fit("a-very-long-name-of-a-variant", 60.0, 12.0);
        assert!(cut.ends_with('…') && text_width(&cut, 12.0) <= 60.0, "{cut}");
        let lines = wrap("one two three four", 60.0, 12.0);
        assert_eq!(lines.join(" "), "one two three four");
        assert!(lines.len() > 1 && lines.iter().all(|l| text_width(l, 12.0) <= 60.0), "{lines:?}");
    }

    proptest! {
        #[test]
        fn labels_never_lie_on_one_another_where_there_is_room(
            places in prop::collection::vec(0.0..200.0_f64, 0..12)
        ) {
            let out = spread_out(&places, 14.0, (0.0, 200.0));
            let mut sorted = out.clone();
            sorted.sort_by(f64::total_cmp);
            for two in sorted.windows(2) {
                prop_assert!(two[1] - two[0] >= 14.0 - 1e-9, "{:?}", sorted);
            }
            prop_assert!(sorted.iter().all(|y| *y <= 200.0));
        }
    }
}
