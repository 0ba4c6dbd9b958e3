//! How servers are had, from the plan, flags and variables; and the runtime that waits for them.

use std::fmt::Write;
use std::path::PathBuf;

use super::args::ToolArgs;
use super::exit::Exit;
use super::out;
use super::variables::tool_variable;
use crate::lab::{self, DataCache};
use crate::plan::Plan;
use crate::stack::{Builds, Keep, Needs, SessionOptions, Setup, Surroundings};
use crate::units::Bytes;

/// The runner's own runtime: two threads, because the measured servers need the cores.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| out::fail(Exit::Environment, format!("cannot start the runtime: {e}")))
}

/// The environment that the servers' room may see, read here.
pub(super) fn surroundings() -> Surroundings {
    Surroundings::read(&|name| std::env::var_os(name))
}

/// How servers are had, from the plan, flags and variables.
pub(super) fn session_options(
    plan: &Plan,
    tools: &ToolArgs,
    keep: bool,
) -> Result<SessionOptions, Exit> {
    let newest =
        |versions: &mut dyn Iterator<Item = &Vec<u32>>| versions.max().cloned().unwrap_or_default();
    let cells = &plan.cells;
    let needs = Needs {
        postgres: newest(&mut cells.iter().map(|c| &c.stack.postgres.min_version)),
        // A run decides this for each version that its cells name.
        postgres_major: None,
        builds: Builds::Any,
        redis: cells
            .iter()
            .filter_map(|c| c.stack.redis.as_ref())
            .map(|r| r.min_version.clone())
            .max(),
        nginx: Some(newest(&mut cells.iter().map(|c| &c.stack.nginx.min_version))),
        // Whoever wants one says that it is allowed.
        external: None,
    };
    Ok(SessionOptions {
        run_id: random_id()?,
        run_as: tools.run_as.clone(),
        keep: if keep { Keep::Everything } else { Keep::Nothing },
        setup: if tools.no_setup { Setup::Refuse } else { Setup::Fetch },
        needs,
        surroundings: surroundings(),
    })
}

/// How a Postgres alone is had, whichever version is here.
pub(super) fn postgres_alone(tools: &ToolArgs) -> Result<SessionOptions, Exit> {
    Ok(SessionOptions {
        run_id: random_id()?,
        run_as: tools.run_as.clone(),
        keep: Keep::Nothing,
        setup: if tools.no_setup { Setup::Refuse } else { Setup::Fetch },
        needs: Needs::default(),
        surroundings: surroundings(),
    })
}

/// What the datasets of the cache may weigh, unless `QUERYLAB_CACHE_LIMIT` says otherwise.
const CACHE_LIMIT: &str = "20GB";

/// Data of this weight or more are not copied for a run that only reads, unless `QUERYLAB_CACHE_IN_PLACE` says otherwise.
const IN_PLACE: &str = "1GB";

/// Who works with cached data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    /// A run: what it asks for is known.
    Run,
    /// A person, who may do anything with them.
    Person,
}

/// The dataset cache; none where it is not to be used: `--fresh`, or a limit of 0.
pub(super) fn data_cache(fresh: bool, user: User) -> Result<Option<DataCache>, Exit> {
    let limit_bytes = cache_limit()?;
    let in_place = size("QUERYLAB_CACHE_IN_PLACE", IN_PLACE)?;
    if fresh || limit_bytes == 0 {
        return Ok(None);
    }
    let in_place_from_bytes = (user == User::Run).then_some(in_place);
    Ok(Some(DataCache { folder: cache_folder()?, limit_bytes, in_place_from_bytes }))
}

/// querylab's cache folder.
pub(super) fn cache_folder() -> Result<PathBuf, Exit> {
    let uid = rustix::process::geteuid().as_raw();
    surroundings().cache(uid).map_err(|e| out::fail(Exit::from(&lab::stop_of(&e)), &e))
}

/// What all datasets of the cache may weigh.
pub(super) fn cache_limit() -> Result<u64, Exit> {
    size("QUERYLAB_CACHE_LIMIT", CACHE_LIMIT)
}

fn size(name: &str, otherwise: &str) -> Result<u64, Exit> {
    let text = tool_variable(name).map_err(|e| out::fail(Exit::Input, e))?;
    let text = text.unwrap_or_else(|| otherwise.to_owned());
    parse_limit(&text).map_err(|e| out::fail(Exit::Input, format!("{name}: {e}")))
}

/// `20GB`, or 0.
pub(super) fn parse_limit(text: &str) -> Result<u64, String> {
    if text == "0" {
        return Ok(0);
    }
    text.parse::<Bytes>().map(|bytes| bytes.0).map_err(|e| e.to_string())
}

/// Eight hex digits that no other run of this second has. Names a folder; no number depends on it.
fn random_id() -> Result<String, Exit> {
    use std::io::Read;
    let mut bytes = [0_u8; 4];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|e| out::fail(Exit::Environment, format!("cannot read /dev/urandom: {e}")))?;
    Ok(bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes all");
        hex
    }))
}
