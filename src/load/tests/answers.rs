//! Answers as they come: whole, in pieces, and wrong.

use proptest::prelude::*;

use crate::load::answer::{Body, Inbox, LARGEST_HEAD, Look, MOST_FIELDS};
use crate::load::fault::Fault;

/// Reads what arrives in pieces of these sizes, and then the connection's end: status, body, whether it stays open.
fn read(bytes: &[u8], sizes: &[usize]) -> Result<(u16, Vec<u8>, bool), Fault> {
    let mut inbox = Inbox::default();
    inbox.begin(false, Body::Kept);
    let mut rest = bytes;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let room = inbox.room()?;
        let size = sizes.next().map_or(1, |size| *size.max(&1)).min(rest.len()).min(room.len());
        room[..size].copy_from_slice(&rest[..size]);
        inbox.arrived(size);
        rest = &rest[size..];
        if inbox.look()? == Look::Whole {
            return Ok((inbox.status, inbox.kept, inbox.stays_open && rest.is_empty()));
        }
    }
    inbox.ended()?;
    Ok((inbox.status, inbox.kept, inbox.stays_open))
}

fn whole(text: &str) -> Result<(u16, String, bool), Fault> {
    let read = read(text.as_bytes(), &[usize::MAX]);
    read.map(|(status, body, stays)| (status, String::from_utf8(body).expect("text"), stays))
}

#[test]
fn a_body_ends_where_its_head_says() {
    let ok = |body: &str, stays| Ok((200, body.to_owned(), stays));
    let said = |fields: &str| whole(&format!("HTTP/1.1 200 OK\r\n{fields}"));
    assert_eq!(said("Content-Length: 2\r\n\r\nab"), ok("ab", true));
    assert_eq!(said("Content-Length: 0\r\n\r\n"), ok("", true));
    assert_eq!(said("content-length: 2\r\nConnection: close\r\n\r\nab"), ok("ab", false));
    let chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\nT: 1\r\n\r\n";
    assert_eq!(said(chunked), ok("abcde", true));
    assert_eq!(said("\r\nuntil the end"), ok("until the end", false));
    // Nobody asked for the rest.
    assert_eq!(said("Content-Length: 2\r\n\r\nabHTTP/1.1"), ok("ab", false));
}

#[test]
fn some_answers_have_no_body_and_some_only_announce_another() {
    let none = whole("HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n");
    assert_eq!(none, Ok((304, String::new(), true)));
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    let answer = format!("{hint}{hint}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    assert_eq!(whole(&answer), Ok((200, "a".into(), true)));
    assert_eq!(whole(&hint.repeat(100)), Err(Fault::BadResponse));
    assert_eq!(whole("HTTP/1.1 101 Switch\r\n\r\n"), Err(Fault::BadResponse));
    let old = whole("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na");
    assert_eq!(old, Ok((200, "a".into(), false)));
    let mut inbox = Inbox::default();
    inbox.begin(true, Body::Kept);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    inbox.room().expect("room")[..head.len()].copy_from_slice(head);
    inbox.arrived(head.len());
    assert_eq!((inbox.look(), inbox.stays_open), (Ok(Look::Whole), true));
}

#[test]
fn what_is_no_answer_is_a_failure_of_its_kind() {
    let said = |fields: &str| whole(&format!("HTTP/1.1 200 OK\r\n{fields}"));
    assert_eq!(whole(""), Err(Fault::Reset));
    assert_eq!(whole("HTTP/1.1 200"), Err(Fault::Reset));
    assert_eq!(whole("SSH-2.0-OpenSSH\r\n\r\n"), Err(Fault::BadResponse));
    assert_eq!(said("Content-Length: -1\r\n\r\n"), Err(Fault::BadResponse));
    assert_eq!(said("Content-Length: 1\r\nContent-Length: 2\r\n\r\na"), Err(Fault::BadResponse));
    let both = "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
    assert_eq!(said(both), Err(Fault::BadResponse));
    assert_eq!(said("Content-Length: 3\r\n\r\nab"), Err(Fault::BodyTruncated));
    assert_eq!(said("Transfer-Encoding: chunked\r\n\r\nzz\r\n"), Err(Fault::BodyTruncated));
    assert_eq!(said("Transfer-Encoding: chunked\r\n\r\n1\r\nabc"), Err(Fault::BodyTruncated));
    assert_eq!(said("Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"), Err(Fault::BodyTruncated));
    let long = format!("X: {}\r\n", "a".repeat(LARGEST_HEAD));
    assert_eq!(said(&long), Err(Fault::BadResponse));
    assert_eq!(said(&"X: a\r\n".repeat(MOST_FIELDS + 1)), Err(Fault::BadResponse));
    let huge = "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab";
    assert_eq!(said(huge), Err(Fault::BodyTruncated));
}

#[test]
fn a_body_that_is_only_counted_is_not_kept_but_bounded_all_the_same() {
    let mut inbox = Inbox::default();
    inbox.begin(false, Body::Counted);
    let head = b"HTTP/1.1 200 OK\r\n\r\n";
    inbox.room().expect("room")[..head.len()].copy_from_slice(head);
    inbox.arrived(head.len());
    let end = loop {
        match inbox.look() {
            Ok(_) => {}
            Err(fault) => break fault,
        }
        let room = inbox.room().expect("room").len();
        inbox.arrived(room);
    };
    assert_eq!((end, inbox.kept.len()), (Fault::BodyTooLarge, 0));
    assert!(inbox.room.len() <= LARGEST_HEAD);
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        body in proptest::collection::vec(any::<u8>(), 0..20_000),
        chunk in 1..9000_usize,
        sizes in proptest::collection::vec(1..3000_usize, 1..20),
    ) {
        let mut chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for part in body.chunks(chunk) {
            chunked.extend(format!("{:x}\r\n", part.len()).bytes());
            chunked.extend(part);
            chunked.extend(b"\r\n");
        }
        chunked.extend(b"0\r\n\r\n");
        let mut plain = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        plain.extend(&body);
        prop_assert_eq!(read(&chunked, &sizes), Ok((200, body.clone(), true)));
        prop_assert_eq!(read(&plain, &sizes), Ok((200, body, true)));
    }

    #[test]
    fn no_bytes_make_it_panic(
        head in "(HTTP/1\\.[01] [0-9]{3} ?\r\n)?((Content-Length|Transfer-Encoding|Connection): ?(chunked|[0-9]{1,25}|close)\r\n){0,3}(\r\n)?",
        rest in proptest::collection::vec(any::<u8>(), 0..300),
        sizes in proptest::collection::vec(1..50_usize, 1..5),
    ) {
        let mut bytes = head.into_bytes();
        bytes.extend(rest);
        drop(read(&bytes, &sizes));
    }
}
