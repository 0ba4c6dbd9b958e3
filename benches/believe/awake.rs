//! Keeps the processors from sleeping while something is measured, where the kernel lets us.
//!
//! A processor with nothing to do goes to sleep, and waking it takes 50 to 1000 µs on a virtual machine: under a load of one
//! user that is a good part of what is measured, and it changes with the host's mood. The kernel's interface for programs that mind
//! is `/dev/cpu_dma_latency` (Linux, power management quality of service): who writes a latency there is heeded for as long
//! as the file is open. Only root may.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

const INTERFACE: &str = "/dev/cpu_dma_latency";

/// Processors stay awake while this lives, if they could be told to.
#[derive(Debug)]
pub(crate) struct Awake(Option<File>);

impl Awake {
    /// Asks for it; that it may not be asked for is no error.
    pub(crate) fn hold() -> Self {
        let asked = OpenOptions::new().write(true).open(INTERFACE).and_then(|mut file| {
            // A wake-up latency of zero microseconds, as a machine word of 32 bits.
            file.write_all(&0i32.to_ne_bytes())?;
            Ok(file)
        });
        Self(asked.ok())
    }

    /// `held off`, or `in use`.
    pub(crate) fn idle_states(&self) -> &'static str {
        if self.0.is_some() { "held off" } else { "in use" }
    }
}
