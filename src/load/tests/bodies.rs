//! Requests with bodies of their own, and answers in lines.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::scripts::{closed, door, drive, on_paused_clock, raw};
use crate::load::Shots;
use crate::load::fixtures::{MS, example, users};
use crate::load::wire::Door;
use crate::plan::{
    AnswerPlan, DistributionPlan, DrawPlan, DrawSource, LoadPlan, MemberForm, MemberPlan,
    TargetPlan,
};

/// One user for a tenth of a second, without a warm-up, and requests to this target.
fn short(target: TargetPlan) -> LoadPlan {
    let mut plan = LoadPlan { targets: vec![target], duration_ns: 100 * MS, ..closed(1, MS) };
    plan.warmup.max_ns = 0;
    plan
}

fn member((param, form): (&str, MemberForm)) -> MemberPlan {
    MemberPlan { param: param.into(), form }
}

fn drawn(param: &str, value: &str) -> DrawPlan {
    let source = DrawSource::Values(vec![value.into()]);
    DrawPlan { param: param.into(), source, distribution: DistributionPlan::Uniform { keys: None } }
}

#[test]
fn what_the_body_names_is_in_the_body_and_what_has_no_values_is_left_out() {
    let target = |path: &str, draws| {
        let path = path.into();
        TargetPlan { path, draws, ..example().targets.remove(0) }
    };
    let first = |target| {
        let plan = LoadPlan { targets: vec![target], ..example() };
        Shots::new(&plan, &[users(100)], 1, 2).expect("good").get(0)
    };
    let draws = [("id", "7"), ("name", "a\"b"), ("note", "n&m"), ("page", "2")];
    let draws = draws.map(|(param, value)| drawn(param, value)).to_vec();
    let text = MemberForm::Text;
    let body = [("note", text), ("name", text), ("age", MemberForm::Number)].map(member);
    let shot = first(TargetPlan { body: body.to_vec(), ..target("/users/{id}", draws) });
    assert_eq!(shot.uri, "/users/7?page=2");
    assert_eq!(shot.body, r#"{"note":"n&m","name":"a\"b"}"#);
    assert_eq!(shot.params.len(), 4);
    // A body of which nothing is drawn is an empty object; where the plan has no body, there is none.
    let nothing = [("age", MemberForm::Number)].map(member).to_vec();
    assert_eq!(first(TargetPlan { body: nothing, ..target("/users", vec![]) }).body, "{}");
    assert_eq!(first(target("/users", vec![])).body, "");
}

/// A server that answers each body's own e-mail, and keeps what it heard.
fn echo(heard: &Rc<RefCell<Vec<(String, Value)>>>) -> Door {
    let heard = Rc::clone(heard);
    door(move |stream| {
        let heard = Rc::clone(&heard);
        async move {
            let service = service_fn(move |request: Request<hyper::body::Incoming>| {
                let heard = Rc::clone(&heard);
                async move {
                    let kind = request.headers().get("content-type").cloned();
                    let line = format!("{} {} {kind:?}", request.method(), request.uri());
                    let body = request.into_body().collect().await.expect("a body").to_bytes();
                    let body: Value = serde_json::from_slice(&body).expect("JSON");
                    let answer = format!("[{{\"email\":{}}}]", body["email"]);
                    heard.borrow_mut().push((line, body));
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(answer))))
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        }
    })
}

#[test]
fn each_request_has_a_body_of_its_own_and_its_answer_is_held_against_it() {
    on_paused_clock(async {
        let heard = Rc::new(RefCell::new(Vec::new()));
        let mut target = example().targets.remove(0);
        (target.method, target.body) = ("PATCH".into(), vec![member(("email", MemberForm::Text))]);
        let run = drive(short(target), echo(&heard), None).await;
        let window = &run.recording.window;
        assert!(window.answered > 10 && window.failed == 0, "{:?}", run.recording.wrong_answers);
        let heard = heard.borrow();
        let line = "PATCH /users/indexed Some(\"application/json\")";
        assert!(heard.iter().all(|(said, _)| said == line), "{:?}", heard[0]);
        let emails: BTreeSet<&str> =
            heard.iter().filter_map(|(_, b)| b["email"].as_str()).collect();
        assert!(emails.len() > 5 && emails.iter().all(|email| email.ends_with("@example.com")));
    });
}

/// A server that answers with these bytes behind the head of an answer in chunks, and ends the connection.
fn in_chunks(chunks: &'static str) -> Door {
    raw(move |mut stream| async move {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        for piece in [head, chunks] {
            drop(stream.write_all(piece.as_bytes()).await);
        }
    })
}

#[test]
fn an_answer_in_lines_is_one_answer_of_many_rows_and_one_that_breaks_off_is_a_failure() {
    on_paused_clock(async {
        let mut target = example().targets.remove(0);
        (target.answer, target.check.rows) = (AnswerPlan::Lines, Some(2));
        target.check.fields.clear();
        let drive = |chunks| drive(short(target.clone()), in_chunks(chunks), None);
        let whole = drive("b\r\n{\"a\":1}\n{\"b\r\n7\r\n\":\"x\"}\n\r\n0\r\n\r\n").await.recording;
        let window = &whole.window;
        assert!(window.answered > 10 && window.failed == 0, "{:?}", whole.wrong_answers);
        assert_eq!(window.response_lines, 2 * window.answered);
        assert_eq!(window.response_bytes, 18 * window.answered);
        // Both lines are there, and the last chunk is not.
        let broken = drive("b\r\n{\"a\":1}\n{\"b\r\n7\r\n\":\"x\"}\n\r\n").await.recording.window;
        assert_eq!((broken.answered, broken.response_lines), (0, 0));
        assert_eq!(broken.failures.get("body-truncated"), Some(&broken.failed), "{broken:?}");
        let fewer = drive("8\r\n{\"a\":1}\n\r\n0\r\n\r\n").await.recording;
        assert_eq!(fewer.window.answered, 0);
        assert!(
            fewer.wrong_answers[0].contains("1 lines instead of 2"),
            "{:?}",
            fewer.wrong_answers
        );
    });
}
