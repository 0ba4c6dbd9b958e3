//! What components used in a window, and how long requests take on the ways of a stack.

use serde::{Deserialize, Serialize};

/// What a component used in the window. None: not measured, or not known in older results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// CPU time, user and system.
    pub cpu_us: u64,
    /// Proportional set size at the end.
    pub pss_bytes: Option<u64>,
    /// Context switches.
    pub context_switches: Option<u64>,
    /// Bytes read from and written to disk.
    pub disk_bytes: Option<u64>,
    /// Of the context switches, those in which a thread had nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voluntary_switches: Option<u64>,
    /// Of the context switches, those in which somebody else was given the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub involuntary_switches: Option<u64>,
    /// Bytes read from disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_read_bytes: Option<u64>,
    /// Bytes written to disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_written_bytes: Option<u64>,
    /// Bytes that came in over its connections, by what applications count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_received_bytes: Option<u64>,
    /// Bytes that went out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_sent_bytes: Option<u64>,
}

/// Requests on the three ways after the window, one at a time and in turn: sums over whole rounds, from sent to answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathSums {
    /// Rounds, of one request on each way.
    pub rounds: u64,
    /// To Nginx alone, which answers by itself.
    pub nginx_ns: u64,
    /// To the API alone, on its own socket.
    pub api_ns: u64,
    /// Through Nginx to the API, as in the window.
    pub whole_ns: u64,
}

type Pick = fn(&Resources) -> Option<u64>;

/// Columns of `trials.csv` for each component that came after its first four, in the order in which they came.
pub(super) const LATER_USE: [(&str, Pick); 6] = [
    ("voluntary_switches", |r| r.voluntary_switches),
    ("involuntary_switches", |r| r.involuntary_switches),
    ("disk_read_bytes", |r| r.disk_read_bytes),
    ("disk_written_bytes", |r| r.disk_written_bytes),
    ("net_received_bytes", |r| r.net_received_bytes),
    ("net_sent_bytes", |r| r.net_sent_bytes),
];
