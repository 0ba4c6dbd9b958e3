//! What to send: request n as a pure function of the seed and n.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};

use super::answer::Body;
use super::dice::Dice;
use super::draws::Draw;
use super::members::{self, Member};
use super::mould::{Ask, Mould};
use super::places::{Part, Place};
use crate::plan::{LoadPlan, MemberPlan, TargetPlan};
use crate::rows::{Rows, TableSpec};

/// One request, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// Position in `LoadPlan::targets`.
    pub target: usize,
    /// Path and query, percent-encoded.
    pub uri: String,
    /// The JSON object of its body; empty where it has none.
    pub body: String,
    /// Parameters as drawn, not encoded.
    pub params: Vec<(String, String)>,
}

impl Shot {
    /// The same as it goes out to its target.
    pub(super) fn ask<'a>(&'a self, mould: &'a Mould, target: &'a TargetPlan) -> Ask<'a> {
        let lines = (mould.body == Body::Lines).then_some((target, self.params.as_slice()));
        Ask { mould, uri: &self.uri, body: &self.body, lines }
    }
}

/// All requests of a load, by number.
#[derive(Debug, Clone)]
pub struct Shots {
    targets: Vec<Target>,
    /// Words below the i-th of these go to target i; the last target takes the rest.
    below: Vec<u64>,
    dice: Dice,
}

#[derive(Debug, Clone, Default)]
struct Target {
    /// Text, then draw, text, draw, …: one draw less than texts.
    path: Vec<String>,
    path_draws: Vec<usize>,
    query_draws: Vec<usize>,
    /// None where requests have no body.
    body: Option<Vec<Member>>,
    draws: Vec<Draw>,
}

impl Shots {
    /// Prepares the requests of a load: the key population comes from `data_seed`, the order from `params_seed`.
    ///
    /// # Errors
    ///
    /// If keys are drawn from what is not generated, fewer keys exist than are wanted, or a path cannot be filled.
    pub fn new(
        plan: &LoadPlan,
        tables: &[TableSpec],
        data_seed: u64,
        params_seed: u64,
    ) -> anyhow::Result<Self> {
        ensure!(!plan.targets.is_empty(), "a load without targets sends nothing");
        let mut rows = Vec::new();
        for table in tables {
            let made = Rows::new(data_seed, table.clone()).map_err(anyhow::Error::msg)?;
            rows.push(Arc::new(made));
        }
        let mut targets = Vec::new();
        for target in &plan.targets {
            let made = Target::new(target, &rows, data_seed, params_seed);
            targets.push(made.with_context(|| format!("endpoint `{}`", target.endpoint))?);
        }
        let shots = Self {
            targets,
            below: thresholds(&plan.targets)?,
            dice: Dice::new("params", params_seed),
        };
        Ok(shots)
    }

    /// The same request again and again, as it stands.
    pub(super) fn one(uri: String) -> Self {
        let path = vec![uri];
        let target = Target { path, ..Target::default() };
        Self { targets: vec![target], below: Vec::new(), dice: Dice::new("params", 0) }
    }

    /// Whether all requests are the same one.
    pub(super) fn is_constant(&self) -> bool {
        matches!(self.targets.as_slice(), [only] if only.draws.is_empty())
    }

    /// Request `n` of no part: a sample.
    pub fn get(&self, n: u64) -> Shot {
        self.shot(n, Place { part: Part::Window, n }, None)
    }

    /// Samples of the target at this position of `LoadPlan::targets`, with the keys of the window's first requests; none
    /// beyond the last target. Of an only target they are these requests.
    pub fn samples(&self, target: usize, count: u64) -> impl Iterator<Item = Shot> {
        let numbers = 0..if target < self.targets.len() { count } else { 0 };
        numbers.map(move |n| self.shot(n, Place { part: Part::Window, n }, Some(target)))
    }

    /// Request `n` of a part.
    pub(super) fn draw(&self, part: Part, n: u64) -> Shot {
        self.shot((part as u64) << 56 | n, Place { part, n }, None)
    }

    /// Request `n` of a part, to the target at this position, whatever its weight.
    pub(super) fn aimed(&self, part: Part, n: u64, target: usize) -> Shot {
        self.shot((part as u64) << 56 | n, Place { part, n }, Some(target))
    }

    fn shot(&self, stream: u64, place: Place, target: Option<usize>) -> Shot {
        if let [only] = self.targets.as_slice()
            && only.draws.is_empty()
        {
            // Nothing is left to chance, so nothing is drawn.
            let (uri, body) = (only.uri(&[]), only.body(&[]));
            return Shot { target: 0, uri, body, params: Vec::new() };
        }
        let mut stream = self.dice.stream(stream);
        let word = stream.word();
        let position = target.unwrap_or_else(|| self.below.partition_point(|limit| word >= *limit));
        let target = &self.targets[position];
        let mut params = Vec::with_capacity(target.draws.len());
        for draw in &target.draws {
            params.push((draw.param.clone(), draw.text(&mut stream, place)));
        }
        let (uri, body) = (target.uri(&params), target.body(&params));
        Shot { target: position, uri, body, params }
    }
}

