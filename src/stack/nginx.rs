//! Nginx: which block each setting belongs into, the trial of its configuration, its port, its readiness.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::config::{self, NginxConfig, Settings, StaticConfig};
use super::error::StackError;
use super::locate::{Part, at_least};
use super::ports::free_port;
use super::protocol::{Program, StopStep};
use super::redis::forget_socket;
use super::scratch::check_socket;
use super::shared::{Place, Running, Server, Shared};
use super::workshop::{As, Errand, last_lines};
use super::{http, identity, static_files};
use crate::plan::StackPlan;

/// Answered by Nginx itself, with a few bytes and status 200.
pub const STATIC_PATH: &str = "/__querylab/static";
/// For `nginx -t`.
const TRIAL: Duration = Duration::from_secs(20);
/// For the first answer.
const READY: Duration = Duration::from_secs(20);
/// Ports that are tried when somebody takes ours between our look and its start.
const TRIES: u32 = 3;
/// First version that takes `-e`.
const ERROR_LOG_FLAG: [u32; 3] = [1, 19, 5];
/// Graceful, fast, kill.
const STOP: [StopStep; 2] =
    [StopStep { signal: 3, patience_ms: 1500 }, StopStep { signal: 15, patience_ms: 1500 }];

/// Settings outside of any block.
const MAIN: [&str; 6] = [
    "pcre_jit",
    "timer_resolution",
    "worker_cpu_affinity",
    "worker_priority",
    "worker_processes",
    "worker_rlimit_nofile",
];
/// Settings of `events`.
const EVENTS: [&str; 5] =
    ["accept_mutex", "accept_mutex_delay", "multi_accept", "use", "worker_connections"];
/// Settings of `upstream`; with the prefix where `http` has one of the same name.
const UPSTREAM: [(&str, &str); 6] = [
    ("keepalive", "keepalive"),
    ("keepalive_time", "keepalive_time"),
    ("upstream_keepalive", "keepalive"),
    ("upstream_keepalive_requests", "keepalive_requests"),
    ("upstream_keepalive_time", "keepalive_time"),
    ("upstream_keepalive_timeout", "keepalive_timeout"),
];
/// What the stack decides itself.
const OWNED: [&str; 13] = [
    "daemon",
    "error_log",
    "include",
    "listen",
    "load_module",
    "location",
    "pid",
    "proxy_http_version",
    "proxy_pass",
    "server",
    "upstream",
    "user",
    "working_directory",
];

/// The name of the access log in Nginx' working folder, and that of the one before it.
pub(super) const ACCESS_LOG: [&str; 2] = ["access.jsonl", "access.old.jsonl"];
/// An access log of this many bytes is put aside when Nginx starts: a trial's own is never cut, and a run has no more than
/// this and its longest trials.
const FULL_ACCESS_LOG: u64 = 64 << 20;

/// An Nginx that answers.
pub(super) struct Nginx {
    pub running: Running,
    pub address: SocketAddr,
    pub status_socket: PathBuf,
    pub settings: Settings,
}

/// Settings by block.
#[derive(Debug, Default, PartialEq, Eq)]
struct Blocks {
    main: Settings,
    events: Settings,
    http: Settings,
    upstream: Settings,
    is_logged: bool,
}

impl Blocks {
    /// Sorts settings into their blocks.
    fn of(settings: Settings) -> Self {
        let mut blocks = Self::default();
        for (name, value) in settings {
            // What it is called, where it lies and what is in it is not for the file.
            if name == "access_log" {
                blocks.is_logged = value == "on";
                continue;
            }
            let upstream = UPSTREAM.iter().find(|(n, _)| *n == name).map(|(_, real)| *real);
            if MAIN.contains(&name.as_str()) {
                blocks.main.insert(name, value);
            } else if EVENTS.contains(&name.as_str()) {
                blocks.events.insert(name, value);
            } else if let Some(real) = upstream {
                blocks.upstream.insert(real.to_owned(), value);
            } else {
                blocks.http.insert(name, value);
            }
        }
        blocks
    }
}

