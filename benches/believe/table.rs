//! The table: a row is printed as soon as it is known.

use std::process::ExitCode;

/// Rows so far.
#[derive(Debug)]
pub(crate) struct Table {
    held: usize,
    broken: usize,
    skipped: usize,
    noted: usize,
}

impl Table {
    pub(crate) fn begin() -> Self {
        println!("| what | wanted | got | held |\n|---|---|---|---|");
        Self { held: 0, broken: 0, skipped: 0, noted: 0 }
    }

    /// Something that must hold.
    pub(crate) fn row(&mut self, what: &str, wanted: &str, got: &str, holds: bool) {
        let word = if holds { "yes" } else { "NO" };
        println!("| {what} | {wanted} | {got} | {word} |");
        *(if holds { &mut self.held } else { &mut self.broken }) += 1;
    }

    /// A number that must lie within `tolerance` of another; all three in `unit`.
    pub(crate) fn near(
        &mut self,
        what: &str,
        (wanted, tolerance): (f64, f64),
        got: f64,
        unit: &str,
    ) {
        let holds = (got - wanted).abs() <= tolerance;
        self.row(
            what,
            &format!("{wanted} ± {tolerance} {unit}"),
            &format!("{got:.1} {unit}"),
            holds,
        );
    }

    /// A number that must be below another.
    pub(crate) fn below(&mut self, what: &str, limit: f64, got: f64, unit: &str) {
        self.row(what, &format!("under {limit} {unit}"), &format!("{got:.2} {unit}"), got < limit);
    }

    /// A figure that nothing is asked of.
    pub(crate) fn note(&mut self, what: &str, got: &str) {
        println!("| {what} | | {got} | |");
        self.noted += 1;
    }

    /// Something that could not be checked here.
    pub(crate) fn skip(&mut self, what: &str, why: &str) {
        println!("| {what} | | {why} | skipped |");
        self.skipped += 1;
    }

    pub(crate) fn end(self) -> ExitCode {
        let Self { held, broken, skipped, noted } = self;
        println!("\n{held} held, {broken} did not, {skipped} skipped, {noted} noted");
        if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
