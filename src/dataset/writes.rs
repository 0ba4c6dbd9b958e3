//! Whether anything was written to a plan's databases between two looks.

use std::collections::BTreeMap;

use anyhow::Result;

use super::connect::{answer, connect};
use super::orders::Addresses;
use crate::plan::Plan;

/// What the databases of a plan say of writes so far: by database, rows written to each table, where each
/// sequence is, and since when the server has counted.
pub type Writes = BTreeMap<String, Vec<String>>;

/// Asks for it.
///
/// # Errors
///
/// If a database does not answer.
pub async fn writes(addresses: &Addresses, plan: &Plan) -> Result<Writes> {
    let mut all = Writes::new();
    for set in &plan.index_sets {
        let mut app = connect(&addresses.app_to(&set.database)).await?;
        // What a server counts before it was shut down, the next one goes on from. One that crashed has counted in vain, and
        // the next one begins at 0, as a clone does: only the moment from which it counts tells the two apart.
        let sql = "SELECT format('%s.%s: %s', schemaname, relname, n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables \
                   UNION ALL SELECT format('%s.%s at %s', schemaname, sequencename, last_value) FROM pg_sequences \
                   UNION ALL SELECT format('counted since %s', extract(epoch FROM stats_reset)) FROM pg_stat_bgwriter ORDER BY 1";
        let told: Vec<String> = answer(
            format_args!("what was written to `{}`", set.database),
            sqlx::query_scalar(sql).fetch_all(&mut app),
        )
        .await?;
        all.insert(set.database.clone(), told);
    }
    Ok(all)
}
