//! What an entry says of itself, in a file that is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::control::Control;
use super::entry::{DATA, PASSWORDS};
use super::files::Listing;
use super::key::{FORMAT, Ingredients};
use crate::dataset::{BuiltIndex, LoadedTable};
use crate::units::hex;

/// Name of the file.
pub(super) const FILE: &str = "manifest.json";
/// Where in a cluster it speaks of itself.
const CONTROL: &str = "global/pg_control";
/// No manifest is longer.
const LONGEST: u64 = 512 << 20;

/// What the data are, and what they took when they were made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// In the order in which they were loaded.
    pub tables: Vec<LoadedTable>,
    /// Its databases.
    pub sets: Vec<KeptSet>,
    /// Time that all of it took when it was made.
    pub prepare_ms: u64,
}

/// One database of a kept cluster, with its indexes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSet {
    /// Its name in the cluster.
    pub database: String,
    /// In the order in which they were built.
    pub indexes: Vec<BuiltIndex>,
}

/// The whole of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    pub(super) key: String,
    pub(super) ingredients: Ingredients,
    /// Number of the cluster.
    system: u64,
    /// Digest of the file with its passwords, without which it is of no use.
    passwords: String,
    pub(super) kept: Kept,
    pub(super) listing: Listing,
}

impl Manifest {
    /// Of a stopped cluster whose files were just listed and digested.
    pub(super) fn of(
        ingredients: &Ingredients,
        kept: Kept,
        listing: Listing,
        entry: &Path,
    ) -> Result<Self> {
        let system = control(&entry.join(DATA))?.system;
        let passwords = passwords(entry)?;
        let (key, ingredients) = (ingredients.key(), ingredients.clone());
        Ok(Self { format: FORMAT, key, ingredients, system, passwords, kept, listing })
    }

    /// Reads that of an entry.
    pub(super) fn read(entry: &Path) -> Result<Self> {
        let file = File::open(entry.join(FILE)).context("it has no manifest")?;
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).context("its manifest can't be read")?;
        serde_json::from_slice(&bytes).context("its manifest is cut off or was edited")
    }

    /// Writes it beside and renames it, so that whoever reads sees the old one or the new one.
    pub(super) fn write(&self, entry: &Path) -> Result<()> {
        let fresh = entry.join("manifest.new");
        drop(fs::remove_file(&fresh));
        let mut file = OpenOptions::new().write(true).create_new(true).open(&fresh)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&fresh, entry.join(FILE))?;
        File::open(entry)?.sync_all()?;
        Ok(())
    }

    /// Whether it is about itself: its folder's name, its ingredients' key, the rows that were asked for.
    pub(super) fn is_sound(&self, name: &str) -> Result<()> {
        ensure!(self.format == FORMAT, "it is of another version");
        ensure!(self.key == name, "it is the entry {} under another name", self.key);
        ensure!(self.ingredients.key() == self.key, "its key is not that of what it was made of");
        for table in &self.ingredients.tables {
            let loaded = self.kept.tables.iter().find(|loaded| loaded.name == table.name);
            ensure!(
                loaded.is_some_and(|loaded| loaded.rows == table.rows),
                "table `{}` has another number of rows than was asked for",
                table.name
            );
        }
        Ok(())
    }

    /// Whether the cluster's files are as they were, by names, sizes and times, and the cluster is the one that was kept
    /// and was shut down.
    pub(super) fn is_untouched(&self, entry: &Path) -> Result<()> {
        let data = entry.join(DATA);
        let now = Listing::of(&data)?;
        if let Some(difference) = self.listing.differs(&now) {
            anyhow::bail!("{difference}");
        }
        ensure!(control(&data)?.system == self.system, "it holds another cluster");
        ensure!(passwords(entry)? == self.passwords, "its passwords are others");
        Ok(())
    }
}

fn passwords(entry: &Path) -> Result<String> {
    let text = fs::read(entry.join(PASSWORDS)).context("its passwords can't be read")?;
    Ok(hex(&Sha256::digest(&text)))
}

/// What the cluster says of itself.
///
/// # Errors
///
/// If it was not shut down, so that its files alone are not its data.
pub(super) fn control(data: &Path) -> Result<Control> {
    let bytes = fs::read(data.join(CONTROL)).context("it has no control data")?;
    let control = Control::parse(&bytes).context("its control data are cut off")?;
    ensure!(control.is_shut_down(), "its cluster was not shut down");
    Ok(control)
}
