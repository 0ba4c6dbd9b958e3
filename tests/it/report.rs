//! What is made of published results: pages, plots, templates, splices, sites. No server, no network.

use std::path::{Path, PathBuf};

use crate::lab::{Project, expect_code, files, text_of};

/// A project with the published results of the first experiment in it.
fn with_results() -> (Project, PathBuf) {
    let project = Project::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
    for (path, bytes) in files(&from.join("0001-email-lookup")) {
        let to = project.dir.join("results").join(path.strip_prefix(&from).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
    let folder = project.dir.join("results/0001-email-lookup/full");
    (project, folder)
}

#[test]
fn pages_and_plots_are_rebuilt_byte_for_byte_and_what_is_old_goes() {
    let (project, folder) = with_results();
    let before = files(&folder);
    for name in ["report.md", "report.html", "plots/effects.svg", "summary.csv"] {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
    // A plot that this querylab does not draw any more: in the manifest, so ours to remove. A stranger's file stays.
    let manifest = folder.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let with_old =
        text.replacen("\"digests\": {", "\"digests\": {\n    \"plots/old.svg\": \"00\",", 1);
    std::fs::write(&manifest, with_old).unwrap();
    std::fs::write(folder.join("plots/old.svg"), "<svg/>").unwrap();
    std::fs::write(folder.join("plots/mine.svg"), "<svg/>").unwrap();
    expect_code(&project.output(&["report", "results/0001-email-lookup/full"]), 0);
    std::fs::remove_file(folder.join("plots/mine.svg")).expect("it was left alone");
    assert!(files(&folder) == before, "byte for byte what was published");
}

#[test]
fn a_page_fetches_nothing_and_stays_small() {
    let (_project, folder) = with_results();
    let page = std::fs::read_to_string(folder.join("report.html")).unwrap();
    for fetched in ["src=", "@import", "url(", "<link", "http://www.w3.org/1999"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    let whole: usize = files(&folder).values().map(Vec::len).sum();
    assert!(whole < 2 << 20, "{whole} bytes are to be checked in");
    // Every file that the page links to is there.
    for link in page.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let here = !link.starts_with('#') && !link.contains(':');
        assert!(!here || folder.join(link).is_file(), "{link}");
    }
}

#[test]
fn a_template_of_ones_own_is_filled_or_refused_with_its_line() {
    let (project, folder) = with_results();
    let before = files(&folder);
    let template = project.dir.join("short.md.j2");
    std::fs::write(&template, "# {{ title }}\n\n{{ decision_table }}\n\n{{ effects_plot }}\n")
        .unwrap();
    let dir = "results/0001-email-lookup/full";
    let printed = project.output(&["report", dir, "--template", "short.md.j2"]);
    expect_code(&printed, 0);
    let text = text_of(&printed.stdout);
    assert!(text.starts_with("# 0001-email-lookup") && text.contains("| `cached`"), "{text}");
    let words = ["report", dir, "--template", "short.md.j2", "--output", "short.html"];
    expect_code(&project.output(&words), 0);
    let page = std::fs::read_to_string(project.dir.join("short.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg class=\"plot wide\""));
    std::fs::write(&template, "a\n{{ titel }}\n").unwrap();
    let refused = project.output(&["report", dir, "--template", "short.md.j2"]);
    expect_code(&refused, 2);
    assert!(text_of(&refused.stderr).contains(":2"), "{}", text_of(&refused.stderr));
    std::fs::write(
        &template,
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
    )
    .unwrap();
    expect_code(&project.output(&["report", dir, "--template", "short.md.j2"]), 2);
    assert!(files(&folder) == before, "the folder stays as it was");
}

#[test]
fn a_document_is_spliced_checked_and_refused() {
    let (project, _) = with_results();
    let docs = project.dir.join("docs");
    std::fs::create_dir_all(&docs).unwrap();
    let file = docs.join("ARCHITECTURE.md");
    let document = "# Ours\n\n<!-- querylab:0001 -->\nold\n<!-- /querylab:0001 -->\n\nprose\n\n\
                    <!-- querylab:0001/ci figures unloaded -->\n<!-- /querylab:0001/ci -->\n\
                    <!-- querylab:0001 plot effects -->\n<!-- /querylab:0001 -->\n";
    std::fs::write(&file, document).unwrap();
    let check = ["splice", "--check", "docs/ARCHITECTURE.md"];
    expect_code(&project.output(&check), 10);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), document, "--check writes nothing");
    expect_code(&project.output(&["splice", "docs/ARCHITECTURE.md"]), 0);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("| `cached`") && !text.contains("\nold\n") && text.contains("\n\nprose\n\n")
    );
    assert!(text.contains("](../results/0001-email-lookup/full/plots/effects.svg)"), "{text}");
    expect_code(&project.output(&check), 0);
    for (wrong, why) in [
        (document.replace("querylab:0001 -->", "querylab:0009 -->"), "no results of `0009`"),
        (
            document.replace(" figures unloaded", " figures nowhere"),
            "there is no `figures nowhere`",
        ),
        (document.replace("plot effects", "plot affects"), "there is no plot `affects`"),
        ("no markers".to_owned(), "it has no marker"),
        ("<!-- querylab:0001 -->\n".to_owned(), "line 1: `0001 decision` is not closed"),
    ] {
        std::fs::write(&file, &wrong).unwrap();
        let refused = project.output(&["splice", "docs/ARCHITECTURE.md"]);
        expect_code(&refused, 2);
        assert!(text_of(&refused.stderr).contains(why), "{}", text_of(&refused.stderr));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), wrong, "left as it was");
    }
}

