//! A plan in words and tables for people.

use std::fmt::Write;

use comfy_table::{Table, presets};

use crate::plan::{ModelPlan, Plan, Role, Until};
use crate::units;

/// The whole page of `querylab plan`.
pub(super) fn plan(plan: &Plan) -> String {
    let mut page = String::new();
    let e = &plan.experiment;
    let estimate = &plan.estimate;
    let written = (|| -> std::fmt::Result {
        writeln!(page, "{}  (profile {})", e.id, plan.profile)?;
        writeln!(page, "{}\n", e.title)?;
        writeln!(page, "fingerprint  {}", plan.fingerprint)?;
        writeln!(page, "seed         {}", plan.seed)?;
        for table in &plan.dataset.tables {
            writeln!(page, "table        {}: {} rows", table.name, units::count(table.rows))?;
        }
        for source in &plan.dataset.sources {
            let rows = source.rows.map_or_else(String::new, |rows| units::count(rows) + " ");
            let from = source.from.file().map_or("a query", |(file, _)| file);
            writeln!(page, "table        {}: {rows}rows from {from}", source.table)?;
        }
        writeln!(
            page,
            "trials       {} = {}{} blocks × {} per block",
            plan.trials.len(),
            if plan.design.precision.is_some() { "at most " } else { "" },
            plan.design.blocks,
            plan.trials.iter().filter(|t| t.block == 1).count()
        )?;
        writeln!(
            page,
            "estimate     {} of time{}, {} of memory, {} of disk\n",
            units::duration_ns(estimate.time_ns),
            budget(plan),
            units::bytes(estimate.memory_bytes as f64),
            units::bytes(estimate.disk_bytes as f64)
        )?;
        writeln!(page, "{}\n", cells(plan))?;
        writeln!(page, "{}\n", deltas(plan))?;
        writeln!(page, "Order (each block in seeded random order; * is the baseline's twin):")?;
        write!(page, "{}", order(plan))?;
        for (position, warning) in plan.warnings.iter().enumerate() {
            let gap = if position == 0 { "\n" } else { "" };
            writeln!(page, "{gap}warning: {warning}")?;
        }
        Ok(())
    })();
    written.expect("a String takes all");
    page
}

fn budget(plan: &Plan) -> String {
    match plan.design.time_budget_ns {
        None => String::new(),
        Some(ns) if ns < plan.estimate.time_ns => {
            format!(
                " (over the budget of {}: it would stop after a whole block)",
                units::duration_ns(ns)
            )
        }
        Some(ns) => format!(" (budget {})", units::duration_ns(ns)),
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header.to_vec());
    table
}

fn cells(plan: &Plan) -> Table {
    let mut t =
        table(&["variant", "load", "arrivals", "warm-up", "window", "database", "expected plan"]);
    for cell in &plan.cells {
        let mut arrivals = match &cell.drive.model {
            ModelPlan::Closed { users: 1, .. } => "closed, 1 user".to_owned(),
            ModelPlan::Closed { users, .. } => format!("closed, {users} users"),
            ModelPlan::Open { rate_per_s, arrival, connections, .. } => {
                let on = connections.map_or(String::new(), |most| format!(", {most} connections"));
                format!(
                    "open, {}/s {}{on}",
                    units::sig3(*rate_per_s),
                    format!("{arrival:?}").to_lowercase()
                )
            }
        };
        if let (Some(first), Some(last)) = (cell.drive.stages.first(), cell.drive.stages.last()) {
            let (first, last) = (units::sig3(first.from), units::sig3(last.to));
            write!(arrivals, ", {} stages from {first} to {last}", cell.drive.stages.len())
                .expect("a String takes all");
        }
        if let Some(search) = &cell.drive.search {
            let most = units::sig3(search.most_per_s);
            let at_most = units::latency_ns(search.at_most_ns as f64);
            let metric = search.metric.name();
            write!(arrivals, ", searched up to {most}/s for {metric} <= {at_most}")
                .expect("a String takes all");
        }
        if let Some(count) = cell.drive.processors {
            let s = if count == 1 { "" } else { "s" };
            write!(arrivals, ", on {count} processor{s}").expect("a String takes all");
        }
        let until = match &cell.drive.warmup.until {
            Until::Steady => "steady".to_owned(),
            Until::CacheHitRatioAtLeast(ratio) => format!("hit ratio ≥ {ratio}"),
        };
        let seconds = |ns: u64| units::sig3(ns as f64 / 1e9);
        let warmup = format!(
            "{}–{} s, {until}",
            seconds(cell.drive.warmup.min_ns),
            seconds(cell.drive.warmup.max_ns)
        );
        let expected = cell.expect.plan.as_ref().map_or_else(String::new, |p| {
            let of = p.index.as_ref().or(p.relation.as_ref());
            format!("{} {}", p.node, of.map_or("", String::as_str))
        });
        t.add_row(vec![
            cell.variant.clone(),
            cell.load.clone(),
            arrivals,
            warmup,
            format!("{} s", seconds(cell.drive.duration_ns)),
            cell.stack.postgres.url_from.as_ref().unwrap_or(&cell.database).clone(),
            expected,
        ]);
    }
    t
}

fn deltas(plan: &Plan) -> Table {
    let baseline = format!("baseline {}", plan.design.baseline);
    let mut t = table(&["variant", "factor", &baseline, "variant's"]);
    for delta in &plan.deltas {
        for (factor, base, own) in &delta.factors {
            t.add_row(vec![&delta.variant, factor, base, own]);
        }
    }
    t
}

fn order(plan: &Plan) -> String {
    let mut text = String::new();
    for block in 1..=plan.design.blocks {
        let trials: Vec<String> = plan
            .trials
            .iter()
            .filter(|t| t.block == block)
            .map(|t| {
                let cell = &plan.cells[t.cell];
                let star = if t.role == Role::Twin { "*" } else { "" };
                format!("{}{star}/{}", cell.variant, cell.load)
            })
            .collect();
        writeln!(text, "  {block:>3}  {}", trials.join("  ")).expect("a String takes all");
    }
    text
}
