//! From a launch file to something that can serve: everything that can be wrong is found here, before the first request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{Instant, timeout};

use super::cache::Cache;
use super::caching::Caching;
use super::counters::Counters;
use super::cursor::Cursor;
use super::intake::Takes;
use super::metrics::Times;
use super::param::Place;
use super::params::Params;
use super::pool::Connections;
use super::request_id::{Ids, random};
use super::request_log::RequestLog;
use super::session::Door;
use super::statement::Statement;
use super::texts::Texts;
use super::writing::Written;
use crate::plan::{ApiLaunch, EndpointPlan, KeyPiece, PGOPTIONS_IS_SET, PostgresAddress};
use crate::spec::{AnswerShape, BindStyle, CacheStrategy};

/// Connecting, preparing and looking up types: everything before readiness.
const START_WITHIN: Duration = Duration::from_secs(30);

/// The server ends a statement at its timeout; so much later we no longer believe that it will.
const SERVER_MARGIN: Duration = Duration::from_secs(2);

/// A plan without a statement timeout (0) means this one: a wait without a deadline is not ours to have.
const LONGEST_STATEMENT: Duration = Duration::from_hours(24);

/// One route, ready to answer.
pub(super) struct Endpoint {
    pub(super) name: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) params: Params,
    /// Names of parameters in the path, and the segments that they are.
    pub(super) path_params: Vec<(String, usize)>,
    pub(super) takes: Takes,
    pub(super) times: Times,
    pub(super) statement: Statement,
    pub(super) cache: Option<Arc<Caching>>,
    /// Entries of other endpoints that it makes wrong.
    pub(super) writes: Vec<Written>,
}

/// What all routes share.
pub(super) struct App {
    pub(super) connections: Connections,
    pub(super) redis: Option<Arc<Cache>>,
    pub(super) counters: Arc<Counters>,
    pub(super) ids: Ids,
    pub(super) log: Option<RequestLog>,
    /// Times of requests to no endpoint.
    pub(super) strays: Times,
    pub(super) statement_deadline: Duration,
    started: Instant,
    last_logged_s: AtomicU64,
}

impl App {
    /// At most one line a second: a failing server under load would fill the disk otherwise. The counters hold the rest.
    pub(super) fn may_log(&self) -> bool {
        let now = self.started.elapsed().as_secs() + 1;
        self.last_logged_s.swap(now, Ordering::Relaxed) != now
    }
}

/// Connects to everything, checks everything.
///
/// # Errors
///
/// The first thing that is wrong, with the endpoint's name where it is one's.
pub(super) async fn prepare(launch: &ApiLaunch) -> anyhow::Result<(Arc<App>, Vec<Arc<Endpoint>>)> {
    let limit = START_WITHIN;
    timeout(limit, prepare_all(launch))
        .await
        .with_context(|| format!("not ready after {limit:?}"))?
}