impl Target {
    fn new(
        plan: &TargetPlan,
        tables: &[Arc<Rows>],
        data_seed: u64,
        params_seed: u64,
    ) -> anyhow::Result<Self> {
        let mut draws = Vec::new();
        for draw in &plan.draws {
            let made = Draw::new(draw, tables, data_seed, params_seed);
            draws.push(made.with_context(|| format!("parameter `{}`", draw.param))?);
        }
        let mut target = Self { draws, ..Self::default() };
        let mut rest = plan.path.as_str();
        while let Some((text, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                bail!("path `{}` has a brace that is not closed", plan.path);
            };
            let Some(at) = target.draws.iter().position(|draw| draw.param == name) else {
                bail!("path parameter `{name}` has no values to draw from");
            };
            target.path.push(text.into());
            target.path_draws.push(at);
            rest = after;
        }
        target.path.push(rest.into());
        let members = target.members(&plan.body);
        let is_elsewhere = |i: &usize| {
            target.path_draws.contains(i) || members.iter().any(|member| member.draw == *i)
        };
        target.query_draws = (0..target.draws.len()).filter(|i| !is_elsewhere(i)).collect();
        target.body = (!plan.body.is_empty()).then_some(members);
        let sample = target.path.concat();
        let uri = sample.parse::<hyper::Uri>();
        let uri = uri.with_context(|| format!("path `{}` is not one of a URI", plan.path))?;
        ensure!(uri.path() == sample, "path `{}` is not a plain path", plan.path);
        Ok(target)
    }

    /// The members of the body that have values; a request leaves the others out.
    fn members(&self, body: &[MemberPlan]) -> Vec<Member> {
        let drawn = body.iter().filter_map(|member| {
            let at = self.draws.iter().position(|draw| draw.param == member.param)?;
            Some(Member::new(member, at))
        });
        drawn.collect()
    }

    fn body(&self, params: &[(String, String)]) -> String {
        self.body.as_ref().map_or_else(String::new, |members| members::object(members, params))
    }

    fn uri(&self, params: &[(String, String)]) -> String {
        let mut uri = self.path[0].clone();
        for (draw, text) in self.path_draws.iter().zip(&self.path[1..]) {
            encode(&params[*draw].1, &mut uri);
            uri.push_str(text);
        }
        for (i, draw) in self.query_draws.iter().enumerate() {
            let (name, value) = &params[*draw];
            uri.push(if i == 0 { '?' } else { '&' });
            encode(name, &mut uri);
            uri.push('=');
            encode(value, &mut uri);
        }
        uri
    }
}

fn thresholds(targets: &[TargetPlan]) -> anyhow::Result<Vec<u64>> {
    let total: f64 = targets.iter().map(|target| target.weight).sum();
    ensure!(
        total.is_finite() && targets.iter().all(|target| target.weight > 0.0),
        "weights of targets must be above 0 and finite in sum"
    );
    let mut sum = 0.0;
    let shares = targets[..targets.len() - 1].iter().map(|target| {
        sum += target.weight;
        sum / total * 18_446_744_073_709_551_616.0
    });
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 2^64, and the cast saturates"
    )]
    Ok(shares.map(|share| share as u64).collect())
}

