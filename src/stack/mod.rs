//! The servers: real Postgres, Redis, Nginx and API processes of our own, found or fetched, started by a guard, stopped
//! in reverse, with nothing left behind. The only room that starts processes.

mod amounts;
mod child;
mod clean;
mod client;
mod config;
mod doctor;
mod error;
mod fetch;
mod find;
mod guard;
mod http;
mod identity;
mod janitor;
mod locate;
mod lock;
mod nginx;
mod ports;
mod postgres;
mod postgres_settings;
mod process;
mod procs;
mod protocol;
mod redis;
mod running;
mod scratch;
mod session;
mod shared;
mod shared_memory;
mod surroundings;
mod ward;
mod workshop;

pub use child::child_main;
pub use clean::{Cache, clean};
pub use doctor::{DoctorOptions, Finding, Health, Origin, Ready, doctor, setup};
pub use error::StackError;
pub use guard::guard_main;
pub use locate::Part;
pub use lock::{MeasuringLock, Wait};
pub use postgres::{Postgres, Role};
pub use process::relaunch_without_foreign_settings;
pub use protocol::Keep;
pub use running::{SettingsInForce, Stack};
pub use session::{Needs, Session, SessionOptions, Setup};
pub use surroundings::Surroundings;
