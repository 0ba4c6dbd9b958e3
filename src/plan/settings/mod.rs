//! Which settings of the servers a file may state, and what a value of each looks like.
//!
//! An allowlist, because the servers' own parsers take `archive_command = 'rm -rf /'` without a word: only what tunes is
//! here, and nothing that names a path, a command, a network or a log. A value has the shape of its type, so that none
//! can hold a quote, a semicolon or a line end.

mod nginx;
mod postgres;
mod redis;
mod value;

pub use value::Shape;

use crate::spec::{Scalar, did_you_mean};

/// Whose settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Postgres: `postgresql.conf`.
    Postgres,
    /// Redis: `redis.conf`.
    Redis,
    /// Nginx: directives that our template knows.
    Nginx,
}

impl Server {
    /// Its key in `[services]`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Nginx => "nginx",
        }
    }

    /// Every setting that a file may state, sorted by name, with the shape of its values.
    pub fn allowed(self) -> &'static [(&'static str, Shape)] {
        match self {
            Self::Postgres => postgres::ALLOWED,
            Self::Redis => redis::ALLOWED,
            Self::Nginx => nginx::ALLOWED,
        }
    }
}

/// A setting that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, as a fragment.
    pub what: String,
    /// What to write instead.
    pub help: String,
    /// Whether the name is what is wrong, not the value.
    pub is_name: bool,
}

/// Whether this major version of Postgres has a setting that a file may state.
pub(super) fn is_known_to(major: u32, name: &str) -> bool {
    postgres::LIMITED.iter().all(|(limited, known)| *limited != name || known.contains(&major))
}

