//! Somebody else's Postgres in place of data of our own: it is met, and what is there is what is measured on.

use tokio::time::Instant;

use super::data::Had;
use super::event::{Event, Stop, stop_of};
use super::obtain::{Order, Say};
use super::trial::millis;
use super::watched::interrupted;
use crate::results::{DataOrigin, DatasetRecord};
use crate::stack::{Others, Session};

/// Opens a session that has somebody else's Postgres. Nothing is migrated, loaded, analysed or dropped there.
pub(super) async fn have(order: &Order<'_>, say: Say<'_>) -> Had {
    if order.session.needs.external.is_none() {
        let text = "the experiment is for an external Postgres, and whoever starts it has not allowed that".to_owned();
        return Had::nothing(None, Stop::Environment(text));
    }
    let start = Instant::now();
    let opened = {
        let mut notice = |text: String| say(Event::Notice { text });
        tokio::select! {
            opened = Session::open(order.session.clone(), &mut notice) => {
                opened.map_err(|e| stop_of(&e))
            }
            signal = interrupted(order.interrupt.clone()) => Err(Stop::Interrupted(signal)),
        }
    };
    let session = match opened {
        Ok(session) => session,
        Err(stop) => return Had::nothing(None, stop),
    };
    say(Event::Provisioned { versions: session.versions().into_iter().collect() });
    let could_write = session.others() != Some(Others::ReadOnly);
    if could_write {
        let text = "the role of the external Postgres could write; the sessions of this run can't, but one that may only read is safer".to_owned();
        say(Event::Notice { text });
    }
    let prepare_ms = millis(start);
    say(Event::DatasetReady { ms: prepare_ms });
    let origin = Some(DataOrigin::External { could_write });
    let record = DatasetRecord { prepare_ms, origin, ..DatasetRecord::default() };
    Had { session: Some(session), data: Ok(record), in_use: None, held: None }
}
