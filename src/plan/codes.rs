//! Numbers of the problems that this room finds: stable, one for each kind of mistake.

/// A name that nothing has: endpoint, index, variant, load, param, table or column.
pub(super) const UNKNOWN_NAME: &str = "QL0601";
/// `$n` that `bind` does not reach, `$0`, or a number that is no placeholder's.
pub(super) const UNBOUND: &str = "QL0602";
/// An entry of `bind` that the statement does not use.
pub(super) const UNUSED_BIND: &str = "QL0603";
/// Two endpoints with one route, or a route that cannot be served.
pub(super) const ROUTE: &str = "QL0604";
/// Not one statement, or one of a kind that does not belong there.
pub(super) const STATEMENT: &str = "QL0605";
/// A cache that would answer wrongly, or never.
pub(super) const CACHE: &str = "QL0606";
/// A param whose values come from nowhere, or contradict its type.
pub(super) const PARAM: &str = "QL0607";
/// A condition that no row can meet.
pub(super) const WHERE: &str = "QL0608";
/// An index statement that does not make the index that it is named for.
pub(super) const INDEX: &str = "QL0609";
/// The folder of migrations, or a file in it.
pub(super) const MIGRATION: &str = "QL0610";
/// A setting that a file may not state, or a value that it cannot have.
pub(super) const SETTING: &str = "QL0611";
/// A load profile that contradicts itself.
pub(super) const LOAD: &str = "QL0612";
/// A variant that cannot be driven.
pub(super) const VARIANT: &str = "QL0613";
/// An expectation that can never hold.
pub(super) const EXPECT: &str = "QL0614";
/// A design that compares nothing.
pub(super) const DESIGN: &str = "QL0615";
/// A claim that says too little, too much, or something about a cell that is not run.
pub(super) const CLAIM: &str = "QL0616";
/// A threshold or a regression limit that limits nothing.
pub(super) const LIMIT: &str = "QL0617";
/// More connections than Postgres is to take.
pub(super) const CONNECTIONS: &str = "QL0618";
/// More than one run may take: cells, rows, hours.
pub(super) const TOO_MUCH: &str = "QL0619";
/// A column whose generator is missing, incomplete or contradictory.
pub(super) const GENERATOR: &str = "QL0620";
/// A path that leaves the place where files may be.
pub(super) const PATH: &str = "QL0621";
/// Two pairs of variant and endpoint whose files in the results would have one name.
pub(super) const SAME_FILE: &str = "QL0622";
/// Somebody else's Postgres: not allowed, not to be found, or asked for what does more than read.
pub(super) const EXTERNAL: &str = "QL0623";
/// A file of values or of rows, or one that Nginx serves: unreadable, not what it should be, or with a value that its
/// parameter cannot have.
pub(super) const VALUES: &str = "QL0630";

/// Mistakes that are found in a file with other mistakes too, because they do not follow from them.
pub(super) const STANDS_ALONE: &[&str] =
    &[UNKNOWN_NAME, UNBOUND, UNUSED_BIND, ROUTE, STATEMENT, CACHE, INDEX, MIGRATION, SETTING];
