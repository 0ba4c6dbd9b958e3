//! The experiment that is part of the program, laid out on disk and resolved like any other.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::plan::{self, Plan};
use crate::probe;
use crate::spec::{self, Layers, Spec};
use crate::units::Span;

const EXPERIMENT: &str = include_str!("calibrate.toml");
const MIGRATION: &str = include_str!("migrations/0001_people.sql");
/// Folders of ours below the scratch folder; the maker's pid follows.
const PREFIX: &str = "calibrate-";
/// The profile under which the generator is looked at.
const INSTRUMENT: &str = "instrument";

/// A private folder that is gone when this is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes it below `scratch`, with the experiment in it, and removes those of makers that are no more.
    ///
    /// # Errors
    ///
    /// If it can't be written.
    pub fn make(scratch: &Path) -> Result<Self> {
        for entry in fs::read_dir(scratch).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.parse().ok());
            if maker.is_some_and(|pid: u32| probe::start_ticks(pid).is_none()) {
                // Somebody else may be clearing up at the same time: what is left is left for the next one.
                fs::remove_dir_all(entry.path()).ok();
            }
        }
        let folder = Self(scratch.join(format!("{PREFIX}{}", std::process::id())));
        let write = |name: &str, text: &str| {
            let path = folder.0.join(name);
            fs::create_dir_all(path.parent().unwrap_or(&folder.0))
                .and_then(|()| fs::write(&path, text))
                .with_context(|| format!("cannot write {}", path.display()))
        };
        write("calibrate.toml", EXPERIMENT)?;
        write("migrations/0001_people.sql", MIGRATION)?;
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed now is removed by the next one.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The experiment, resolved twice.
#[derive(Debug)]
pub struct Embedded {
    /// The same variant twice, under one user.
    pub(super) twice: (Spec, Plan),
    /// The loads that look at the generator.
    pub(super) instrument: (Spec, Plan),
    /// Where runs may be written.
    pub(super) folder: PathBuf,
}

impl Embedded {
    /// Resolves it for so many blocks and so long windows.
    ///
    /// # Errors
    ///
    /// A text for people: what was asked for would take too long.
    pub fn resolve(folder: &Folder, blocks: u32, window: Span) -> Result<Self, String> {
        let file = folder.0.join("calibrate.toml");
        let windows = ["one", "crowd", "paced", "brisk"]
            .map(|load| format!("load.{load}.duration=\"{window}\""));
        let both = |profile: Option<&str>, blocks: Option<u32>| -> Result<(Spec, Plan), String> {
            let mut sets = windows.to_vec();
            sets.extend(blocks.map(|n| format!("design.blocks={n}")));
            // The environment's overrides are for experiments of the user's own.
            let layers =
                Layers { profile: profile.map(str::to_owned), environment: Vec::new(), sets };
            let told = |problems: &spec::Problems| spec::render(problems, spec::Color::Plain);
            let spec = spec::load(&file, &layers).map_err(|problems| told(&problems))?;
            let plan = plan::resolve(&spec).map_err(|list| told(&spec.problems(list)))?;
            Ok((spec, plan))
        };
        Ok(Self {
            twice: both(None, Some(blocks))?,
            instrument: both(Some(INSTRUMENT), None)?,
            folder: folder.0.clone(),
        })
    }

    /// The plan of the A/A part: which servers are needed, and how long it takes.
    pub fn plan(&self) -> &Plan {
        &self.twice.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_experiment_is_two_equal_variants_and_three_loads_of_the_instrument() {
        let scratch = tempfile::tempdir().expect("a folder");
        let folder = Folder::make(scratch.path()).expect("written");
        let embedded = Embedded::resolve(&folder, 3, Span::from_millis(1500)).expect("resolved");
        let plan = embedded.plan();
        assert_eq!(plan.trials.len(), 6);
        let [one, other] = plan.cells.as_slice() else { panic!("two cells") };
        assert_eq!((&one.api, &one.drive, &one.stack), (&other.api, &other.drive, &other.stack));
        assert_eq!(one.database, other.database);
        assert_eq!(one.drive.duration_ns, 1_500_000_000);
        let loads = &embedded.instrument.1.loads;
        assert_eq!(loads, &["crowd", "paced", "brisk"]);
        let path = folder.path().to_path_buf();
        assert!(path.is_dir());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_dead_maker_left_is_removed_and_what_is_somebodys_is_not() {
        let scratch = tempfile::tempdir().expect("a folder");
        let [dead, other] =
            ["calibrate-4294967294", "calibrate-mine"].map(|n| scratch.path().join(n));
        for folder in [&dead, &other] {
            fs::create_dir(folder).expect("made");
        }
        drop(Folder::make(scratch.path()).expect("written"));
        assert!(!dead.exists() && other.exists());
    }

    #[test]
    fn days_of_blocks_are_refused_with_words() {
        let scratch = tempfile::tempdir().expect("a folder");
        let folder = Folder::make(scratch.path()).expect("written");
        let refused = Embedded::resolve(&folder, 100, Span::from_secs(600)).expect_err("too long");
        assert!(refused.contains("6 hours"), "{refused}");
    }
}
