//! A private Postgres and Redis in a folder of their own, gone when the test is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use querylab::plan::{
    ApiLaunch, ApiPlan, EndpointPlan, PoolPlan, PostgresAddress, RedisAddress, Whose,
};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _};

const NOBODY: u32 = 65_534;
const PORT: u16 = 5433;
const PASSWORD: &str = "private-and-short-lived";

/// The longest that a server lives, should the test itself be killed.
const LIFETIME: &str = "300";

/// Servers of one test.
pub(crate) struct Servers {
    postgres: Option<Child>,
    redis: Option<Child>,
    folder: tempfile::TempDir,
    root: bool,
    /// Where Postgres listens; on 127.0.0.1 too if it is another one than usual.
    port: u16,
}

/// The servers, or none where they are not installed; then the test says so and passes, unless they are required.
pub(crate) async fn start(with_redis: bool) -> Option<Servers> {
    start_at(PORT, with_redis).await
}

/// Postgres alone, on 127.0.0.1 as well: as if it were somebody else's.
pub(crate) async fn start_on_tcp() -> Option<Servers> {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = free.local_addr().expect("its address").port();
    drop(free);
    start_at(port, false).await
}

#[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
async fn start_at(port: u16, with_redis: bool) -> Option<Servers> {
    let postgres = programs("postgres").and_then(|postgres| Some((postgres, programs("initdb")?)));
    let redis = programs("redis-server");
    let Some((postgres, initdb)) = postgres.filter(|_| redis.is_some() || !with_redis) else {
        let required = std::env::var_os("QUERYLAB_REQUIRE_SERVERS").is_some();
        assert!(!required, "QUERYLAB_REQUIRE_SERVERS is set, but Postgres or Redis is not found");
        eprintln!(
            "SKIPPED: no Postgres or no Redis found (set QUERYLAB_REQUIRE_SERVERS to fail instead)"
        );
        return None;
    };
    let root = rustix::process::geteuid().is_root();
    let folder = tempfile::Builder::new().prefix("ql-it-").tempdir_in("/tmp").expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("mode");
    if root {
        chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("owner");
    }
    let mut servers = Servers { postgres: None, redis: None, folder, root, port };
    servers.start_postgres(&initdb, &postgres).await;
    if let (true, Some(redis)) = (with_redis, redis) {
        servers.start_redis(&redis);
        let socket = servers.folder.path().join("redis.sock");
        until("Redis listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
    }
    Some(servers)
}

/// Polls twenty times a second, for twenty seconds.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..400 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 20 s: {what}");
}

/// A program on the PATH or in the usual folders, else as querylab itself fetches it.
fn programs(name: &str) -> Option<PathBuf> {
    installed(name).or_else(|| fetched(name))
}

/// `querylab setup` ends with the program's path.
#[expect(clippy::disallowed_methods, reason = "tests start the real binary")]
fn fetched(name: &str) -> Option<PathBuf> {
    let part = name.split('-').next()?;
    let output =
        Command::new(env!("CARGO_BIN_EXE_querylab")).args(["setup", part]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let path = PathBuf::from(text.lines().last()?.rsplit_once(": ")?.1);
    Some(path.with_file_name(name)).filter(|path| path.is_file())
}

/// Folders of libraries that a fetched program brought with it.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let Some(root) =
        program.ancestors().find(|a| a.join("usr/lib").is_dir() && a.parent().is_some())
    else {
        return Vec::new();
    };
    fs::read_dir(root.join("usr/lib")).into_iter().flatten().flatten().map(|e| e.path()).collect()
}

fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        let mut versions: Vec<PathBuf> =
            versions.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

