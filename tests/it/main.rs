//! The one integration binary: what can only be seen from outside the rooms.

mod house;
mod sources;
