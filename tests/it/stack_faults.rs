//! The ends that nobody asked for: whatever is killed, nothing of ours is left, and nothing of others is touched.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use querylab::stack::{Keep, Role, Session, StackError};
use tokio::time::{Instant, sleep};

use crate::stack::{api_plan, notice, open, options, server, stack_plan};

/// Processes that work in this folder or name it, zombies not counted.
fn processes_of(folder: &Path) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("readable").filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<i32>().ok()) else {
            continue;
        };
        let state = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        if state.rsplit(')').next().is_none_or(|s| s.trim_start().starts_with('Z')) {
            continue;
        }
        let cwd = std::fs::read_link(entry.path().join("cwd")).unwrap_or_default();
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if cwd.starts_with(folder) || line.contains(&folder.display().to_string()) {
            found.push((pid, line));
        }
    }
    found
}

/// Shared memory that nobody uses: names of POSIX segments and ids of System V segments.
fn shared_memory() -> Vec<String> {
    let maps: String = std::fs::read_dir("/proc")
        .expect("readable")
        .filter_map(|e| std::fs::read_to_string(e.ok()?.path().join("maps")).ok())
        .collect();
    let mut all: Vec<String> = std::fs::read_dir("/dev/shm")
        .expect("readable")
        .filter_map(|e| Some(e.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !maps.contains(&format!("/dev/shm/{name}")))
        .collect();
    let table = std::fs::read_to_string("/proc/sysvipc/shm").expect("readable");
    all.extend(table.lines().skip(1).filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        (fields.get(6) == Some(&"0")).then(|| format!("sysv {}", fields[1]))
    }));
    all
}

async fn expect_nothing_left(scratch: &Path, memory_before: &[String]) {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        let left = processes_of(scratch);
        let gone = left.is_empty() && !scratch.exists();
        if gone {
            break;
        }
        assert!(Instant::now() < until, "left after 10 s: {left:?}, folder: {}", scratch.exists());
        sleep(Duration::from_millis(50)).await;
    }
    let new: Vec<String> =
        shared_memory().into_iter().filter(|s| !memory_before.contains(s)).collect();
    assert!(new.is_empty(), "shared memory is left: {new:?}");
}

fn kill(pid: u32, signal: i32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("small")).expect("a pid");
    let signal = rustix::process::Signal::from_named_raw(signal).expect("a signal");
    rustix::process::kill_process(pid, signal).expect("it is alive");
}

/// The tests of this file take turns: they compare the machine before and after.
async fn turn() -> tokio::sync::MutexGuard<'static, ()> {
    static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    TURN.lock().await
}

/// This test program again, as a runner that can be killed; it prints its folder, guard and pids and then waits.
struct Runner {
    child: Child,
    scratch: PathBuf,
    guard: u32,
}

const RUNNER: &str = "QUERYLAB_TEST_RUNNER";

impl Runner {
    async fn start(upto: &str) -> Option<Self> {
        let out = tempfile::NamedTempFile::new().expect("a file");
        #[expect(clippy::disallowed_methods, reason = "the runner has to be a process of its own")]
        let child = Command::new(std::env::current_exe().expect("known"))
            .args(["--exact", "stack_faults::runner_that_is_killed", "--nocapture"])
            .env(RUNNER, format!("{upto} {}", out.path().display()))
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        let mut runner = Self { child, scratch: PathBuf::new(), guard: 0 };
        let until = Instant::now() + Duration::from_mins(3);
        loop {
            let text = std::fs::read_to_string(out.path()).expect("readable");
            if text == "SKIPPED\n" {
                runner.child.wait().expect("ended");
                return None;
            }
            if let Some((scratch, guard)) = text.strip_suffix('\n').and_then(|t| t.rsplit_once(' '))
            {
                runner.scratch = scratch.into();
                runner.guard = guard.parse().expect("a pid");
                return Some(runner);
            }
            assert!(Instant::now() < until, "the runner does not get there");
            sleep(Duration::from_millis(20)).await;
        }
    }

    fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }
}

#[tokio::test]
async fn runner_that_is_killed() {
    let Some(job) = std::env::var_os(RUNNER) else { return };
    let job = job.into_string().expect("text");
    let (upto, out) = job.split_once(' ').expect("two words");
    let report = |text: String| std::fs::write(out, text).expect("written");
    let Some(session) = open(options("killed")).await else {
        report("SKIPPED\n".into());
        return;
    };
    let line = format!("{} {}\n", session.scratch().display(), session.guard_pid());
    let mut say = |line: String| notice(&line);
    if upto == "opened" {
        report(line);
        return sleep(Duration::from_secs(100)).await;
    }
    let (stack_plan, api_plan) = (stack_plan(), api_plan());
    let work = session.start_stack(&stack_plan, &api_plan, "postgres", &mut say);
    if upto == "starting" {
        report(line);
        tokio::time::timeout(Duration::from_secs(100), work).await.ok();
        return sleep(Duration::from_secs(100)).await;
    }
    let _stack = work.await.expect("starts");
    report(line);
    sleep(Duration::from_secs(100)).await;
}

#[tokio::test]
async fn a_killed_runner_leaves_nothing() {
    let _turn = turn().await;
    for upto in ["opened", "starting", "running"] {
        let before = shared_memory();
        let Some(mut runner) = Runner::start(upto).await else { return };
        runner.kill();
        expect_nothing_left(&runner.scratch, &before).await;
    }
}

