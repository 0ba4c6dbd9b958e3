//! What Nginx says itself, and what it hands on: refusals in the API's form, and a request's name in every log.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::stack::{api_plan, notice, open, options, stack_plan};

/// Head, in small letters, and body of the answer to one request, as it is sent.
pub(crate) fn exchange(address: SocketAddr, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

/// Head fields of a request for which the connection ends.
const LAST: &str = "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";

#[tokio::test]
async fn what_nginx_refuses_or_cannot_have_answered_is_a_problem_like_the_apis() {
    let Some(session) = open(options("refusals")).await else { return };
    let (plan, api) = (stack_plan(), api_plan());
    let started = session.start_stack(&plan, &api, "postgres", &mut |l| notice(&l)).await;
    let stack = started.expect("starts");
    let expect = |request: &str, status: u16, kind: &str| {
        let (head, body) = exchange(stack.address, request);
        let shown: String = request.chars().take(60).collect();
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{shown}: {head}\n{body}");
        assert!(head.contains("content-type: application/problem+json\r\n"), "{shown}: {head}");
        assert!(head.contains("\r\nx-request-id: "), "{shown}: {head}");
        let problem: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(problem["type"], format!("urn:querylab:problem:{kind}"), "{shown}");
        assert_eq!((&problem["status"], &problem["kind"]), (&status.into(), &kind.into()));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{body}");
    };
    let (long, large) = ("x".repeat(9000), 10 * 1024 * 1024 + 1);
    let too_large = format!("POST /x {LAST}Content-Length: {large}\r\n\r\n");
    expect(&too_large, 413, "body-too-large");
    expect(&format!("GET /{long} {LAST}\r\n"), 414, "uri-too-long");
    expect(&format!("GET /x {LAST}X: {long}\r\n\r\n"), 431, "headers-too-large");
    expect(&format!("GET /../../etc/passwd {LAST}\r\n"), 400, "bad-request");
    // The API's own problem goes through as it is, and nobody may ask for Nginx' ones or for what is not for clients.
    expect(&format!("GET /nowhere {LAST}\r\n"), 404, "no-route");
    for path in ["problem/413", "problem/404", "counters", "static/", ""] {
        expect(&format!("GET /__querylab/{path} {LAST}\r\n"), 404, "no-route");
    }
    expect(&format!("POST /__querylab/counters {LAST}Content-Length: 0\r\n\r\n"), 404, "no-route");
    for pid in stack.pids().remove("api").expect("there are two") {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
        kill_process(pid, Signal::KILL).expect("signalled");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    expect(&format!("GET /x {LAST}\r\n"), 502, "api-away");
    // Two of its servers have ended without having been asked to, which it may say.
    stack.stop().await.ok();
    session.close().await.expect("it closes");
}

#[tokio::test]
async fn a_requests_name_is_the_same_for_its_client_for_nginx_and_for_the_api() {
    let Some(session) = open(options("names")).await else { return };
    let (mut plan, api) = (stack_plan(), api_plan());
    plan.nginx.settings.insert("access_log".into(), "on".into());
    let started = session.start_stack(&plan, &api, "postgres", &mut |l| notice(&l)).await;
    let stack = started.expect("starts");
    let mut names = Vec::new();
    for (given, is_kept) in [("my-name-1", true), ("bad_name", false), ("", false)] {
        let request = format!("GET /nowhere {LAST}X-Request-Id: {given}\r\n\r\n");
        let (head, _) = exchange(stack.address, &request);
        let told: Vec<&str> =
            head.lines().filter_map(|line| line.strip_prefix("x-request-id: ")).collect();
        let [name] = told[..] else { panic!("one name: {head}") };
        assert_eq!(name == given, is_kept, "{given} {name}");
        assert!(is_kept || name.len() == 32, "Nginx' own: {name}");
        names.push(name.to_owned());
    }
    names.sort();
    let homes = session.scratch().join("home");
    let logs = [
        vec![homes.join("api-0/requests.jsonl"), homes.join("api-1/requests.jsonl")],
        vec![homes.join("nginx/access.jsonl")],
    ];
    for files in logs {
        let read = || {
            let texts = files.iter().filter_map(|file| fs::read_to_string(file).ok());
            let text = texts.collect::<String>();
            let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
            let ours = lines.filter(|line: &Value| line["method"] == "GET" && is_ours(line));
            let mut ids: Vec<String> =
                ours.map(|line| line["request_id"].as_str().expect("a text").to_owned()).collect();
            ids.sort();
            ids
        };
        // Written a tenth of a second, and a second, later.
        for _ in 0..100 {
            if read().len() >= names.len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(read(), names, "{files:?}");
    }
    stack.stop().await.expect("it stops");
    session.close().await.expect("it closes");
}

/// Whether a line of either log is about our path: readiness is asked for too.
fn is_ours(line: &Value) -> bool {
    [&line["endpoint"], &line["uri"]].iter().any(|path| **path == "/nowhere")
}
