//! `querylab serve`: the stack of one variant, up until somebody has seen enough.

use tokio::sync::watch;

use super::event::{Event, Interrupt, Stop, stop_of};
use super::obtain::{DataCache, Order};
use super::{data, versions};
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
    /// Folder of the socket of the variant's database (the password is in a file there); of somebody else's Postgres a host.
    pub postgres_host: String,
    /// Database.
    pub database: String,
}

/// Who hears what happens, and who is told when all is up.
pub type Listeners<'a> = (&'a mut (dyn FnMut(Event) + Send), &'a mut (dyn FnMut(Served) + Send));

/// How the servers and the data are had.
#[derive(Debug, Clone)]
pub struct Serving {
    /// The servers.
    pub session: SessionOptions,
    /// Where data are kept from run to run; none: they are made anew.
    pub cache: Option<DataCache>,
}

/// Boots the stack of a variant under its first load, says where it is, and stays until interrupted.
///
/// # Errors
///
/// Why it could not be had, or why it ended before it was asked to.
pub async fn serve(
    spec: &Spec,
    plan: &Plan,
    variant: &str,
    options: Serving,
    mut interrupt: watch::Receiver<Interrupt>,
    (events, ready): Listeners<'_>,
) -> Result<(), Stop> {
    let cell = plan.cells.iter().find(|cell| cell.variant == variant).ok_or_else(|| {
        Stop::Environment(format!("variant `{variant}` has no cell in this plan"))
    })?;
    let Serving { session, cache } = &options;
    let parts = versions::parts(plan, session);
    let part = parts.iter().find(|part| part.major == cell.stack.postgres.major);
    let (plan, session) = part.map_or((plan, session), |part| (&part.plan, &part.session));
    let order = Order { spec, plan, session, cache: cache.as_ref(), interrupt: &interrupt };
    let had = data::have(&order, events).await;
    let outcome = match (&had.session, had.data) {
        (_, Err(Stop::Interrupted(_))) | (None, Ok(_)) => Ok(()),
        (_, Err(stop)) => Err(stop),
        (Some(session), Ok(_)) => tokio::select! {
            outcome = boot(cell, session, events, ready) => outcome,
            wish = interrupt.wait_for(|wish| *wish != Interrupt::None) => {
                drop(wish);
                Ok(())
            }
        },
    };
    let Some(session) = had.session else { return outcome };
    let closed = session.close().await.map_err(|e| stop_of(&e));
    drop(had.held);
    outcome.and(closed)
}

async fn boot(
    cell: &crate::plan::CellPlan,
    session: &Session,
    events: &mut (dyn FnMut(Event) + Send),
    ready: &mut (dyn FnMut(Served) + Send),
) -> Result<(), Stop> {
    let mut notice = |text: String| events(Event::Notice { text });
    let stack = session
        .start_stack(&cell.stack, &cell.api, &cell.database, &mut notice)
        .await
        .map_err(|e| stop_of(&e))?;
    let postgres = stack.postgres_address(Role::App, &cell.database);
    ready(Served {
        url: format!("http://{}", stack.address),
        endpoints: cell
            .api
            .endpoints
            .iter()
            .map(|e| (e.name.clone(), e.method.clone(), e.path.clone()))
            .collect(),
        postgres_host: postgres.host(),
        database: postgres.database,
    });
    let died = stack.died().await;
    Err(Stop::Measurement(died))
}
