//! Claims: sentences as ranges of numbers in the metric's unit.

use super::codes;
use super::design::Design;
use super::notes::Notes;
use super::types::ClaimPlan;
use super::view::View;
use crate::spec::{Claim, ClaimExpect, Metric, Scalar, Spec, Unit};
use crate::units::{Bytes, Span};

/// A value of a metric in its unit: µs, bytes, per second, a share (from 0 to 1; of a core also more), or a number.
///
/// # Errors
///
/// What to write.
pub(super) fn value(metric: Metric, text: &Scalar) -> Result<f64, String> {
    let number = match text {
        Scalar::Int(n) => Some(*n as f64),
        Scalar::Float(x) if x.is_finite() => Some(*x),
        _ => None,
    };
    let words = if let Scalar::Text(words) = text { words.as_str() } else { "" };
    let (parsed, example) = match metric.unit() {
        Unit::Micros => (words.parse::<Span>().ok().map(|s| s.0 as f64 / 1e3), "\"8000ms\""),
        Unit::Bytes | Unit::BytesPerSecond => {
            (words.parse::<Bytes>().ok().map(|b| b.0 as f64), "\"300MB\"")
        }
        Unit::PerSecond => (number, "500"),
        Unit::Share => (number.filter(|x| *x <= 1.0), "0.94"),
        Unit::CoreShare => (number, "1.2"),
        Unit::Number => (number, "1.5"),
    };
    parsed
        .filter(|x| *x >= 0.0)
        .ok_or_else(|| format!("a value of `{}` is written like `{example}`", metric.name()))
}

/// Claims with what supports them; those about cells that this profile does not run are kept and named in a warning.
pub(super) fn claims(
    notes: &mut Notes<'_>,
    spec: &Spec,
    design: &Design,
    views: &[View<'_>],
) -> Vec<ClaimPlan> {
    let mut not_run: Vec<&str> = Vec::new();
    let mut plans = Vec::new();
    for (position, claim) in spec.document.claims.iter().enumerate() {
        let position = position.to_string();
        let at = At { position: &position, claim };
        if !at.check_names(notes, spec, views) {
            continue;
        }
        if !at.check_cell(notes, spec, design) {
            not_run.push(&claim.id);
        }
        if let Some(Range { low, high }) = at.range(notes) {
            plans.push(ClaimPlan {
                id: claim.id.clone(),
                text: claim.text.clone(),
                source: claim.source.clone(),
                metric: claim.expect.metric,
                variant: claim.expect.variant.clone(),
                load: claim.expect.load.clone(),
                vs: claim.expect.vs.clone(),
                low,
                high,
            });
        }
    }
    if !not_run.is_empty() {
        let list = not_run.join("`, `");
        notes.warn(format!(
            "claims about loads or variants that are not run here are not judged: `{list}`"
        ));
    }
    plans
}

struct At<'c> {
    position: &'c str,
    claim: &'c Claim,
}