#[test]
fn the_pages_of_this_project_say_what_its_results_say() {
    let project = Project::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = root.join("README.md");
    expect_code(&project.output(&["splice", "--check", page.to_str().unwrap()]), 0);
}

#[test]
fn a_site_holds_all_results_and_refuses_what_is_not_its_own() {
    let (project, folder) = with_results();
    expect_code(&project.output(&["site"]), 0);
    let site = project.dir.join("site");
    let index = std::fs::read_to_string(site.join("index.html")).unwrap();
    for link in ["0001-email-lookup/full/report.html", "0001-email-lookup/ci/report.html"] {
        assert!(index.contains(&format!("href=\"{link}\"")) && site.join(link).is_file(), "{link}");
    }
    let copied = files(&site.join("0001-email-lookup/full"));
    let published = files(&folder);
    let bytes = |all: &std::collections::BTreeMap<PathBuf, Vec<u8>>| -> Vec<Vec<u8>> {
        all.values().cloned().collect()
    };
    assert!(bytes(&copied) == bytes(&published), "the results as they are");
    // Again, into what is there: the same bytes.
    let before = files(&site);
    expect_code(&project.output(&["site"]), 0);
    assert!(files(&site) == before);
    let foreign = project.dir.join("foreign");
    std::fs::create_dir_all(&foreign).unwrap();
    std::fs::write(foreign.join("index.html"), "mine").unwrap();
    expect_code(&project.output(&["site", "--out", "foreign"]), 2);
    assert_eq!(std::fs::read_to_string(foreign.join("index.html")).unwrap(), "mine");
    // What was edited by hand is not shown to anybody.
    let trials = folder.join("trials.csv");
    let text = std::fs::read_to_string(&trials).unwrap();
    std::fs::write(&trials, text.replacen(",ok,", ",overloaded,", 1)).unwrap();
    let refused = project.output(&["site", "--out", "other"]);
    expect_code(&refused, 2);
    assert!(text_of(&refused.stderr).contains("was changed since it was published"));
}

#[test]
fn every_experiment_of_the_repository_has_results_of_this_very_plan_that_are_rebuilt_byte_for_byte()
{
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (project, mut seen) = (Project::new(), 0);
    for (file, _) in files(&root.join("experiments")) {
        for profile in ["full", "gate", "ci"] {
            let layers = querylab::spec::Layers {
                profile: (profile != "full").then(|| profile.to_owned()),
                ..querylab::spec::Layers::default()
            };
            // Only the first has a size for the gate of querylab itself.
            let Ok(spec) = querylab::spec::load(&file, &layers) else { continue };
            let plan = querylab::plan::resolve(&spec).unwrap();
            let folder = root.join("results").join(&plan.experiment.id).join(profile);
            let kept = std::fs::read_to_string(folder.join("plan.json"))
                .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
            let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
            let id = &plan.experiment.id;
            assert_eq!(
                kept["fingerprint"],
                plan.fingerprint.as_str(),
                "{id} {profile} is of another plan"
            );
            seen += 1;
        }
    }
    assert!(seen >= 21, "{seen} sizes of experiments");
    for manifest in files(&root.join("results")).keys().filter(|p| p.ends_with("manifest.json")) {
        let folder = manifest.parent().unwrap().to_str().unwrap();
        let output = project.output(&["verify", folder]);
        assert_eq!(output.status.code(), Some(0), "{folder}: {}", text_of(&output.stderr));
        let size_bytes: u64 = files(manifest.parent().unwrap())
            .keys()
            .map(|file| std::fs::metadata(file).unwrap().len())
            .sum();
        assert!(size_bytes < 1_000_000, "{folder} is of {size_bytes} bytes");
    }
}
