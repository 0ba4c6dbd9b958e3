//! Real servers, really started, and what is left of them after every kind of end.
//!
//! Servers that are not here are fetched; where that is impossible, a test says so and passes, unless
//! `QUERYLAB_REQUIRE_SERVERS` is set.

use std::collections::BTreeMap;
use std::path::PathBuf;

use querylab::plan::{ApiPlan, PoolPlan, ServerPlan, StackPlan};
use querylab::stack::{
    Builds, Keep, Needs, Session, SessionOptions, Setup, StackError, Surroundings,
};

/// What is around the tests, with our real program.
pub(crate) fn surroundings() -> Surroundings {
    let mut s = Surroundings::read(&|name| std::env::var_os(name));
    s.program = Some(PathBuf::from(env!("CARGO_BIN_EXE_querylab")));
    s
}

pub(crate) fn options(name: &str) -> SessionOptions {
    SessionOptions {
        run_id: name.into(),
        run_as: None,
        keep: Keep::Nothing,
        setup: Setup::Fetch,
        needs: Needs {
            postgres: vec![15],
            postgres_major: None,
            builds: Builds::Any,
            redis: Some(vec![7]),
            nginx: Some(vec![1, 18]),
            external: None,
        },
        surroundings: surroundings(),
    }
}

/// A session, or none where this machine cannot have servers: said loudly.
pub(crate) async fn open(options: SessionOptions) -> Option<Session> {
    match Session::open(options, &mut |line| notice(&line)).await {
        Ok(session) => Some(session),
        Err(StackError::Environment(why))
            if std::env::var_os("QUERYLAB_REQUIRE_SERVERS").is_none() =>
        {
            notice(&format!("SKIPPED, no servers here: {why}"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// A line for whoever reads the tests' output.
pub(crate) fn notice(line: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{line}").ok();
}

pub(crate) fn server(settings: &[(&str, &str)]) -> ServerPlan {
    ServerPlan {
        min_version: Vec::new(),
        major: None,
        url_from: None,
        settings: settings
            .iter()
            .map(|(n, v)| ((*n).into(), (*v).into()))
            .collect::<BTreeMap<_, _>>(),
    }
}

pub(crate) fn stack_plan() -> StackPlan {
    StackPlan {
        postgres: server(&[("shared_buffers", "64MB"), ("work_mem", "16MB"), ("jit", "off")]),
        redis: Some(server(&[("maxmemory", "64mb"), ("maxmemory-policy", "allkeys-lru")])),
        nginx: server(&[("client_max_body_size", "10m"), ("proxy_read_timeout", "60s")]),
        static_files: None,
        api_instances: 2,
        client_connections: 100,
    }
}

pub(crate) fn api_plan() -> ApiPlan {
    ApiPlan {
        pool: PoolPlan {
            size: 5,
            max_overflow: 5,
            pre_ping: true,
            acquire_timeout_ns: 1_000_000_000,
            max_waiting: None,
            pipeline_depth: None,
        },
        cache_timeout_ns: 50_000_000,
        statement_timeout_ns: 60_000_000_000,
        threads: None,
        endpoints: Vec::new(),
    }
}
