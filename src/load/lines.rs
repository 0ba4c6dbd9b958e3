//! Answers in lines: each is checked when it has arrived, and then forgotten, so that a long answer takes no memory.

use super::check;
use crate::plan::TargetPlan;

/// What has been seen of one answer in lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rows: u64,
    wrong: Option<String>,
}

impl Lines {
    /// An answer begins.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// Takes all whole lines out of what has arrived. After the first wrong one the others are only counted.
    pub(super) fn take(
        &mut self,
        target: &TargetPlan,
        params: &[(String, String)],
        arrived: &mut Vec<u8>,
    ) {
        let mut from = 0;
        while let Some(length) = arrived[from..].iter().position(|byte| *byte == b'\n') {
            let line = &arrived[from..from + length];
            from += length + 1;
            self.rows += 1;
            if self.wrong.is_some() {
                continue;
            }
            if let Some(what) = check::wrong_row(&target.check, params, line) {
                self.wrong = Some(format!("line {} (`{}`): {what}", self.rows, check::shown(line)));
            }
        }
        arrived.drain(..from);
    }

    /// What is wrong with the whole answer, of which this is left over; none if nothing is.
    pub(super) fn end(&self, target: &TargetPlan, left: &[u8]) -> Option<String> {
        if let Some(wrong) = &self.wrong {
            return Some(wrong.clone());
        }
        if !left.is_empty() {
            return Some(format!("what follows line {} does not end", self.rows));
        }
        let wanted = target.check.rows.filter(|wanted| *wanted != self.rows)?;
        Some(format!("{} lines instead of {wanted}", self.rows))
    }

    /// Lines so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::fixtures::example;
    use crate::plan::{AnswerPlan, CheckPlan, FieldCheck};

    fn target(rows: Option<u64>) -> TargetPlan {
        let fields = vec![("id".into(), FieldCheck::Param("id".into()))];
        let check = CheckPlan { status: 200, rows, fields };
        TargetPlan { check, answer: AnswerPlan::Lines, ..example().targets.remove(0) }
    }

    /// The answer in pieces of these sizes: what is wrong, and how many lines.
    fn read(body: &str, rows: Option<u64>, sizes: &[usize]) -> (String, u64) {
        let (target, params) = (target(rows), [("id".to_owned(), "7".to_owned())]);
        let mut lines = Lines::default();
        let (mut arrived, mut rest) = (Vec::new(), body.as_bytes());
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let size = sizes.next().map_or(1, |size| *size).clamp(1, rest.len());
            arrived.extend_from_slice(&rest[..size]);
            rest = &rest[size..];
            lines.take(&target, &params, &mut arrived);
        }
        (lines.end(&target, &arrived).unwrap_or_default(), lines.rows())
    }

    #[test]
    fn each_line_is_a_row_and_the_first_wrong_one_is_told() {
        let says = |body: &str, rows| read(body, rows, &[5]);
        assert_eq!(says("{\"id\":7}\n{\"id\":7,\"x\":[1]}\n", Some(2)), (String::new(), 2));
        assert_eq!(says("", Some(0)), (String::new(), 0));
        assert_eq!(says("", None), (String::new(), 0));
        assert_eq!(says("{\"id\":7}\n", Some(2)).0, "1 lines instead of 2");
        assert_eq!(says("{\"id\":7}\n{\"id\":7}", None).0, "what follows line 1 does not end");
        let (what, rows) = says("{\"id\":7}\n{\"id\":8}\n{\"id\":9}\n", Some(3));
        assert_eq!(what, "line 2 (`{\"id\":8}`): field `id` is 8 instead of \"7\"");
        assert_eq!(rows, 3);
        assert!(says("\n", None).0.starts_with("line 1"));
        assert!(says("{\"id\":7} {}\n", None).0.contains("trailing"));
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_it_arrives_do_not_matter(
            sizes in proptest::collection::vec(1_usize..40, 1..5),
            ids in proptest::collection::vec(6_u8..8, 0..9),
        ) {
            let lines: Vec<_> = ids.iter().map(|id| format!("{{\"id\":{id}}}\n")).collect();
            let body = lines.concat();
            prop_assert_eq!(read(&body, Some(4), &sizes), read(&body, Some(4), &[usize::MAX]));
        }
    }
}
