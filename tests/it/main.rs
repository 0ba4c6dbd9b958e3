//! Tests that run the real program and real servers.

mod stack;
mod stack_faults;
mod stack_refusals;
mod stack_servers;
