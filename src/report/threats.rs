//! Threats to validity, generated from what happened: nobody has to remember to be honest.

use super::cells::{Cell, attempt_after, blocks, cell, is_complete};
use super::compared::{Compared, Noise};
use super::markdown::{cell as escaped, code};
use crate::plan::{DistributionPlan, DrawSource, ModelPlan};
use crate::results::{Outcome, Results, TrialRecord, load_before};
use crate::stats::{FEWEST_BLOCKS, Verdict};
use crate::units::{count, latency_ns, share, sig3};

/// A generator that uses more than this share of a core may be what was measured.
const GENERATOR_LIMIT: f64 = 0.85;
/// More time than this stolen by other machines disturbs the window.
const STEAL_LIMIT: f64 = 0.02;
/// Requests sent later than this have not kept to the schedule.
const LAG_LIMIT_US: f64 = 1000.0;
/// Log-ratios of the A/A check that scatter more than this make small differences invisible.
const SCATTER_LIMIT: f64 = 0.08;

/// One sentence each, the ones about this run first.
pub(super) fn threats(results: &Results, all: &[Compared], noise: Option<&Noise>) -> Vec<String> {
    let mut threats = Vec::new();
    of_the_run(results, &mut threats);
    of_noise(results, noise, all, &mut threats);
    of_trials(results, &mut threats);
    of_somebody_else(results, &mut threats);
    of_the_design(results, &mut threats);
    // What the plan warned of stands where the variants' differences are told.
    let notes = results.manifest.notes.iter().filter(|n| !results.plan.warnings.contains(n));
    threats.extend(notes.map(|n| escaped(n)));
    threats
}

fn of_the_run(results: &Results, out: &mut Vec<String>) {
    let run = &results.manifest.run;
    if !is_complete(results) {
        let reason = run.reason.as_deref().unwrap_or("no reason was recorded");
        out.push(format!(
            "The run is incomplete ({}): {} of {} trials are here. It carries no verdicts.",
            escaped(reason),
            results.trials.len(),
            run.trials_planned
        ));
    }
    let blocks = blocks(results);
    if usize::try_from(blocks).is_ok_and(|b| b < FEWEST_BLOCKS) {
        out.push(format!(
            "Few blocks: {blocks}. An exact statement at 95% needs {FEWEST_BLOCKS}; the figures show that the experiment \
             runs, not how its variants compare."
        ));
    }
    if let Some(load) = load_before(&results.manifest.host) {
        out.push(format!("The machine was not at rest when the run began: {load}."));
    }
    let (failed, overloaded) = (
        results.trials.iter().filter(|t| matches!(t.outcome, Outcome::Failed(_))).count(),
        results.trials.iter().filter(|t| t.outcome == Outcome::Overloaded).count(),
    );
    if failed > 0 {
        out.push(format!(
            "{failed} of {} trials failed and are in no figure; what made them fail may not be independent of what was \
             measured.",
            results.trials.len()
        ));
    }
    invalid(results, out);
    if overloaded > 0 {
        out.push(format!(
            "{overloaded} of {} trials were overloaded: their latency depends on when the window ends, and is withheld.",
            results.trials.len()
        ));
    }
}

/// Repeating what was disturbed is no choice among outcomes, as long as the rules never look at them.
fn invalid(results: &Results, out: &mut Vec<String>) {
    let invalid = results.trials.iter().filter(|t| matches!(t.outcome, Outcome::Invalid(_)));
    let (again, never): (Vec<_>, Vec<_>) =
        invalid.partition(|t| attempt_after(results, t).is_some());
    let all = again.len() + never.len();
    if all > 0 {
        out.push(format!(
            "{all} of {} trials were disturbed and are in no figure: {} were repeated at the end of their block, {} were \
             not. The rules that void a trial never look at its latencies.",
            results.trials.len(),
            again.len(),
            never.len()
        ));
    }
}

