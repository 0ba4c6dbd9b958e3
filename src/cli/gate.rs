//! `run --gate` and `querylab gate DIR`: a run held against a kept one.

use std::path::{Path, PathBuf};

use super::args_kept::GateArgs;
use super::exit::Exit;
use super::{ci, compare, out};
use crate::lab::Stop;
use crate::plan::{Plan, RegressionPlan};
use crate::report::{self, Claims, Gated, Passes};
use crate::results::{self, Ledger, Results};
use crate::spec::Spec;
use crate::stats::Held;

/// What a run is held against.
pub(super) struct Against {
    /// The kept run, as it was before this one began.
    kept: Results,
    /// Its folder.
    pub(super) dir: PathBuf,
    limits: RegressionPlan,
}

impl Against {
    /// Reads the kept run of the file, before anything is started. None where the file limits nothing.
    pub(super) fn of(spec: &Spec, plan: &Plan) -> Result<Option<Self>, Exit> {
        let Some(limits) = plan.regression.clone() else {
            out::stderr(
                "warning: the file has no [regression]: --gate judges its thresholds only\n",
            );
            return Ok(None);
        };
        let dir = spec.dir.join(&limits.kept);
        if !dir.join("manifest.json").exists() {
            let text = format!(
                "--gate: there is no kept run in {}; run once without --gate, and check its results in",
                dir.display()
            );
            return Err(out::fail(Exit::Input, text));
        }
        Ok(Some(Self { kept: compare::read(&dir)?, dir, limits }))
    }

    /// Whether publishing there would replace what is held against.
    pub(super) fn is(&self, target: &Path) -> bool {
        let whole = |path: &Path| std::fs::canonicalize(path).ok();
        whole(target).is_some() && whole(target) == whole(&self.dir)
    }

    /// Judges, together with what the ledger has of earlier runs.
    pub(super) fn judge(
        &self,
        now: &Results,
        confirmed: Option<&Results>,
        ledger: Option<&Ledger>,
    ) -> Gated {
        let earlier = ledger.map_or(&[][..], Ledger::looks);
        report::gate_again((now, &self.kept, confirmed), earlier, &self.limits)
    }

    /// Says what is certain of a run that failed its own checks: a gate that is red says in which tier.
    pub(super) fn condemn(&self, why: &Stop, now: &Results) -> Option<Gated> {
        let Stop::Correctness(_) = why else { return None };
        let mut gated = self.judge(now, None, None);
        gated.judgements.retain(|judged| judged.passes == Passes::No);
        conclude(&gated);
        Some(gated)
    }

    /// The ledger of this code, this plan and this kept run on this machine; none, with a warning, where it can't be read.
    pub(super) fn ledger(&self, project: &Path, now: &Results) -> Option<Ledger> {
        let (plan, manifest, kept) = (&now.plan, &now.manifest, &self.kept.manifest);
        let program = std::env::current_exe().and_then(std::fs::read);
        let program = program.map(|bytes| results::sha256_hex(&bytes)).unwrap_or_default();
        let machine = serde_json::to_string(&results::lasting(&manifest.host)).unwrap_or_default();
        let key = [
            plan.profile.as_str(),
            &plan.fingerprint,
            &kept.run.run,
            kept.digests.get("trials.csv").map_or("", String::as_str),
            manifest.revision.as_deref().unwrap_or_default(),
            &program,
            &machine,
        ];
        let root = project.join(".querylab").join("gate");
        match Ledger::open(&root, &plan.experiment.id, &key) {
            Ok(ledger) => Some(ledger),
            Err(e) => {
                out::stderr(&format!("warning: the gate's ledger is not heeded: {e:#}\n"));
                None
            }
        }
    }

    /// Notes what a run has measured, for those who run it again.
    pub(super) fn remember(
        &self,
        ledger: Option<Ledger>,
        now: &Results,
        confirmed: Option<&Results>,
    ) {
        let Some((mut ledger, look)) = ledger.zip(report::look(now, confirmed, &self.limits))
        else {
            return;
        };
        if let Err(e) = ledger.add(look) {
            out::stderr(&format!("warning: the gate's ledger is not written: {e:#}\n"));
        }
    }
}

/// Says what did not pass; the exit that it stands for.
pub(super) fn conclude(gated: &Gated) -> Exit {
    let tier = |j: &report::Judgement| {
        serde_json::to_value(j.tier)
            .ok()
            .and_then(|t| t.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    if out::is_json() {
        let mut object = serde_json::to_value(gated).expect("texts are JSON");
        object["event"] = "gated".into();
        object["passes"] = serde_json::to_value(gated.passes()).expect("a word is JSON");
        // Where nobody reads, the exit code still tells.
        out::object(&object).unwrap_or_default();
    }
    for judged in gated.of(Passes::No) {
        out::fail(Exit::Gate, format!("gate, {}: {}", tier(judged), judged.text));
    }
    for judged in gated.of(Passes::Unknown) {
        let unknown = Held::Inconclusive.word();
        out::stderr(&format!("gate, {}, {unknown}: {}\n", tier(judged), judged.text));
    }
    match gated.passes() {
        Passes::Yes => Exit::Done,
        Passes::Unknown => Exit::Inconclusive,
        // Wrong answers are no matter of more or less.
        Passes::No if gated.of(Passes::No).any(|j| j.tier == report::Tier::Answers) => {
            Exit::Correctness
        }
        Passes::No => Exit::Gate,
    }
}

pub(super) fn gate(args: &GateArgs) -> Result<Exit, Exit> {
    let now = compare::read(&args.dir)?;
    let Some(limits) = now.plan.regression.clone() else {
        let text =
            format!("{}: its experiment has no [regression] to be held to", args.dir.display());
        return Err(out::fail(Exit::Input, text));
    };
    let against = Against { kept: compare::read(&args.kept)?, dir: args.kept.clone(), limits };
    let gated = against.judge(&now, None, None);
    if let Some(file) = &args.junit {
        ci::write_junit(file, &now, Some(&gated), Claims::Told)?;
    }
    let exit = conclude(&gated);
    if exit == Exit::Done && !out::is_json() {
        let judged = gated.judgements.len();
        let text = format!(
            "{}: {judged} figures held against {}: all pass\n",
            args.dir.display(),
            args.kept.display()
        );
        ci::tell_beside(args.junit.as_deref(), &text)?;
    }
    Ok(exit)
}
