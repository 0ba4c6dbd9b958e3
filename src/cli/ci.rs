//! What CI servers read: JUnit, annotations at the line of the experiment file, job summaries, exported figures.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::args_kept::{ExportArgs, ServiceKind};
use super::exit::Exit;
use super::{compare, out, variables};
use crate::report::{self, Case, Claims, Gated, Passes, Report, Service};
use crate::results::{self, Results};
use crate::spec::{Place, Spec};

/// Annotations that are printed at most: GitHub shows ten of a step.
const MOST_ANNOTATIONS: usize = 10;
/// The file that is standard output.
const STDOUT: &str = "-";

/// Writes text for people: to standard output, unless that is taken by the XML of `--junit -`.
pub(super) fn tell_beside(junit: Option<&Path>, text: &str) -> Result<(), Exit> {
    if junit.is_some_and(|file| file == Path::new(STDOUT)) {
        out::stderr(text);
        return Ok(());
    }
    out::tell(text)
}

/// Writes JUnit XML, whole or not at all; `-` is standard output.
pub(super) fn write_junit(
    file: &Path,
    results: &Results,
    gated: Option<&Gated>,
    strict: Claims,
) -> Result<(), Exit> {
    let cases = report::cases(results, gated, strict);
    let text = report::junit(results, &cases);
    if file == Path::new(STDOUT) {
        return out::tell(&text);
    }
    results::write_atomic(file, text.as_bytes())
        .map_err(|e| out::fail(Exit::Environment, format!("--junit: {e:#}")))
}

/// Under GitHub Actions: an annotation for each thing that does not hold, and a summary of the job.
pub(super) fn tell_the_server(
    spec: &Spec,
    results: &Results,
    report: &Report,
    gated: Option<&Gated>,
    strict: Claims,
) -> Result<(), Exit> {
    let cases = report::cases(results, gated, strict);
    if variables::of_server("GITHUB_ACTIONS").as_deref() == Some("true") {
        let red = cases.iter().filter(|case| case.passes == Passes::No);
        for case in red.take(MOST_ANNOTATIONS) {
            out::stderr(&annotation(spec, case));
        }
    }
    let Some(file) = variables::of_server("GITHUB_STEP_SUMMARY") else { return Ok(()) };
    let text = summary(results, report, &cases);
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut open| open.write_all(text.as_bytes()));
    written
        .map_err(|e| out::fail(Exit::Environment, format!("cannot write the summary {file}: {e}")))
}

/// A workflow command, at the line of the key that the case is about.
fn annotation(spec: &Spec, case: &Case) -> String {
    let key: Vec<&str> = case.key.iter().map(String::as_str).collect();
    let place = match spec.place_of_key(&key) {
        Place::File { path, line, column, .. } => {
            format!("file={},line={line},col={column},", property(&path))
        }
        _ => String::new(),
    };
    let title = property(&format!("querylab, {}", case.group));
    format!("::error {place}title={title}::{}\n", data(&case.text))
}

/// What GitHub asks for in the text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// What it asks for in a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Markdown: how it went, what does not hold, and the decision table.
fn summary(results: &Results, report: &Report, cases: &[Case]) -> String {
    let of = |passes| cases.iter().filter(move |case: &&Case| case.passes == passes);
    let (id, profile) = (&results.plan.experiment.id, &results.plan.profile);
    let mut text = format!(
        "## {id} ({profile})\n\n{} of {} checks hold, {} do not, {} can't be told.\n\n",
        of(Passes::Yes).count(),
        cases.len(),
        of(Passes::No).count(),
        of(Passes::Unknown).count()
    );
    for case in of(Passes::No) {
        text.extend(["- ❌ ", &case.line(), "\n"]);
    }
    for case in of(Passes::Unknown) {
        text.extend(["- ❔ ", &case.line(), "\n"]);
    }
    text.extend(["\n```text\n", &report.headline.join("\n"), "\n```\n\n"]);
    text
}

/// `querylab export SERVICE DIR`.
pub(super) fn export(args: &ExportArgs) -> Result<Exit, Exit> {
    let results = compare::read(&args.dir)?;
    let text = match args.service {
        ServiceKind::GithubActionBenchmark => {
            pretty(&report::exported(&results, Service::GithubActionBenchmark))
        }
        ServiceKind::Bencher => pretty(&report::exported(&results, Service::Bencher)),
        ServiceKind::Junit => report::junit(&results, &report::cases(&results, None, Claims::Told)),
    };
    out::stdout(&text)?;
    Ok(Exit::Done)
}

fn pretty(value: &serde_json::Value) -> String {
    let text = serde_json::to_string_pretty(value).expect("a value is JSON");
    format!("{text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Layers, load};

    #[test]
    fn an_annotation_stands_at_the_line_of_its_key() {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0001-email-lookup.toml");
        let spec = load(&file, &Layers::default()).expect("a file");
        let case = |key: &[&str]| Case {
            group: "thresholds",
            name: "x".into(),
            passes: Passes::No,
            text: "50 % of it:\nfailed".into(),
            key: key.iter().map(|part| (*part).to_owned()).collect(),
        };
        let text = std::fs::read_to_string(&file).expect("read");
        for (key, header) in [
            (vec!["variants", "cached"], "[variants.cached]"),
            (vec!["regression", "structure"], "structure"),
            (vec!["thresholds", "0"], "[[thresholds]]"),
        ] {
            let said = annotation(&spec, &case(&key));
            let at = text.lines().position(|line| line.starts_with(header)).expect(header) + 1;
            let near = [at, at + 1].map(|line| format!(",line={line},"));
            assert!(near.iter().any(|line| said.contains(line)), "{header} at {at}: {said}");
            assert!(
                said.ends_with("title=querylab%2C thresholds::50 %25 of it:%0Afailed\n"),
                "{said}"
            );
        }
    }
}
