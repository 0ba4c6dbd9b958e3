//! JUnit XML, as CI servers read it: a test suite for each group, a test for each thing that was judged.
//!
//! What can't be told is a skipped test with its reason; it is neither passed nor failed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::cases::Case;
use super::gate::Passes;
use crate::results::Results;

/// The document.
pub fn junit(results: &Results, cases: &[Case]) -> String {
    let id = &results.plan.experiment.id;
    let mut groups: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for case in cases {
        groups.entry(case.group).or_default().push(case);
    }
    let all: Vec<&Case> = cases.iter().collect();
    let seconds = results.manifest.wall_ms as f64 / 1e3;
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    line(
        &mut text,
        &format!("<testsuites name=\"{}\" {} time=\"{seconds:.3}\">", escaped(id), sums(&all)),
    );
    for (group, cases) in groups {
        let name = escaped(&format!("{id} {}: {group}", results.plan.profile));
        let at = escaped(results.manifest.run.started_at.split('.').next().unwrap_or_default());
        line(
            &mut text,
            &format!(
                "  <testsuite name=\"{name}\" {} time=\"0\" timestamp=\"{at}\">",
                sums(&cases)
            ),
        );
        for case in cases {
            write_case(&mut text, id, case);
        }
        line(&mut text, "  </testsuite>");
    }
    text.push_str("</testsuites>\n");
    text
}

fn write_case(text: &mut String, id: &str, case: &Case) {
    let class = escaped(&format!("{id}.{}", case.group.replace(' ', "-")));
    let head =
        format!("    <testcase name=\"{}\" classname=\"{class}\" time=\"0\"", escaped(&case.name));
    let message = escaped(case.text.lines().next().unwrap_or_default());
    match case.passes {
        Passes::Yes => line(text, &format!("{head}/>")),
        Passes::Unknown => {
            line(
                text,
                &format!("{head}>\n      <skipped message=\"{message}\"/>\n    </testcase>"),
            );
        }
        Passes::No => {
            let (kind, all) = (escaped(case.group), escaped(&case.text));
            line(
                text,
                &format!(
                    "{head}>\n      <failure message=\"{message}\" type=\"{kind}\">{all}</failure>\n    </testcase>"
                ),
            );
        }
    }
}

fn sums(cases: &[&Case]) -> String {
    let of = |passes| cases.iter().filter(|case| case.passes == passes).count();
    let (failed, skipped) = (of(Passes::No), of(Passes::Unknown));
    format!("tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\"", cases.len())
}

/// A String takes all.
fn line(text: &mut String, more: &str) {
    writeln!(text, "{more}").unwrap_or_default();
}

/// As text and as a value; characters that XML has no way to say become `?`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::results;
    use crate::report::{Claims, cases};

    #[test]
    fn the_cases_of_a_whole_run() {
        let results = results();
        let cases = cases(&results, None, Claims::Strict);
        let text = junit(&results, &cases);
        assert_eq!(text.matches("<testcase ").count(), cases.len());
        assert_eq!(
            text.matches("<failure ").count(),
            cases.iter().filter(|c| c.passes == Passes::No).count()
        );
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_xml_cannot_say_is_escaped_or_replaced() {
        assert_eq!(escaped("a<b & \"c\"\u{1}\u{7f}\n"), "a&lt;b &amp; &quot;c&quot;??\n");
    }
}
