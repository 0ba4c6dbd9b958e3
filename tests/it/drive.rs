//! `querylab drive` against a small server of this test's own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use crate::lab::{Project, expect_code, text_of};

/// Answers each request on each connection with two bytes.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                for line in lines.map_while(Result::ok) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                    if line.is_empty() && stream.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn a_load_is_told_as_one_object_and_exported() {
    let project = Project::new();
    let url = format!("http://{}/x?y=z", server());
    let args = ["drive", &url, "--rate", "200/s", "--duration", "1s", "--json"];
    let exports =
        ["--export-hdr", "x.hlog", "--export-csv", "x.csv", "--export-samples", "raw.csv"];
    let output = project.output(&[&args[..], &exports[..]].concat());
    expect_code(&output, 0);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["due"], 200);
    assert_eq!(told["answered"], 200);
    assert_eq!(told["response_bytes"], 400);
    assert_eq!(told["failed"], serde_json::json!({}));
    assert!((told["rate_rps"].as_f64().unwrap() - 200.0).abs() < 1e-9);
    let p50 = |name: &str| told[name]["p50"].as_f64().unwrap();
    assert!(p50("response_time_us") >= p50("service_time_us") && p50("service_time_us") > 1.0);
    // Two samples do not lie 20 deep.
    assert!(told["service_time_us"]["p99"].is_null());
    let log = std::fs::read_to_string(project.dir.join("x.hlog")).unwrap();
    assert!(log.contains("Tag=response,"), "{log}");
    let csv = std::fs::read_to_string(project.dir.join("x.csv")).unwrap();
    let rows = csv.lines().skip(1).map(|row| row.split(',').nth(1).unwrap());
    assert_eq!(rows.map(|n| n.parse::<u64>().unwrap()).sum::<u64>(), 200);
    let raw = std::fs::read_to_string(project.dir.join("raw.csv")).unwrap();
    let ok = raw.lines().skip(1).filter(|line| line.ends_with(",ok,")).count();
    assert_eq!((ok, raw.lines().count()), (200, 201));
}

#[test]
fn a_generator_that_was_held_up_says_so_in_an_open_and_in_a_closed_load() {
    let project = Project::new();
    let url = format!("http://{}/", server());
    for load in [["--users", "2"], ["--rate", "200/s"]] {
        let args = [&["drive", &url, "--duration", "2s", "--json"], &load[..]].concat();
        let mut command = project.querylab(&args);
        let drive = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&drive);
        std::thread::sleep(Duration::from_millis(900));
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
        let output = drive.wait_with_output().unwrap();
        expect_code(&output, 0);
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["generator_limited"], true, "{told}");
        assert!(told["held_up_seconds"].as_f64().unwrap() > 0.4, "{told}");
        let why = told["generator_limits"].to_string();
        assert!(why.contains("its thread was held up for"), "{why}");
    }
}

#[test]
fn arrivals_wait_for_their_connections() {
    let project = Project::new();
    let url = format!("http://{}/", server());
    let args = ["drive", &url, "--rate", "500/s", "--connections", "1", "--duration", "1s"];
    let output = project.output(&args);
    expect_code(&output, 0);
    let page = text_of(&output.stdout);
    assert!(page.contains("constant arrivals, 500/s, 1 connection\n"), "{page}");
    assert!(page.contains("answered   500 ("), "{page}");
}

#[test]
fn what_cannot_be_driven_is_refused_with_its_own_code() {
    let project = Project::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let says = |args: &[&str], code| {
        let output = project.output(args);
        expect_code(&output, code);
        text_of(&output.stderr)
    };
    assert!(says(&["drive", &nobody, "--users", "1"], 3).contains("nothing listens at"));
    assert!(says(&["drive", "https://a/", "--users", "1"], 2).contains("does not speak"));
    assert!(says(&["drive", "nonsense", "--users", "1"], 2).contains("no http URL"));
    assert!(says(&["drive", &nobody, "--rate", "5"], 2).contains("is not a rate"));
    let zero = ["drive", &nobody, "--users", "1", "--duration", "0s"];
    assert!(says(&zero, 2).contains("--duration"));
    says(&["drive", &nobody], 2);
    says(&["drive", &nobody, "--users", "1", "--rate", "5/s"], 2);
    says(&["drive", &nobody, "--users", "1", "--connections", "5"], 2);
}
