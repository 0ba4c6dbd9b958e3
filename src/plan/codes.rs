//! Numbers of the problems that this room finds: stable, one for each kind of mistake.

/// A name that nothing has: endpoint, index, variant, load, param, table or column.
pub(super) const UNKNOWN_NAME: &str = "QL0201";
/// `$n` that `bind` does not reach, `$0`, or a number that is no placeholder's.
pub(super) const UNBOUND: &str = "QL0202";
/// An entry of `bind` that the statement does not use.
pub(super) const UNUSED_BIND: &str = "QL0203";
/// Two endpoints with one route, or a route that cannot be served.
pub(super) const ROUTE: &str = "QL0204";
/// Not one statement, or one of a kind that does not belong there.
pub(super) const STATEMENT: &str = "QL0205";
/// A cache that would answer wrongly, or never.
pub(super) const CACHE: &str = "QL0206";
/// A param whose values come from nowhere, or contradict its type.
pub(super) const PARAM: &str = "QL0207";
/// A condition that no row can meet.
pub(super) const WHERE: &str = "QL0208";
/// An index statement that does not make the index that it is named for.
pub(super) const INDEX: &str = "QL0209";
/// The folder of migrations, or a file in it.
pub(super) const MIGRATION: &str = "QL0210";
/// A setting that a file may not state, or a value that it cannot have.
pub(super) const SETTING: &str = "QL0211";
/// A load profile that contradicts itself.
pub(super) const LOAD: &str = "QL0212";
/// A variant that cannot be driven.
pub(super) const VARIANT: &str = "QL0213";
/// An expectation that can never hold.
pub(super) const EXPECT: &str = "QL0214";
/// A design that compares nothing.
pub(super) const DESIGN: &str = "QL0215";
/// A claim that says too little, too much, or something about a cell that is not run.
pub(super) const CLAIM: &str = "QL0216";
/// A threshold or a regression limit that limits nothing.
pub(super) const LIMIT: &str = "QL0217";
/// More connections than Postgres is to take.
pub(super) const CONNECTIONS: &str = "QL0218";
/// More than one run may take: cells, rows, hours.
pub(super) const TOO_MUCH: &str = "QL0219";
/// A column whose generator is missing, incomplete or contradictory.
pub(super) const GENERATOR: &str = "QL0220";
/// A path that leaves the place where files may be.
pub(super) const PATH: &str = "QL0221";
/// A key whose engine is not built yet.
pub(super) const NOT_YET: &str = "QL0222";
