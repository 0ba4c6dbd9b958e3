//! A site: one page that lists all results with their questions and verdicts, and can be searched without a network.

use std::fmt::Write as _;

use super::claims::{self, Counts};
use super::compared::{Family, comparisons};
use super::page::{escaped, framed};
use super::{host, thresholds};
use crate::results::{Results, State};
use crate::stats::Held;

/// What makes the list searchable.
const SEARCH: &str = include_str!("../../infra/site.js");

/// The index of a site: results, each with the folder that its report lies in, below the index.
///
/// # Errors
///
/// Only if the built-in frame does not fit: a bug.
pub fn site(title: &str, entries: &[(String, Results)]) -> anyhow::Result<String> {
    let mut body = format!("<h1>{}</h1>\n", escaped(title));
    body += "<div class=\"find\" role=\"search\"><label for=\"find\">Search</label>\
             <input id=\"find\" type=\"search\" autocomplete=\"off\" placeholder=\"question, variant, machine, word of a verdict …\">\
             <span id=\"found\" role=\"status\"></span></div>\n<ul class=\"cards\" id=\"cards\">\n";
    for (folder, results) in entries {
        body += &card(folder, results);
    }
    body += "</ul>\n";
    if entries.is_empty() {
        body += "<p>There are no results yet.</p>\n";
    }
    framed(title, Vec::new(), body, SEARCH)
}

fn card(folder: &str, results: &Results) -> String {
    let experiment = &results.plan.experiment;
    let folder = escaped(folder);
    let mut out = format!(
        "<li class=\"card\">\n<h2><a href=\"{folder}/report.html\">{}: {}</a></h2>\n",
        escaped(&experiment.id),
        escaped(&experiment.title)
    );
    if !experiment.question.is_empty() {
        line(&mut out, format_args!("<p>{}</p>\n", escaped(&experiment.question)));
    }
    out += "<dl>\n";
    let verdicts = verdicts(results);
    let day = &results.manifest.run.started_at;
    let state = match results.manifest.run.state {
        State::Complete => String::new(),
        _ => ", INCOMPLETE".into(),
    };
    let facts = [
        ("Verdict", verdicts),
        ("Date", day.get(..10).unwrap_or(day).to_owned() + &state),
        (
            "Size",
            format!(
                "{}, {} blocks, {}",
                results.plan.profile,
                super::cells::blocks(results),
                host::data(results)
            ),
        ),
        ("Machine", host::machine(&results.manifest.host)),
        ("Claims", claims_held(results)),
        ("Thresholds", thresholds_held(results)),
        ("Tags", experiment.tags.join(", ")),
    ];
    for (name, text) in facts.iter().filter(|(_, text)| !text.is_empty()) {
        line(&mut out, format_args!("<dt>{name}</dt><dd>{}</dd>\n", escaped(&plain(text))));
    }
    line(
        &mut out,
        format_args!(
            "<dt>Files</dt><dd><a href=\"{folder}/report.html\">report</a>, <a href=\"{folder}/report.md\">as Markdown</a>, \
             <a href=\"{folder}/trials.csv\">trials.csv</a>, <a href=\"{folder}/manifest.json\">manifest.json</a></dd>\n"
        ),
    );
    out + "</dl>\n</li>\n"
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes text");
}

/// Without the marks of Markdown.
fn plain(text: &str) -> String {
    text.replace("**", "")
        .replace('`', "")
        .replace("&lt;", "<")
        .replace("\\|", "|")
        .replace("\\\\", "\\")
}

fn verdicts(results: &Results) -> String {
    let all = comparisons(results);
    let primary = all.iter().filter(|c| c.family == Family::Primary);
    let said: Vec<String> =
        primary.map(|c| format!("{} {}", c.variant, c.verdict.text())).collect();
    if said.is_empty() {
        return String::new();
    }
    format!("{}, beside {}", said.join("; "), results.plan.design.baseline)
}

fn claims_held(results: &Results) -> String {
    let counts = Counts::of(&claims::judge(results));
    if counts == Counts::default() {
        return String::new();
    }
    let all = [
        (counts.supported, Held::Supported),
        (counts.refuted, Held::Refuted),
        (counts.inconclusive, Held::Inconclusive),
    ];
    all.map(|(n, held)| format!("{n} {}", held.word())).join(", ")
}

fn thresholds_held(results: &Results) -> String {
    let limits = thresholds::judge(results);
    if limits.is_empty() {
        return String::new();
    }
    let held = limits.iter().filter(|limit| limit.holds).count();
    format!("{held} of {} hold", limits.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;

    #[test]
    fn a_card_says_question_verdicts_day_machine_and_claims() {
        let mut hostile = results();
        hostile.plan.experiment.question = "<b>Why?</b>".into();
        let page =
            site("All & every", &[("0001-email-lookup/full".into(), hostile)]).expect("fits");
        for text in [
            "<title>All &amp; every</title>",
            "href=\"0001-email-lookup/full/report.html\"",
            "&lt;b&gt;Why?&lt;/b&gt;",
            "<dt>Date</dt><dd>2026-11-22</dd>",
            "AMD EPYC",
            "beside btree",
            "<dt>Claims</dt><dd>",
            "type=\"search\"",
        ] {
            assert!(page.contains(text), "{text}");
        }
        for fetched in ["src=", "@import", "url(", "<link"] {
            assert!(!page.contains(fetched), "{fetched}: a page needs nothing else");
        }
    }
}
