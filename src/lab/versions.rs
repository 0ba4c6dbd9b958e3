//! Versions of Postgres side by side: each has a session with servers and data of its own, and the part of the plan that is
//! about it. A plan that names no version, or one, has one part: itself.

use std::collections::{BTreeMap, BTreeSet};

use super::event::Stop;
use crate::plan::{CellPlan, Plan};
use crate::results::{DataOrigin, DatasetRecord};
use crate::stack::{Builds, Needs, Session, SessionOptions};

/// What one version of Postgres has to do.
pub(super) struct Part {
    /// The version, where the plan names one.
    pub(super) major: Option<u32>,
    /// Cells and index sets of this version.
    pub(super) plan: Plan,
    /// How its servers are had.
    pub(super) session: SessionOptions,
}

impl Part {
    /// Whose servers and data the next lines are about.
    pub(super) fn title(&self) -> String {
        match self.major {
            Some(major) => format!("Postgres {major}:"),
            None => "Postgres, whichever is here:".to_owned(),
        }
    }
}

/// The parts of a plan, in the order of its index sets.
pub(super) fn parts(plan: &Plan, session: &SessionOptions) -> Vec<Part> {
    let mut majors: Vec<Option<u32>> = Vec::new();
    for set in &plan.index_sets {
        if !majors.contains(&set.major) {
            majors.push(set.major);
        }
    }
    let is_one = majors.len() < 2;
    let builds = if is_one { Builds::Any } else { alike(&majors) };
    let part = |major: Option<u32>| {
        let is_of_it = |variant: &str, _: &str| {
            plan.index_set_of(variant).is_some_and(|set| set.major == major)
        };
        let plan = if is_one { plan.clone() } else { plan.clone().restricted_to(is_of_it)? };
        // What another part asks for is no matter of this one: a variant on 18 asks nothing of a baseline that takes 15.
        let least = plan.cells.iter().map(|cell| &cell.stack.postgres.min_version).max();
        let postgres = least.cloned().unwrap_or_default();
        let builds = builds.clone();
        let needs = Needs { postgres, postgres_major: major, builds, ..session.needs.clone() };
        Some(Part { major, plan, session: SessionOptions { needs, ..session.clone() } })
    };
    majors.into_iter().filter_map(part).collect()
}

/// Versions that are compared are built by one packager: else his compiler's settings would be compared too.
fn alike(majors: &[Option<u32>]) -> Builds {
    // Where one is not named, the system may have the others and not it.
    let all: Option<BTreeSet<u32>> = majors.iter().copied().collect();
    Builds::Alike(all.unwrap_or_default())
}

/// The sessions of a run, by version.
#[derive(Default)]
pub(super) struct Sessions(Vec<(Option<u32>, Session)>);

impl Sessions {
    pub(super) fn add(&mut self, major: Option<u32>, session: Session) {
        self.0.push((major, session));
    }

    /// That of a cell; none if it was not opened.
    pub(super) fn of(&self, cell: &CellPlan) -> Option<&Session> {
        let major = cell.stack.postgres.major;
        self.0.iter().find(|(of, _)| *of == major).map(|(_, session)| session)
    }

    /// Versions of all servers: where sessions differ, both.
    pub(super) fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::<String, String>::new();
        for (server, version) in self.0.iter().flat_map(|(_, session)| session.versions()) {
            versions
                .entry(server)
                .and_modify(|told| {
                    if *told != version {
                        *told = format!("{told} and {version}");
                    }
                })
                .or_insert(version);
        }
        versions
    }

    /// What the compiler of each Postgres was told, by version.
    pub(super) fn compiled_with(&self) -> BTreeMap<String, String> {
        let told = self.0.iter().filter_map(|(_, session)| {
            Some((session.versions().remove("postgres")?, session.compiled_with()?))
        });
        told.collect()
    }

    /// That no two of them have the same version of Postgres: then nothing would be compared with itself.
    ///
    /// # Errors
    ///
    /// The sentence for a run that ends here.
    pub(super) fn are_different(&self) -> Result<(), Stop> {
        let postgres = self.0.iter().filter_map(|(_, s)| s.versions().remove("postgres"));
        match twice(postgres) {
            None => Ok(()),
            Some(same) => Err(Stop::Provisioning(format!(
                "two variants want different versions of Postgres, and both would run {same}: name the version of each \
                 (`services.postgres.version = \"15\"`)"
            ))),
        }
    }

    /// One after the other, in the order in which they were opened.
    pub(super) fn into_each(self) -> impl Iterator<Item = Session> {
        self.0.into_iter().map(|(_, session)| session)
    }
}

