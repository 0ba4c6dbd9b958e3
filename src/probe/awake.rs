//! Keeps the processors from sleeping while something is measured, where the kernel lets us.
//!
//! A processor with nothing to do goes to sleep, and waking it takes 50 to 1000 µs on a virtual machine: under a load of one
//! user that is most of what is measured, and it changes with the host's mood. The kernel's interface for programs that mind
//! is `/dev/cpu_dma_latency` (Linux, power management quality of service): who writes a latency there is heeded for as long
//! as the file is open. Only root may.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

const INTERFACE: &str = "/dev/cpu_dma_latency";

/// Processors stay awake while this lives, if they could be told to.
#[derive(Debug)]
pub struct Awake(Option<File>);

impl Awake {
    /// Asks for it; that it may not be asked for is no error.
    #[must_use]
    pub fn hold() -> Self {
        Self::at(INTERFACE)
    }

    fn at(path: &str) -> Self {
        let asked = OpenOptions::new().write(true).open(path).and_then(|mut file| {
            // A wake-up latency of zero microseconds, as a machine word of 32 bits.
            file.write_all(&0i32.to_ne_bytes())?;
            Ok(file)
        });
        Self(asked.ok())
    }

    /// What the manifest says of the processors' idle states: `held off`, or `in use`.
    #[must_use]
    pub fn idle_states(&self) -> &'static str {
        if self.0.is_some() { "held off" } else { "in use" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_of_zero_is_asked_for_where_that_is_allowed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("latency");
        std::fs::write(&path, "").expect("a file");
        let path = path.to_str().expect("a plain path");
        assert_eq!(Awake::at(path).idle_states(), "held off");
        assert_eq!(std::fs::read(path).expect("a file"), [0; 4]);
        assert_eq!(Awake::at("/nowhere/at/all").idle_states(), "in use");
    }
}
