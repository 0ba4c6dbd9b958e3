//! What decides the data, and the one name for all of it: same key, same data.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::plan::{Plan, SourcePlan};
use crate::rows::{Rows, TableSpec, checksum};
use crate::units::hex;

/// Version of how rows are loaded. To be raised with whatever makes other data of the same plan: another order of rows,
/// other statements around the COPY, another way of cloning.
pub const LOADER: u32 = 4;
/// Version of an entry's files.
pub(super) const FORMAT: u32 = 1;
/// Rows, spread over a table, whose text is part of the key: a changed generator is noticed though nobody raised a number.
const SAMPLES: u64 = 256;

/// Settings that leave no trace in the files of tables and indexes: memory, waiting, writing, logging. All others are
/// taken for such that do.
const HARMLESS: &[&str] = &[
    "autovacuum_max_workers",
    "backend_flush_after",
    "bgwriter_delay",
    "bgwriter_flush_after",
    "bgwriter_lru_maxpages",
    "bgwriter_lru_multiplier",
    "checkpoint_completion_target",
    "checkpoint_flush_after",
    "checkpoint_timeout",
    "commit_delay",
    "commit_siblings",
    "deadlock_timeout",
    "dynamic_shared_memory_type",
    "effective_cache_size",
    "effective_io_concurrency",
    "fsync",
    "huge_pages",
    "idle_in_transaction_session_timeout",
    "io_combine_limit",
    "io_method",
    "io_workers",
    "jit",
    "jit_above_cost",
    "jit_inline_above_cost",
    "jit_optimize_above_cost",
    "lock_timeout",
    "maintenance_io_concurrency",
    "max_connections",
    "max_wal_size",
    "min_wal_size",
    "plan_cache_mode",
    "shared_buffers",
    "statement_timeout",
    "synchronous_commit",
    "temp_buffers",
    "track_activities",
    "track_io_timing",
    "wal_buffers",
    "wal_writer_delay",
    "wal_writer_flush_after",
];

/// Settings of the planner. They choose the order in which a statement of the author's reads and writes rows; where
/// nothing but ANALYZE and VACUUM follows the load, there is no such statement.
const PLANNING: &[&str] = &[
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "cpu_tuple_cost",
    "cursor_tuple_fraction",
    "from_collapse_limit",
    "hash_mem_multiplier",
    "join_collapse_limit",
    "max_parallel_workers_per_gather",
    "min_parallel_index_scan_size",
    "min_parallel_table_scan_size",
    "parallel_setup_cost",
    "parallel_tuple_cost",
    "random_page_cost",
    "seq_page_cost",
];
/// The same by the beginning of their names.
const ALSO_PLANNING: &[&str] = &["enable_", "work_mem"];

/// How the cluster is made, as plain values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Version of Postgres.
    pub version: String,
    /// Digest of its program.
    pub build: String,
    /// Encoding, locale, checksums, and the settings that hold unless the file says otherwise.
    pub made_with: Vec<String>,
}

/// Everything that decides what is in the files of a cluster with the data loaded, and no index set yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ingredients {
    /// Version of the entry's own files.
    pub format: u32,
    /// [`LOADER`].
    pub loader: u32,
    /// Version of querylab.
    pub querylab: String,
    /// Processor and byte order: files of another kind of machine are of no use.
    pub machine: String,
    /// Version of Postgres.
    pub postgres: String,
    /// Digest of its program.
    pub build: String,
    /// Encoding, locale, checksums, settings unless the file says otherwise.
    pub cluster: Vec<String>,
    /// Settings during the load that may show in the files.
    pub settings: BTreeMap<String, String>,
    /// Number and digest of each migration, byte for byte.
    pub migrations: Vec<(i64, String)>,
    /// Seed of the rows.
    pub seed: u64,
    /// Tables, rows, generators, in the order of the load.
    pub tables: Vec<TableSpec>,
    /// Tables whose rows are not made: digests of their files, or their queries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourcePlan>,
    /// Digests of rows as this program makes them, by table.
    pub samples: Vec<String>,
    /// Statements after the load.
    pub after_load: Vec<String>,
}

