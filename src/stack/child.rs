//! The trampoline: `querylab __child`. It becomes the unprivileged user, asks for its death signal and then becomes
//! the server, all in one thread and before any runtime, so that no step needs code between fork and exec.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getppid, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit, umask,
};
use rustix::thread::{
    CpuSet, sched_setaffinity, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::process;
use super::protocol::{ChildSpec, Program};

/// Exit status where the way to the program failed; the reason is in the log.
const NO_START: u8 = 126;

/// Runs `querylab __child SPEC`. `args` are the arguments after the verb; `api` serves the API from the file that it is
/// given, in this process. Comes back only where the API ended or the program could not be started.
pub fn child_main(args: &[String], api: fn(&Path) -> ExitCode) -> ExitCode {
    let Some(spec) = args.first().and_then(|text| serde_json::from_str::<ChildSpec>(text).ok())
    else {
        return complain("is started by the guard only, not by people");
    };
    if let Err(reason) = prepare(&spec) {
        return complain(&format!("{}: {reason}", spec.name));
    }
    match &spec.program {
        Program::Api { config } => api(config),
        Program::Exec { path, .. } => {
            let error = process::become_program(&spec.program);
            complain(&format!("{}: cannot start {}: {error}", spec.name, path.display()))
        }
    }
}

fn complain(reason: &str) -> ExitCode {
    // Nothing can be done about a log that cannot be written; the exit status tells the guard.
    drop(writeln!(std::io::stderr(), "querylab __child: {reason}"));
    ExitCode::from(NO_START)
}

/// The steps between our start and the program's, in the one order in which they work.
fn prepare(spec: &ChildSpec) -> Result<(), String> {
    let step = |what: &'static str| move |e: rustix::io::Errno| format!("cannot {what}: {e}");
    raise_open_files(spec.open_files);
    if let Some((uid, gid)) = spec.user {
        let (uid, gid) = (rustix::fs::Uid::from_raw(uid), rustix::fs::Gid::from_raw(gid));
        set_thread_groups(&[]).map_err(step("drop the groups"))?;
        set_thread_res_gid(gid, gid, gid).map_err(step("change the group"))?;
        set_thread_res_uid(uid, uid, uid).map_err(step("change the user"))?;
        if rustix::process::geteuid().is_root() {
            return Err("is still root after dropping to the unprivileged user".into());
        }
        // Changing the user made this process unreadable for its own user.
        set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(step("become readable"))?;
    }
    // The kernel forgets the death signal at a change of user, so it is asked for here and not earlier.
    let signal = Signal::from_named_raw(spec.death_signal).ok_or("unknown death signal")?;
    set_parent_process_death_signal(Some(signal)).map_err(step("ask for a death signal"))?;
    let parent = getppid().map_or(0, |p| p.as_raw_nonzero().get());
    if parent != spec.guard {
        return Err("the guard is gone already".into());
    }
    if !spec.processors.is_empty() {
        let mut set = CpuSet::new();
        for number in &spec.processors {
            set.set(*number);
        }
        sched_setaffinity(None, &set).map_err(step("keep to its processors"))?;
    }
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::chdir(&spec.home)
        .map_err(|e| format!("cannot enter {}: {e}", spec.home.display()))?;
    rustix::thread::set_name(c"querylab").ok();
    Ok(())
}

/// As many open files as asked, or as near to it as this user may go: servers say themselves what they lack.
fn raise_open_files(wanted: u64) {
    let now = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|l| l >= wanted);
    if enough(now.current) {
        return;
    }
    let hard = if enough(now.maximum) { now.maximum } else { Some(wanted) };
    if setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: hard }).is_err() {
        setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum }).ok();
    }
}
