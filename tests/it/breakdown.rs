//! Where the time goes, in a published run: the parts are there, and with the remainder they are the whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A cell of `breakdown.csv`: mean and share.
type Part = (Option<f64>, Option<f64>);

/// Fails unless each variant's parts are there and add up.
pub(crate) fn adds_up(published: &Path) {
    let text = fs::read_to_string(published.join("breakdown.csv")).unwrap();
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("variant,load,part,trials,mean_us,mean_low_us,mean_high_us,share")
    );
    let mut variants: BTreeMap<&str, BTreeMap<&str, Part>> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |i: usize| (!cells[i].is_empty()).then(|| cells[i].parse::<f64>().unwrap());
        let parts = variants.entry(cells[0]).or_default();
        assert!(parts.insert(cells[2], (number(4), number(7))).is_none(), "{line}");
    }
    assert_eq!(variants.keys().copied().collect::<Vec<_>>(), ["btree", "cached"]);
    for (variant, parts) in variants {
        let mean = |part: &str| parts[part].0;
        let whole = mean("whole").expect("the mean service time");
        let named: f64 = parts
            .iter()
            .filter(|(name, _)| **name != "whole")
            .filter_map(|(_, (mean, _))| *mean)
            .sum();
        // Six digits each.
        assert!((named - whole).abs() < whole * 1e-4, "{variant}: {named} of {whole}: {parts:?}");
        let shares: f64 =
            parts.iter().filter(|(n, _)| **n != "whole").filter_map(|(_, p)| p.1).sum();
        assert!((shares - 1.0).abs() < 1e-3, "{variant}: {shares}");
        for part in ["network", "routing", "pool_wait", "query", "serialise"] {
            // Where all keys are in the cache, nobody waits for the database.
            let may_be_none = variant == "cached" && ["pool_wait", "query"].contains(&part);
            let us = mean(part).expect(part);
            assert!(us > 0.0 || may_be_none && us >= 0.0, "{variant}: {part}: {parts:?}");
        }
        assert!(mean("nginx").is_some() && mean("remainder").is_some(), "{variant}: {parts:?}");
        let cache = mean("cache");
        assert_eq!(cache.is_some_and(|us| us > 0.0), variant == "cached", "{parts:?}");
        // A clock that ran twice would show: what the API itself takes is less than all.
        let inside: f64 = ["routing", "pool_wait", "cache", "query", "serialise"]
            .iter()
            .filter_map(|part| mean(part))
            .sum();
        assert!(inside < whole, "{variant}: {inside} of {whole}");
    }
    details_are_there(&fs::read_to_string(published.join("resources.csv")).unwrap());
    let report = fs::read_to_string(published.join("report.md")).unwrap();
    assert!(report.contains("## Where the time goes"));
    assert!(report.contains("| generator: network in "));
}

fn details_are_there(resources: &str) {
    let mut lines = resources.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |name: &str| {
            let column = header.iter().position(|h| *h == name).expect(name);
            cells[column].parse::<f64>().ok()
        };
        let has_network = cell("net_received_bytes_per_s").zip(cell("net_sent_bytes_per_s"));
        let component = cell_text(&header, &cells, "component");
        // Postgres counts no bytes, and nothing is invented for it.
        assert_eq!(has_network.is_some(), component != "postgres", "{line}");
        assert!(has_network.is_none_or(|(i, o)| i > 0.0 && o > 0.0), "{line}");
        if component != "generator" {
            assert!(cell("voluntary_switches_per_request").is_some(), "{line}");
            assert!(cell("disk_written_bytes_per_s").is_some(), "{line}");
        }
        assert!(cell("cpu_core_share").is_some_and(|share| share < 64.0), "{line}");
    }
}

fn cell_text<'a>(header: &[&str], cells: &[&'a str], name: &str) -> &'a str {
    cells[header.iter().position(|h| *h == name).expect(name)]
}