async fn prepare_all(launch: &ApiLaunch) -> anyhow::Result<(Arc<App>, Vec<Arc<Endpoint>>)> {
    let plan = &launch.api;
    let counters = Arc::new(Counters::default());
    let statement_timeout = match plan.statement_timeout_ns {
        0 => LONGEST_STATEMENT,
        nanos => Duration::from_nanos(nanos).min(LONGEST_STATEMENT),
    };
    let limits = launch.postgres.limits();
    let mut settings = settings(statement_timeout, &plan.endpoints)?;
    settings.extend(limits.iter().map(|(name, value)| (*name, (*value).to_owned())));
    let options = options(&launch.postgres, &settings, plan.endpoints.len())?;
    let redis = match &launch.redis {
        Some(address) => {
            Some(Cache::connect(address, Duration::from_nanos(plan.cache_timeout_ns)).await?)
        }
        None => None,
    };
    let mut connection = options.connect().await.context("connecting to Postgres")?;
    refuse_superuser(&mut connection).await?;
    if !limits.is_empty() {
        refuse_writing(&mut connection).await?;
    }
    let secret = match &launch.cursor_secret {
        Some(shared) => shared.clone().into_bytes(),
        None => random::<32>()?.to_vec(),
    };
    let mut endpoints = Vec::new();
    let mut texts = Texts::default();
    for plan in &plan.endpoints {
        let sql = texts.distinct(plan);
        let endpoint = endpoint(&mut connection, plan, sql, (redis.as_ref(), secret.as_slice()))
            .await
            .with_context(|| format!("endpoint `{}`", plan.name))?;
        endpoints.push(endpoint);
    }
    for (place, plan) in plan.endpoints.iter().enumerate() {
        let writes =
            writes(&endpoints, place, plan).with_context(|| format!("endpoint `{}`", plan.name))?;
        endpoints[place].writes = writes;
    }
    let mut recipes = Vec::new();
    for endpoint in &mut endpoints {
        endpoint.statement.settle(&mut recipes);
    }
    let in_lines = |endpoint: &Endpoint| endpoint.statement.shape() == AnswerShape::Lines;
    let shared = plan.pool.pipeline_depth.is_some();
    ensure!(
        !shared || !endpoints.iter().any(in_lines),
        "an answer in lines has its connection for as long as its client reads: it needs a pool, not a pipeline"
    );
    let door = Door::new(&launch.postgres, &settings).with_recipes(recipes);
    let statement_deadline = statement_timeout + SERVER_MARGIN;
    let connections =
        Connections::new(&plan.pool, door, statement_deadline, Arc::clone(&counters))?;
    let endpoints = endpoints.into_iter().map(Arc::new).collect();
    connection.close().await.context("closing the first connection")?;
    let app = App {
        connections,
        redis,
        counters,
        ids: Ids::new()?,
        log: launch.request_log.as_deref().map(RequestLog::start).transpose()?,
        strays: Times::default(),
        statement_deadline,
        started: Instant::now(),
        last_logged_s: AtomicU64::new(0),
    };
    Ok((Arc::new(app), endpoints))
}

/// What every session is set to.
fn settings(
    statement_timeout: Duration,
    endpoints: &[EndpointPlan],
) -> anyhow::Result<Vec<(&'static str, String)>> {
    // Rounded up, because 0 means none.
    let statement_timeout_ms = statement_timeout.as_nanos().div_ceil(1_000_000);
    let style = endpoints.first().map(|endpoint| endpoint.bind_style).unwrap_or_default();
    let alike = endpoints.iter().all(|endpoint| endpoint.bind_style == style);
    ensure!(alike, "all endpoints of an API bind their values in the same way");
    let plans = (style == BindStyle::GenericPlan)
        .then(|| ("plan_cache_mode", "force_generic_plan".to_owned()));
    let settings = [
        // Values that are written into a statement are quoted for this.
        ("standard_conforming_strings", "on".to_owned()),
        // As of the sessions that plans are taken in, whatever a database or a role is set to.
        ("TimeZone", "UTC".to_owned()),
        ("DateStyle", "ISO".to_owned()),
        ("statement_timeout", format!("{statement_timeout_ms}ms")),
        // A backend whose client has gone (we close the connection of a request that was given up) stops within a second
        // instead of finishing its query.
        ("client_connection_check_interval", "1000ms".to_owned()),
    ];
    Ok(settings.into_iter().chain(plans).collect())
}

