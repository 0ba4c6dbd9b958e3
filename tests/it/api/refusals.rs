//! Requests that are refused, in the words of raw sockets.

use querylab::spec::ParamType;

use super::client::{Api, endpoint, param};
use super::servers;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_get_their_own_status_and_never_reach_postgres() {
    let Some(servers) = servers::start(false).await else { return };
    let api = Api::start(servers.launch(vec![
        endpoint("/user", "SELECT $1 AS email", vec![param("email", ParamType::Text)]),
        endpoint("/users/{id}", "SELECT $1 AS id", vec![param("id", ParamType::Integer)]),
    ]))
    .await;
    let long = format!("/user?email={}", "x".repeat(8 * 1024));
    let longest = format!("/user?email={}", "x".repeat(8 * 1024 - "/user?email=".len()));
    for (path, status) in [
        ("/user?email=a", 200),
        ("/users/7", 200),
        (longest.as_str(), 200),
        ("/user", 400),
        ("/user?email=a&email=a", 400),
        ("/user?email=a&page=2", 400),
        ("/user?email=%ff%fe", 400),
        ("/user?email=%00", 400),
        ("/users/2147483648", 400),
        ("/users/%ff", 400),
        ("/users/", 404),
        ("/users/../health", 404),
        ("/users/%2e%2e", 400),
        ("/nowhere", 404),
        (long.as_str(), 414),
    ] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        if status != 200 {
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
            assert_eq!(answer.json()["status"], status, "{path}");
            assert!(!answer.body.contains("2147483648"), "{}", answer.body);
        }
    }
    assert_eq!(api.get("/user").await.json()["param"], "email");
    let counters = api.counters().await;
    assert_eq!((counters.requests, counters.refused, counters.statements), (16, 13, 3));
    assert_eq!((counters.cache_bypasses, counters.unconnected), (3, 0));
    api.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_bodies_and_heads_have_their_limits() {
    let Some(servers) = servers::start(false).await else { return };
    let api = Api::start(servers.launch(vec![endpoint("/one", "SELECT 1 AS one", vec![])])).await;
    let head = "Host: x\r\nConnection: close\r\n";
    let sized = |size: usize| {
        let others = "hostx".len() + "connectionclose".len() + "x".len();
        format!("GET /one HTTP/1.1\r\n{head}X: {}\r\n\r\n", "x".repeat(size - others))
    };
    for (request, status) in [
        (format!("POST /one HTTP/1.1\r\n{head}\r\n"), 405),
        (format!("HEAD /one HTTP/1.1\r\n{head}\r\n"), 405),
        (format!("GET /one HTTP/1.1\r\n{head}Content-Length: 0\r\n\r\n"), 200),
        (format!("GET /one HTTP/1.1\r\n{head}Content-Length: 2\r\n\r\nhi"), 413),
        (
            "GET /one HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /one HTTP/1.1\r\n\r\n".to_owned(),
            400,
        ),
        ("GET /one HTTP/1.1\r\nHost: x\r\nContent-Length: +4\r\n\r\nabcd".to_owned(), 400),
        (sized(32 * 1024), 200),
        (sized(32 * 1024 + 1), 431),
        (sized(60 * 1024), 431),
        ("rubbish\r\n\r\n".to_owned(), 400),
    ] {
        let answer = api.raw(request.as_bytes()).await;
        let shown: String = request.chars().take(80).collect();
        assert_eq!(answer.status, status, "{shown}");
    }
    assert_eq!(api.counters().await.statements, 2);
    api.stop().await.expect("stops");
}