/// What a reader should know of builds that are compared; nothing where there is one.
pub(super) fn how_compiled(builds: &BTreeMap<String, String>) -> Option<String> {
    let builds: Vec<(&String, String)> =
        builds.iter().map(|(version, flags)| (version, decisive(flags))).collect();
    let flags: BTreeSet<&String> = builds.iter().map(|(_, flags)| flags).collect();
    if flags.len() < 2 {
        let alike = flags.first().filter(|_| builds.len() > 1)?;
        return Some(format!(
            "the versions of Postgres were compiled alike, with `{alike}`; other builds of them need not differ in the same way"
        ));
    }
    let each: Vec<String> =
        builds.iter().map(|(version, flags)| format!("{version} with `{flags}`")).collect();
    Some(format!(
        "the versions of Postgres were compiled differently, so a small difference between them may be the compiler's: {}",
        each.join("; ")
    ))
}

/// Flags that can decide how fast a program is: no warnings, which each version has its own of, and nothing for debuggers.
fn decisive(flags: &str) -> String {
    // With a comma they are passed on to another program.
    let warns = |flag: &str| flag.starts_with("-W") && !flag.contains(',');
    let debugs = |flag: &str| flag == "-g" || flag.contains("-prefix-map=");
    let told = flags.split_whitespace().filter(|flag| !warns(flag) && !debugs(flag));
    told.collect::<Vec<_>>().join(" ")
}

/// The first version whose first number is also that of an earlier one.
fn twice(mut versions: impl Iterator<Item = String>) -> Option<String> {
    let mut seen = BTreeSet::new();
    versions.find(|version| {
        let major = version.split('.').next().unwrap_or_default().to_owned();
        !seen.insert(major)
    })
}

