//! How to have it all again: the commands, and the files that the report is made of.

use super::markdown::{fenced, one_line};
use crate::results::Results;

/// The commands that make the run, and this report of it, again.
pub(super) fn commands(results: &Results) -> String {
    let manifest = &results.manifest;
    let is_revision = |r: &&String| r.len() >= 7 && r.bytes().all(|b| b.is_ascii_hexdigit());
    let mut lines: Vec<String> = manifest
        .revision
        .iter()
        .filter(is_revision)
        .map(|revision| format!("git checkout {revision}"))
        .collect();
    lines.push(command(&manifest.command));
    let (id, profile) = (&results.plan.experiment.id, &results.plan.profile);
    lines.push(format!("querylab report results/{id}/{profile}    # this page from these results"));
    fenced("sh", &lines.join("\n"))
}

/// Links to the files beside the report.
pub(super) fn files(results: &Results) -> Vec<String> {
    let mut files: Vec<(String, &str)> = Vec::new();
    let mut add = |file: &str, about: &'static str| files.push((file.to_owned(), about));
    add("report.html", "this page, complete in one file");
    add("report.md", "the same as Markdown");
    add("trials.csv", "one row a trial, the table of truth");
    add("summary.csv", "a row for each variant under each load");
    add("comparisons.csv", "every ratio with its intervals");
    add("claims.csv", "claims and what was measured");
    add("resources.csv", "CPU, memory, disk and network of each server");
    add("indexes.csv", "sizes and build times");
    if super::tables_of_use::breakdown(results).is_some() {
        add("breakdown.csv", "where the time of a request goes");
    }
    if super::tables::index_costs(results).is_some() {
        add("index_costs.csv", "what writing costs");
    }
    if !results.timeline.is_empty() {
        add("timeline.csv", "every second of every trial");
    }
    add("experiment.merged.toml", "the experiment as it was run");
    add("plan.json", "everything that was decided before it");
    add("manifest.json", "versions, settings, machine, digests");
    let mut links: Vec<String> =
        files.into_iter().map(|(file, about)| format!("[{file}]({file}): {about}")).collect();
    let plans = results.plans.keys().map(|name| format!("[{name}](plans/{name}.json)"));
    let plans: Vec<String> = plans.collect();
    if !plans.is_empty() {
        links.push(format!("What EXPLAIN said: {}", plans.join(", ")));
    }
    links
}

/// The command as typed, but for the folder of the program: that is of this machine. Variables that override keys stand
/// before it.
fn command(words: &[String]) -> String {
    let variables = words.iter().take_while(|word| word.starts_with("QUERYLAB__")).count();
    let (variables, words) = words.split_at(variables);
    let mut line: Vec<String> = variables
        .iter()
        .map(|word| {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            format!("{name}={}", quoted(value))
        })
        .collect();
    let program = words.first().map(String::as_str).unwrap_or_default();
    let program = program.rsplit('/').next().unwrap_or_default();
    line.push(if program.is_empty() { "querylab".into() } else { quoted(program) });
    line.extend(words.iter().skip(1).map(|w| quoted(w)));
    line.join(" ")
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", one_line(word).replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn a_command_can_be_typed_again_with_the_variables_before_it() {
        let said =
            |words: &[&str]| command(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            said(&["/opt/x/querylab", "run", "a b.toml", "--set", "design.blocks=3"]),
            "querylab run 'a b.toml' --set design.blocks=3"
        );
        assert_eq!(
            said(&[
                "QUERYLAB__DATASET__MIGRATIONS=../migrations/users",
                "QUERYLAB__EXPERIMENT__TITLE=it's two",
                "querylab",
                "run",
                "x.toml"
            ]),
            "QUERYLAB__DATASET__MIGRATIONS=../migrations/users QUERYLAB__EXPERIMENT__TITLE='it'\\''s two' querylab run x.toml"
        );
        assert_eq!(said(&[]), "querylab");
    }
}