/// Appends a text as RFC 3986 has it: everything but the unreserved characters as `%XX`.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes every text");
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::load::fixtures::{example, users};
    use crate::plan::{DistributionPlan, DrawPlan, DrawSource};

    /// `params/1` of root seed 20250105 is drawn by `plan`; here any literal will do.
    const PARAMS: u64 = 0x2025_0105_0000_0001;

    fn values(param: &str, values: &[&str], distribution: DistributionPlan) -> DrawPlan {
        let source = DrawSource::Values(values.iter().map(|v| (*v).into()).collect());
        DrawPlan { param: param.into(), source, distribution }
    }

    fn shots(targets: Vec<TargetPlan>) -> anyhow::Result<Shots> {
        Shots::new(&LoadPlan { targets, ..example() }, &[users(10_000)], 1, PARAMS)
    }

    fn target(path: &str, weight: f64, draws: Vec<DrawPlan>) -> TargetPlan {
        TargetPlan { path: path.into(), weight, draws, ..example().targets.remove(0) }
    }

    #[test]
    fn the_example_sends_the_same_requests_everywhere() {
        let mut plan = example();
        plan.targets[0].draws[0].distribution =
            DistributionPlan::Zipfian { exponent: 0.99, keys: 10_000 };
        let shots = Shots::new(&plan, &[users(10_000_000)], 20_250_105, PARAMS).expect("good");
        let mut hash = Sha256::new();
        for n in 0..10_000 {
            hash.update(shots.get(n).uri);
            hash.update("\n");
        }
        let mut digest = String::new();
        for byte in hash.finalize() {
            write!(digest, "{byte:02x}").expect("a String takes every text");
        }
        assert_eq!(shots.get(0).uri, "/users/indexed?email=email3896093%40example.com");
        assert_eq!(digest, "ead0d4ee3b07b9b9caf4bca5cb5bc4914c6a52e9f4597209e8461e977962fd14");
    }

    #[test]
    fn a_request_is_the_same_in_any_order_and_another_seed_sends_others() {
        let all = |seed| {
            let shots = Shots::new(&example(), &[users(10_000)], 1, seed).expect("good");
            let forward: Vec<Shot> = (0..500).map(|n| shots.get(n)).collect();
            let mut backward: Vec<Shot> = (0..500).rev().map(|n| shots.get(n)).collect();
            backward.reverse();
            assert_eq!(forward, backward);
            forward
        };
        assert_ne!(all(1), all(2));
    }

    #[test]
    fn parameters_are_percent_encoded_in_the_path_and_in_the_query() {
        let uniform = || DistributionPlan::Uniform { keys: None };
        let draws = vec![
            values("id", &["a/b é"], uniform()),
            values("q", &["x&y=z+%"], uniform()),
            values("r", &["~._-"], uniform()),
        ];
        let shot = shots(vec![target("/users/{id}/posts", 1.0, draws)]).expect("good").get(0);
        assert_eq!(shot.uri, "/users/a%2Fb%20%C3%A9/posts?q=x%26y%3Dz%2B%25&r=~._-");
        assert_eq!(shot.params[0], ("id".into(), "a/b é".into()));
        assert!(shot.uri.parse::<hyper::Uri>().is_ok());
    }

    #[test]
    fn targets_are_hit_by_weight() {
        let targets = vec![
            target("/a", 70.0, vec![]),
            target("/b", 20.0, vec![]),
            target("/c", 10.0, vec![]),
        ];
        let shots = shots(targets).expect("good");
        let mut seen = [0u32; 3];
        for n in 0..50_000 {
            seen[shots.get(n).target] += 1;
        }
        for (seen, wanted) in seen.iter().zip([35_000, 10_000, 5000]) {
            assert!(seen.abs_diff(wanted) < 500, "{seen} {wanted}");
        }
    }

    #[test]
    fn sequential_keys_come_one_after_the_other_and_around() {
        let draw =
            values("k", &["0", "1", "2", "3", "4"], DistributionPlan::Sequential { keys: None });
        let shots = shots(vec![target("/a", 1.0, vec![draw])]).expect("good");
        let key = |n| shots.get(n).params[0].1.parse::<u64>().expect("a digit");
        let first = key(0);
        for n in 0..20 {
            assert_eq!(key(n), (first + n) % 5);
        }
    }

    #[test]
    fn hot_keys_have_their_share_and_are_alike_within_each_set() {
        const DRAWS: u64 = 100_000;
        let hot = DistributionPlan::HotSet { keys: 20, hot_keys: 2, hot_share: 0.9 };
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let shots = shots(vec![target("/a", 1.0, vec![values("k", &names, hot)])]).expect("good");
        let mut seen = [0u64; 20];
        for n in 0..DRAWS {
            seen[shots.get(n).params[0].1.parse::<usize>().expect("a number")] += 1;
        }
        for (key, seen) in seen.into_iter().enumerate() {
            let exact = if key < 2 { 0.9 / 2.0 } else { 0.1 / 18.0 };
            let sigma = (DRAWS as f64 * exact * (1.0 - exact)).sqrt();
            let off = seen as f64 - DRAWS as f64 * exact;
            assert!(off.abs() < 5.0 * sigma, "key {key}: {seen}, off by {off}");
        }
        for (hot_keys, hot_share) in [(0, 0.9), (20, 0.9), (2, 0.0), (2, 1.0)] {
            let none = DistributionPlan::HotSet { keys: 20, hot_keys, hot_share };
            let draws = vec![values("k", &names, none)];
            let error = Shots::new(
                &LoadPlan { targets: vec![target("/a", 1.0, draws)], ..example() },
                &[],
                1,
                PARAMS,
            );
            assert!(error.is_err(), "{hot_keys} {hot_share}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let says = |path: &str, weight| {
            format!("{:#}", shots(vec![target(path, weight, vec![])]).expect_err(path))
        };
        assert!(says("/users/{id}", 1.0).contains("path parameter `id` has no values"));
        assert!(says("/users/{id", 1.0).contains("not closed"));
        assert!(says("/us ers", 1.0).contains("not one of a URI"));
        assert!(says("/users?x=1", 1.0).contains("not a plain path"));
        assert!(says("/users", f64::NAN).contains("weights"));
        assert!(shots(vec![]).is_err());
    }
}