fn of_noise(results: &Results, noise: Option<&Noise>, all: &[Compared], out: &mut Vec<String>) {
    let baseline = code(&results.plan.design.baseline);
    match noise {
        None => out.push("There is no A/A check: the host's own noise is not known.".into()),
        Some(n) if n.excludes_one() => out.push(format!(
            "The A/A interval excludes 1: {baseline} differs from itself on this host. Differences of that size mean \
             nothing here."
        )),
        Some(_) => {}
    }
    if let Some(s) = noise.and_then(|n| n.comparison).and_then(|c| c.spread)
        && s.sd_log > SCATTER_LIMIT
    {
        out.push(format!(
            "The host is noisy: equal trials of a block scatter by {} (standard deviation of the log-ratio), so that \
             {} cannot be seen in {} blocks.",
            share(s.sd_log),
            if s.detectable < 10.0 { format!("differences under {}", share(s.detectable)) } else { "even large differences".into() },
            blocks(results)
        ));
    }
    let fragile: Vec<String> = all
        .iter()
        .filter_map(|c| match c.verdict {
            Verdict::Fragile { block } => {
                let metric = super::values::name(c.metric);
                Some(format!(
                    "{} of {} under {} (block {block})",
                    metric,
                    code(&c.variant),
                    code(&c.load)
                ))
            }
            _ => None,
        })
        .collect();
    if !fragile.is_empty() {
        out.push(format!("One block decides the comparison by {}.", fragile.join(", ")));
    }
}

fn of_trials(results: &Results, out: &mut Vec<String>) {
    let trials = &results.trials;
    let part = |is: &dyn Fn(&TrialRecord) -> bool| trials.iter().filter(|t| is(t)).count();
    let unsteady = part(&|t| t.warmup_reached == Some(false));
    if unsteady > 0 {
        out.push(format!(
            "{unsteady} of {} warm-ups ended at their longest without having become steady: those windows may still hold \
             warm-up.",
            trials.len()
        ));
    }
    let busy =
        part(&|t| t.window.as_ref().is_some_and(|w| w.generator_cpu_share > GENERATOR_LIMIT));
    if busy > 0 {
        out.push(format!(
            "{} the load generator used more than {} of a core: it may itself be what was measured.",
            in_trials(busy),
            share(GENERATOR_LIMIT)
        ));
    }
    let open = |t: &TrialRecord| {
        cell(results, &t.variant, &t.load)
            .is_some_and(|c| matches!(c.plan.drive.model, ModelPlan::Open { .. }))
    };
    let late = part(&|t| open(t) && t.window.as_ref().is_some_and(|w| w.lag_p99_us > LAG_LIMIT_US));
    if late > 0 {
        out.push(format!(
            "{} one request in a hundred was sent more than {} after it was due and could be sent: the \
             generator did not keep to the schedule.",
            in_trials(late),
            latency_ns(LAG_LIMIT_US * 1e3)
        ));
    }
    let steal = |t: &TrialRecord| t.witness.as_ref().map_or(0.0, |w| w.steal_share);
    let stolen = part(&|t| steal(t) > STEAL_LIMIT);
    if stolen > 0 {
        let most = trials.iter().map(steal).fold(0.0, f64::max);
        out.push(format!(
            "{} other machines on the same host took more than {} of the processors' time (at most {}).",
            in_trials(stolen),
            share(STEAL_LIMIT),
            share(most)
        ));
    }
    evictions(results, out);
    // Notes of trials, each text once with how often it was said.
    let mut notes: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for note in trials.iter().flat_map(|t| &t.notes) {
        *notes.entry(note).or_insert(0) += 1;
    }
    out.extend(notes.into_iter().map(|(note, n)| format!("{}: {}.", in_trials(n), escaped(note))));
}

fn in_trials(n: usize) -> String {
    if n == 1 { "In one trial".to_owned() } else { format!("In {n} trials") }
}

fn evictions(results: &Results, out: &mut Vec<String>) {
    let evicted: u64 = results
        .trials
        .iter()
        .filter_map(|t| t.witness.as_ref().and_then(|w| w.redis_evicted))
        .sum();
    if evicted > 0 {
        out.push(format!(
            "Redis evicted {} keys over all trials: the cache was smaller than what was put in.",
            count(evicted)
        ));
    }
}

