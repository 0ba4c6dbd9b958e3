//! Files that Nginx serves itself, through `spec` and `plan`.

use super::*;

const NGINX: &str = "proxy_read_timeout = \"60s\" }";
const REDIS: &str = "maxmemory-policy = \"allkeys-lru\" }";

/// The example with files beside its migrations, and `line` for Nginx.
fn project(line: &str) -> (tempfile::TempDir, impl Fn() -> Result<Plan, Vec<Problem>>) {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["migrations/users", "static/css", "experiments"] {
        std::fs::create_dir_all(folder.path().join(name)).expect("made");
    }
    let sql = "CREATE TABLE users (email text, name text, status text, created_at date);";
    for (name, text) in [
        ("migrations/users/0001_users.sql", sql),
        ("static/page.html", "<p>hello</p>"),
        ("static/css/page.css", "p {}"),
    ] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let file = folder.path().join("experiments/0001-email-lookup.toml");
    let text = changed(&[(NGINX, &format!("{NGINX}\n{line}"))]);
    let plan = move || {
        let spec = load_text(&file, text.clone(), &Layers::default()).expect("read");
        resolve(&spec)
    };
    (folder, plan)
}

fn refused(line: &str) -> Vec<String> {
    let (_folder, plan) = project(line);
    let problems = plan().expect_err("a mistake");
    problems.into_iter().map(|p| format!("{} {}", p.code, p.what)).collect()
}

#[test]
fn files_that_nginx_serves_are_in_the_plan_and_their_bytes_in_the_fingerprint() {
    let (folder, plan) = project("static = { folder = \"../static\" }");
    let first = plan().expect("a plan");
    let files = first.cells[0].stack.static_files.clone().expect("files");
    let names: Vec<(&str, u64)> = files.files.iter().map(|f| (f.name.as_str(), f.bytes)).collect();
    assert_eq!(
        (files.path.as_str(), names),
        ("/static/", vec![("css/page.css", 4), ("page.html", 12)])
    );
    let page = folder.path().join("static/page.html");
    std::fs::write(&page, "<p>Hello</p>").expect("written");
    assert_ne!(plan().expect("a plan").fingerprint, first.fingerprint);
    std::fs::write(&page, "<p>hello</p>").expect("written");
    assert_eq!(plan().expect("a plan").fingerprint, first.fingerprint);
    let (_other, elsewhere) = project("static.folder = \"./../static\"");
    assert_eq!(elsewhere().expect("a plan").fingerprint, first.fingerprint);
    let (_none, without) = project("");
    let without = without().expect("a plan");
    assert!(without.fingerprint != first.fingerprint);
    assert!(without.cells[0].stack.static_files.is_none());
}

#[test]
fn a_folder_that_is_not_there_leads_out_or_is_no_relative_path_is_refused() {
    let says = |folder: &str| refused(&format!("static.folder = \"{folder}\""));
    let absent = says("../nowhere");
    assert!(absent.len() == 1 && absent[0].starts_with("QL0630 "), "{absent:?}");
    assert_eq!(says("/etc"), ["QL0621 the folder of static files is not a relative path"]);
    let (folder, plan) = project("static = { folder = \"../static\" }");
    std::os::unix::fs::symlink(Path::new("/etc/hosts"), folder.path().join("static/hosts"))
        .expect("linked");
    let problems = plan().expect_err("a mistake");
    assert!(problems[0].what.contains("hosts` is a link"), "{problems:?}");
}

#[test]
fn a_path_that_something_else_answers_is_refused() {
    let found = refused("static = { path = \"/docs/\", folder = \"../static\" }");
    assert_eq!(found, ["QL0604 the API itself answers `/docs`"]);
}

#[test]
fn only_nginx_serves_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = changed(&[(REDIS, &format!("{REDIS}\nstatic.folder = \"x\""))]);
    let read = load_text(&folder.path().join("0001-x.toml"), text, &Layers::default());
    let problems = read.expect_err("a mistake");
    let says: Vec<&str> = problems.list.iter().map(|p| p.what.as_str()).collect();
    assert!(says.iter().any(|what| what.contains("is for Nginx only")), "{says:?}");
}
