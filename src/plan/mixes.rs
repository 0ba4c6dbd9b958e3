//! Mixes as factors: what is driven, by share, and how two variants differ in it.

use std::collections::BTreeMap;

use super::deltas::{or_none, statement};
use super::view::View;
use crate::spec::{AnswerShape, Cache, Endpoint};
use crate::units::Share;

/// A factor with the levels of the baseline and of the variant.
pub(super) type Factor = (String, String, String);

/// Statement, bound values and cache of an endpoint: what it is, whatever it is called.
pub(super) type Kind = [String; 3];

/// Factors that say what is driven.
const OF_KINDS: [&str; 3] = ["query", "bind", "cache"];

/// What an endpoint is.
pub(super) fn kind(endpoint: &Endpoint) -> Kind {
    let bound: Vec<String> = endpoint.bind.iter().map(super::deltas::bind).collect();
    let cache = endpoint.cache.as_ref();
    let cache = cache.map(cache_level);
    let mut query = statement(&endpoint.query);
    match endpoint.answer {
        AnswerShape::Rows => {}
        AnswerShape::Row => query.push_str(" (one row)"),
        AnswerShape::Lines => query.push_str(" (lines)"),
    }
    [query, or_none(bound.join(", ")), cache.unwrap_or_else(|| "none".into())]
}

/// Strategy, key and life, and what is not usual about them.
fn cache_level(cache: &Cache) -> String {
    let mut level = format!("{} {} for {}", cache.strategy.name(), cache.key, cache.ttl);
    let percent = |share: Share| format!("{}%", share.0 * 100.0);
    let extras = [
        ("jitter", cache.jitter.map(percent)),
        ("negative", cache.negative_ttl.map(|span| span.to_string())),
        ("refresh", cache.refresh.map(percent)),
        ("single flight", cache.single_flight.then(String::new)),
    ];
    for (word, value) in extras {
        if let Some(value) = value {
            level.push_str(format!(", {word} {value}").trim_end());
        }
    }
    level
}

/// Settles what differs between two variants of which one or both drive a mix.
///
/// A mix of the same endpoints in other shares, or of some more of them, is one factor: the list of statements is a part
/// of it. Where each has endpoints that the other lacks, statements, values and caches are compared as they are, and the
/// mix is one more factor only if the shares differ.
pub(super) fn settle(base: &View<'_>, own: &View<'_>, factors: &mut Vec<Factor>) {
    if !is_mixed(base) && !is_mixed(own) {
        return;
    }
    let (a, b) = (kinds(base), kinds(own));
    let within = |a: &Shares, b: &Shares| a.keys().all(|kind| b.contains_key(kind));
    let differ = if within(&a, &b) || within(&b, &a) {
        // A param of an endpoint that only one of them drives comes with the mix.
        let is_absent = |level: &String| level == super::deltas::ABSENT;
        factors.retain(|(name, base, own)| {
            let of_param = name.starts_with("params.") && (is_absent(base) || is_absent(own));
            !of_param && !OF_KINDS.contains(&name.as_str())
        });
        a != b
    } else {
        let sorted = |shares: &Shares| {
            let mut shares: Vec<u64> = shares.values().copied().collect();
            shares.sort_unstable();
            shares
        };
        sorted(&a) != sorted(&b)
    };
    if differ {
        factors.push(("mix".into(), text(base), text(own)));
        factors.sort();
    }
}

fn is_mixed(view: &View<'_>) -> bool {
    view.driven().len() > 1
}

/// Share of each kind of request in billionths, so that equal ones are equal.
type Shares = BTreeMap<Kind, u64>;

fn kinds(view: &View<'_>) -> Shares {
    let mut shares = Shares::new();
    for (name, share) in by_share(view) {
        if let Some(endpoint) = view.document.endpoints.get(name) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share is from 0 to 1, and the cast saturates"
            )]
            let billionths = (share * 1e9).round() as u64;
            *shares.entry(kind(endpoint)).or_default() += billionths;
        }
    }
    shares
}

/// What is driven with its share, the most frequent first.
fn by_share<'v>(view: &'v View<'_>) -> Vec<(&'v str, f64)> {
    let mut driven = view.driven();
    let sum: f64 = driven.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut driven {
        *weight /= sum;
    }
    driven.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    driven
}

/// `80% indexed, 20% cached`.
fn text(view: &View<'_>) -> String {
    let all = by_share(view);
    let tenths = |share: f64| Share((share * 1e3).round() / 1e3);
    let all: Vec<String> =
        all.iter().map(|(name, share)| format!("{} {name}", tenths(*share))).collect();
    all.join(", ")
}
