//! The design: a precision that can be reached, and a cache state that nothing else in the file undoes.

use super::look::{Look, child};
use crate::spec::codes;
use crate::units::Share;

pub(super) fn check(look: &mut Look<'_>) {
    let design = ["design".to_owned()];
    let precision = child(&design, "precision");
    let share = look.text(&design, "precision").and_then(|text| text.parse::<Share>().ok());
    if share.is_some_and(|share| !(share.0 > 0.0 && share.0 <= 1.0)) {
        let help = "write like `\"3%\"`: half the width of the ratio's interval";
        look.bad(codes::OUT_OF_RANGE, &precision, "is not above 0% and up to 100%", help);
    }
    if !matches!(look.text(&design, "cache_state"), Some("cold" | "warm-os")) {
        return;
    }
    // A warm-up makes hot what the design declares not to be.
    let state = child(&design, "cache_state");
    for path in look.both(&["load", "*"]) {
        if look.of(&path, "warmup").is_some() {
            look.excludes(&path, "warmup", &state, "would warm what `cache_state` keeps cold");
        }
    }
    for path in look.each(&["variants", "*"]) {
        if look.of(&path, "fill").is_some() {
            look.excludes(&path, "fill", &state, "would warm what `cache_state` keeps cold");
        }
    }
}