/// The first connection's. Explicit in every field: what the environment says of Postgres is not ours.
fn options(
    address: &PostgresAddress,
    settings: &[(&'static str, String)],
    endpoints: usize,
) -> anyhow::Result<PgConnectOptions> {
    let options: PgConnectOptions =
        address.url("api").parse().context("the address of Postgres")?;
    ensure!(options.get_options().is_none(), PGOPTIONS_IS_SET);
    Ok(options
        .statement_cache_capacity(endpoints.saturating_add(16).max(100))
        .options(settings.iter().map(|(name, value)| (*name, value.as_str())))
        .disable_statement_logging())
}

/// An experiment's SQL is code; as a superuser it could start programs.
async fn refuse_superuser(connection: &mut PgConnection) -> anyhow::Result<()> {
    let superuser: bool = sqlx::query_scalar("SELECT current_setting('is_superuser') = 'on'")
        .fetch_one(connection)
        .await
        .context("asking which role we are")?;
    ensure!(!superuser, "the API does not connect to Postgres as a superuser");
    Ok(())
}

/// On somebody else's server no transaction writes; what stands between may have dropped what was asked for.
async fn refuse_writing(connection: &mut PgConnection) -> anyhow::Result<()> {
    let asked = "SELECT current_setting('transaction_read_only') = 'on'";
    let read_only: bool = sqlx::query_scalar(asked)
        .fetch_one(connection)
        .await
        .context("asking whether sessions are read only")?;
    ensure!(read_only, "sessions of somebody else's Postgres are not read only");
    Ok(())
}

async fn endpoint(
    connection: &mut PgConnection,
    plan: &EndpointPlan,
    sql: Arc<str>,
    (redis, secret): (Option<&Arc<Cache>>, &[u8]),
) -> anyhow::Result<Endpoint> {
    let cache = match (&plan.cache, redis) {
        (None, _) => None,
        (Some(_), None) => bail!("it has a cache, but there is no Redis"),
        (Some(cache), Some(redis)) => {
            for piece in &cache.key {
                if let KeyPiece::Param(place) = piece {
                    ensure!(*place < plan.params.len(), "its cache key names parameter {place}");
                }
            }
            ensure!(plan.answer != AnswerShape::Lines, "an answer in lines is not cached");
            Some(Arc::new(Caching::new(Arc::clone(redis), cache.clone())))
        }
    };
    let mut params = Params::new(&plan.path, &plan.params)?;
    if !plan.cursor.is_empty() {
        let keys: Vec<(usize, String)> =
            plan.cursor.iter().map(|key| (key.param, key.column.clone())).collect();
        let in_cursor = |(place, _): &(usize, String)| {
            params.list().get(*place).is_some_and(|param| param.place == Place::Cursor)
        };
        ensure!(keys.iter().all(in_cursor), "its cursor stands for what is no parameter of it");
        params = params.with_cursor(Cursor::new(secret, &plan.name, keys)?)?;
    }
    let takes = if params.in_body() { Takes::Json } else { Takes::Nothing };
    let has_body = ["POST", "PUT", "PATCH"].contains(&plan.method.as_str());
    ensure!(takes == Takes::Nothing || has_body, "{} has no body", plan.method);
    Ok(Endpoint {
        name: plan.name.clone(),
        method: plan.method.clone(),
        path: plan.path.clone(),
        path_params: params.in_path(),
        params,
        takes,
        times: Times::default(),
        statement: Statement::prepare(connection, plan, sql).await?,
        cache,
        writes: Vec::new(),
    })
}

/// The entries that an endpoint makes wrong: who reads them, and under which of its parameters.
fn writes(
    endpoints: &[Endpoint],
    place: usize,
    plan: &EndpointPlan,
) -> anyhow::Result<Vec<Written>> {
    let in_lines = plan.answer == AnswerShape::Lines;
    ensure!(
        plan.writes.is_empty() || !in_lines,
        "it answers in lines, and what it writes to caches is known at its end: let it answer with rows"
    );
    let mut all = Vec::new();
    for writes in &plan.writes {
        let name = &writes.endpoint;
        let reader = endpoints.iter().find(|endpoint| endpoint.name == *name);
        let reader =
            reader.with_context(|| format!("it writes to `{name}`, which is not served"))?;
        let cache = reader.cache.as_ref();
        let cache = cache.with_context(|| format!("it writes to `{name}`, which has no cache"))?;
        let (own, theirs) = (plan.params.len(), reader.params.list().len());
        let fit = writes.params.len() == theirs && writes.params.iter().all(|place| *place < own);
        ensure!(fit, "its parameters are not those of `{name}`");
        let is_through = cache.plan.strategy == CacheStrategy::WriteThrough;
        let alike = endpoints[place].statement.answers_like(&reader.statement);
        ensure!(
            !is_through || alike,
            "it writes through to `{name}` and answers otherwise: let it return the same columns"
        );
        let sql = Arc::clone(reader.statement.sql());
        all.push(Written { reader: Arc::clone(cache), sql, params: writes.params.clone() });
    }
    Ok(all)
}