/// The data of one more version: the same rows, and indexes of their own. Times of tables are those of a
/// version that was loaded for this run, if one was: that all of it is of an earlier run would be wrong.
///
/// # Errors
///
/// If they are not the same rows.
pub(super) fn together(
    first: Option<DatasetRecord>,
    more: DatasetRecord,
) -> Result<DatasetRecord, Stop> {
    let Some(mut all) = first else { return Ok(more) };
    // Of the same number two loads may still have made other rows: the checksum is of what they hold.
    let rows = |record: &DatasetRecord| -> BTreeMap<String, (u64, String)> {
        let tables = record.tables.iter();
        tables.map(|table| (table.name.clone(), (table.rows, table.checksum.clone()))).collect()
    };
    let (here, there) = (rows(&all), rows(&more));
    if here != there {
        let text = format!("the versions of Postgres have different rows: {here:?} and {there:?}");
        return Err(Stop::Correctness(text));
    }
    if more.origin == Some(DataOrigin::Built) && all.origin != more.origin {
        all.origin = more.origin;
        all.tables = more.tables;
    }
    all.indexes.extend(more.indexes);
    all.index_costs.extend(more.index_costs);
    all.prepare_ms = all.prepare_ms.saturating_add(more.prepare_ms);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::results::{DataPlace, TableRecord};
    use crate::spec::{Layers, load_text};
    use crate::stack::{Keep, Setup, Surroundings};

    /// The small experiment, one of its variants on Postgres 18; and what a run of the whole plan would need.
    fn planned() -> (Plan, SessionOptions) {
        let file = "tests/fixtures/tiny/experiments/tiny.toml";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = include_str!("../../tests/fixtures/tiny/experiments/tiny.toml");
        let named = "[variants.cached]\nservices.postgres.version = \"18\"";
        let text = text.replacen("[variants.cached]", named, 1);
        let spec = load_text(&file, text, &Layers::default()).expect("a file");
        let plan = crate::plan::resolve(&spec).expect("a plan");
        let session = SessionOptions {
            run_id: "r".into(),
            run_as: None,
            keep: Keep::Nothing,
            setup: Setup::Refuse,
            needs: Needs { postgres: vec![18], ..Needs::default() },
            surroundings: Surroundings::default(),
        };
        (plan, session)
    }

    #[test]
    fn what_a_variant_on_another_version_asks_for_is_not_asked_of_the_baseline() {
        let (plan, session) = planned();
        let parts = parts(&plan, &session);
        let needs: Vec<(Option<u32>, Vec<u32>)> = parts
            .iter()
            .map(|part| {
                let needs = &part.session.needs;
                (needs.postgres_major, needs.postgres.clone())
            })
            .collect();
        assert_eq!(parts.len(), 2);
        let alike = |part: &Part| part.session.needs.builds == Builds::Alike(BTreeSet::new());
        assert!(parts.iter().all(alike), "of one packager, who must have whatever is here");
        assert!(needs.contains(&(Some(18), vec![18])), "{needs:?}");
        let baseline = needs.iter().find(|(major, _)| major.is_none()).expect("the baseline's");
        assert!(baseline.1 < vec![18], "{needs:?}");
    }

    #[test]
    fn versions_that_are_compared_are_built_alike_and_it_is_said_where_they_are_not() {
        assert_eq!(alike(&[Some(15), Some(18)]), Builds::Alike([15, 18].into()));
        assert_eq!(alike(&[None, Some(18)]), Builds::Alike(BTreeSet::new()));
        let said = |flags: [&str; 2]| {
            let [one, two] = flags.map(str::to_owned);
            how_compiled(&[("15.18".into(), one), ("18.1".into(), two)].into()).expect("two")
        };
        let newer = "-g -Wall -Wshadow=local -ffile-prefix-map=/build/18.1=. -O2";
        let alike = said(["-Wall -O2", newer]);
        assert!(alike.contains("alike, with `-O2`"), "warnings make no program slower: {alike}");
        let differ = said(["-O2", "-Os"]);
        assert!(differ.contains("differently"), "{differ}");
        assert!(differ.ends_with("15.18 with `-O2`; 18.1 with `-Os`"), "{differ}");
        assert_eq!(how_compiled(&[("15.18".into(), "-O2".into())].into()), None);
        assert_eq!(how_compiled(&BTreeMap::new()), None);
    }

    #[test]
    fn two_servers_of_one_version_are_noticed_by_their_first_number() {
        let of = |versions: &[&str]| twice(versions.iter().map(|v| (*v).to_owned()));
        assert_eq!(of(&["15.18", "18.1"]), None);
        assert_eq!(of(&["18.1", "15.18", "18.4"]), Some("18.4".into()));
        assert_eq!(of(&["18.1"]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn data_of_two_versions_are_the_same_rows_and_built_if_either_is() {
        let record = |rows, origin| DatasetRecord {
            tables: vec![TableRecord { name: "t".into(), rows, ..TableRecord::default() }],
            prepare_ms: 1,
            origin: Some(origin),
            ..DatasetRecord::default()
        };
        let reused = || DataOrigin::Reused {
            entry: "e".into(),
            place: DataPlace::Copy,
            built_sets: 0,
            built_ms: 9,
        };
        let both =
            |one, two| together(Some(record(7, one)), record(7, two)).expect("the same rows");
        assert_eq!(both(reused(), DataOrigin::Built).origin, Some(DataOrigin::Built));
        assert_eq!(both(DataOrigin::Built, reused()).origin, Some(DataOrigin::Built));
        assert_eq!(both(reused(), reused()).origin, Some(reused()));
        assert_eq!(both(reused(), reused()).prepare_ms, 2);
        let other = together(Some(record(7, reused())), record(8, reused()));
        assert!(matches!(other, Err(Stop::Correctness(_))), "{other:?}");
        let mut changed = record(7, reused());
        changed.tables[0].checksum = "other".into();
        let other = together(Some(record(7, reused())), changed);
        assert!(matches!(other, Err(Stop::Correctness(_))), "as many, and others: {other:?}");
    }
}
