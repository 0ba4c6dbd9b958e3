//! What the schema cannot say: keys that contradict or need each other, texts that must mean something, and parts of
//! the format whose engine is not there yet. References between sections are `plan`'s.

mod claims;
mod columns;
mod data;
mod design;
mod external;
mod loads;
mod look;
mod not_yet;
mod sources;
mod stages;
mod texts;

use serde_json::Value;

use super::Problem;
use super::merge::Places;

/// Checks the meaning of `tree`, a whole file with its variants' patches in it.
pub(super) fn check(tree: &Value, places: Places<'_>, out: &mut Vec<Problem>) {
    let mut look = look::Look { tree, places, out };
    texts::check(&mut look);
    columns::check(&mut look);
    sources::check(&mut look);
    data::check(&mut look);
    loads::check(&mut look);
    claims::check(&mut look);
    design::check(&mut look);
    external::check(&mut look);
    not_yet::check(&mut look);
}
