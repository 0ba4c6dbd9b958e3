//! The few words of `pg_control` that matter: whose cluster it is, whether it was shut down, which log it starts from.

/// State of a cluster that was shut down as it should be.
const SHUT_DOWN: u32 = 1;
/// Size of a segment of the log, as clusters of ours are made.
const SEGMENT: u64 = 16 << 20;
/// Segments in one step of the middle part of their names.
const SEGMENTS: u64 = 0x1_0000_0000 / SEGMENT;

/// What a cluster says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Control {
    /// Number that a cluster is given when it is made.
    pub(super) system: u64,
    state: u32,
    redo: u64,
    timeline: u32,
}

impl Control {
    /// Reads the beginning of the file, which is the same since version 11 (`ControlFileData` in `pg_control.h`).
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        Some(Self { system: long(0)?, state: word(16)?, redo: long(40)?, timeline: word(48)? })
    }

    /// Whether nothing has to be repaired at the next start.
    pub(super) fn is_shut_down(&self) -> bool {
        self.state == SHUT_DOWN
    }

    /// Names of the first segments that the next start may want: that of the last checkpoint, and so many after it.
    pub(super) fn segments(&self, after: u64) -> Vec<String> {
        let first = self.redo / SEGMENT;
        (first..=first.saturating_add(after))
            .map(|n| format!("{:08X}{:08X}{:08X}", self.timeline, n / SEGMENTS, n % SEGMENTS))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(state: u32, redo: u64) -> Vec<u8> {
        let mut bytes = vec![0_u8; 8192];
        bytes[..8].copy_from_slice(&42_u64.to_ne_bytes());
        bytes[16..20].copy_from_slice(&state.to_ne_bytes());
        bytes[40..48].copy_from_slice(&redo.to_ne_bytes());
        bytes[48..52].copy_from_slice(&1_u32.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_cluster_that_was_shut_down_says_so_and_names_its_log() {
        let read = Control::parse(&control(1, 0x1_2300_0028)).unwrap();
        assert!(read.is_shut_down());
        assert_eq!(read.system, 42);
        assert_eq!(read.segments(1), ["000000010000000100000023", "000000010000000100000024"]);
        assert!(!Control::parse(&control(6, 40)).unwrap().is_shut_down(), "in production");
    }

    #[test]
    fn the_name_after_the_last_of_a_step_carries_over() {
        let read = Control::parse(&control(1, 0xFF00_0028)).unwrap();
        assert_eq!(read.segments(1), ["0000000100000000000000FF", "000000010000000100000000"]);
    }

    #[test]
    fn a_file_that_is_cut_off_says_nothing() {
        assert_eq!(Control::parse(&control(1, 40)[..51]), None);
    }
}
