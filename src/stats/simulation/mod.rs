//! The verdict engine on simulated sessions: how often it is wrong must be what it says.

mod full;
mod quick;
mod world;
