//! A generator that does not get its core: it must say so, or its own waiting is read as the server's.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Result;
use rustix::process::Signal;

use crate::table::Table;
use crate::tools::{Drive, Measured, Oracle, Settings, installed};

pub(crate) fn check(settings: Settings, table: &mut Table) -> Result<()> {
    for (name, args) in [
        ("open, 1000/s", "--rate 1000/s --duration 5s"),
        ("closed, 10 users", "--users 10 --duration 5s"),
    ] {
        let free = run(settings, args, |_| Ok(()))?;
        let limited = if free.is_generator_limited() { free.limits() } else { "no".into() };
        table.row(
            &format!("{name}, left alone: generator limited"),
            "no",
            &limited,
            !free.is_generator_limited(),
        );
        let starved = run(settings, args, |drive| {
            while !drive.is_over()? {
                drive.signal(Signal::STOP)?;
                std::thread::sleep(Duration::from_millis(80));
                drive.signal(Signal::CONT)?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok(())
        })?;
        flagged(table, &format!("{name}, stopped for 80 of every 100 ms"), &starved);
    }
    if !settings.is_long {
        return Ok(());
    }
    let what = "open, 1000/s, beside a loop of a higher class on every core";
    if installed("chrt").is_none() || !rustix::process::geteuid().is_root() {
        table.skip(what, "needs chrt and root");
        return Ok(());
    }
    let cores = std::thread::available_parallelism()?.get();
    let mut hogs = Vec::new();
    for _ in 0..cores {
        // The kernel leaves the others a twentieth of each second.
        // What ends it stands above it: in its own class it would never have its turn.
        let mut hog = Command::new("chrt");
        hog.args(["--fifo", "60", "timeout", "8"]);
        hog.args(["chrt", "--fifo", "50", "sh", "-c", "while :; do :; done"]);
        hogs.push(hog.stdin(Stdio::null()).spawn()?);
    }
    let starved = run(settings, "--rate 1000/s --duration 4s", |_| Ok(()));
    for mut hog in hogs {
        hog.wait()?;
    }
    flagged(table, what, &starved?);
    Ok(())
}

fn run(
    settings: Settings,
    args: &str,
    disturb: impl Fn(&mut Drive) -> Result<()>,
) -> Result<Measured> {
    let oracle = Oracle::start(settings, &["law=constant:2"])?;
    let mut drive = Drive::start(settings, &oracle.url(), args)?;
    disturb(&mut drive)?;
    drive.end()
}

fn flagged(table: &mut Table, name: &str, got: &Measured) {
    let p99 = got.ms("response_time_us", "p99");
    table.row(
        &format!("{name}: generator limited"),
        "yes",
        &format!("{} (response time p99 {p99:.1} ms, truly 2)", got.limits()),
        got.is_generator_limited(),
    );
}
