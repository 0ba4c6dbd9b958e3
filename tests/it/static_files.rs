//! Files that Nginx serves itself: their bytes and types, no way out of their folder, and an API that never hears of them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use querylab::plan::{ApiCounters, StaticFile, StaticPlan};
use querylab::stack::{Session, Stack};
use sha2::{Digest as _, Sha256};

use crate::lab::{Project, expect_code, servers, text_of};
use crate::nginx_answers::exchange;
use crate::stack::{api_plan, notice, open, options, stack_plan};

const FILES: [(&str, &str); 4] = [
    ("a b.txt", "with a blank\n"),
    ("css/page.css", "p { color: red }\n"),
    ("data.json", "{\"a\":1}"),
    ("page.html", "<p>hällo</p>\n"),
];

/// The files in a folder of their own, and the plan that serves them.
fn files(below: &Path) -> StaticPlan {
    let file = |(name, text): (&str, &str)| {
        let path = below.join("files").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let sha256 = querylab::units::hex(&Sha256::digest(text));
        StaticFile { name: name.into(), sha256, bytes: text.len() as u64 }
    };
    let files = FILES.into_iter().map(file).collect();
    StaticPlan { path: "/static/".into(), folder: "files".into(), files }
}

/// Head and body of the answer to one request for a path.
fn ask(address: SocketAddr, request: &str) -> (String, String) {
    let fields = "HTTP/1.1\r\nHost: x\r\nX-Request-Id: me-1\r\nConnection: close\r\n\r\n";
    exchange(address, &format!("{request} {fields}"))
}

/// Requests that the API processes have had.
async fn requests(stack: &Stack) -> u64 {
    let mut sum = 0;
    for socket in stack.api_sockets() {
        let request = "GET /__querylab/counters HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        });
        let text = answer.await.unwrap();
        let counters: ApiCounters =
            serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        sum += counters.requests;
    }
    sum
}

async fn start(session: &Session, files: &StaticPlan) -> Stack {
    let mut plan = stack_plan();
    plan.static_files = Some(files.clone());
    let started = session.start_stack(&plan, &api_plan(), "postgres", &mut |l| notice(&l)).await;
    started.expect("starts")
}

/// A part of a file is sent, and what begins behind its end is a problem that tells how long the file is.
fn ranges_are_served_as_far_as_the_file_goes(address: SocketAddr) {
    let part = |range: &str| {
        let fields = "Host: x\r\nX-Request-Id: me-1\r\nConnection: close";
        let request =
            format!("GET /static/data.json HTTP/1.1\r\n{fields}\r\nRange: {range}\r\n\r\n");
        exchange(address, &request)
    };
    let (head, body) = part("bytes=1-3");
    assert!(head.starts_with("http/1.1 206 ") && body == "\"a\"", "{head}\n{body}");
    let (head, body) = part("bytes=900-");
    assert!(head.starts_with("http/1.1 416 "), "{head}\n{body}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert!(head.contains("content-range: bytes */7"), "{head}");
    assert_eq!(head.matches("x-request-id: ").count(), 1, "{head}");
    let problem: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&problem["status"], &problem["kind"]), (&416.into(), &"range-beyond-end".into()));
}