/// What is asked for, over what the load needs: each client connection may have one to the API beside it.
fn settings(plan: &StackPlan) -> Result<Settings, StackError> {
    let per_worker = plan.client_connections.saturating_mul(2).saturating_add(512).max(1024);
    let keepalive = plan.client_connections.clamp(64, 1024);
    let (per_worker, files, keepalive) =
        (per_worker.to_string(), per_worker.saturating_mul(2).to_string(), keepalive.to_string());
    // Only where there is a file to send: nothing that was measured without is set otherwise.
    let sendfile = plan.static_files.as_ref().map(|_| ("sendfile", "on"));
    let defaults = [
        ("access_log", "off"),
        ("worker_processes", "auto"),
        ("worker_connections", per_worker.as_str()),
        ("worker_rlimit_nofile", files.as_str()),
        ("keepalive", keepalive.as_str()),
        ("upstream_keepalive_requests", "1000000000"),
        ("keepalive_requests", "1000000000"),
        ("tcp_nodelay", "on"),
        ("proxy_next_upstream", "off"),
        ("server_tokens", "off"),
        // As much as the API takes.
        ("client_max_body_size", "10m"),
    ];
    let defaults: Vec<_> = defaults.into_iter().chain(sendfile).collect();
    config::lay_over("nginx", &defaults, &OWNED, &plan.nginx.settings)
}

/// Starts Nginx in front of the API's processes and waits until an answer comes through it.
pub(super) async fn start(
    shared: &Arc<Shared>,
    plan: &StackPlan,
    api_sockets: &[PathBuf],
    place: &Place,
) -> Result<Nginx, StackError> {
    let settings = settings(plan)?;
    if let Some(port) = shared.workshop.nginx_port {
        let taken = |error: StackError| {
            let is_taken = error.text().contains("Address already in use");
            let why = format!("port {port} of 127.0.0.1 is taken: choose another one with --port");
            if is_taken { StackError::Environment(why) } else { error }
        };
        let fixed = attempt(shared, (plan, &settings), (api_sockets, place), port);
        return fixed.await.map_err(taken);
    }
    let mut refusal = StackError::Environment("Nginx was not started".into());
    for _ in 0..TRIES {
        match attempt(shared, (plan, &settings), (api_sockets, place), free_port()?).await {
            Err(error) if error.text().contains("Address already in use") => refusal = error,
            other => return other,
        }
    }
    Err(refusal)
}

async fn attempt(
    shared: &Arc<Shared>,
    (plan, settings): (&StackPlan, &Settings),
    (api_sockets, place): (&[PathBuf], &Place),
    port: u16,
) -> Result<Nginx, StackError> {
    let workshop = &shared.workshop;
    let home = workshop.scratch.home("nginx", &workshop.identity)?;
    let status_socket = workshop.scratch.sockets.join("nginx.sock");
    check_socket(&status_socket)?;
    forget_socket(&status_socket)?;
    let file = write(shared, (plan, settings), api_sockets, (&home, &status_socket, port))?;
    let found = shared.program(Part::Nginx)?;
    let mut args = vec!["-p".to_owned(), format!("{}/", home.display())];
    args.extend(["-c".to_owned(), file.display().to_string()]);
    if at_least(&found.version, &ERROR_LOG_FLAG) {
        args.extend(["-e".to_owned(), "stderr".to_owned()]);
    }
    try_configuration(shared, &args).await?;
    let open_files =
        settings.get("worker_rlimit_nofile").and_then(|v| v.parse().ok()).unwrap_or(65_536);
    let running = shared
        .start(Server {
            name: "nginx".into(),
            program: Program::Exec {
                path: found.program.clone(),
                args,
                libraries: found.libraries.clone(),
            },
            home,
            death_signal: 15,
            open_files,
            rank: 1,
            place: place.unpadded(),
            stop: &STOP,
        })
        .await?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let has_api = !api_sockets.is_empty();
    let hello = async || -> Result<(), String> {
        // Its workers run only once every socket is bound, so this answer proves that the port is its own.
        let mut answer = http::get_unix(&status_socket, "/status").await;
        if answer.as_ref().is_ok_and(|a| a.status == 200) && has_api {
            answer = http::get_tcp(address, "/health/ready").await;
        }
        match answer {
            Ok(a) if a.status == 200 => Ok(()),
            Ok(a) => Err(format!("it answers with status {}", a.status)),
            Err(e) => Err(e.to_string()),
        }
    };
    match shared.until_ready(&running, READY, hello).await {
        Ok(()) => Ok(Nginx { running, address, status_socket, settings: settings.clone() }),
        Err(error) => {
            shared.stop(&[running]).await?;
            Err(error)
        }
    }
}

