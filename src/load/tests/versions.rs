//! Answers that are older than a write, counted by a whole load.

use std::cell::Cell;
use std::rc::Rc;

use super::scripts::{Reply, closed, drive, on_paused_clock, reply, scripted};
use crate::load::WindowRecording;
use crate::load::fixtures::{MS, example};
use crate::plan::{
    CheckPlan, DistributionPlan, DrawPlan, DrawSource, LoadPlan, TargetPlan, VersionPlan,
    VersionRole, VersionedRow,
};

fn target(path: &str, role: VersionRole) -> TargetPlan {
    let row = VersionedRow { endpoint: "read".into(), params: vec!["k".into()] };
    let version = Some(VersionPlan { column: "version".into(), role, rows: vec![row] });
    let source = DrawSource::Values(vec!["a".into()]);
    let distribution = DistributionPlan::Uniform { keys: None };
    let draws = vec![DrawPlan { param: "k".into(), source, distribution }];
    let check = CheckPlan { status: 200, rows: Some(1), fields: Vec::new() };
    TargetPlan { path: path.into(), draws, check, version, ..example().targets.remove(0) }
}

/// Four users read and write one row, whose reads are answered by `read` from how often it was written.
async fn run(read: impl Fn(i64) -> i64 + 'static) -> WindowRecording {
    let targets = vec![target("/read", VersionRole::Reads), target("/write", VersionRole::Writes)];
    let mut plan = LoadPlan { targets, duration_ns: 500 * MS, ..closed(4, MS) };
    plan.warmup.max_ns = 0;
    let written = Rc::new(Cell::new(0));
    let door = scripted(move |uri, _| {
        let is_write = uri.path() == "/write";
        if is_write {
            written.set(written.get() + 1);
        }
        let version = if is_write { written.get() } else { read(written.get()) };
        Reply { body: format!("[{{\"version\":{version}}}]"), ..reply(uri, 2) }
    });
    let recording = drive(plan, door, None).await.recording;
    assert!(recording.wrong_answers.is_empty(), "{:?}", recording.wrong_answers);
    assert!(recording.window.answered > 100, "{:?}", recording.window);
    recording.window
}

#[test]
fn a_load_counts_the_answers_that_are_older_than_writes_it_has_seen_answered() {
    on_paused_clock(async {
        let fresh = run(|written| written).await;
        assert_eq!(fresh.stale, 0);
        // Half of the requests read, and only those are compared.
        assert!(fresh.dated > fresh.answered / 4 && fresh.dated < fresh.answered * 3 / 4);
        let never_renewed = run(|_| 0).await;
        // Reads before the first write are compared with nothing, so all that are compared are old.
        assert!(never_renewed.dated > never_renewed.answered / 4, "{never_renewed:?}");
        assert_eq!(never_renewed.stale, never_renewed.dated);
        // Four users: when a read goes out, at most three writes beside it are not answered yet.
        let behind = run(|written| written - 50).await;
        assert!(behind.stale > behind.dated / 2, "{behind:?}");
    });
}
