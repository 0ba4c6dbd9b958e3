//! Same fingerprint, same work.
//!
//! SHA-256 over the plan as JSON: fields in the order of the types, maps sorted. What does not count: the fingerprint
//! itself, the estimate, the warnings; the prose (title, question, context, drivers, decision, consequences, tags; the
//! titles of variants; the texts and sources of claims); the profile's name, because a size is its numbers; and the paths
//! of the migrations, of files with values and of files that Nginx serves, because their digests count. Everything else does, the experiment's id
//! included.

use sha2::{Digest, Sha256};

use super::types::{DrawSource, Estimate, Plan};
use crate::units::hex;

/// The fingerprint of a plan, 64 hexadecimal digits.
pub(super) fn fingerprint(plan: &Plan) -> String {
    let mut plan = plan.clone();
    plan.fingerprint.clear();
    plan.estimate = Estimate::default();
    plan.warnings.clear();
    plan.profile.clear();
    plan.dataset.migrations.clear();
    let prose = &mut plan.experiment;
    for text in [
        &mut prose.title,
        &mut prose.question,
        &mut prose.context,
        &mut prose.drivers,
        &mut prose.decision,
        &mut prose.consequences,
    ] {
        text.clear();
    }
    prose.tags.clear();
    for variant in &mut plan.variants {
        variant.title.clear();
    }
    for claim in &mut plan.claims {
        claim.text.clear();
        claim.source = None;
    }
    for cell in &mut plan.cells {
        // What is in the files counts, not where they lie.
        if let Some(files) = &mut cell.stack.static_files {
            files.folder.clear();
        }
        for draw in cell.drive.targets.iter_mut().flat_map(|target| &mut target.draws) {
            if let DrawSource::Csv { file, .. } | DrawSource::Log { file, .. } = &mut draw.source {
                file.clear();
            }
        }
    }
    // A plan is made of numbers, texts and maps with text keys: writing it as JSON has no way to fail.
    let json = serde_json::to_vec(&plan).expect("a plan is plain data");
    hex(&Sha256::digest(&json))
}

impl Plan {
    /// The fingerprint that this plan ought to have, whatever it says.
    pub fn own_fingerprint(&self) -> String {
        fingerprint(self)
    }
}
