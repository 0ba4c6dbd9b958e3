//! Cached data that a run works on where they lie, when the run does not end well; and rows from elsewhere out of the cache.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::cache::{Kept, RUN, TINY};
use crate::lab::{expect_code, servers, text_of};

const IN_PLACE: (&str, &str) = ("QUERYLAB_CACHE_IN_PLACE", "1MB");

/// A run of the file as it is now, on the entry itself.
fn in_place(kept: &Kept) -> Output {
    kept.command(&RUN).env(IN_PLACE.0, IN_PLACE.1).output().unwrap()
}

/// The entry is as good as before, and the next run takes it.
fn expect_spared(kept: &Kept) {
    assert!(!kept.only_entry().join("unclean").exists());
    let output = in_place(kept);
    expect_code(&output, 0);
    let said = text_of(&output.stderr);
    assert!(said.contains("used where they are") && !said.contains("people: "), "{said}");
    assert!(!said.contains("built idx_people_email"), "{said}");
    assert!(said.contains("first load after"), "{said}");
}

#[test]
fn an_index_that_cannot_be_built_spares_the_entry() {
    if !servers() {
        return;
    }
    let kept = Kept::new();
    kept.run(&[]);
    let file = kept.project.dir.join(TINY);
    let good = fs::read_to_string(&file).unwrap();
    fs::write(&file, good.replace("people (email)", "people (no_such_column)")).unwrap();
    let failed = in_place(&kept);
    expect_code(&failed, 4);
    assert!(text_of(&failed.stderr).contains("no_such_column"));
    kept.project.expect_nothing_left();
    fs::write(&file, good).unwrap();
    expect_spared(&kept);
}

#[test]
fn an_interrupt_spares_the_entry() {
    if !servers() {
        return;
    }
    let kept = Kept::new();
    kept.run(&[]);
    let mut args = RUN.to_vec();
    args.extend(["--message-format", "json"]);
    let mut command = kept.command(&args);
    command.env(IN_PLACE.0, IN_PLACE.1).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("first-load")), "no load began");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    kept.project.expect_nothing_left();
    expect_spared(&kept);
}

#[test]
fn rows_from_elsewhere_come_out_of_the_cache_the_second_time() {
    if !servers() {
        return;
    }
    let kept = Kept::new();
    let dir = &kept.project.dir;
    let tables = "CREATE TABLE days (id serial PRIMARY KEY, day date NOT NULL);\n\
                  CREATE TABLE lands (code text PRIMARY KEY, name text);\n";
    fs::write(dir.join("migrations/people/0002_days.sql"), tables).unwrap();
    fs::create_dir(dir.join("experiments/data")).unwrap();
    let csv = dir.join("experiments/data/lands.csv");
    fs::write(&csv, "code,name\nde,Germany\nfr,France\n").unwrap();
    let file = dir.join(TINY);
    let text = fs::read_to_string(&file).unwrap();
    let from = "[dataset.tables.days]\n\
        from = { query = \"SELECT d FROM generate_series(date '2024-01-01', '2024-01-31', '1 day') AS d\", columns = [\"day\"] }\n\
        [dataset.tables.lands]\nfrom = { csv = \"data/lands.csv\" }\n\n[indexes]\n";
    fs::write(&file, text.replace("[indexes]\n", from)).unwrap();
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("kept for the next run"), "{said}");
    assert_eq!(origin["how"], "built");
    let (said, origin) = kept.run(&[]);
    assert!(said.contains("data from the cache"), "{said}");
    assert_eq!(origin["how"], "reused");
    expect_code(&in_place(&kept), 0);
    // Another row is other data.
    fs::write(&csv, "code,name\nde,Germany\nfr,France\nit,Italy\n").unwrap();
    let (_, origin) = kept.run(&[]);
    assert_eq!(origin["how"], "built");
    kept.project.expect_nothing_left();
}

/// A process of the Postgres that works in this folder, without which it throws away what it has in memory.
fn checkpointer(data: &Path) -> Pid {
    let file = fs::read_to_string(data.join("postmaster.pid")).unwrap();
    let first = file.lines().next().unwrap().trim().to_owned();
    let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
    let is_it = |pid: &&str| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        text_of(&line).contains("checkpointer")
    };
    let pid = children.split_ascii_whitespace().find(is_it).expect("it has one");
    Pid::from_raw(pid.parse().unwrap()).unwrap()
}

#[test]
fn a_server_that_crashed_does_not_vouch_for_the_entry() {
    if !servers() {
        return;
    }
    let kept = Kept::new();
    kept.run(&[]);
    let mut args = RUN.to_vec();
    args.extend(["--message-format", "json"]);
    let mut command = kept.command(&args);
    command.env(IN_PLACE.0, IN_PLACE.1).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("first-load")), "no load began");
    kill_process(checkpointer(&kept.only_entry().join("data")), Signal::KILL).unwrap();
    lines.for_each(drop);
    // Whatever became of the trial: its counters were lost, and with them what it may have written.
    child.wait().unwrap();
    kept.project.expect_nothing_left();
    assert!(kept.only_entry().join("unclean").exists(), "it was sealed");
}
