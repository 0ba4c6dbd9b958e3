//! What changes the fingerprint, and what does not.

use std::collections::BTreeSet;
use std::fs;

use super::*;

fn fingerprint(changes: &[(&str, &str)]) -> String {
    planned(&changed(changes), &Layers::default()).expect("right").fingerprint
}

#[test]
fn every_input_that_can_change_a_number_changes_the_fingerprint() {
    let changes = [
        ("seed     = 20250105", "seed = 20250106"),
        ("rows = 10_000_000", "rows = 9_000_000"),
        ("template = \"email{row}@example.com\"", "template = \"e{row}@example.com\""),
        ("active = 70", "active = 71"),
        ("step = \"1s\"", "step = \"2s\""),
        ("ON users (email, status)", "ON users (status, email)"),
        ("work_mem = \"16MB\"", "work_mem = \"17MB\""),
        ("maxmemory = \"256mb\"", "maxmemory = \"255mb\""),
        ("proxy_read_timeout = \"60s\"", "proxy_read_timeout = \"61s\""),
        ("version  = \">=15\"", "version = \">=16\""),
        ("instances = 1", "instances = 2"),
        ("size = 20", "size = 19"),
        ("pre_ping = true", "pre_ping = false"),
        ("pre_ping = true", "mode = \"pipeline\""),
        ("pre_ping = true", "mode = \"pipeline\", depth = 8"),
        ("instances = 1", "threads = 1"),
        ("VACUUM (FREEZE, ANALYZE) users", "VACUUM (ANALYZE) users"),
        ("max_length   = 255", "max_length = 254"),
        ("exponent = 0.99", "exponent = 0.98"),
        ("keys = 10_000", "keys = 10_001"),
        ("rate          = \"1000/s\"", "rate = \"999/s\""),
        ("arrival       = \"poisson\"", "arrival = \"constant\""),
        ("ttl = \"300s\"", "ttl = \"301s\""),
        ("blocks      = 8", "blocks = 9"),
        ("confidence  = 0.95", "confidence = 0.9"),
        ("margin      = \"5%\"", "margin = \"6%\""),
        ("aa_check    = \"unloaded\"", "aa_check = \"none\""),
        ("baseline    = \"btree\"", "baseline = \"partial\""),
        ("cache_hit_ratio = { min = 0.90 }", "cache_hit_ratio = { min = 0.91 }"),
        ("tolerance = \"25%\"", "tolerance = \"26%\""),
        ("structure = \"2%\"", "structure = \"3%\""),
        ("check = { status = 200, rows = 1", "check = { status = 200, rows = 2"),
    ];
    let mut seen = BTreeSet::from([example().fingerprint]);
    for change in changes {
        assert!(seen.insert(fingerprint(&[change])), "{change:?} changes nothing");
    }
}

#[test]
fn prose_and_the_name_of_a_size_do_not_change_the_fingerprint() {
    let plain = example().fingerprint;
    for change in [
        ("title    = \"Email lookup on 10M users", "title = \"E-mail lookup on 10M users"),
        ("question = \"Which", "question = \"Just which"),
        ("tags     = [\"users\",", "tags = ["),
        ("title    = \"Path A", "title = \"Way A"),
        ("text   = \"A table scan", "text = \"One table scan"),
        ("time_budget = \"45m\"                      #", "time_budget = \"45m\" # a comment"),
    ] {
        assert_eq!(fingerprint(&[change]), plain, "{change:?}");
    }
    let same = format!("{EXAMPLE}\n[profiles.same]\ndesign.blocks = 8\n");
    let same = planned(&same, &profile("same")).expect("right");
    assert_eq!((same.profile.as_str(), same.fingerprint), ("same", plain));
}

#[test]
fn a_byte_of_a_migration_changes_the_fingerprint_and_its_line_ends_do_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let users = folder.path().join("migrations/users");
    fs::create_dir_all(&users).expect("made");
    fs::create_dir(folder.path().join("experiments")).expect("made");
    let file = folder.path().join("experiments/0001-email-lookup.toml");
    let print = |sql: &str| {
        fs::write(users.join("0001_users.sql"), sql).expect("written");
        let spec = load_text(&file, EXAMPLE.to_owned(), &Layers::default()).expect("read");
        resolve(&spec).expect("right").fingerprint
    };
    let sql = "CREATE TABLE users (\nid int,\nemail text, name text, status text, created_at date)";
    let plain = print(sql);
    assert_eq!(print(&sql.replace('\n', "\r\n")), plain);
    assert_ne!(print(&sql.replace("id int", "id int8")), plain);
    fs::write(users.join("0002_more.sql"), "SELECT 1").expect("written");
    assert_ne!(print(sql), plain);
}

#[test]
fn another_profile_of_the_same_seed_draws_from_the_same_streams() {
    let (full, ci) = (example(), planned(EXAMPLE, &profile("ci")).expect("right"));
    assert_eq!(full.dataset.data_seed, ci.dataset.data_seed);
    assert_eq!(full.trials[0].params_seed, ci.trials[0].params_seed);
    assert_ne!(full.fingerprint, ci.fingerprint);
}