impl At<'_> {
    fn error(
        &self,
        notes: &mut Notes<'_>,
        key: &[&str],
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        let path: Vec<&str> = ["claims", self.position].iter().chain(key).copied().collect();
        notes.error(codes::CLAIM, &path, what, help);
    }

    fn check_names(&self, notes: &mut Notes<'_>, spec: &Spec, views: &[View<'_>]) -> bool {
        let ClaimExpect { metric, variant, load, vs, .. } = &self.claim.expect;
        let known = &spec.document.variants;
        let mut fine = true;
        for (key, name) in [("variant", Some(variant)), ("vs", vs.as_ref())] {
            if let Some(name) = name.filter(|name| !known.contains_key(*name)) {
                let path = ["claims", self.position, "expect", key];
                notes.unknown(&path, "variant", name, known.keys().map(String::as_str));
                fine = false;
            }
        }
        if let Some(name) = load.as_ref().filter(|l| !spec.document.load.contains_key(*l)) {
            let path = ["claims", self.position, "expect", "load"];
            notes.unknown(
                &path,
                "load profile",
                name,
                spec.document.load.keys().map(String::as_str),
            );
            fine = false;
        }
        if vs.as_ref() == Some(variant) {
            let what = format!("`{variant}` is compared with itself");
            self.error(notes, &["expect", "vs"], what, "name another variant");
        }
        let cached = views.iter().find(|v| v.name == variant).is_none_or(View::has_cache);
        if *metric == Metric::CacheHitRatio && !cached {
            let what = format!("`{variant}` has no cache to hit");
            self.error(notes, &["expect", "metric"], what, "name a variant with a cache");
        }
        let dated = views.iter().find(|v| v.name == variant).is_none_or(View::reads_versions);
        if *metric == Metric::StaleRatio && !dated {
            let what = format!("`{variant}` reads nothing through a cache that has a version");
            let help = "name a variant whose cached endpoint has `check.version`";
            self.error(notes, &["expect", "metric"], what, help);
        }
        let searched =
            |load: &String| spec.document.load.get(load).is_none_or(|l| l.search.is_some());
        if *metric == Metric::MaxRate
            && let Some(load) = load.as_ref().filter(|load| !searched(load))
        {
            let what = format!("load `{load}` searches no rate");
            self.error(notes, &["expect", "load"], what, "name a load with a `search`");
        }
        fine
    }

    /// Whether what it speaks of is run. A cell that the file itself excludes is a mistake; one that a profile leaves
    /// out is not.
    fn check_cell(&self, notes: &mut Notes<'_>, spec: &Spec, design: &Design) -> bool {
        let ClaimExpect { variant, load, vs, .. } = &self.claim.expect;
        let mut run = true;
        for name in [Some(variant), vs.as_ref()].into_iter().flatten() {
            let excluded = load.as_ref().is_some_and(|load| {
                let rule = |e: &&crate::spec::Exclude| e.variant == *name && e.load == *load;
                spec.document.design.exclude.iter().any(|e| rule(&e))
            });
            if let (true, Some(load)) = (excluded, load) {
                let what = format!("a claim about `{name}` under `{load}`, which is excluded");
                self.error(notes, &["expect"], what, "exclude less, or claim something else");
            }
            run &= design.variants.contains(name);
        }
        run && load.as_ref().is_none_or(|load| design.loads.contains(load))
    }

    /// What supports it. `spec` has seen to it that exactly one of the four is stated, `ratio` with a `vs`.
    fn range(&self, notes: &mut Notes<'_>) -> Option<Range> {
        let e = &self.claim.expect;
        let tolerance = e.tolerance.map_or(0.0, |share| share.0);
        let around = |x: f64| Range {
            low: Some((x * (1.0 - tolerance)).max(0.0)),
            high: Some(x * (1.0 + tolerance)),
        };
        if let Some(ratio) = e.ratio {
            Some(around(ratio))
        } else if let Some(about) = &e.about {
            self.number(notes, "about", about).map(around)
        } else if let Some(least) = &e.at_least {
            self.number(notes, "at_least", least).map(|x| Range { low: Some(x), high: None })
        } else if let Some(most) = &e.at_most {
            self.number(notes, "at_most", most).map(|x| Range { low: None, high: Some(x) })
        } else {
            self.error(notes, &["expect"], "the claim claims nothing", "write `about = …`");
            None
        }
    }

    /// A limit in the metric's unit, or as a plain ratio where there is a `vs`.
    fn number(&self, notes: &mut Notes<'_>, key: &str, stated: &Scalar) -> Option<f64> {
        let read = match (&self.claim.expect.vs, stated) {
            (None, stated) => value(self.claim.expect.metric, stated),
            (Some(_), Scalar::Int(n)) if *n > 0 => Ok(*n as f64),
            (Some(_), Scalar::Float(x)) if x.is_finite() && *x > 0.0 => Ok(*x),
            (Some(_), _) => Err("with `vs` it is a ratio: write like `0.7`".into()),
        };
        match read {
            Ok(x) => Some(x),
            Err(help) => {
                let what = format!("this is no value of `{}`", self.claim.expect.metric.name());
                self.error(notes, &["expect", key], what, help);
                None
            }
        }
    }
}

/// Lowest and highest value that support a claim.
struct Range {
    low: Option<f64>,
    high: Option<f64>,
}
