//! Tests that run the real program and real servers.

mod stack;
mod stack_servers;
