//! What a run was made on and of: the machine, and the rows that were loaded.

use std::collections::BTreeMap;

use super::markdown::{cell as escaped, code};
use crate::results::{DataOrigin, DataPlace, Results};
use crate::units::{bytes, count};

/// How a value is said.
type Say = fn(&str) -> String;

/// The machine in the order in which people say it; what we have no words for follows as it is.
pub(super) fn machine(host: &BTreeMap<String, String>) -> String {
    let known: [(&str, Say); 7] = [
        ("cpu_model", escaped),
        ("cores", |n| format!("{} {}", escaped(n), if n == "1" { "core" } else { "cores" })),
        ("memory_bytes", |n| match n.parse::<f64>() {
            Ok(n) => format!("{} memory", bytes(n)),
            Err(_) => escaped(n),
        }),
        ("os", escaped),
        ("kernel", |v| format!("kernel {}", escaped(v))),
        ("virtual_machine", |is| {
            if is == "yes" { "a virtual machine".into() } else { "no virtual machine".into() }
        }),
        ("load_average_before", |n| format!("load average {} before the run", escaped(n))),
    ];
    let mut said: Vec<String> =
        known.iter().filter_map(|(key, say)| Some(say(host.get(*key)?))).collect();
    let others = host.iter().filter(|(key, _)| !known.iter().any(|(k, _)| k == key));
    said.extend(others.map(|(key, value)| format!("{} {}", escaped(key), escaped(value))));
    said.join(", ")
}

/// How many rows of which table: as loaded, or as planned where nothing was.
pub(super) fn data(results: &Results) -> String {
    let loaded = &results.manifest.dataset.tables;
    let mut rows: Vec<String> =
        loaded.iter().map(|t| format!("{} rows of {}", count(t.rows), code(&t.name))).collect();
    if loaded.is_empty() {
        let planned = results.plan.dataset.tables.iter();
        rows.extend(planned.map(|t| {
            format!("{} rows of {} (planned, not recorded)", count(t.rows), code(&t.name))
        }));
    }
    rows.join(", ")
}

/// The same, and whether they were made for this run.
pub(super) fn data_and_origin(results: &Results) -> String {
    let told = data(results) + &origin(results);
    match told.strip_prefix(", ") {
        Some(rest) => rest.to_owned(),
        None => told,
    }
}

/// Whether Postgres was somebody else's; and if, whether its role could have written.
pub(super) fn external(results: &Results) -> Option<bool> {
    match results.manifest.dataset.origin {
        Some(DataOrigin::External { could_write }) => Some(could_write),
        _ => None,
    }
}

/// Whether the data were made for this run; nothing where that is not known.
fn origin(results: &Results) -> String {
    match &results.manifest.dataset.origin {
        None => String::new(),
        Some(DataOrigin::Built) => ", made for this run".into(),
        Some(DataOrigin::External { .. }) => {
            ", those of a Postgres that is not querylab's, as they were".into()
        }
        Some(DataOrigin::Reused { entry, place, built_sets, .. }) => {
            let what = match place {
                DataPlace::Copy => "a copy of data",
                DataPlace::InPlace => "data",
            };
            let built = match built_sets {
                0 => String::new(),
                n => format!(", of which {n} sets of indexes were built for it"),
            };
            let entry = code(entry.get(..12).unwrap_or(entry));
            format!(
                ", {what} that an earlier run made (cache entry {entry}){built}: times of loading and of building are from when that was done"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_said_with_units_and_whatever_else_is_known_follows() {
        let host = [
            ("cores", "2"),
            ("memory_bytes", "25276510208"),
            ("cpu_model", "AMD | EPYC"),
            ("virtual_machine", "yes"),
            ("disk", "nvme"),
        ];
        let host = host.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        assert_eq!(
            machine(&host),
            "AMD \\| EPYC, 2 cores, 23.5 GB memory, a virtual machine, disk nvme"
        );
    }
}