impl Ingredients {
    /// Those of a plan, loaded into such a cluster with these migrations.
    ///
    /// # Errors
    ///
    /// If rows can't be made.
    pub fn of(plan: &Plan, cluster: &Cluster, migrations: Vec<(i64, String)>) -> Result<Self> {
        let data = &plan.dataset;
        let loading = plan.cells.first().map(|cell| &cell.stack.postgres.settings);
        let bare = data.after_load.iter().all(|sql| is_upkeep(sql))
            && data.sources.iter().all(|source| source.from.is_copied());
        let settings = loading.into_iter().flatten().filter(|(name, _)| may_show(name, bare));
        Ok(Self {
            format: FORMAT,
            loader: LOADER,
            querylab: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine(),
            postgres: cluster.version.clone(),
            build: cluster.build.clone(),
            cluster: cluster.made_with.clone(),
            settings: settings.map(|(n, v)| (n.clone(), v.clone())).collect(),
            migrations,
            seed: data.data_seed,
            tables: data.tables.clone(),
            sources: data.sources.clone(),
            samples: data
                .tables
                .iter()
                .map(|table| sample(data.data_seed, table))
                .collect::<Result<_>>()?,
            after_load: data.after_load.clone(),
        })
    }

    /// The name for all of it, 64 hexadecimal digits.
    ///
    /// # Panics
    ///
    /// Never: numbers, texts and lists always become JSON.
    #[must_use]
    pub fn key(&self) -> String {
        let json = serde_json::to_vec(self).expect("plain data becomes JSON");
        hex(&Sha256::digest(&json))
    }
}

fn machine() -> String {
    let order = if cfg!(target_endian = "little") { "little" } else { "big" };
    format!("{} {order}", std::env::consts::ARCH)
}

/// The ends of a table, and rows in between.
fn sample(seed: u64, table: &TableSpec) -> Result<String> {
    let rows =
        Rows::new(seed, table.clone()).map_err(|e| anyhow!("table `{}`: {e}", table.name))?;
    let mut lines = checksum(&rows).into_bytes();
    let step = (table.rows / SAMPLES).max(1);
    let mut row = step;
    while row <= table.rows {
        rows.write_copy_row(row, &mut lines);
        row += step;
    }
    Ok(hex(&Sha256::digest(&lines)))
}

/// Whether a statement after the load leaves the rows as and where they are.
fn is_upkeep(sql: &str) -> bool {
    let first = sql.split_ascii_whitespace().next().unwrap_or_default();
    let upkeep = ["ANALYZE", "ANALYSE", "VACUUM"];
    upkeep.iter().any(|word| first.trim_end_matches(';').eq_ignore_ascii_case(word))
        && !sql.trim_end().trim_end_matches(';').contains(';')
}

