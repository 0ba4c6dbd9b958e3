//! Settings in force, of each variant's servers, under each of its loads.
//!
//! What a load needs is set for it (connections, files), so two loads of one variant may differ. Both are told, each with its
//! loads: a setting of one load, told as the variant's, would look like a difference between variants.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What was in force, by `<variant>/<server>`, then setting, then value: under which loads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InForce(BTreeMap<String, BTreeMap<String, BTreeMap<String, BTreeSet<String>>>>);

/// Settings by server, then by name.
type Settings = BTreeMap<String, BTreeMap<String, String>>;

impl InForce {
    /// Notes what a trial's servers said; gives whether any of it was new.
    pub fn note(&mut self, variant: &str, load: &str, settings: &Settings) -> bool {
        let mut is_new = false;
        for (server, settings) in settings {
            let of = self.0.entry(format!("{variant}/{server}")).or_default();
            for (name, value) in settings {
                let values = of.entry(name.clone()).or_default();
                is_new |= values.entry(value.clone()).or_default().insert(load.to_owned());
            }
        }
        is_new
    }

    /// By `<variant>/<server>`, then setting: the value, or each with its loads.
    pub fn told(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        let of = |settings: &BTreeMap<String, BTreeMap<String, BTreeSet<String>>>| {
            settings.iter().map(|(name, values)| (name.clone(), value(values))).collect()
        };
        self.0.iter().map(|(whose, settings)| (whose.clone(), of(settings))).collect()
    }
}

fn value(values: &BTreeMap<String, BTreeSet<String>>) -> String {
    if let Some((only, _)) = values.first_key_value().filter(|_| values.len() == 1) {
        return only.clone();
    }
    let under = |(value, loads): (&String, &BTreeSet<String>)| {
        let loads: Vec<&str> = loads.iter().map(String::as_str).collect();
        format!("{value} under {}", loads.join(", "))
    };
    values.iter().map(under).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nginx(keepalive: &str) -> Settings {
        let settings = [("keepalive", keepalive), ("proxy_read_timeout", "60s")];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        BTreeMap::from([("nginx".to_owned(), BTreeMap::from(settings))])
    }

    #[test]
    fn a_setting_that_follows_the_load_is_told_with_its_loads_whichever_trial_came_first() {
        let trials = [("unloaded", "64"), ("users100", "110"), ("users1000", "110")];
        let mut forwards = InForce::default();
        let mut backwards = InForce::default();
        for ((load, value), (last_load, last_value)) in trials.iter().zip(trials.iter().rev()) {
            forwards.note("btree", load, &nginx(value));
            backwards.note("btree", last_load, &nginx(last_value));
        }
        assert_eq!(forwards.told(), backwards.told());
        let told = &forwards.told()["btree/nginx"];
        assert_eq!(told["keepalive"], "110 under users100, users1000; 64 under unloaded");
        assert_eq!(told["proxy_read_timeout"], "60s");
    }
}
