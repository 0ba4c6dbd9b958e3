//! fixture.