fn may_show(setting: &str, bare: bool) -> bool {
    let name = setting.to_ascii_lowercase();
    let plans =
        PLANNING.contains(&name.as_str()) || ALSO_PLANNING.iter().any(|p| name.starts_with(p));
    let logs = name.starts_with("log_");
    !(HARMLESS.contains(&name.as_str()) || logs || (plans && bare))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::SourceKind;
    use crate::rows::{ColumnSpec, Generator, RowOrder};

    /// What is changed, and how.
    type Change = (&'static str, fn(&mut Ingredients));

    fn ingredients() -> Ingredients {
        let columns = vec![ColumnSpec {
            name: "id".into(),
            generator: Generator::Sequence { start: 1, step: 1 },
            null_ratio: 0.0,
        }];
        Ingredients {
            format: FORMAT,
            loader: LOADER,
            querylab: "0.1.0".into(),
            machine: machine(),
            postgres: "15.18".into(),
            build: "b".into(),
            cluster: vec!["--locale=C".into()],
            settings: [("default_toast_compression".to_owned(), "lz4".to_owned())].into(),
            migrations: vec![(1, "m".into())],
            seed: 7,
            tables: vec![TableSpec {
                name: "t".into(),
                rows: 10,
                order: RowOrder::default(),
                columns,
            }],
            sources: vec![SourcePlan {
                table: "u".into(),
                columns: Vec::new(),
                rows: None,
                from: SourceKind::Sql { file: "u.sql".into(), sha256: "d".into() },
            }],
            samples: vec!["s".into()],
            after_load: vec!["ANALYZE".into()],
        }
    }

    #[test]
    fn each_ingredient_changes_the_key() {
        let whole = ingredients();
        // A new ingredient does not compile here before it has a line below.
        let Ingredients {
            format: _,
            loader: _,
            querylab: _,
            machine: _,
            postgres: _,
            build: _,
            cluster: _,
            settings: _,
            migrations: _,
            seed: _,
            tables: _,
            sources: _,
            samples: _,
            after_load: _,
        } = &whole;
        let changes: [Change; 23] = [
            ("format", |i| i.format += 1),
            ("loader", |i| i.loader += 1),
            ("querylab", |i| i.querylab.push('1')),
            ("machine", |i| i.machine.push('x')),
            ("postgres", |i| i.postgres = "15.19".into()),
            ("build", |i| i.build = "c".into()),
            ("locale", |i| i.cluster[0] = "--locale=C.UTF-8".into()),
            ("checksums", |i| i.cluster.push("--data-checksums".into())),
            ("a setting", |i| {
                i.settings.insert("default_toast_compression".into(), "pglz".into());
            }),
            ("no setting", |i| i.settings.clear()),
            ("migration", |i| i.migrations[0].1 = "n".into()),
            ("number of a migration", |i| i.migrations[0].0 = 2),
            ("seed", |i| i.seed += 1),
            ("rows", |i| i.tables[0].rows += 1),
            ("table", |i| i.tables[0].name = "u".into()),
            ("order of rows", |i| i.tables[0].order = RowOrder::Shuffled),
            ("column", |i| i.tables[0].columns[0].name = "no".into()),
            ("generator", |i| {
                i.tables[0].columns[0].generator = Generator::Sequence { start: 1, step: 2 };
            }),
            ("null ratio", |i| i.tables[0].columns[0].null_ratio = 0.5),
            ("a file of rows", |i| {
                i.sources[0].from = SourceKind::Sql { file: "u.sql".into(), sha256: "e".into() };
            }),
            ("no file of rows", |i| i.sources.clear()),
            ("rows as made", |i| i.samples[0] = "r".into()),
            ("after load", |i| i.after_load.push("VACUUM".into())),
        ];
        let mut keys = vec![whole.key()];
        for (what, change) in changes {
            let mut other = ingredients();
            change(&mut other);
            let key = other.key();
            assert!(!keys.contains(&key), "{what} does not change the key");
            keys.push(key);
        }
        assert_eq!(ingredients().key(), keys[0], "the same is the same");
    }

    #[test]
    fn a_row_in_the_middle_of_a_large_table_is_part_of_its_sample() {
        let table = |generator| TableSpec {
            name: "t".into(),
            rows: 100_000,
            order: RowOrder::default(),
            columns: vec![ColumnSpec { name: "x".into(), generator, null_ratio: 0.0 }],
        };
        let one = sample(1, &table(Generator::Uuid)).unwrap();
        assert_eq!(sample(1, &table(Generator::Uuid)).unwrap(), one);
        assert_ne!(sample(2, &table(Generator::Uuid)).unwrap(), one);
        assert_ne!(sample(1, &table(Generator::PersonName)).unwrap(), one);
    }

    #[test]
    fn only_settings_that_may_show_in_the_files_are_ingredients() {
        for name in ["shared_buffers", "Effective_Cache_Size", "log_min_duration_statement", "jit"]
        {
            assert!(!may_show(name, true) && !may_show(name, false), "{name}");
        }
        for name in
            ["default_toast_compression", "maintenance_work_mem", "autovacuum", "unheard_of"]
        {
            assert!(may_show(name, true) && may_show(name, false), "{name}");
        }
        for name in ["work_mem", "random_page_cost", "enable_hashjoin"] {
            assert!(!may_show(name, true), "{name}");
            assert!(
                may_show(name, false),
                "{name}: a statement of the author's may write rows by it"
            );
        }
    }

    #[test]
    fn what_follows_the_load_is_upkeep_or_may_be_anything() {
        for sql in ["ANALYZE", "analyze users;", "VACUUM (ANALYZE) users"] {
            assert!(is_upkeep(sql), "{sql}");
        }
        for sql in ["INSERT INTO a SELECT * FROM b", "ANALYZE; INSERT INTO a VALUES (1)", ""] {
            assert!(!is_upkeep(sql), "{sql}");
        }
    }
}
