//! Redis settings that a file may state.

use Shape::{Int, Save, Size, Switch, Word};

use super::Shape;

/// Sorted by name.
pub(super) const ALLOWED: &[(&str, Shape)] = &[
    ("activedefrag", Switch),
    ("activerehashing", Switch),
    ("aof-use-rdb-preamble", Switch),
    ("appendfsync", Word(&["always", "everysec", "no"])),
    ("appendonly", Switch),
    ("auto-aof-rewrite-min-size", Size),
    ("auto-aof-rewrite-percentage", Int(0, 10_000)),
    ("dynamic-hz", Switch),
    ("hash-max-listpack-entries", Int(0, 1_000_000)),
    ("hash-max-listpack-value", Int(0, 1_000_000)),
    ("hz", Int(1, 500)),
    ("io-threads", Int(1, 128)),
    ("io-threads-do-reads", Switch),
    ("lazyfree-lazy-eviction", Switch),
    ("lazyfree-lazy-expire", Switch),
    ("lazyfree-lazy-server-del", Switch),
    ("lazyfree-lazy-user-del", Switch),
    ("lazyfree-lazy-user-flush", Switch),
    ("lfu-decay-time", Int(0, 1_000_000)),
    ("lfu-log-factor", Int(0, 1_000_000)),
    ("maxmemory", Size),
    ("maxmemory-eviction-tenacity", Int(0, 100)),
    (
        "maxmemory-policy",
        Word(&[
            "noeviction",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
        ]),
    ),
    ("maxmemory-samples", Int(1, 64)),
    ("no-appendfsync-on-rewrite", Switch),
    ("rdbchecksum", Switch),
    ("rdbcompression", Switch),
    ("save", Save),
    ("tcp-keepalive", Int(0, 100_000)),
    ("timeout", Int(0, 1_000_000)),
];
