//! `querylab drive URL`: the load generator of the experiments against any URL.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{mpsc, watch};

use super::args::{ArrivalKind, DriveArgs, Global, MessageFormat};
use super::asked::Asked;
use super::driven::{self, Driven};
use super::exit::Exit;
use super::{out, signals, tools};
use crate::lab::Interrupt;
use crate::load::{self, Job, PhaseEvent, Recording, Requests};
use crate::plan::{AnswerPlan, CheckPlan, LoadPlan, ModelPlan, TargetPlan, Until, WarmupPlan};
use crate::spec::Arrival;
use crate::units::{self, Rate, Span};

/// A look whether anybody listens takes at most this long.
const FIRST_LOOK: Duration = Duration::from_secs(5);

/// An `http` URL, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    /// For the `Host` header.
    authority: String,
    /// Name or address, without brackets.
    host: String,
    port: u16,
    /// Path and query.
    uri: String,
}

pub(super) fn drive(global: &Global, args: &DriveArgs) -> Result<Exit, Exit> {
    let input = |text: String| out::fail(Exit::Input, text);
    let url = Url::parse(&args.url).map_err(input)?;
    let asked = Asked::of(args).map_err(input)?;
    let plan = plan(args, &url, &asked.method).map_err(input)?;
    let address = listening(&url)?;
    raise_limit();
    // What cannot be written is better said before the load than after it.
    let is_taken = stdout_is_taken(global, args).map_err(input)?;
    for path in exports(args).filter(|path| !is_stdout(path)) {
        write(path, b"")?;
    }
    let (method, duration) = (&asked.method, span(plan.duration_ns));
    let described = format!("{method} {} for {duration}, {}", args.url, model(&plan));
    let host = asked.host.unwrap_or(url.authority);
    let job = Job {
        address,
        plan,
        tables: Vec::new(),
        data_seed: 0,
        params_seed: 0,
        arrivals_seed: args.seed,
        requests: Requests::Same { uri: url.uri, host, extras: asked.extras },
        samples: args.export_samples.clone().map(|path| {
            // The load opens it by itself.
            if is_stdout(&path) { PathBuf::from("/dev/stdout") } else { path }
        }),
        processors: Vec::new(),
    };
    let is_told = !global.quiet && global.message_format == MessageFormat::Human;
    let runtime = tools::runtime()?;
    let (started, recording, interrupt) = runtime.block_on(measure(job, is_told))?;
    let recording = recording.map_err(|e| out::fail(Exit::Measurement, format!("{e:#}")))?;
    let driven = Driven { described, recording };
    // Whatever becomes of the files, the figures are told.
    let exported = export(args, &driven.recording, started);
    if let Some(kept) = driven.recording.samples.filter(|kept| kept.lost > 0) {
        let (written, lost) = (kept.written, kept.lost);
        out::stderr(&format!(
            "{written} samples are written, {lost} are not: the disk is too slow, or they are too many\n"
        ));
    }
    if args.json || global.message_format == MessageFormat::Json {
        out::tell(&format!("{}\n", driven::json(&driven)))?;
    } else if is_taken {
        out::stderr(&driven::table(&driven));
    } else {
        out::tell(&driven::table(&driven))?;
    }
    exported?;
    if let Interrupt::Stop(signal) = interrupt {
        return Ok(Exit::Interrupted(signal));
    }
    match &driven.recording.failure {
        Some(why) => Err(out::fail(Exit::Measurement, why)),
        None => Ok(Exit::Done),
    }
}

/// Writes the histograms and the seconds, where they are wanted.
fn export(args: &DriveArgs, recording: &Recording, started: SystemTime) -> Result<(), Exit> {
    if let Some(path) = &args.export_hdr {
        let log = recording.window.hlog(started);
        write(path, &log.map_err(|e| out::fail(Exit::Measurement, format!("{e:#}")))?)?;
    }
    if let Some(path) = &args.export_csv {
        write(path, driven::csv(&recording.slices).as_bytes())?;
    }
    Ok(())
}

type Measured = (SystemTime, anyhow::Result<Recording>, Interrupt);

