//! `querylab serve`: the stack of one variant, up until somebody has seen enough.

use tokio::sync::watch;

use super::event::{Event, Interrupt, Stop, stop_of};
use crate::dataset;
use crate::plan::Plan;
use crate::spec::Spec;
use crate::stack::{Role, Session, SessionOptions};

/// What is being served.
#[derive(Debug, Clone)]
pub struct Served {
    /// `http://127.0.0.1:20123`.
    pub url: String,
    /// Endpoint, method and example path.
    pub endpoints: Vec<(String, String, String)>,
    /// `psql` arguments that reach the variant's database as the experiment's role (the password is in a file there).
    pub postgres_socket_dir: String,
    /// Database.
    pub database: String,
}

/// Who hears what happens, and who is told when all is up.
pub type Listeners<'a> = (&'a mut (dyn FnMut(Event) + Send), &'a mut (dyn FnMut(Served) + Send));

/// Boots the stack of a variant under its first load, says where it is, and stays until interrupted.
///
/// # Errors
///
/// Why it could not be had, or why it ended before it was asked to.
pub async fn serve(
    spec: &Spec,
    plan: &Plan,
    variant: &str,
    options: SessionOptions,
    mut interrupt: watch::Receiver<Interrupt>,
    (events, ready): Listeners<'_>,
) -> Result<(), Stop> {
    let cell = plan.cells.iter().find(|cell| cell.variant == variant).ok_or_else(|| {
        Stop::Environment(format!("variant `{variant}` has no cell in this plan"))
    })?;
    let session = {
        let mut notice = |text: String| events(Event::Notice { text });
        let mut interrupt = interrupt.clone();
        tokio::select! {
            opened = Box::pin(Session::open(options, &mut notice)) => opened.map_err(|e| stop_of(&e))?,
            wish = interrupt.wait_for(|wish| *wish != Interrupt::None) => {
                drop(wish);
                return Ok(());
            }
        }
    };
    let outcome = tokio::select! {
        outcome = boot(spec, plan, cell, &session, events, ready) => outcome,
        wish = interrupt.wait_for(|wish| *wish != Interrupt::None) => {
            drop(wish);
            Ok(())
        }
    };
    let closed = session.close().await.map_err(|e| stop_of(&e));
    outcome.and(closed)
}

async fn boot(
    spec: &Spec,
    plan: &Plan,
    cell: &crate::plan::CellPlan,
    session: &Session,
    events: &mut (dyn FnMut(Event) + Send),
    ready: &mut (dyn FnMut(Served) + Send),
) -> Result<(), Stop> {
    let mut notice = |text: String| events(Event::Notice { text });
    let postgres =
        session.start_postgres(&cell.stack.postgres, &mut notice).await.map_err(|e| stop_of(&e))?;
    let addresses = dataset::Addresses {
        admin: postgres.address(Role::Admin, "postgres"),
        app: postgres.address(Role::App, "postgres"),
    };
    let migrations = spec.dir.join(&plan.dataset.migrations);
    dataset::prepare(&addresses, &migrations, plan, &mut |step| events(Event::Dataset(step)))
        .await
        .map_err(|e| Stop::Provisioning(format!("{e:#}")))?;
    postgres.stop().await.map_err(|e| stop_of(&e))?;
    let mut notice = |text: String| events(Event::Notice { text });
    let stack = session
        .start_stack(&cell.stack, &cell.api, &cell.database, &mut notice)
        .await
        .map_err(|e| stop_of(&e))?;
    ready(Served {
        url: format!("http://{}", stack.address),
        endpoints: cell
            .api
            .endpoints
            .iter()
            .map(|e| (e.name.clone(), e.method.clone(), e.path.clone()))
            .collect(),
        postgres_socket_dir: stack
            .postgres_address(Role::App, &cell.database)
            .socket_dir
            .display()
            .to_string(),
        database: cell.database.clone(),
    });
    let died = stack.died().await;
    Err(Stop::Measurement(died))
}