#[tokio::test]
async fn a_killed_runner_and_guard_leave_no_process_and_the_next_run_removes_the_folder() {
    let _turn = turn().await;
    let before = shared_memory();
    let Some(mut runner) = Runner::start("running").await else { return };
    kill(runner.guard, 9);
    runner.kill();
    let until = Instant::now() + Duration::from_secs(10);
    while !processes_of(&runner.scratch).is_empty() {
        let left = processes_of(&runner.scratch);
        assert!(Instant::now() < until, "left after 10 s: {left:?}");
        sleep(Duration::from_millis(50)).await;
    }
    let session = Session::open(options("next"), &mut |l| notice(&l)).await.expect("opens");
    expect_nothing_left(&runner.scratch, &before).await;
    session.close().await.expect("it closes");
}

#[tokio::test]
async fn a_killed_guard_is_noticed_at_once_and_nothing_is_left() {
    let _turn = turn().await;
    let before = shared_memory();
    let Some(session) = open(options("guard")).await else { return };
    let scratch = session.scratch().to_path_buf();
    let stack = session
        .start_stack(&stack_plan(), &api_plan(), "postgres", &mut |l| notice(&l))
        .await
        .expect("starts");
    kill(session.guard_pid(), 9);
    let told = tokio::time::timeout(Duration::from_secs(1), stack.died()).await.expect("in time");
    assert!(told.contains("guard process lost"), "{told}");
    assert!(matches!(stack.stop().await, Err(StackError::GuardLost(_))));
    assert!(matches!(session.close().await, Err(StackError::GuardLost(_))));
    expect_nothing_left(&scratch, &before).await;
}

#[tokio::test]
async fn a_killed_server_is_told_by_name_and_its_helpers_go_with_it() {
    let _turn = turn().await;
    let before = shared_memory();
    let Some(session) = open(options("server")).await else { return };
    let scratch = session.scratch().to_path_buf();
    for component in ["postgres", "nginx", "redis", "api"] {
        let stack = session
            .start_stack(&stack_plan(), &api_plan(), "postgres", &mut |l| notice(&l))
            .await
            .expect("starts");
        kill(stack.pids()[component][0], 9);
        let told = tokio::time::timeout(Duration::from_secs(2), stack.died()).await.expect("told");
        assert!(told.contains(component) && told.contains("signal 9"), "{told}");
        stack.stop().await.expect("it stops");
        let left = processes_of(&scratch);
        assert!(left.iter().all(|(_, line)| line.contains("__guard")), "{component}: {left:?}");
    }
    session.close().await.expect("it closes");
    expect_nothing_left(&scratch, &before).await;
}

#[tokio::test]
async fn a_postmaster_killed_with_a_busy_backend_leaves_nothing() {
    let _turn = turn().await;
    let before = shared_memory();
    let Some(session) = open(options("busy")).await else { return };
    let scratch = session.scratch().to_path_buf();
    let postgres = session.start_postgres(&server(&[]), &mut |l| notice(&l)).await.expect("starts");
    let to = postgres.address(Role::App, "postgres");
    let busy = tokio::spawn(async move {
        use sqlx::{ConnectOptions, Executor};
        let mut connection = sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .socket(&to.socket_dir)
            .port(to.port)
            .username(&to.user)
            .password(&to.password)
            .database(&to.database)
            .ssl_mode(sqlx::postgres::PgSslMode::Disable)
            .connect()
            .await
            .expect("connects");
        connection.execute("SELECT count(*) FROM generate_series(1, 2000000000)").await.is_err()
    });
    sleep(Duration::from_millis(700)).await;
    kill(postgres.pid(), 9);
    let told = postgres.died().await;
    assert!(told.contains("signal 9"), "{told}");
    assert!(busy.await.expect("ran"), "the backend was ended");
    session.close().await.expect("it closes");
    expect_nothing_left(&scratch, &before).await;
}

#[tokio::test]
async fn a_foreign_postgres_is_never_touched() {
    let _turn = turn().await;
    // As foreign as can be: the same user and program, even the same folder of all runs, but not the same run.
    let Some(foreign) = open(options("foreign")).await else { return };
    let theirs = foreign.start_postgres(&server(&[]), &mut |l| notice(&l)).await.expect("starts");
    let Some(mut runner) = Runner::start("running").await else { return };
    kill(runner.guard, 9);
    runner.kill();
    let session = Session::open(options("next"), &mut |l| notice(&l)).await.expect("opens");
    session.close().await.expect("it closes");
    assert!(!runner.scratch.exists());
    let value = theirs.settings_in_force(&["fsync"]).await.expect("it still answers");
    assert_eq!(value.get("fsync").map(String::as_str), Some("on"));
    theirs.stop().await.expect("it stops");
    foreign.close().await.expect("it closes");
}

#[tokio::test]
async fn a_folder_that_is_to_be_kept_stays_with_its_logs() {
    let _turn = turn().await;
    let mut options = options("kept");
    options.keep = Keep::Everything;
    let Some(session) = open(options).await else { return };
    let (scratch, logs) = (session.scratch().to_path_buf(), session.logs_dir().to_path_buf());
    let postgres = session.start_postgres(&server(&[]), &mut |l| notice(&l)).await.expect("starts");
    postgres.stop().await.expect("it stops");
    session.close().await.expect("it closes");
    assert!(processes_of(&scratch).is_empty());
    let log = std::fs::read_to_string(logs.join("postgres.log")).expect("kept");
    assert!(log.contains("database system is shut down"), "{log}");
    std::fs::remove_dir_all(scratch).expect("removed");
}