/// Drives the load until it ends or a signal ends it; tells progress on a terminal.
async fn measure(job: Job, is_told: bool) -> Result<Measured, Exit> {
    let mut interrupt = signals::listen_saying("\nstopping; what was measured so far follows\n")
        .map_err(|e| out::fail(Exit::Environment, format!("cannot listen for signals: {e}")))?;
    let is_told = is_told && out::stderr_is_terminal();
    let (phases, mut heard) = mpsc::unbounded_channel();
    let (cancel, cancelled) = watch::channel(false);
    let started = chrono::Utc::now().into();
    let mut load = std::pin::pin!(load::run(job, phases, cancelled));
    let mut wish = Interrupt::None;
    let recording = loop {
        tokio::select! {
            Some(event) = heard.recv() => {
                if let (true, PhaseEvent::Progress { rate_rps, elapsed_ns, .. }) = (is_told, event) {
                    let rate = units::sig3(rate_rps);
                    out::stderr(&format!("\r\x1b[K{}  {rate}/s", units::duration_ns(elapsed_ns)));
                }
            }
            recording = &mut load => break recording,
            Ok(told) = interrupt.wait_for(|wish| *wish != Interrupt::None), if wish == Interrupt::None => {
                wish = *told;
                cancel.send_replace(true);
            }
        }
    };
    if is_told {
        out::stderr("\r\x1b[K");
    }
    Ok((started, recording, wish))
}

/// The first of the URL's addresses where somebody listens.
fn listening(url: &Url) -> Result<SocketAddr, Exit> {
    let missing = |text: String| out::fail(Exit::Environment, text);
    let found = (url.host.as_str(), url.port).to_socket_addrs();
    let found = found.map_err(|e| missing(format!("cannot find host `{}`: {e}", url.host)))?;
    let mut why = String::from("it has no address");
    for address in found {
        match TcpStream::connect_timeout(&address, FIRST_LOOK) {
            Ok(_) => return Ok(address),
            Err(e) => why = format!("{address}: {e}"),
        }
    }
    Err(missing(format!("nothing listens at `{}` ({why})", url.authority)))
}

fn plan(args: &DriveArgs, url: &Url, method: &str) -> Result<LoadPlan, String> {
    let span = |flag: &str, text: &str| {
        let read = text.parse::<Span>().map_err(|e| format!("--{flag}: {e}"));
        read.map(|span| span.0)
    };
    let above_zero = |flag: &str, text: &str| match span(flag, text)? {
        0 => Err(format!("--{flag}: `{text}` is nothing (write more than zero, like `10s`)")),
        ns => Ok(ns),
    };
    let model = match (&args.rate, args.users) {
        (Some(rate), _) => ModelPlan::Open {
            rate_per_s: rate.parse::<Rate>().map_err(|e| format!("--rate: {e}"))?.0,
            arrival: match args.arrival {
                ArrivalKind::Constant => Arrival::Constant,
                ArrivalKind::Poisson => Arrival::Poisson,
            },
            max_in_flight: args.max_in_flight,
            connections: args.connections,
        },
        (None, users) => ModelPlan::Closed { users: users.unwrap_or(1), think_ns: 0 },
    };
    let warmup_ns = span("warmup", &args.warmup)?;
    Ok(LoadPlan {
        model,
        stages: Vec::new(),
        search: None,
        processors: None,
        timeout_ns: above_zero("timeout", &args.timeout)?,
        duration_ns: above_zero("duration", &args.duration)?,
        warmup: WarmupPlan { min_ns: warmup_ns, max_ns: warmup_ns, until: Until::Steady },
        fill: None,
        targets: vec![TargetPlan {
            endpoint: "url".into(),
            weight: 1.0,
            method: method.into(),
            path: url.uri.clone(),
            draws: Vec::new(),
            body: Vec::new(),
            check: CheckPlan { status: 200, rows: None, fields: Vec::new() },
            answer: AnswerPlan::Rows,
            version: None,
        }],
    })
}

