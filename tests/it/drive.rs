//! `querylab drive` against a small server of this test's own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
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

/// Answers each request, and remembers the first one as it came.
fn listener() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let first = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&first);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, heard) = (stream.unwrap(), Arc::clone(&heard));
            std::thread::spawn(move || {
                let mut from = BufReader::new(stream.try_clone().unwrap());
                while let Some(request) = request(&mut from) {
                    let mut first = heard.lock().unwrap();
                    if first.is_empty() {
                        *first = request;
                    }
                    drop(first);
                    stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").unwrap();
                }
            });
        }
    });
    (address, first)
}

/// Head and body of the next request; none where the client has gone.
fn request(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut request, mut length) = (Vec::new(), 0);
    loop {
        let begins = request.len();
        from.read_until(b'\n', &mut request).ok().filter(|n| *n > 0)?;
        let line = text_of(&request[begins..]);
        if let Some(said) = line.strip_prefix("Content-Length: ") {
            length = said.trim().parse().unwrap();
        }
        if line == "\r\n" {
            let mut body = vec![0; length];
            from.read_exact(&mut body).ok()?;
            request.extend(body);
            return Some(request);
        }
    }
}

#[test]
fn method_fields_and_body_go_out_as_typed_and_the_drift_is_told() {
    let project = Project::new();
    let (address, first) = listener();
    let url = format!("http://{address}/orders");
    std::fs::write(project.dir.join("order.json"), "{\"n\": 1}").unwrap();
    let asked =
        ["--method", "put", "--body", "@order.json", "--header", "Content-Type: application/json"];
    let args = ["drive", &url, "--rate", "200/s", "--duration", "5s", "--json"];
    let output = project.output(&[&args[..], &asked[..]].concat());
    expect_code(&output, 0);
    assert_eq!(
        text_of(&first.lock().unwrap()),
        format!(
            "PUT /orders HTTP/1.1\r\nHost: {address}\r\nContent-Length: 8\r\n\
             Content-Type: application/json\r\n\r\n{{\"n\": 1}}"
        )
    );
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["answered"], &told["failed"]), (&1000.into(), &serde_json::json!({})));
    assert!(
        told["response_time_drift"].is_f64() && told["response_time_drift_p"].is_f64(),
        "{told}"
    );
    assert!(told["unsteady"].is_boolean(), "{told}");
}

#[test]
fn what_cannot_be_exported_is_said_before_the_load() {
    let project = Project::new();
    let url = format!("http://{}/", server());
    for flag in ["--export-hdr", "--export-csv", "--export-samples"] {
        let args = ["drive", &url, "--users", "1", "--duration", "1h", flag, "no/such/folder/x"];
        let output = project.output(&args);
        expect_code(&output, 3);
        assert!(text_of(&output.stderr).contains("cannot write no/such/folder/x"));
    }
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
fn memory_stays_small_however_long_it_runs() {
    let project = Project::new();
    let url = format!("http://{}/", server());
    let load = ["--users", "50", "--duration", "6s", "--quiet"];
    let mut command = project.querylab(&[&["drive", &url], &load[..]].concat());
    let drive = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let most_kb = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", drive.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    std::thread::sleep(Duration::from_secs(2));
    let early = most_kb();
    std::thread::sleep(Duration::from_secs(3));
    let late = most_kb();
    expect_code(&drive.wait_with_output().unwrap(), 0);
    assert!(late < 64 * 1024, "{late} kB");
    assert!(late - early < 4096, "{early} kB, and three seconds later {late} kB");
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
    let header = ["drive", &nobody, "--users", "1", "--header", "nothing"];
    assert!(says(&header, 2).contains("has no colon"));
    says(&["drive", &nobody], 2);
    says(&["drive", &nobody, "--users", "1", "--rate", "5/s"], 2);
    says(&["drive", &nobody, "--users", "1", "--connections", "5"], 2);
}
