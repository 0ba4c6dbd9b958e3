//! `drive` beside wrk and oha, in turn, at the same closed load: their medians agree.

use anyhow::Result;
use querylab::stats::median;

use crate::table::Table;
use crate::tools::{Oracle, Other, Settings, drive, installed, oha, wrk};

const ROUNDS: usize = 3;
const USERS: u32 = 20;
const SECONDS: u32 = 4;

type Tool = fn(Settings, &str, u32, u32) -> Result<Other>;

pub(crate) fn check(settings: Settings, table: &mut Table) -> Result<()> {
    let others: [(&str, Tool); 2] = [("wrk", wrk), ("oha", oha)];
    for law in ["constant:2", "lognormal:5:0.5"] {
        let oracle = Oracle::start(settings, &[&format!("law={law}")])?;
        for (name, tool) in others {
            let what = format!("{USERS} users on {law} ms: drive beside {name}");
            if installed(name).is_none() {
                table.skip(&what, &format!("{name} is not installed"));
                continue;
            }
            let mut ours: [Vec<f64>; 2] = Default::default();
            let mut theirs: [Vec<f64>; 2] = Default::default();
            for _ in 0..ROUNDS {
                let args = format!("--users {USERS} --duration {SECONDS}s");
                let own = drive(settings, &oracle.url(), &args)?;
                let other = tool(settings, &oracle.url(), USERS, SECONDS)?;
                for (i, figure) in ["p50", "p99"].into_iter().enumerate() {
                    ours[i].push(own.ms("response_time_us", figure));
                    theirs[i].push([other.p50, other.p99][i]);
                }
            }
            let mid = |all: &[Vec<f64>; 2]| all.each_ref().map(|v| median(v).unwrap_or(f64::NAN));
            let ([a50, a99], [b50, b99]) = (mid(&ours), mid(&theirs));
            table.row(
                &format!("{what}: p50"),
                "within 10 %",
                &format!("{a50:.3} and {b50:.3} ms ({:+.1} %)", (a50 / b50 - 1.0) * 100.0),
                (a50 / b50 - 1.0).abs() <= 0.1,
            );
            table.note("the same: p99", &format!("{a99:.3} and {b99:.3} ms"));
        }
    }
    Ok(())
}