fn model(plan: &LoadPlan) -> String {
    match &plan.model {
        ModelPlan::Closed { users: 1, .. } => "1 user".into(),
        ModelPlan::Closed { users, .. } => format!("{users} users"),
        ModelPlan::Open { rate_per_s, arrival, connections, .. } => {
            let arrival = format!("{arrival:?}").to_lowercase();
            let on = match connections {
                None => String::new(),
                Some(1) => ", 1 connection".into(),
                Some(most) => format!(", {most} connections"),
            };
            format!("{arrival} arrivals, {}/s{on}", units::sig3(*rate_per_s))
        }
    }
}

fn span(ns: u64) -> String {
    units::latency_ns(ns as f64)
}

fn exports(args: &DriveArgs) -> impl Iterator<Item = &PathBuf> {
    [&args.export_hdr, &args.export_csv, &args.export_samples].into_iter().flatten()
}

/// `-` is standard output, as everywhere.
fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Whether a file goes to standard output, so that the table for people goes to standard error.
fn stdout_is_taken(global: &Global, args: &DriveArgs) -> Result<bool, String> {
    match exports(args).filter(|path| is_stdout(path)).count() {
        0 => Ok(false),
        1 if args.json || global.message_format == MessageFormat::Json => {
            Err("the JSON object and an export both want standard output: name a file".into())
        }
        1 => Ok(true),
        _ => Err("two exports want standard output: name a file for one of them".into()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Exit> {
    if is_stdout(path) {
        return out::bytes(bytes);
    }
    std::fs::write(path, bytes)
        .map_err(|e| out::fail(Exit::Environment, format!("cannot write {}: {e}", path.display())))
}

/// As many open files as the machine allows: each connection is one. Where it cannot be had, requests will say so.
fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).ok();
}

impl Url {
    fn parse(text: &str) -> Result<Self, String> {
        let hint = "write it like `http://127.0.0.1:8080/path`";
        if text.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
            return Err(format!("`{text}` is https, which drive does not speak: use http"));
        }
        let scheme = text.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
        if scheme.is_none() {
            return Err(format!("`{text}` is no http URL: {hint}"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{text:?} has a character that must be percent-encoded"));
        }
        let rest = text[7..].split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err(format!("`{text}` has a user name, which drive does not send"));
        }
        let (host, port) = match authority.strip_prefix('[').and_then(|a| a.split_once(']')) {
            Some((host, "")) => (host, "80"),
            Some((host, port)) => (host, port.strip_prefix(':').unwrap_or_default()),
            None => authority.split_once(':').unwrap_or((authority, "80")),
        };
        let port = port.parse().ok().filter(|port| *port > 0);
        let Some(port) = port.filter(|_| !host.is_empty()) else {
            return Err(format!("`{text}` has no host, or no port from 1 to 65535: {hint}"));
        };
        let uri = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { authority: authority.to_owned(), host: host.to_owned(), port, uri })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (String, u16, String) {
        let url = Url::parse(text).expect(text);
        (url.host, url.port, url.uri)
    }

    #[test]
    fn urls_are_taken_apart() {
        assert_eq!(parts("http://localhost"), ("localhost".into(), 80, "/".into()));
        assert_eq!(parts("HTTP://a:81/b?c=d#e"), ("a".into(), 81, "/b?c=d".into()));
        assert_eq!(parts("http://a?c"), ("a".into(), 80, "/?c".into()));
        assert_eq!(parts("http://[::1]:8080/x"), ("::1".into(), 8080, "/x".into()));
        assert_eq!(parts("http://[::1]"), ("::1".into(), 80, "/".into()));
    }

    #[test]
    fn what_is_no_http_url_is_refused_with_a_reason() {
        let says = |text: &str| Url::parse(text).expect_err(text);
        assert!(says("https://a/").contains("does not speak"));
        assert!(says("http://u:p@a/").contains("user name"));
        for wrong in ["", "a", "ftp://a", "http://", "http://:80", "http://a:", "http://a:0/"] {
            assert!(says(wrong).contains("write it like"), "{wrong}");
        }
        for wrong in ["http://a:99999", "http://[::1/", "http://[::1]x", "http://é/", "http://a/ b"]
        {
            says(wrong);
        }
    }
}
