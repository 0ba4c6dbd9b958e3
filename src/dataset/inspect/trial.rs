//! A schema made in a private Postgres and read there; and a draft's rows put into it, to see whether they fit.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use sqlx::Connection as _;

use super::catalogue;
use crate::dataset::bulk;
use crate::dataset::catalogue::wait_until_alone;
use crate::dataset::connect::{answer, connect, execute, quote_ident};
use crate::dataset::copy::copy_table;
use crate::dataset::migrate::migrate;
use crate::dataset::orders::Addresses;
use crate::dataset::prepare::in_foreign_key_order;
use crate::plan::Plan;
use crate::rows::{ColumnSpec, Generator};
use crate::spec::draft::Schema;

/// The database that the migrations make, and its copies that drafts are tried in.
const SURVEY: &str = "ql_survey";
const TRIAL: &str = "ql_trial";
/// To make or to drop an empty database.
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs the migrations in a database of their own, and reads what they have made.
///
/// # Errors
///
/// If a migration fails, with its line, or the catalogue can't be read.
pub async fn survey(addresses: &Addresses, migrations: &Path) -> Result<Schema> {
    let mut admin = connect(&addresses.admin).await?;
    let create = format!("CREATE DATABASE {SURVEY} OWNER {}", quote_ident(&addresses.app.user));
    execute(&mut admin, &create, PATIENCE).await?;
    migrate(connect(&addresses.app_to(SURVEY)).await?, migrations).await?;
    let mut app = connect(&addresses.app_to(SURVEY)).await?;
    let schema = catalogue::read(&mut app).await?;
    app.close().await?;
    Ok(schema)
}

/// Loads the rows of a plan into a copy of the surveyed database. Gives the tables that would not take theirs, and why;
/// tables that refer to such a one are not tried.
///
/// # Errors
///
/// If something else fails than a table's rows.
pub async fn try_out(addresses: &Addresses, plan: &Plan) -> Result<Vec<(String, String)>> {
    let mut admin = connect(&addresses.admin).await?;
    let owner = quote_ident(&addresses.app.user);
    // A database can be copied only while nobody is in it.
    wait_until_alone(&mut admin).await?;
    execute(&mut admin, &format!("DROP DATABASE IF EXISTS {TRIAL}"), PATIENCE).await?;
    let create = format!("CREATE DATABASE {TRIAL} TEMPLATE {SURVEY} OWNER {owner}");
    execute(&mut admin, &create, PATIENCE).await?;
    let mut owner = connect(&addresses.admin_to(TRIAL)).await?;
    bulk::allow(&mut owner, &addresses.app.user).await?;
    answer("the end of a session", owner.close()).await?;
    let address = addresses.app_to(TRIAL);
    let mut app = connect(&address).await?;
    let mut refused: Vec<(String, String)> = Vec::new();
    for table in in_foreign_key_order(&mut app, &plan.dataset.tables).await? {
        let refers = |name: &str| {
            let to = |c: &ColumnSpec| matches!(&c.generator, Generator::ForeignKey { table, .. } if table == name);
            table.columns.iter().any(to)
        };
        if refused.iter().any(|(name, _)| refers(name)) {
            continue;
        }
        let loaded = copy_table(&mut app, plan.dataset.data_seed, table, &|_| {}).await;
        if let Err(why) = loaded {
            refused
                .push((table.name.clone(), format!("its rows were refused: {}", why.root_cause())));
            // What a refused COPY has left behind goes with its connection.
            app = connect(&address).await.context("the next table can't be tried")?;
        }
    }
    app.close().await?;
    Ok(refused)
}
