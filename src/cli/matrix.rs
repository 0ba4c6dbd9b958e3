//! `querylab matrix`: the jobs in which CI would run experiments.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::args_kept::{MatrixArgs, MatrixFormat};
use super::exit::Exit;
use super::{list, out};
use crate::plan;
use crate::spec::{self, Layers};

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Job {
    /// `0001-email-lookup (ci, 1/2)`
    name: String,
    experiment: String,
    file: String,
    profile: String,
    partition: String,
    parts: u32,
    gate: bool,
    minutes: u64,
}

pub(super) fn matrix(args: &MatrixArgs) -> Result<Exit, Exit> {
    let files = if args.files.is_empty() {
        list::experiments_below(Path::new("."))?
    } else {
        args.files.clone()
    };
    let mut jobs = Vec::new();
    for file in &files {
        jobs.extend(of_file(args, file)?);
    }
    let text = match args.format {
        MatrixFormat::Json => pretty(&jobs),
        MatrixFormat::Github => {
            let line = serde_json::to_string(&serde_json::json!({ "include": jobs }));
            format!("{}\n", line.expect("texts are JSON"))
        }
        MatrixFormat::Gitlab => gitlab(&jobs),
    };
    out::stdout(&text)?;
    Ok(Exit::Done)
}

fn pretty(jobs: &[Job]) -> String {
    format!("{}\n", serde_json::to_string_pretty(jobs).expect("texts are JSON"))
}

/// The jobs of a file: one, or one a part; none where it has no such profile.
fn of_file(args: &MatrixArgs, file: &Path) -> Result<Vec<Job>, Exit> {
    let refused = |what: String| out::fail(Exit::Input, format!("{}: {what}", file.display()));
    let mistakes = |n: usize| refused(format!("{n} mistakes (querylab check)"));
    let bare = spec::load(file, &Layers::default()).map_err(|p| mistakes(p.list.len()))?;
    let profile = args.profile.as_deref().filter(|profile| *profile != "full");
    if let Some(profile) = profile.filter(|p| !bare.profiles.iter().any(|known| known == p)) {
        out::stderr(&format!("{}: left out, it has no profile `{profile}`\n", file.display()));
        return Ok(Vec::new());
    }
    let layers = Layers { profile: profile.map(str::to_owned), ..Layers::default() };
    let spec = spec::load(file, &layers).map_err(|p| mistakes(p.list.len()))?;
    let plan = plan::resolve(&spec).map_err(|p| mistakes(p.len()))?;
    let parts =
        if plan.design.precision.is_some() { 1 } else { args.parts.min(plan.design.blocks) };
    let seconds = plan.estimate.time_ns / 1_000_000_000 / u64::from(parts.max(1));
    let job = |n: u32| {
        let of = if parts == 1 { String::new() } else { format!(", {n}/{parts}") };
        Job {
            name: format!("{} ({}{of})", plan.experiment.id, plan.profile),
            experiment: plan.experiment.id.clone(),
            file: file.display().to_string().trim_start_matches("./").to_owned(),
            profile: plan.profile.clone(),
            partition: if parts == 1 { String::new() } else { format!("count:{n}/{parts}") },
            parts,
            // A part has too few blocks, and a gate needs a kept run.
            gate: parts == 1
                && spec
                    .document
                    .regression
                    .as_ref()
                    .is_some_and(|r| spec.dir.join(&r.kept).join("manifest.json").exists()),
            // Twice the estimate, and time to set up: a job that hangs is ended.
            minutes: (seconds * 2).div_ceil(60) + 10,
        }
    };
    Ok((1..=parts).map(job).collect())
}

/// A child pipeline, with a job that is started for each entry.
fn gitlab(jobs: &[Job]) -> String {
    let mut text = String::from(
        "# Written by `querylab matrix --format gitlab`: include it as a child pipeline.\n",
    );
    if jobs.is_empty() {
        text += "nothing:\n  script: [\"true\"]\n";
    }
    for job in jobs {
        let mut command = format!("querylab run {} --junit junit.xml", quoted(&job.file));
        if job.profile != "full" {
            command.extend([" --profile ", &job.profile]);
        }
        if job.gate {
            command += " --gate";
        }
        if !job.partition.is_empty() {
            let place = job.partition.replace([':', '/'], "-");
            command.extend([" --partition ", &job.partition, " --out parts/", &place]);
        }
        // JSON is YAML, and has no surprises.
        let script = serde_json::to_string(&[command]).expect("a text is JSON");
        let name = serde_json::to_string(&job.name).expect("a text is JSON");
        writeln!(
            text,
            "{name}:\n  script: {script}\n  timeout: {} minutes\n  allow_failure:\n    exit_codes: [11]\n  artifacts:\n    when: always\n    paths: [\"results/\", \"parts/\"]\n    reports:\n      junit: junit.xml",
            job.minutes
        )
        .unwrap_or_default();
    }
    text
}

/// As a shell reads it.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(parts: u32, profile: &str) -> Vec<Job> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments/0001-email-lookup.toml");
        let args = MatrixArgs {
            files: Vec::new(),
            format: MatrixFormat::Json,
            profile: Some(profile.into()),
            parts,
        };
        of_file(&args, &file).expect("jobs")
    }

    #[test]
    fn parts_are_jobs_of_their_own_and_a_profile_that_is_not_there_has_none() {
        let one = jobs(1, "ci");
        assert_eq!(one.len(), 1);
        assert_eq!(
            (one[0].name.as_str(), one[0].partition.as_str()),
            ("0001-email-lookup (ci)", "")
        );
        let two = jobs(2, "ci");
        assert_eq!(
            two.iter().map(|j| j.partition.as_str()).collect::<Vec<_>>(),
            ["count:1/2", "count:2/2"]
        );
        assert!(two[0].minutes < one[0].minutes);
        assert_eq!(jobs(50, "ci").len(), 6, "no more parts than blocks");
        assert!(jobs(1, "no-such").is_empty());
    }

    #[test]
    fn a_pipeline_for_gitlab_names_each_job_and_quotes_what_a_shell_would_read() {
        let mut all = jobs(2, "ci");
        all[0].file = "it's here.toml".into();
        let text = gitlab(&all);
        assert!(text.contains("\"0001-email-lookup (ci, 2/2)\":\n  script: ["), "{text}");
        assert!(text.contains("querylab run 'it'\\\\''s here.toml' --junit"), "{text}");
        assert!(text.contains("--partition count:2/2 --out parts"), "{text}");
    }
}