impl Servers {
    #[expect(clippy::disallowed_methods, reason = "tests bring servers of their own")]
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let libraries = libraries(program);
        if !libraries.is_empty() {
            command.env("LD_LIBRARY_PATH", std::env::join_paths(libraries).expect("plain names"));
        }
        if self.root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    async fn start_postgres(&mut self, initdb: &Path, postgres: &Path) {
        let path = self.folder.path().to_owned();
        fs::write(path.join("password"), PASSWORD).expect("password file");
        fs::set_permissions(path.join("password"), Permissions::from_mode(0o644)).expect("mode");
        let made = self
            .command(initdb)
            .args(["-D", "data", "-U", "boss", "-A", "scram-sha-256", "--pwfile=password"])
            .args(["--no-sync", "--no-instructions", "-E", "UTF8", "--locale=C"])
            .status();
        assert!(made.expect("initdb starts").success(), "initdb failed");
        let listens = if self.port == PORT { "" } else { "127.0.0.1" };
        let postgres = self
            .command(Path::new("/usr/bin/timeout"))
            .args(["--signal=QUIT", LIFETIME])
            .arg(postgres)
            .args(["-D", "data", "-c", &format!("listen_addresses={listens}"), "-c", "fsync=off"])
            .args(["-c", &format!("unix_socket_directories={}", path.display())])
            .args(["-c", &format!("port={}", self.port), "-c", "max_connections=100"])
            .spawn();
        self.postgres = Some(postgres.expect("postgres starts"));
        let mut boss = None;
        for _ in 0..400 {
            match self.connect("boss").await {
                Ok(connection) => {
                    boss = Some(connection);
                    break;
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        let mut boss = boss.expect("Postgres is ready within 20 s");
        let role = format!("CREATE ROLE api LOGIN PASSWORD '{PASSWORD}'");
        execute(&mut boss, &role).await;
        execute(&mut boss, "GRANT CREATE ON SCHEMA public TO api").await;
    }

    fn start_redis(&mut self, redis: &Path) {
        let redis = self
            .command(Path::new("/usr/bin/timeout"))
            .env("LD_LIBRARY_PATH", std::env::join_paths(libraries(redis)).expect("plain names"))
            .arg(LIFETIME)
            .arg(redis)
            .args(["--port", "0", "--unixsocket", "redis.sock", "--requirepass", PASSWORD])
            .args(["--save", "", "--dir", "."])
            .spawn();
        self.redis = Some(redis.expect("redis-server starts"));
    }

    async fn connect(&self, user: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnectOptions::new_without_pgpass()
            .socket(self.folder.path())
            .port(self.port)
            .username(user)
            .password(PASSWORD)
            .database("postgres")
            .connect()
            .await
    }

    /// A connection of the superuser's.
    pub(crate) async fn boss(&self) -> PgConnection {
        self.connect("boss").await.expect("the superuser gets in")
    }

    /// The URL of the role that is no superuser's, its password in it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://api:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// The password of all roles.
    pub(crate) fn password() -> &'static str {
        PASSWORD
    }

    /// A connection to Redis, past the API.
    pub(super) async fn redis(&self) -> redis::aio::MultiplexedConnection {
        let settings = redis::RedisConnectionInfo::default().set_password(PASSWORD);
        let address = redis::ConnectionAddr::Unix(self.folder.path().join("redis.sock"));
        let info = redis::IntoConnectionInfo::into_connection_info(address).expect("an address");
        let client = redis::Client::open(info.set_redis_settings(settings)).expect("a client");
        client.get_multiplexed_async_connection().await.expect("Redis lets us in")
    }

    /// Sends a signal to Redis itself, which is the only child of its `timeout`.
    pub(super) fn signal_redis(&self, signal: Signal) {
        let wrapper = self.redis.as_ref().expect("Redis was started").id();
        let children = fs::read_to_string(format!("/proc/{wrapper}/task/{wrapper}/children"));
        let child: i32 = children.expect("its children").trim().parse().expect("one child");
        kill_process(Pid::from_raw(child).expect("a pid"), signal).expect("signalled");
    }

    /// Starts Redis, which has ended, with nothing in it.
    pub(super) async fn start_redis_again(&mut self) {
        stop(self.redis.take().expect("Redis was started"));
        self.start_redis(&programs("redis-server").expect("it was there before"));
        let socket = self.folder.path().join("redis.sock");
        until("Redis listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
    }

    /// Ends Postgres alone.
    pub(super) fn stop_postgres(&mut self) {
        stop(self.postgres.take().expect("Postgres runs"));
    }

    /// The lines of the API's request log, which ends with the API.
    pub(super) fn request_log(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.folder.path().join("requests.jsonl"));
        let lines = text.expect("the log is there");
        lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
    }

    /// A launch of these endpoints with a small pool and short deadlines.
    pub(crate) fn launch(&self, endpoints: Vec<EndpointPlan>) -> ApiLaunch {
        ApiLaunch {
            listen: self.folder.path().join("api.sock"),
            postgres: PostgresAddress {
                socket_dir: self.folder.path().to_owned(),
                port: self.port,
                user: "api".to_owned(),
                password: PASSWORD.to_owned(),
                database: "postgres".to_owned(),
                whose: Whose::Ours,
            },
            redis: self.redis.as_ref().map(|_| RedisAddress {
                socket: self.folder.path().join("redis.sock"),
                password: PASSWORD.to_owned(),
            }),
            cursor_secret: None,
            request_log: Some(self.folder.path().join("requests.jsonl")),
            api: ApiPlan {
                pool: PoolPlan {
                    size: 5,
                    max_overflow: 3,
                    pre_ping: true,
                    acquire_timeout_ns: 10_000_000_000,
                    max_waiting: None,
                    pipeline_depth: None,
                },
                cache_timeout_ns: 50_000_000,
                statement_timeout_ns: 30_000_000_000,
                threads: None,
                endpoints,
            },
        }
    }
}

/// A connection to a database of a private Postgres.
pub(crate) async fn connect_to(address: &PostgresAddress) -> PgConnection {
    PgConnectOptions::new_without_pgpass()
        .socket(&address.socket_dir)
        .port(address.port)
        .username(&address.user)
        .password(&address.password)
        .database(&address.database)
        .connect()
        .await
        .expect("it lets us in")
}

/// Runs statements, one after the other.
pub(crate) async fn execute(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.expect("SQL runs");
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in [self.postgres.take(), self.redis.take()].into_iter().flatten() {
            stop(child);
        }
    }
}

/// `timeout` passes TERM on as itself: Postgres is asked for a fast stop through its own pid file instead.
fn stop(mut child: Child) {
    let id = child.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let server = children.ok().and_then(|children| children.trim().parse().ok());
    if let Some(server) = server.and_then(Pid::from_raw) {
        // Continued first, because a test may have stopped it.
        for signal in [Signal::CONT, Signal::INT, Signal::QUIT] {
            kill_process(server, signal).ok();
        }
    }
    drop(child.wait());
}
