//! A server that says nothing for a second in thirty, at 1000/s: who tells of it, and under which name.

use std::time::Duration;

use anyhow::Result;
use rustix::process::{Signal, kill_process};

use crate::known::is_whole;
use crate::table::Table;
use crate::tools::{Drive, Oracle, Settings, drive, installed, log_ms, oha_with, wrk};

/// The stall begins in the middle, and takes a second.
const STALL: &str = "stall=15000:1000";
/// Arrivals wait for one of so many connections, as a real client's do.
const FEW: &str = "--connections 50";
/// A connection for each.
const FREE: &str = "--max-in-flight 8000";

pub(crate) fn check(settings: Settings, table: &mut Table) -> Result<()> {
    let waiting = run(settings, FEW, Stop::Oracle)?;
    judge(table, "stall, 50 connections", &waiting);
    table.below("the same: service time p99", 5.0, waiting.service_p99, "ms");

    let stopped = run(settings, FEW, Stop::Signal)?;
    judge(table, "SIGSTOP, 50 connections", &stopped);
    table.below("the same: service time p99", 5.0, stopped.service_p99, "ms");

    let free = run(settings, FREE, Stop::Oracle)?;
    judge(table, "stall, a connection for each", &free);
    table.near(
        "the same: service time p99, as all were sent on time",
        (700.0, 30.0),
        free.service_p99,
        "ms",
    );

    let oracle = Oracle::start(settings, &["law=constant:1", STALL])?;
    let closed = drive(settings, &oracle.url(), "--users 10 --duration 30s")?;
    let p99 = closed.ms("response_time_us", "p99");
    table.below("the same stall, 10 users: p99, which hides it", 5.0, p99, "ms");
    others(settings, table)
}

/// What other tools say of the same stall.
fn others(settings: Settings, table: &mut Table) -> Result<()> {
    if installed("wrk").is_some() {
        // Its closed load hides the stall too, but it adds samples afterwards that it has not measured.
        let oracle = Oracle::start(settings, &["law=constant:1", STALL])?;
        let other = wrk(settings, &oracle.url(), 10, 30)?;
        table.note("the same stall by wrk, 10 connections: p99", &format!("{:.1} ms", other.p99));
    } else {
        table.skip("the same stall by wrk", "wrk is not installed");
    }
    if installed("oha").is_none() {
        table.skip("the same stall by oha", "oha is not installed");
        return Ok(());
    }
    for (name, more) in [
        ("10 connections, closed", &[][..]),
        ("50 connections, 1000/s", &["-q", "1000"]),
        ("the same with its correction", &["-q", "1000", "--latency-correction"]),
    ] {
        let oracle = Oracle::start(settings, &["law=constant:1", STALL])?;
        let users = if more.is_empty() { 10 } else { 50 };
        let other = oha_with(settings, &oracle.url(), (users, 30), more)?;
        table.note(&format!("the same stall by oha, {name}: p99"), &format!("{:.1} ms", other.p99));
    }
    Ok(())
}

/// Who stops the server.
#[derive(Debug, Clone, Copy)]
enum Stop {
    /// Itself: what arrives meanwhile is answered at the end.
    Oracle,
    /// The kernel.
    Signal,
}

struct Read {
    p97: f64,
    p99: f64,
    p999: f64,
    max: f64,
    service_p99: f64,
    is_whole: bool,
}

fn run(settings: Settings, bound: &str, stop: Stop) -> Result<Read> {
    let law = "law=constant:1";
    let orders = [law, STALL];
    let orders = if matches!(stop, Stop::Oracle) { &orders[..] } else { &orders[..1] };
    let oracle = Oracle::start(settings, orders)?;
    let log = std::env::temp_dir().join(format!("believe-{}.hlog", std::process::id()));
    let bound = bound.replace("--connections", "--max-in-flight 8000 --connections");
    let args = format!("--rate 1000/s --duration 30s {bound} --export-hdr {}", log.display());
    let driven = Drive::start(settings, &oracle.url(), &args)?;
    if matches!(stop, Stop::Signal) {
        std::thread::sleep(Duration::from_secs(15));
        kill_process(oracle.pid(), Signal::STOP)?;
        std::thread::sleep(Duration::from_secs(1));
        kill_process(oracle.pid(), Signal::CONT)?;
    }
    let got = driven.end()?;
    let text = std::fs::read_to_string(&log)?;
    std::fs::remove_file(&log)?;
    Ok(Read {
        p97: log_ms(&text, "response", 0.97)?,
        p99: got.ms("response_time_us", "p99"),
        p999: got.ms("response_time_us", "p999"),
        max: got.ms("response_time_us", "max"),
        service_p99: got.ms("service_time_us", "p99"),
        is_whole: is_whole(&got),
    })
}

fn judge(table: &mut Table, name: &str, read: &Read) {
    table.near(&format!("{name}: response time p97"), (100.0, 20.0), read.p97, "ms");
    table.near("the same: p99", (700.0, 30.0), read.p99, "ms");
    table.near("the same: p99.9", (970.0, 20.0), read.p999, "ms");
    table.near("the same: max", (1000.0, 20.0), read.max, "ms");
    let got = if read.is_whole { "all answered" } else { "not all answered" };
    table.row("the same: 30,000 requests", "all answered", got, read.is_whole);
}