fn write(
    shared: &Shared,
    (plan, settings): (&StackPlan, &Settings),
    api_sockets: &[PathBuf],
    (home, status_socket, port): (&Path, &Path, u16),
) -> Result<PathBuf, StackError> {
    let blocks = Blocks::of(settings.clone());
    let access_log = blocks.is_logged.then(|| access_log(home)).transpose()?;
    let text = config::nginx(&NginxConfig {
        dir: home,
        port,
        listen_options: " backlog=4096",
        api_sockets: api_sockets.iter().map(PathBuf::as_path).collect(),
        status_socket,
        static_files: static_files(shared, plan)?,
        access_log,
        main: blocks.main,
        events: blocks.events,
        http: blocks.http,
        upstream: blocks.upstream,
    })?;
    let file = shared.workshop.scratch.config.join("nginx.conf");
    identity::write_private(&file, &text, &shared.workshop.identity)?;
    Ok(file)
}

/// The files that Nginx serves itself, which have been copied by now.
fn static_files<'a>(
    shared: &Shared,
    plan: &'a StackPlan,
) -> Result<Option<StaticConfig<'a>>, StackError> {
    let Some(files) = &plan.static_files else { return Ok(None) };
    let root = static_files::root(&shared.workshop.scratch, files);
    if !root.is_dir() {
        let why = format!("nobody has placed the files of {} in the run's folder", files.path);
        return Err(StackError::Provisioning(why));
    }
    Ok(Some(StaticConfig { path: &files.path, root }))
}

/// Where Nginx logs, with room: a full log is put aside, in the place of the one before it.
fn access_log(home: &Path) -> Result<PathBuf, StackError> {
    let [log, old] = ACCESS_LOG.map(|name| home.join(name));
    let bytes = std::fs::metadata(&log).map_or(0, |meta| meta.len());
    if bytes >= FULL_ACCESS_LOG {
        std::fs::rename(&log, &old).map_err(|e| {
            StackError::Environment(format!("cannot put Nginx' full access log aside: {e}"))
        })?;
    }
    Ok(log)
}

/// `nginx -t`: says what is wrong with a setting, in Nginx' own words, before anything listens.
async fn try_configuration(shared: &Shared, args: &[String]) -> Result<(), StackError> {
    let found = shared.program(Part::Nginx)?;
    let done = shared
        .workshop
        .run(Errand {
            name: "nginx-test",
            program: &found.program,
            args: args.iter().cloned().chain(["-t".to_owned()]).collect(),
            libraries: &found.libraries,
            env: Vec::new(),
            user: As::Servers,
            deadline: TRIAL,
        })
        .await?;
    if done.exit.is_success() {
        return Ok(());
    }
    let key = done
        .output
        .split('"')
        .nth(1)
        .filter(|_| done.output.contains("directive"))
        .map(|name| format!(" (the setting is services.nginx.settings.{name})"))
        .unwrap_or_default();
    Err(StackError::Provisioning(format!(
        "nginx refuses its configuration{key}:{}",
        last_lines(&done.output, 6)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::settings::Server;

    #[test]
    fn what_a_file_may_state_is_nothing_that_the_stack_decides() {
        for (name, _) in Server::Nginx.allowed() {
            assert!(!OWNED.contains(name), "{name} passes `check`, and is refused at the start");
        }
    }

    #[test]
    fn a_full_access_log_is_put_aside_and_no_other_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let [log, old] = ACCESS_LOG.map(|name| folder.path().join(name));
        assert_eq!(access_log(folder.path()), Ok(log.clone()));
        let file = std::fs::File::create(&log).expect("a file");
        file.set_len(FULL_ACCESS_LOG - 1).expect("longer");
        access_log(folder.path()).expect("room");
        assert!(log.exists() && !old.exists());
        file.set_len(FULL_ACCESS_LOG).expect("longer");
        access_log(folder.path()).expect("room");
        assert!(!log.exists() && old.exists());
    }

    #[test]
    fn each_setting_goes_into_its_block() {
        let asked = ["worker_processes", "multi_accept", "keepalive", "upstream_keepalive_timeout"];
        let mut settings: Settings = asked.iter().map(|n| ((*n).to_owned(), "1".into())).collect();
        settings.insert("keepalive_timeout".into(), "75s".into());
        let blocks = Blocks::of(settings);
        let names = |s: &Settings| s.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&blocks.main), ["worker_processes"]);
        assert_eq!(names(&blocks.events), ["multi_accept"]);
        assert_eq!(names(&blocks.upstream), ["keepalive", "keepalive_timeout"]);
        assert_eq!(names(&blocks.http), ["keepalive_timeout"]);
        let logged = |value: &str| {
            let blocks = Blocks::of(Settings::from([("access_log".into(), value.into())]));
            (blocks.is_logged, blocks.http.is_empty())
        };
        assert_eq!([logged("on"), logged("off")], [(true, true), (false, true)]);
    }
}
