//! The servers' configuration files, rendered from the templates in `infra/`. Every value is quoted for its server, so
//! that no setting can become a second one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::error::StackError;

/// Settings in a server's own words, sorted by name.
pub(super) type Settings = BTreeMap<String, String>;

#[derive(Debug, Serialize)]
pub(super) struct PostgresConfig {
    /// All settings.
    pub settings: Settings,
}

#[derive(Debug, Serialize)]
pub(super) struct RedisConfig<'a> {
    /// Its socket.
    pub socket: &'a Path,
    /// Hex, so it needs no quotes.
    pub password: &'a str,
    /// Working folder.
    pub dir: &'a Path,
    /// The rest.
    pub settings: Settings,
}

#[derive(Debug, Serialize)]
pub(super) struct NginxConfig<'a> {
    /// Working folder.
    pub dir: &'a Path,
    /// On 127.0.0.1.
    pub port: u16,
    /// What follows the address after `listen`.
    pub listen_options: &'a str,
    /// The API's processes.
    pub api_sockets: Vec<&'a Path>,
    /// Where `stub_status` is.
    pub status_socket: &'a Path,
    /// Files that Nginx serves itself, if there are any.
    pub static_files: Option<StaticConfig<'a>>,
    /// A line a request, if there is one.
    pub access_log: Option<PathBuf>,
    /// Settings outside of any block.
    pub main: Settings,
    /// Settings in `events`.
    pub events: Settings,
    /// Settings in `http`.
    pub http: Settings,
    /// Settings in `upstream`.
    pub upstream: Settings,
}

/// Files that Nginx serves itself.
#[derive(Debug, Serialize)]
pub(super) struct StaticConfig<'a> {
    /// What their addresses begin with.
    pub path: &'a str,
    /// The folder in which the path begins.
    pub root: PathBuf,
}

/// A server's way to quote a value.
#[derive(Debug, Clone, Copy)]
enum Quotes {
    /// Single quotes, doubled inside; backslashes are escapes.
    Postgres,
    /// Double quotes; backslashes are escapes.
    Redis,
    /// Double quotes; backslashes are escapes. Bare words stay bare, so that lists of words can be given.
    Nginx,
}

pub(super) fn postgres(config: &PostgresConfig) -> Result<String, StackError> {
    render(include_str!("../../infra/postgresql.conf.j2"), config, Quotes::Postgres)
}

pub(super) fn redis(config: &RedisConfig<'_>) -> Result<String, StackError> {
    render(include_str!("../../infra/redis.conf.j2"), config, Quotes::Redis)
}

pub(super) fn nginx(config: &NginxConfig<'_>) -> Result<String, StackError> {
    render(include_str!("../../infra/nginx.conf.j2"), config, Quotes::Nginx)
}

fn render(template: &str, config: &impl Serialize, quotes: Quotes) -> Result<String, StackError> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.add_filter("quoted", move |value: String| {
        quote(&value, quotes)
            .map_err(|e| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, e))
    });
    // A path is one word, whatever it looks like.
    engine.add_filter("path", move |path: String| {
        in_quotes(&path, quotes)
            .map_err(|e| minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, e))
    });
    engine.render_str(template, Serde(config)).map_err(|e| {
        StackError::Provisioning(format!("cannot write a server's configuration: {e}"))
    })
}

/// A setting's value. For Redis and Nginx, several plain words stay several words.
fn quote(value: &str, quotes: Quotes) -> Result<String, String> {
    let words = value.split(' ');
    let is_list = match quotes {
        Quotes::Postgres => false,
        Quotes::Redis => value.contains(' ') && words.into_iter().all(is_bare_word),
        Quotes::Nginx => words.into_iter().all(is_bare_word),
    };
    if is_list { Ok(value.to_owned()) } else { in_quotes(value, quotes) }
}

/// One word, whatever is in it.
fn in_quotes(value: &str, quotes: Quotes) -> Result<String, String> {
    if value.chars().any(char::is_control) {
        return Err(format!("the value {value:?} holds a control character"));
    }
    let escaped = value.replace('\\', "\\\\");
    match quotes {
        Quotes::Nginx if value.contains('$') => {
            Err(format!("the value {value:?} holds a variable of Nginx"))
        }
        Quotes::Postgres => Ok(format!("'{}'", escaped.replace('\'', "''"))),
        Quotes::Redis | Quotes::Nginx => Ok(format!("\"{}\"", escaped.replace('"', "\\\""))),
    }
}

fn is_bare_word(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "._-+/:,=%".contains(c))
}

