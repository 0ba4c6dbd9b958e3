//! What each request of `drive` says beside its URL: method, header fields and body, as they were typed.

use std::fs::File;
use std::io::Read as _;

use super::args::DriveArgs;
use crate::load::Extras;

/// A longer body is no request but an upload.
const LONGEST_BODY: u64 = 16 << 20;
/// Servers refuse more.
const LONGEST_FIELDS: usize = 32 << 10;
/// Longest method that anybody has.
const LONGEST_METHOD: usize = 20;
/// What the generator itself says about the connection and the body.
const OWNED: [&str; 6] =
    ["connection", "content-length", "expect", "te", "transfer-encoding", "upgrade"];

/// What each request says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Instead of the URL's own.
    pub(super) host: Option<String>,
    pub(super) extras: Extras,
}

impl Asked {
    /// Reads the flags, and the file of the body.
    pub(super) fn of(args: &DriveArgs) -> Result<Self, String> {
        let body = match &args.body {
            None => Vec::new(),
            Some(text) => match text.strip_prefix('@') {
                None => text.clone().into_bytes(),
                Some(file) => read(file)?,
            },
        };
        let method = match (&args.method, body.is_empty()) {
            (Some(method), _) => method_of(method)?,
            (None, true) => "GET".to_owned(),
            (None, false) => "POST".to_owned(),
        };
        let (mut host, mut fields) = (None, Vec::new());
        for text in &args.headers {
            let (name, value) = field(text)?;
            if name.eq_ignore_ascii_case("host") {
                host = Some(value);
            } else {
                fields.push((name, value));
            }
        }
        let length: usize = fields.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        if length > LONGEST_FIELDS {
            return Err("--header: all of them together are longer than 32 KiB".into());
        }
        Ok(Self { method, host, extras: Extras { fields, body } })
    }
}

fn method_of(text: &str) -> Result<String, String> {
    let is_word = !text.is_empty()
        && text.len() <= LONGEST_METHOD
        && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
    match text.to_ascii_uppercase() {
        _ if !is_word => Err(format!("--method: {text:?} is no method, like `POST`")),
        // Its answer has no end of its own.
        method if method == "CONNECT" => Err("--method: `CONNECT` asks for a tunnel".into()),
        method => Ok(method),
    }
}

/// Name and value of a field typed as `Name: value`.
fn field(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(format!("--header: {text:?} has no colon (write it like `Accept: text/html`)"));
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(format!("--header: {name:?} is no name of a field"));
    }
    if OWNED.iter().any(|owned| name.eq_ignore_ascii_case(owned)) {
        return Err(format!("--header: drive says `{name}` itself, where it is needed"));
    }
    let value = value.trim_matches([' ', '\t']);
    if !value.bytes().all(|byte| byte == b'\t' || byte == b' ' || byte.is_ascii_graphic()) {
        return Err(format!(
            "--header: the value of `{name}` has a character that no field may have"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn read(file: &str) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("--body: cannot read {file}: {e}");
    let mut body = Vec::new();
    let open = File::open(file).map_err(failed)?;
    if !open.metadata().map_err(failed)?.is_file() {
        return Err(format!("--body: {file} is no regular file"));
    }
    open.take(LONGEST_BODY + 1).read_to_end(&mut body).map_err(failed)?;
    if body.len() as u64 > LONGEST_BODY {
        return Err(format!("--body: {file} is longer than 16 MiB"));
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, Verb};

    fn asked(flags: &[&str]) -> Result<Asked, String> {
        let line = ["querylab", "drive", "http://h/", "--users", "1"];
        let cli = Cli::try_parse_from(line.iter().chain(flags)).expect("flags that exist");
        let Verb::Drive(args) = cli.verb else { panic!("drive was typed") };
        Asked::of(&args)
    }

    #[test]
    fn a_body_makes_a_post_and_a_method_is_what_was_typed() {
        let of = |flags: &[&str]| asked(flags).expect("right").method;
        assert_eq!(of(&[]), "GET");
        assert_eq!(of(&["--body", "x"]), "POST");
        assert_eq!(of(&["--body", "x", "--method", "put"]), "PUT");
        assert_eq!(of(&["--method", "HEAD"]), "HEAD");
    }

    #[test]
    fn fields_go_out_as_typed_and_a_host_replaces_the_urls() {
        let headers = ["--header", "X-A:  b c\t", "--header", "HOST: other:1", "--header", "e:"];
        let asked = asked(&headers).expect("right");
        assert_eq!(asked.host.as_deref(), Some("other:1"));
        let fields = [("X-A", "b c"), ("e", "")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(asked.extras.fields, fields);
    }

    #[test]
    fn a_body_is_read_from_a_file_within_bounds() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("body.json");
        std::fs::write(&file, b"{}\n").expect("written");
        let at = format!("@{}", file.display());
        assert_eq!(asked(&["--body", &at]).expect("right").extras.body, b"{}\n");
        let of_folder = format!("@{}", folder.path().display());
        assert!(asked(&["--body", &of_folder]).expect_err("a folder").contains("no regular file"));
        assert!(asked(&["--body", "@/no such file"]).expect_err("none").contains("cannot read"));
        let large = File::create(&file).expect("made");
        large.set_len(LONGEST_BODY + 1).expect("made longer");
        assert!(asked(&["--body", &at]).expect_err("long").contains("longer than 16 MiB"));
    }

    #[test]
    fn what_would_break_the_request_is_refused_with_a_reason() {
        for (flag, value, why) in [
            ("--method", "GE T", "is no method"),
            ("--method", "", "is no method"),
            ("--method", "connect", "a tunnel"),
            ("--header", "nothing", "has no colon"),
            ("--header", ": x", "is no name of a field"),
            ("--header", "a b: x", "is no name of a field"),
            ("--header", "A: x\r\nB: y", "no field may have"),
            ("--header", "Content-Length: 3", "itself"),
            ("--header", "transfer-encoding: chunked", "itself"),
        ] {
            let refused = asked(&[flag, value]).expect_err(value);
            assert!(refused.contains(why), "{value:?}: {refused}");
        }
        let long = format!("X: {}", "y".repeat(LONGEST_FIELDS));
        assert!(asked(&["--header", &long]).expect_err("long").contains("32 KiB"));
    }
}
