//! `querylab site`: a folder for a pages host, with an index of all published results.

use std::path::{Path, PathBuf};

use super::args_of_results::SiteArgs;
use super::exit::Exit;
use super::out;
use crate::report::{render, site as index};
use crate::results::{self, Results};

pub(super) fn site(args: &SiteArgs) -> Result<Exit, Exit> {
    let failed = |e: anyhow::Error| out::fail(Exit::Environment, format!("{e:#}"));
    let wrong = |e: anyhow::Error| out::fail(Exit::Input, format!("{e:#}"));
    refuse_foreign(&args.out)?;
    // All of them are read and drawn before the first is copied: a folder that is refused leaves no half of a site.
    let mut found = Vec::new();
    for dir in results::published(&args.results).map_err(wrong)? {
        let folder = below(&args.results, &dir);
        let results = results::read(&dir).map_err(wrong)?;
        refuse_mixed(&folder, &results)?;
        let report = render(&results).map_err(wrong)?;
        found.push((dir, folder, results, report));
    }
    let mut entries: Vec<(String, Results)> = Vec::new();
    for (dir, folder, results, report) in found {
        let to = args.out.join(&folder);
        results::copy_published(&dir, &to, &results, &report.texts, &report.tables)
            .map_err(failed)?;
        entries.push((folder, results));
    }
    let page = index(&args.title, &entries).map_err(wrong)?;
    std::fs::create_dir_all(&args.out).map_err(|e| failed(e.into()))?;
    let file = args.out.join("index.html");
    results::write_atomic(&file, page.as_bytes()).map_err(failed)?;
    if out::is_json() {
        let event = serde_json::json!({ "event": "site", "file": out::path(&file), "results": entries.len() });
        out::object(&event)?;
    } else {
        out::stdout(&format!("{}: {} results\n", file.display(), entries.len()))?;
    }
    Ok(Exit::Done)
}

/// `0001-email-lookup/full`.
fn below(root: &Path, dir: &Path) -> String {
    let rest = dir.strip_prefix(root).unwrap_or(dir);
    let steps = rest.components().map(|c| c.as_os_str().to_string_lossy().into_owned());
    steps.collect::<Vec<_>>().join("/")
}

/// Results that lie under the name of others would be shown as theirs.
fn refuse_mixed(folder: &str, results: &Results) -> Result<(), Exit> {
    let own = format!("{}/{}", results.plan.experiment.id, results.plan.profile);
    if folder == own {
        return Ok(());
    }
    Err(out::fail(Exit::Input, format!("the folder {folder} holds the results of {own}")))
}

/// A folder that holds something which no site of ours is stays as it is.
fn refuse_foreign(out_dir: &Path) -> Result<(), Exit> {
    let Ok(mut entries) = std::fs::read_dir(out_dir) else { return Ok(()) };
    let index: PathBuf = out_dir.join("index.html");
    let is_ours = std::fs::read_to_string(&index)
        .is_ok_and(|page| page.contains("<meta name=\"generator\" content=\"querylab\">"));
    if entries.next().is_some() && !is_ours {
        let text = format!(
            "{} holds files, but no index.html of querylab's: name an empty folder with --out",
            out_dir.display()
        );
        return Err(out::fail(Exit::Input, text));
    }
    Ok(())
}
