//! Somebody else's Postgres: only where the command line allows it, at the URL that a variable holds.

use super::args::Global;
use super::exit::Exit;
use super::source;
use super::variables::secret_variable;
use crate::plan::{self, Plan, PostgresAddress};
use crate::spec::Spec;

const ALLOW: &str =
    "say `--allow-external` if it may: it is only read from there, in sessions that can't write";
const WRITE: &str = "let it hold a URL like `postgres://user:password@host:5432/database`";

/// Where the Postgres of a plan is that is not querylab's; none where it is.
///
/// # Errors
///
/// Said at the place where the file names the variable: it is not allowed, or there is no URL; the URL itself is in no
/// message.
pub(super) fn address(
    global: &Global,
    (spec, plan): (&Spec, &Plan),
    is_allowed: bool,
) -> Result<Option<PostgresAddress>, Exit> {
    let Some(name) = plan.url_from() else { return Ok(None) };
    let refuse = |what: String, help: &str| {
        let problem = plan::about_url_from(spec, what, help.to_owned());
        source::refuse(global, &spec.problems(vec![problem]))
    };
    if !is_allowed {
        let what = "this experiment goes to a Postgres that is not querylab's";
        return Err(refuse(what.to_owned(), ALLOW));
    }
    let url = secret_variable(name).map_err(|what| refuse(what, WRITE))?;
    let url = url.ok_or_else(|| refuse(format!("the variable {name} is not set"), WRITE))?;
    let address = PostgresAddress::of_others(&url);
    address.map(Some).map_err(|why| refuse(format!("the URL in {name}: {why}"), WRITE))
}