#[tokio::test]
async fn files_are_served_with_their_types_by_nginx_alone_and_nothing_beside_them_is() {
    let Some(session) = open(options("static")).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let plan = files(folder.path());
    session.place_static(folder.path(), &plan).await.expect("copied");
    // What becomes of the originals does not matter any more, and a second time copies nothing.
    fs::remove_dir_all(folder.path().join("files")).unwrap();
    session.place_static(folder.path(), &plan).await.expect("there already");
    let stack = start(&session, &plan).await;
    assert_eq!(stack.settings()["nginx"]["sendfile"], "on");
    let (before, address) = (requests(&stack).await, stack.address);
    for (path, r#type, (_, text)) in [
        ("/static/a%20b.txt", "text/plain; charset=utf-8", FILES[0]),
        ("/static/css/page.css", "text/css; charset=utf-8", FILES[1]),
        ("/static/css/../data.json?v=2", "application/json; charset=utf-8", FILES[2]),
        ("/static/page.html", "text/html; charset=utf-8", FILES[3]),
    ] {
        let (head, body) = ask(address, &format!("GET {path}"));
        assert!(head.starts_with("http/1.1 200 ok"), "{path}: {head}");
        assert!(head.contains(&["content-type: ", r#type, "\r\n"].concat()), "{path}: {head}");
        assert!(head.contains("etag: ") && head.contains("x-request-id: me-1"), "{path}: {head}");
        assert_eq!(body, text, "{path}");
    }
    for path in [
        "/static/none.html",
        "/static/",
        "/static/css",
        "/static/css/",
        "/static/css/%2e%2e/none",
        "/static/a\\b",
    ] {
        let (head, body) = ask(address, &format!("GET {path}"));
        assert!(head.starts_with("http/1.1 404 "), "{path}: {head}\n{body}");
        assert!(head.contains("content-type: application/problem+json\r\n"), "{path}: {head}");
        let problem: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((&problem["status"], &problem["kind"]), (&404.into(), &"no-file".into()));
    }
    for out in ["/../../etc/passwd", "/static/../../etc/passwd", "/static/%2e%2e%2f%2e%2e%2fconf"] {
        let (head, _) = ask(address, &format!("GET {out}"));
        assert!(head.starts_with("http/1.1 400 "), "{out}: {head}");
    }
    ranges_are_served_as_far_as_the_file_goes(address);
    let (head, body) = ask(address, "HEAD /static/page.html");
    assert!(head.starts_with("http/1.1 200 ") && body.is_empty(), "{head}");
    let (head, body) = ask(address, "POST /static/page.html");
    assert!(head.starts_with("http/1.1 405 ") && body.contains("wrong-method"), "{head}\n{body}");
    assert_eq!(requests(&stack).await, before, "the API heard of a file");
    // And of what is not below the path it does.
    for path in ["/static", "/static/..%2fconf%2fnginx.conf", "/statics/page.html"] {
        assert!(ask(address, &format!("GET {path}")).0.starts_with("http/1.1 404 "), "{path}");
    }
    assert_eq!(requests(&stack).await, before + 3);
    stack.stop().await.expect("it stops");
    session.close().await.expect("it closes");
}

#[tokio::test]
async fn a_file_that_has_changed_meanwhile_or_was_never_copied_is_not_served() {
    let Some(session) = open(options("changed")).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let plan = files(folder.path());
    let mut stack = stack_plan();
    stack.static_files = Some(plan.clone());
    let started = session.start_stack(&stack, &api_plan(), "postgres", &mut |l| notice(&l)).await;
    assert!(started.err().expect("refused").text().contains("nobody has placed the files"));
    fs::write(folder.path().join("files/page.html"), "<p>other</p>").unwrap();
    let refused = session.place_static(folder.path(), &plan).await.expect_err("refused");
    assert!(refused.text().contains("page.html: it has changed since"), "{refused}");
    let page = folder.path().join("files/page.html");
    fs::remove_file(&page).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &page).unwrap();
    let refused = session.place_static(folder.path(), &plan).await.expect_err("refused");
    assert!(refused.text().contains("cannot read the static file"), "{refused}");
    session.close().await.expect("it closes");
}

#[test]
fn a_file_of_the_experiments_folder_is_served_and_checked() {
    if !servers() {
        return;
    }
    let project = Project::new();
    fs::create_dir(project.dir.join("static")).unwrap();
    fs::write(project.dir.join("static/page.html"), "<p>hello</p>").unwrap();
    let file = project.dir.join("experiments/tiny.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n[services.nginx]\nstatic = {{ folder = \"../static\" }}\n"))
        .unwrap();
    let arguments =
        ["serve", "experiments/tiny.toml", "--variant", "cached", "--message-format", "json"];
    let mut child =
        project.querylab(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = lines.find_map(|line| {
        let object: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        (object["event"] == "serving").then_some(object)
    });
    let address = ready.as_ref().and_then(|r| r["url"].as_str()?.strip_prefix("http://"));
    let answer = address.map(|address| ask(address.parse().unwrap(), "GET /static/page.html"));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    expect_code(&output, 0);
    let (head, body) = answer.unwrap_or_else(|| panic!("{}", text_of(&output.stderr)));
    assert!(head.starts_with("http/1.1 200 ") && body == "<p>hello</p>", "{head}\n{body}");
    project.expect_nothing_left();
    std::os::unix::fs::symlink("/etc/passwd", project.dir.join("static/passwd.txt")).unwrap();
    let refused = project.output(&["check", "experiments/tiny.toml"]);
    expect_code(&refused, 2);
    let said = text_of(&refused.stderr) + &text_of(&refused.stdout);
    assert!(said.contains("QL0621") && said.contains("passwd.txt` is a link"), "{said}");
}
