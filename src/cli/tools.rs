//! How servers are had, from the plan, flags and variables; and the runtime that waits for them.

use std::fmt::Write;

use super::args::ToolArgs;
use super::exit::Exit;
use super::out;
use crate::plan::Plan;
use crate::stack::{Keep, Needs, SessionOptions, Setup, Surroundings};

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
        redis: cells
            .iter()
            .filter_map(|c| c.stack.redis.as_ref())
            .map(|r| r.min_version.clone())
            .max(),
        nginx: Some(newest(&mut cells.iter().map(|c| &c.stack.nginx.min_version))),
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