/// Lays the file's settings over the defaults. What the stack decides itself cannot be set: that the plan's allowlist
/// has let it through is a mistake of ours, and it is said here instead of by a server that listens elsewhere.
pub(super) fn lay_over(
    server: &str,
    defaults: &[(&str, &str)],
    owned: &[&str],
    asked: &BTreeMap<String, String>,
) -> Result<Settings, StackError> {
    let mut settings: Settings =
        defaults.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    for (name, value) in asked {
        let plain = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
        if !plain || owned.contains(&name.as_str()) {
            return Err(StackError::Provisioning(format!(
                "services.{server}.settings.{name}: querylab decides this itself"
            )));
        }
        if value.chars().any(char::is_control) {
            return Err(StackError::Provisioning(format!(
                "services.{server}.settings.{name}: the value {value:?} holds a control character"
            )));
        }
        settings.insert(name.clone(), value.clone());
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_quotes() {
        let evil = "x' \n";
        assert!(quote(evil, Quotes::Postgres).is_err());
        let q = |v, k| quote(v, k).expect("quotable");
        assert_eq!(q("it's \\", Quotes::Postgres), r"'it''s \\'");
        assert_eq!(q("a\" b", Quotes::Redis), r#""a\" b""#);
        assert_eq!(q("a; b {", Quotes::Nginx), r#""a; b {""#);
        assert!(quote("$request_uri", Quotes::Nginx).is_err());
        assert!(quote("with\u{7}bell", Quotes::Redis).is_err());
    }

    #[test]
    fn words_stay_words_for_nginx_and_lists_for_redis() {
        assert_eq!(quote("10m", Quotes::Nginx).as_deref(), Ok("10m"));
        assert_eq!(quote("30s 20s", Quotes::Nginx).as_deref(), Ok("30s 20s"));
        assert_eq!(quote("normal 0 0 0", Quotes::Redis).as_deref(), Ok("normal 0 0 0"));
        assert_eq!(quote("", Quotes::Redis).as_deref(), Ok("\"\""));
    }

    #[test]
    fn settings_of_the_file_lie_over_the_defaults_and_owned_ones_are_refused() {
        let asked = |n: &str| BTreeMap::from([(n.to_owned(), "1".to_owned())]);
        let laid = lay_over("postgres", &[("a", "0"), ("b", "2")], &["port"], &asked("a"));
        let expected = [("a", "1"), ("b", "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(laid, Ok(Settings::from(expected)));
        for name in ["port", "x = y", ""] {
            assert!(lay_over("postgres", &[], &["port"], &asked(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn the_file_of_postgres_has_a_line_per_setting() {
        let settings = [("work_mem", "16MB"), ("jit", "off")].map(|(n, v)| (n.into(), v.into()));
        let text = postgres(&PostgresConfig { settings: settings.into() }).expect("rendered");
        assert!(text.ends_with("jit = 'off'\nwork_mem = '16MB'\n"), "{text}");
    }

    fn plain() -> NginxConfig<'static> {
        NginxConfig {
            dir: Path::new("/n"),
            port: 20_001,
            listen_options: "",
            api_sockets: vec![Path::new("/s p/api-0.sock")],
            status_socket: Path::new("/s/status"),
            static_files: None,
            access_log: None,
            main: Settings::new(),
            events: Settings::new(),
            http: Settings::new(),
            upstream: Settings::from([("keepalive".into(), "32".into())]),
        }
    }

    fn nginx_with(access_log: Option<PathBuf>) -> String {
        nginx_that_serves(None, access_log)
    }

    fn nginx_that_serves(
        static_files: Option<StaticConfig<'_>>,
        access_log: Option<PathBuf>,
    ) -> String {
        let config = NginxConfig { static_files, access_log, ..plain() };
        nginx(&config).expect("rendered")
    }

    #[test]
    fn nginx_serves_files_only_where_it_is_asked_to_and_from_one_folder() {
        let files = StaticConfig { path: "/static/", root: "/s p/static/1".into() };
        let text = nginx_that_serves(Some(files), None);
        for line in [
            "location ^~ \"/static/\" {",
            "root \"/s p/static/1\";",
            "disable_symlinks on \"from=/s p/static/1\";",
            "try_files $uri @querylab_no_file;",
            "error_page 416 /__querylab/problem/416;",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        let without = nginx_with(None);
        assert!(!without.contains("root ") && !without.contains("no_file"), "{without}");
        assert!(!without.contains("416"), "nothing else has ranges: {without}");
        let evil = StaticConfig { path: "/$uri/", root: "/s".into() };
        assert!(nginx(&NginxConfig { static_files: Some(evil), ..plain() }).is_err());
    }

    #[test]
    fn what_nginx_refuses_is_problem_json_with_the_status_in_it() {
        let text = nginx_with(None);
        let problems = text.lines().filter_map(|line| line.trim().strip_prefix("return "));
        let problems = problems.filter_map(|line| line.split_once(" '"));
        let mut statuses = Vec::new();
        for (status, body) in problems {
            let body = body.strip_suffix("';").expect("a text");
            let problem: serde_json::Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(problem["status"].to_string(), status, "{body}");
            assert!(text.contains(&format!("/__querylab/problem/{status};")), "{status}");
            statuses.push(status);
        }
        assert_eq!(statuses, ["400", "404", "405", "413", "414", "431", "502", "504"]);
    }

    #[test]
    fn nginx_logs_where_it_is_asked_to_and_buffered() {
        let line = "access_log \"/n x/access.jsonl\" querylab buffer=64k flush=1s;";
        assert!(nginx_with(Some("/n x/access.jsonl".into())).contains(line));
        let without = nginx_with(None);
        assert!(
            without.contains("access_log off;") && !without.contains("log_format"),
            "{without}"
        );
    }

    #[test]
    fn the_file_of_nginx_keeps_upstream_connections_alive_and_hides_the_apis_insides() {
        let text = nginx_with(None);
        for line in [
            "server \"unix:/s p/api-0.sock\" max_fails=0;",
            "keepalive 32;",
            "proxy_http_version 1.1;",
            "proxy_set_header Connection \"\";",
            "location ^~ /__querylab/ {",
            &format!("location = {} {{", crate::stack::STATIC_PATH),
            "listen 127.0.0.1:20001;",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