/// The text that the server gets for a setting of the file.
///
/// # Errors
///
/// If the setting is not one that tunes, or the value has not its shape.
pub fn check(server: Server, name: &str, value: &Scalar) -> Result<String, Refused> {
    let allowed = server.allowed();
    let Ok(found) = allowed.binary_search_by(|(known, _)| (*known).cmp(name)) else {
        let help = match did_you_mean(name, allowed.iter().map(|(known, _)| *known)) {
            Some(known) => format!("did you mean `{known}`?"),
            None => "only settings that tune the server can be stated; paths, networks, commands \
                     and logs are querylab's own"
                .into(),
        };
        let what = format!("`{}` has no setting `{}` that a file may state", server.key(), name);
        return Err(Refused { what, help, is_name: true });
    };
    let shape = allowed[found].1;
    shape.read(server, value).ok_or_else(|| Refused {
        // The value is not repeated: it may be anything, a password pasted into the wrong line included.
        what: format!("this is no value for `{name}`"),
        help: shape.says(server),
        is_name: false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Server; 3] = [Server::Postgres, Server::Redis, Server::Nginx];

    fn text(t: &str) -> Scalar {
        Scalar::Text(t.into())
    }

    #[test]
    fn the_lists_are_sorted_and_hold_nothing_that_names_a_path_a_command_or_a_network() {
        let forbidden = [
            "command",
            "library",
            "libraries",
            "preload",
            "directory",
            "directories",
            "logfile",
            "listen",
            "port",
            "host",
            "socket",
            "log_",
            "include",
            "loadmodule",
            "dbfilename",
            "aclfile",
            "requirepass",
            "bind",
            "ssl",
            "role",
            "search_path",
        ];
        for server in ALL {
            let names: Vec<&str> = server.allowed().iter().map(|(n, _)| *n).collect();
            assert!(names.is_sorted(), "{server:?}");
            assert!(names.windows(2).all(|w| w[0] != w[1]), "{server:?}");
            for name in names {
                assert!(!forbidden.iter().any(|f| name.contains(f)), "{name}");
                assert!(!name.ends_with("_file"), "{name}");
            }
        }
    }

    #[test]
    fn what_only_some_versions_have_is_a_setting_and_some_have_it() {
        for (name, known) in postgres::LIMITED {
            assert!(postgres::ALLOWED.iter().any(|(allowed, _)| allowed == name), "{name}");
            let majors = crate::plan::POSTGRES_MAJORS;
            assert!(majors.clone().any(|m| known.contains(&m)), "{name}");
            assert!(majors.clone().any(|m| !is_known_to(m, name)), "{name}");
        }
        assert!(is_known_to(15, "work_mem"));
    }

    #[test]
    fn ordinary_values_are_taken_in_the_servers_words() {
        for (server, name, value, want) in [
            (Server::Postgres, "shared_buffers", text("256MB"), "256MB"),
            (Server::Postgres, "jit", text("off"), "off"),
            (Server::Postgres, "jit", Scalar::Bool(false), "off"),
            (Server::Postgres, "random_page_cost", Scalar::Float(1.1), "1.1"),
            (Server::Postgres, "random_page_cost", Scalar::Int(1), "1"),
            (Server::Postgres, "plan_cache_mode", text("force_generic_plan"), "force_generic_plan"),
            (Server::Postgres, "checkpoint_timeout", text("1h"), "1h"),
            (Server::Postgres, "max_connections", Scalar::Int(200), "200"),
            (Server::Postgres, "autovacuum_vacuum_cost_limit", Scalar::Int(-1), "-1"),
            (Server::Redis, "maxmemory", text("256mb"), "256mb"),
            (Server::Redis, "maxmemory-policy", text("allkeys-lru"), "allkeys-lru"),
            (Server::Redis, "appendonly", Scalar::Bool(true), "yes"),
            (Server::Redis, "save", text(""), ""),
            (Server::Redis, "save", text("900 1 300 10"), "900 1 300 10"),
            (Server::Nginx, "client_max_body_size", text("10m"), "10m"),
            (Server::Nginx, "proxy_read_timeout", text("60s"), "60s"),
            (Server::Nginx, "gzip", text("on"), "on"),
            (Server::Nginx, "worker_processes", text("auto"), "auto"),
        ] {
            assert_eq!(check(server, name, &value).as_deref(), Ok(want), "{name}");
        }
    }

    #[test]
    fn what_does_not_tune_is_refused_by_name_and_never_echoed() {
        for (server, name) in [
            (Server::Postgres, "archive_command"),
            (Server::Postgres, "hba_file"),
            (Server::Postgres, "log_directory"),
            (Server::Postgres, "unix_socket_directories"),
            (Server::Postgres, "listen_addresses"),
            (Server::Postgres, "shared_preload_libraries"),
            (Server::Postgres, "pg_stat_statement.track"),
            (Server::Postgres, "Work_mem\nport"),
            (Server::Redis, "dir"),
            (Server::Redis, "loadmodule"),
            (Server::Redis, "unixsocket"),
            (Server::Nginx, "include"),
            (Server::Nginx, "root"),
        ] {
            let refused = check(server, name, &text("hunter2")).expect_err(name);
            assert!(refused.is_name, "{name}");
            assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
        }
    }

    #[test]
    fn a_value_of_another_shape_is_refused_with_what_to_write() {
        for (server, name, value) in [
            (Server::Postgres, "work_mem", text("4MB\nlisten_addresses='*'")),
            (Server::Postgres, "work_mem", text("4mb'")),
            (Server::Postgres, "work_mem", text("a lot")),
            (Server::Postgres, "work_mem", Scalar::Bool(true)),
            (Server::Postgres, "work_mem", text("-5MB")),
            (Server::Postgres, "jit", text("maybe")),
            (Server::Postgres, "plan_cache_mode", text("generic")),
            (Server::Postgres, "max_connections", Scalar::Int(0)),
            (Server::Postgres, "random_page_cost", Scalar::Float(f64::NAN)),
            (Server::Postgres, "checkpoint_timeout", text("1 fortnight")),
            (Server::Redis, "maxmemory", text("lots")),
            (Server::Redis, "save", text("900 1\nbind 0.0.0.0")),
            (Server::Redis, "save", text("900")),
            (Server::Nginx, "client_max_body_size", text("10m; root /")),
            (Server::Nginx, "proxy_read_timeout", text("60s {")),
            (Server::Nginx, "gzip", Scalar::Int(1)),
        ] {
            let refused = check(server, name, &value).expect_err(name);
            assert!(!refused.is_name && !refused.help.is_empty(), "{refused:?}");
        }
    }

    proptest! {
        #[test]
        fn no_value_that_is_taken_can_end_its_line_or_its_quotes(
            which in 0_usize..3, index in any::<prop::sample::Index>(), value in "[ -~\\n\\r\\t'\";{}]{0,12}",
        ) {
            let server = ALL[which];
            let (name, _) = server.allowed()[index.index(server.allowed().len())];
            if let Ok(taken) = check(server, name, &text(&value)) {
                prop_assert!(
                    taken.chars().all(|c| c.is_ascii_alphanumeric() || " .-_".contains(c)),
                    "{name} took {taken:?}"
                );
            }
        }
    }
}