/// What an experiment on a server that is not querylab's can't know.
fn of_somebody_else(results: &Results, out: &mut Vec<String>) {
    let Some(could_write) = super::host::external(results) else { return };
    out.push(
        "Postgres is not querylab's: others may use it. What it did beside this run's statements (other clients, \
         checkpoints, autovacuum) is not known, nor how it was between the trials: its settings are those that it told, it \
         was not started afresh, and its rows and statistics may have changed."
            .into(),
    );
    out.push(
        "Processor time and memory of Postgres, and its scans, buffers, statements and bytes of log, are not known: their \
         cells are empty, which is not zero. Other programs on this machine could not be told from it, and are not counted \
         either."
            .into(),
    );
    if could_write {
        out.push(
            "The role could have written: only the sessions were read only, which a function of that database can undo."
                .into(),
        );
    }
}

fn of_the_design(results: &Results, out: &mut Vec<String>) {
    let is_ours = super::host::external(results).is_none();
    let cores = ["cpus", "cores", "logical_cpus", "cpu_count"]
        .iter()
        .find_map(|key| results.manifest.host.get(*key));
    out.push(match cores {
        Some(n) => format!(
            "One machine with {} cores is shared by the load generator and all servers: they take time from each other.",
            escaped(n)
        ),
        None => "One machine is shared by the load generator and all servers: they take time from each other.".into(),
    });
    out.push(if is_ours {
        "Requests go over loopback and unix sockets: no network, no TLS, no packet loss. Absolute times are lower than \
         between machines, and what saves round trips gains less."
            .into()
    } else {
        "Requests go over loopback and unix sockets as far as the API; how far Postgres is from there, and through what, \
         is not known."
            .to_owned()
    });
    let data = super::host::data(results);
    if !data.is_empty() {
        out.push(format!("The data are synthetic ({data})."));
    }
    if let Some(keys) = keys(results) {
        out.push(format!("Keys are drawn {keys}; hit ratios and buffer hits hold for that only."));
    }
    if let Some(version) = results.manifest.versions.get("postgres") {
        let which =
            if version.contains(" and ") { "The planners of two versions" } else { "One planner" };
        out.push(format!(
            "{which}: Postgres {}. Another version may choose another plan.",
            escaped(version)
        ));
    }
    let closed: Vec<String> = results
        .plan
        .loads
        .iter()
        .filter(|load| {
            cell(results, &results.plan.design.baseline, load).is_some_and(|c| is_crowded(&c))
        })
        .map(|load| code(load))
        .collect();
    if !closed.is_empty() {
        out.push(format!(
            "Under {} a closed loop saturates the servers: latency there is mostly the queue of the users themselves \
             (users over throughput), so throughput is the figure to read.",
            closed.join(", ")
        ));
    }
}

fn is_crowded(cell: &Cell<'_>) -> bool {
    matches!(cell.plan.drive.model, ModelPlan::Closed { users, think_ns: 0 } if users > 1)
}

/// How keys are drawn, if all variants draw alike; else of the first.
fn keys(results: &Results) -> Option<String> {
    let target = results.plan.cells.iter().flat_map(|c| &c.drive.targets).next()?;
    let draw = target.draws.first()?;
    let of = match &draw.source {
        DrawSource::Column { table, column, .. } => {
            format!("of {}", code(&format!("{table}.{column}")))
        }
        DrawSource::Values(values) => format!("of a list of {}", values.len()),
        DrawSource::Csv { file, column, .. } => {
            format!("of the column {} of {}", code(column), code(file))
        }
        DrawSource::Log { file, .. } => format!("as {} has them", code(file)),
    };
    Some(match &draw.distribution {
        DistributionPlan::Zipfian { exponent, keys } => {
            format!("by Zipf's law (exponent {}) from {} keys {of}", sig3(*exponent), count(*keys))
        }
        DistributionPlan::Uniform { keys: Some(keys) } => {
            format!("uniformly from {} keys {of}", count(*keys))
        }
        DistributionPlan::Uniform { keys: None } => format!("uniformly from all keys {of}"),
        DistributionPlan::Sequential { .. } => format!("one after the other, {of}"),
        DistributionPlan::HotSet { keys, hot_keys, hot_share } => format!(
            "for {} of the requests from {} hot keys, for the others from the rest of {} keys {of}",
            share(*hot_share),
            count(*hot_keys),
            count(*keys)
        ),
    })
}
