//! `querylab splice FILE…`: chosen tables of published results into documents, between their markers.

use std::path::{Path, PathBuf};

use super::args_of_results::SpliceArgs;
use super::exit::Exit;
use super::out;
use crate::report::{Wanted, part, splice as put};
use crate::results;

pub(super) fn splice(args: &SpliceArgs) -> Exit {
    let mut worst = Exit::Done;
    for file in &args.files {
        worst = worst.worst(one(args, file).unwrap_or_else(|exit| exit));
    }
    worst
}

fn one(args: &SpliceArgs, file: &Path) -> Result<Exit, Exit> {
    let wrong =
        |e: &dyn std::fmt::Display| out::fail(Exit::Input, format!("{}: {e:#}", file.display()));
    let document = std::fs::read_to_string(file).map_err(|e| wrong(&e))?;
    let root = match &args.results {
        Some(root) => root.clone(),
        None => nearest(file).ok_or_else(|| {
            wrong(&"no folder `results` beside it or above it; name one with --results")
        })?,
    };
    let spliced = put(&document, |wanted| text(&root, file, wanted)).map_err(|e| wrong(&e))?;
    if spliced.regions.is_empty() {
        return Err(wrong(&"it has no marker like `<!-- querylab:0001 claims -->`"));
    }
    let old: Vec<String> = spliced
        .regions
        .iter()
        .filter(|(_, changed)| *changed)
        .map(|(wanted, _)| wanted.to_string())
        .collect();
    if !old.is_empty() && !args.check {
        results::write_atomic(file, spliced.text.as_bytes())
            .map_err(|e| out::fail(Exit::Environment, format!("{e:#}")))?;
    }
    if out::is_json() {
        let event = serde_json::json!({
            "event": "spliced", "file": out::path(file), "tables": spliced.regions.len(),
            "changed": old, "written": !args.check && !old.is_empty(),
        });
        out::object(&event)?;
    } else if old.is_empty() {
        out::stdout(&format!("{}: {} as they are\n", file.display(), spliced.regions.len()))?;
    } else {
        let how = if args.check { "old" } else { "written anew" };
        out::stdout(&format!("{}: {how}: {}\n", file.display(), old.join(", ")))?;
    }
    Ok(if args.check && !old.is_empty() { Exit::Gate } else { Exit::Done })
}

fn text(root: &Path, file: &Path, wanted: &Wanted) -> anyhow::Result<String> {
    let dir = results::published_of(root, &wanted.experiment, wanted.profile.as_deref())?;
    let results = results::read(&dir)?;
    part(&results, &wanted.what, &way(file, &dir))
}

/// Folders above a document that are looked at for one of results.
const MOST_ABOVE: usize = 32;

/// The folder `results` beside the document or above it.
fn nearest(file: &Path) -> Option<PathBuf> {
    let file = std::fs::canonicalize(file).ok()?;
    let mut above = file.ancestors().skip(1).take(MOST_ABOVE).map(|dir| dir.join("results"));
    above.find(|dir| dir.is_dir())
}

/// The way from a document's folder to another one, with `/` between its steps.
fn way(file: &Path, dir: &Path) -> String {
    let absolute = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let (from, to) = (absolute(file), absolute(dir));
    let from = from.parent().unwrap_or(Path::new("")).to_path_buf();
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| "..".to_owned());
    let down = to.components().skip(common).map(|c| c.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::way;

    #[test]
    fn a_way_goes_up_to_what_both_share_and_down_again() {
        let said = |file: &str, dir: &str| way(Path::new(file), Path::new(dir));
        assert_eq!(said("/nowhere/a/README.md", "/nowhere/a/results/x/full"), "results/x/full");
        assert_eq!(said("/nowhere/a/docs/x.md", "/nowhere/a/results/x"), "../results/x");
    }
}
