//! What the instrument shows against servers whose latency is known: `cargo bench --bench believe -- [OPTIONS] [CHECK…]`.
//!
//! Each row of the table says what was checked, what was wanted and what was got; the exit code is 1 if one does not
//! hold. Checks: `known`, `stall`, `arrivals`, `starved`, `tools`, `verdicts`, `real`; all of them if none is named. `--long` runs
//! everything (an hour), and `--realtime` puts oracle and generator before the machine's other programs (`chrt`, root).
//! QUERYLAB names another program than the one that was built. `docs/METHOD.md` has the figures.
#![expect(clippy::print_stdout, reason = "a program of its own, whose table goes to stdout")]
#![expect(
    clippy::disallowed_methods,
    reason = "outside of the package's rooms: it starts processes, and its oracle waits"
)]

mod arrivals;
mod known;
mod laws;
mod oracle;
mod real;
mod stall;
mod starved;
mod table;
mod tools;
mod verdicts;
mod versus;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::table::Table;
use crate::tools::Settings;

type Check = fn(Settings, &mut Table) -> Result<()>;

const CHECKS: [(&str, Check); 7] = [
    ("known", known::check),
    ("stall", stall::check),
    ("arrivals", arrivals::check),
    ("starved", starved::check),
    ("tools", versus::check),
    ("verdicts", verdicts::check),
    ("real", real::check),
];

fn main() -> Result<ExitCode> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "oracle") {
        oracle::serve(&words[1..])?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut settings = Settings { is_long: false, is_realtime: false };
    let mut names = Vec::new();
    for word in &words {
        match word.as_str() {
            "--long" => settings.is_long = true,
            "--realtime" => settings.is_realtime = true,
            name if CHECKS.iter().any(|(known, _)| *known == name) => names.push(name),
            other => bail!("no check and no option: {other}"),
        }
    }
    let mut table = Table::begin();
    for (name, check) in CHECKS {
        if names.is_empty() || names.contains(&name) {
            check(settings, &mut table)?;
        }
    }
    Ok(table.end())
}
