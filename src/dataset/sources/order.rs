//! Which tables from elsewhere come before the rows that are made, and which after them.

use anyhow::{Result, bail};
use sqlx::postgres::PgConnection;

use crate::dataset::catalogue::references;
use crate::plan::SourcePlan;
use crate::rows::TableSpec;

/// Tables from elsewhere, each after those that it refers to.
#[derive(Debug, Default)]
pub(in crate::dataset) struct Order<'a> {
    /// They refer to no rows that are made.
    pub(in crate::dataset) before: Vec<&'a SourcePlan>,
    /// They do.
    pub(in crate::dataset) after: Vec<&'a SourcePlan>,
}

/// The order by the foreign keys that are there.
pub(in crate::dataset) async fn order<'a>(
    app: &mut PgConnection,
    sources: &'a [SourcePlan],
    made: &[TableSpec],
) -> Result<Order<'a>> {
    if sources.is_empty() {
        return Ok(Order::default());
    }
    let references = references(app).await?;
    let made: Vec<&str> = made.iter().map(|table| table.name.as_str()).collect();
    sorted(sources, &made, &references)
}

fn sorted<'a>(
    sources: &'a [SourcePlan],
    made: &[&str],
    references: &[(String, String)],
) -> Result<Order<'a>> {
    let mut left: Vec<&SourcePlan> = sources.iter().collect();
    let mut order = Order::default();
    while !left.is_empty() {
        let waits = |source: &SourcePlan| {
            let of = |(from, to): &&(String, String)| *from == source.table && to != from;
            let mut others = references.iter().filter(of);
            others.any(|(_, to)| left.iter().any(|other| other.table == *to))
        };
        let Some(next) = left.iter().position(|source| !waits(source)) else {
            let names: Vec<&str> = left.iter().map(|source| source.table.as_str()).collect();
            bail!("the tables {} refer to each other in a circle", names.join(", "));
        };
        let source = left.remove(next);
        let is_late = references.iter().any(|(from, to)| {
            let comes_late = order.after.iter().any(|late: &&SourcePlan| late.table == *to);
            *from == source.table && (made.contains(&to.as_str()) || comes_late)
        });
        if is_late {
            order.after.push(source);
        } else {
            order.before.push(source);
        }
    }
    let crossing = references.iter().find(|(from, to)| {
        made.contains(&from.as_str()) && order.after.iter().any(|late| late.table == *to)
    });
    if let Some((from, to)) = crossing {
        bail!(
            "the rows of `{from}` are made, and refer to `{to}`, which refers to rows that are made"
        );
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::SourceKind;

    fn split(references: &[(&str, &str)]) -> Result<(Vec<String>, Vec<String>)> {
        let sources = ["a", "b", "c"].map(|table| SourcePlan {
            table: table.into(),
            columns: Vec::new(),
            rows: None,
            from: SourceKind::Query { sql: "SELECT 1".into() },
        });
        let references: Vec<(String, String)> =
            references.iter().map(|(from, to)| ((*from).into(), (*to).into())).collect();
        let order = sorted(&sources, &["made"], &references)?;
        let names = |list: &[&SourcePlan]| list.iter().map(|s| s.table.clone()).collect();
        Ok((names(&order.before), names(&order.after)))
    }

    #[test]
    fn what_refers_to_made_rows_comes_after_them_and_so_does_what_refers_to_that() {
        let names = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let none = split(&[("a", "a"), ("made", "b")]).expect("an order");
        assert_eq!(none, (names(&["a", "b", "c"]), Vec::new()));
        let late = split(&[("a", "b"), ("b", "made"), ("made", "c")]).expect("an order");
        assert_eq!(late, (names(&["c"]), names(&["b", "a"])));
        for circle in [&[("a", "b"), ("b", "a")][..], &[("made", "a"), ("a", "made")][..]] {
            assert!(split(circle).is_err(), "{circle:?}");
        }
    }
}
