//! The example's table and load, for the tests of this room.

use super::fault::CacheWord;
use super::ledger::Answered;
use super::versions::Age;
use crate::plan::{
    AnswerPlan, CheckPlan, DistributionPlan, DrawPlan, DrawSource, FieldCheck, LoadPlan, ModelPlan,
    TargetPlan, Until, WarmupPlan,
};
use crate::rows::{ColumnSpec, Generator, RowOrder, TableSpec};

/// One millisecond in nanoseconds.
pub(super) const MS: u64 = 1_000_000;
/// One second in nanoseconds.
pub(super) const S: u64 = 1000 * MS;

/// The example's users.
pub(super) fn users(rows: u64) -> TableSpec {
    let column =
        |name: &str, generator| ColumnSpec { name: name.into(), generator, null_ratio: 0.0 };
    let pieces = vec!["email".into(), "@example.com".into()];
    let choices = vec![("active".into(), 70.0), ("inactive".into(), 30.0)];
    let (start_us, step_us) = (1_704_067_200_000_000, 1_000_000);
    let columns = vec![
        column("email", Generator::Template { pieces }),
        column("name", Generator::PersonName),
        column("status", Generator::Weighted { choices }),
        column("created_at", Generator::Timestamp { start_us, step_us }),
    ];
    TableSpec { name: "users".into(), rows, columns, order: RowOrder::Clustered }
}

/// The example's unloaded variant `btree`: zipfian keys among 10,000, one row with the e-mail that was asked for.
pub(super) fn example() -> LoadPlan {
    let source = DrawSource::Column {
        table: "users".into(),
        column: "email".into(),
        conditions: vec![("status".into(), "active".into())],
    };
    let distribution = DistributionPlan::Zipfian { exponent: 0.99, keys: 5_000 };
    LoadPlan {
        model: ModelPlan::Closed { users: 1, think_ns: 0 },
        timeout_ns: 2 * S,
        duration_ns: 10 * S,
        warmup: WarmupPlan { min_ns: 0, max_ns: 3 * S, until: Until::Steady },
        fill: None,
        stages: Vec::new(),
        search: None,
        processors: None,
        targets: vec![TargetPlan {
            endpoint: "indexed".into(),
            weight: 1.0,
            method: "GET".into(),
            path: "/users/indexed".into(),
            draws: vec![DrawPlan { param: "email".into(), source, distribution }],
            body: Vec::new(),
            check: CheckPlan {
                status: 200,
                rows: Some(1),
                fields: vec![("email".into(), FieldCheck::Param("email".into()))],
            },
            answer: AnswerPlan::Rows,
            version: None,
        }],
    }
}

/// A right answer at that moment.
pub(super) fn answered(at_ns: u64, bytes: u64, cache: Option<CacheWord>) -> Answered {
    let (sent_ns, first_byte_ns) = (at_ns, at_ns);
    Answered { sent_ns, first_byte_ns, bytes, lines: 0, age: Age::Unknown, cache }
}
