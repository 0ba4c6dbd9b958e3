//! Parts of the format whose engine is not there yet: refused, never ignored.

use super::look::Look;
use crate::spec::codes;

pub(super) fn check(look: &mut Look<'_>) {
    for path in look.both(&["services", "*", "transport"]) {
        if look.get(&path).is_some_and(|v| v == "tcp") {
            let help = "leave it out: servers are reached through unix sockets";
            look.bad(codes::NOT_YET, &path, "= \"tcp\" is not supported yet", help);
        } else if path.iter().any(|part| part == "nginx") {
            let help = "leave it out: Nginx is reached through TCP on 127.0.0.1";
            look.bad(codes::NOT_YET, &path, "is not supported yet for Nginx", help);
        }
    }
    for path in look.both(&["endpoints", "*", "cache", "strategy"]) {
        if look.get(&path).is_some_and(|v| v == "write-behind") {
            let help = "use `write-through`: a write that only Redis has is lost with it, and Postgres may still refuse it";
            look.bad(codes::NOT_YET, &path, "is a strategy that cannot be made safe here", help);
        }
    }
}
