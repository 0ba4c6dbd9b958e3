//! Somebody else's Postgres: it is only read from, so nothing may be asked for that writes, restarts or owns it, and nothing
//! that only its owner could count.

use super::look::Look;
use crate::spec::codes;
use crate::spec::parse::Path;

/// What a Postgres of our own has beside.
const OWNED: [&str; 3] = ["version", "settings", "transport"];
/// What is made of a dataset.
const MADE: [&str; 3] = ["migrations", "after_load", "tables"];
/// What the server counts for all who use it, or is known only where its processes are.
const UNKNOWN: [&str; 10] = [
    "buffers_per_request",
    "index_build_time",
    "index_bytes",
    "index_scans_per_request",
    "postgres_cpu_per_request",
    "postgres_cpu_share",
    "postgres_pss_bytes",
    "table_bytes",
    "temp_bytes_per_request",
    "wal_bytes_per_request",
];

pub(super) fn check(look: &mut Look<'_>) {
    for path in look.each(&["variants", "*", "services", "postgres", "url_from"]) {
        let help = "write it in `[services.postgres]`: all variants use the same server";
        look.bad(codes::EXCLUDES, &path, "is in a variant", help);
    }
    for server in ["redis", "nginx"] {
        for path in look.both(&["services", server, "url_from"]) {
            look.bad(codes::NOT_YET, &path, "is for Postgres only", "leave it out");
        }
    }
    for server in ["postgres", "redis"] {
        for path in look.both(&["services", server, "static"]) {
            look.bad(codes::NOT_YET, &path, "is for Nginx only", "leave it out");
        }
    }
    let Some(url) = look.each(&["services", "postgres", "url_from"]).into_iter().next() else {
        let dataset = ["dataset".to_owned()];
        if look.tree.get("dataset").is_none_or(|data| data.get("migrations").is_none()) {
            look.needs(&dataset, "migrations", "unless `services.postgres.url_from` is there");
        }
        return;
    };
    servers(look, &url);
    data(look, &url);
    counts(look, &url);
}

fn servers(look: &mut Look<'_>, url: &Path) {
    for path in look.both(&["services", "postgres"]) {
        for key in OWNED {
            if look.of(&path, key).is_some() {
                look.excludes(&path, key, url, "is for a Postgres that querylab starts");
            }
        }
    }
    let design = ["design".to_owned()];
    if look.text(&design, "cache_state").is_some_and(|state| state != "hot") {
        let why = "can't be brought about on a machine that is somebody else's";
        look.excludes(&design, "cache_state", url, why);
    }
    if look.text(&design, "index_costs").is_some_and(|costs| costs != "none") {
        look.excludes(&design, "index_costs", url, "would write into somebody else's tables");
    }
}

fn data(look: &mut Look<'_>, url: &Path) {
    let dataset = ["dataset".to_owned()];
    for key in MADE {
        if look.of(&dataset, key).is_some() {
            look.excludes(&dataset, key, url, "would write into somebody else's Postgres");
        }
    }
    for path in look.each(&["indexes", "*"]) {
        let Some((name, above)) = path.split_last() else { continue };
        let why = "would be built in somebody else's Postgres: an index that is there is named by its variant alone";
        look.excludes(above, name, url, why);
    }
    for path in look.both(&["params", "*"]) {
        if look.of(&path, "from").is_some() {
            let why = "takes keys of rows that querylab makes, and there it makes none: write `values`, `from_csv` or `from_log`";
            look.excludes(&path, "from", url, why);
        }
    }
}

fn counts(look: &mut Look<'_>, url: &Path) {
    let why = "is not known of somebody else's Postgres, where others are counted too";
    for path in look.each(&["variants", "*", "expect"]) {
        if look.of(&path, "index_scans_per_request").is_some() {
            look.excludes(&path, "index_scans_per_request", url, why);
        }
    }
    let places: [&[&str]; 3] =
        [&["claims", "*", "expect"], &["thresholds", "*"], &["design", "primary"]];
    for path in places.into_iter().flat_map(|place| look.each(place)).collect::<Vec<_>>() {
        let metric = look.text(&path, "metric");
        if metric.is_some_and(|metric| UNKNOWN.contains(&metric)) {
            look.excludes(&path, "metric", url, why);
        }
    }
    for path in look.each(&["regression", "ratios", "*"]) {
        let Some((metric, above)) = path.split_last() else { continue };
        if UNKNOWN.contains(&metric.as_str()) {
            look.excludes(above, metric, url, why);
        }
    }
}
