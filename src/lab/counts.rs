//! What Postgres counts over a trial: before the first request, and after the last client is gone. On somebody else's server
//! nothing is counted: others are in its sums, and a sum that is not the trial's own is none.

use crate::plan::CellPlan;
use crate::probe::{self, DatabaseStats};
use crate::stack::{Role, Stack};

/// The sums before a trial.
pub(super) struct Before {
    stats: DatabaseStats,
    executed: Option<u64>,
}

/// What a trial has added.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Scans, buffers, bytes.
    pub(super) stats: DatabaseStats,
    /// Statements that were executed for the API, if Postgres counts them.
    pub(super) statements: Option<u64>,
}

/// Reads the sums before a trial; none of a server that is somebody else's.
///
/// # Errors
///
/// If Postgres can't be asked.
pub(super) async fn before(
    stack: &Stack,
    cell: &CellPlan,
    session: &mut probe::Session,
) -> anyhow::Result<Option<Before>> {
    if stack.postgres().is_none() {
        return Ok(None);
    }
    let stats = session.database_stats().await?;
    Ok(Some(Before { stats, executed: executed(stack, cell).await? }))
}

/// What was added since `before`, when the last client has told it: a backend does so at the latest when it ends. The API is
/// stopped for it, and the session ended.
///
/// # Errors
///
/// If the API can't be stopped, or Postgres can't be asked.
pub(super) async fn since(
    before: Option<Before>,
    stack: &mut Stack,
    cell: &CellPlan,
    mut session: probe::Session,
) -> anyhow::Result<Option<Counted>> {
    stack.stop_api().await.map_err(|e| anyhow::anyhow!("{e}"))?;
    let Some(before) = before else {
        session.close().await?;
        return Ok(None);
    };
    let app = stack.postgres_address(Role::App, &cell.database);
    session.wait_for_no_clients(&app.user).await?;
    let stats = session.database_stats().await?.since(&before.stats);
    session.close().await?;
    let executed = executed(stack, cell).await?.zip(before.executed);
    let statements = executed.map(|(now, then)| now.saturating_sub(then));
    Ok(Some(Counted { stats, statements }))
}

/// Statements that Postgres has executed for the API, by its own count, if it counts.
async fn executed(stack: &Stack, cell: &CellPlan) -> anyhow::Result<Option<u64>> {
    let admin = stack.postgres_address(Role::Admin, "postgres");
    let app = stack.postgres_address(Role::App, &cell.database);
    probe::statement_calls(&admin, &cell.database, &app.user).await
}
