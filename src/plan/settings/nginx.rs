//! Nginx directives that a file may state; our template writes each where it belongs.

use Shape::{Int, IntOrAuto, Size, Switch, Time};

use super::Shape;

/// Sorted by name.
pub(super) const ALLOWED: &[(&str, Shape)] = &[
    ("access_log", Switch),
    ("client_body_buffer_size", Size),
    ("client_body_timeout", Time),
    ("client_header_buffer_size", Size),
    ("client_header_timeout", Time),
    ("client_max_body_size", Size),
    ("gzip", Switch),
    ("gzip_comp_level", Int(1, 9)),
    ("gzip_min_length", Int(0, 1_000_000_000)),
    ("keepalive", Int(0, 10_000)),
    ("keepalive_requests", Int(1, 1_000_000_000)),
    ("keepalive_timeout", Time),
    ("multi_accept", Switch),
    ("proxy_buffer_size", Size),
    ("proxy_buffering", Switch),
    ("proxy_connect_timeout", Time),
    ("proxy_read_timeout", Time),
    ("proxy_request_buffering", Switch),
    ("proxy_send_timeout", Time),
    ("reset_timedout_connection", Switch),
    ("send_timeout", Time),
    ("sendfile", Switch),
    ("tcp_nodelay", Switch),
    ("tcp_nopush", Switch),
    ("worker_connections", Int(16, 100_000)),
    ("worker_processes", IntOrAuto(1, 64)),
];
