//! How late the conductor's ticks come: whatever holds up the generator's thread, other programs or its own work, holds
//! them up as well. In a closed load nothing else tells, because there nothing is due before it is sent.

/// The lateness of the ticks of a window.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Of all of them together.
    pub(super) late_ns: u64,
    /// Of the latest.
    pub(super) latest_ns: u64,
}

impl Pulse {
    /// A tick came so late.
    pub(super) fn beat(&mut self, late_ns: u64) {
        self.late_ns += late_ns;
        self.latest_ns = self.latest_ns.max(late_ns);
    }
}
