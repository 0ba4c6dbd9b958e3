//! Published folders below a root: `<root>/<experiment>/<profile>/`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::files::table_bytes;
use super::run::json;
use super::{Results, Table, TextFile, sha256_hex, write_atomic};

/// The profile that is meant where none is named.
const WHOLE: &str = "full";

/// Every published folder below `root`: by experiment, the whole one before its sizes.
///
/// # Errors
///
/// If a folder can't be read.
pub fn published(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for experiment in folders(root)? {
        let mut sizes = folders(&experiment)?;
        sizes.retain(|dir| dir.join("manifest.json").is_file());
        sizes.sort_by_key(|dir| (dir.file_name().is_none_or(|name| name != WHOLE), dir.clone()));
        found.extend(sizes);
    }
    Ok(found)
}

/// The published folder of an experiment: named in full or by its number, at a profile or whole.
///
/// # Errors
///
/// If there is none, or more than one experiment of which the name could be.
pub fn published_of(root: &Path, experiment: &str, profile: Option<&str>) -> Result<PathBuf> {
    let is_it = |dir: &PathBuf| {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        name == experiment
            || name.strip_prefix(experiment).is_some_and(|rest| rest.starts_with('-'))
    };
    let experiments: Vec<PathBuf> = folders(root)?.into_iter().filter(is_it).collect();
    let found = match experiments.as_slice() {
        [] => bail!("no results of `{experiment}` in {}", root.display()),
        [one] => one.join(profile.unwrap_or(WHOLE)),
        more => bail!("`{experiment}` could be {} experiments in {}", more.len(), root.display()),
    };
    if !found.join("manifest.json").is_file() {
        bail!("{} holds no results: it has no manifest.json", found.display());
    }
    Ok(found)
}

/// Copies a published folder: its data as they are, and what is derived from them as given.
///
/// # Errors
///
/// If a file can't be read or written.
pub fn copy_published(
    from: &Path,
    to: &Path,
    results: &Results,
    texts: &[TextFile],
    tables: &[Table],
) -> Result<()> {
    let mut manifest = results.manifest.clone();
    // What an older querylab derived is not what lies here.
    manifest.digests.retain(|name, _| !super::read::is_derived(name));
    for name in manifest.digests.keys() {
        let bytes = fs::read(from.join(name))
            .with_context(|| format!("cannot read {}", from.join(name).display()))?;
        put(&to.join(name), &bytes)?;
    }
    let mut derived: Vec<(&String, Vec<u8>)> =
        texts.iter().map(|file| (&file.path, file.text.clone().into_bytes())).collect();
    for table in tables {
        derived.push((&table.file, table_bytes(table)?));
    }
    for (name, bytes) in derived {
        put(&to.join(name), &bytes)?;
        manifest.digests.insert(name.clone(), sha256_hex(&bytes));
    }
    put(&to.join("manifest.json"), &json(&manifest)?)
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file needs a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    write_atomic(path, bytes)
}

/// The folders in a folder, by name; hidden ones are nobody's results.
fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.is_dir())
        .filter(|path| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')))
        .collect();
    folders.sort();
    Ok(folders)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_found_by_number_or_name_and_only_where_one_is_meant() {
        let root = tempfile::tempdir().expect("a folder");
        for dir in [
            "0001-a/full",
            "0001-a/ci",
            "0002-b/ci",
            "0003-c/full",
            "0003-d/full",
            "0004-e/x",
            ".tmp/full",
        ] {
            let dir = root.path().join(dir);
            fs::create_dir_all(&dir).expect("created");
            if !dir.ends_with("x") {
                fs::write(dir.join("manifest.json"), "{}").expect("written");
            }
        }
        let all = published(root.path()).expect("folders");
        let names: Vec<String> = all
            .iter()
            .map(|dir| dir.strip_prefix(root.path()).expect("below").display().to_string())
            .collect();
        assert_eq!(names, ["0001-a/full", "0001-a/ci", "0002-b/ci", "0003-c/full", "0003-d/full"]);
        let of =
            |id: &str, profile| published_of(root.path(), id, profile).map_err(|e| e.to_string());
        assert!(of("0001", None).expect("one").ends_with("0001-a/full"));
        assert!(of("0001-a", Some("ci")).expect("one").ends_with("0001-a/ci"));
        for (id, profile, why) in [
            ("0002", None, "no manifest"),
            ("0003", None, "could be 2"),
            ("000", None, "no results"),
            ("0009", None, "no results"),
        ] {
            let error = of(id, profile).expect_err(id);
            assert!(error.contains(why), "{id}: {error}");
        }
    }
}
