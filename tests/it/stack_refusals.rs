//! What is refused, and in which words.

use std::path::PathBuf;

use querylab::stack::{Session, Setup, StackError, Surroundings};

use crate::stack::{api_plan, notice, open, options, server, stack_plan};

#[tokio::test]
async fn a_setting_that_postgres_refuses_is_told_in_its_own_words_with_the_key() {
    let Some(session) = open(options("fatal")).await else { return };
    let mut say = |line: String| notice(&line);
    for (name, value, words) in [
        ("shared_buffers", "999TB", "invalid value for parameter"),
        ("wrk_mem", "16MB", "unrecognized configuration parameter"),
        ("nosuch.foo", "1", "nosuch.foo"),
        ("port", "1", "querylab decides this itself"),
        ("work_mem", "1\n2", "control character"),
    ] {
        let error = session.start_postgres(&server(&[(name, value)]), &mut say).await.err();
        let Some(StackError::Provisioning(text)) = error else { panic!("{name}: {error:?}") };
        assert!(text.contains(words) && text.contains(name), "{name}: {text}");
    }
    let postgres = session.start_postgres(&server(&[]), &mut say).await.expect("it still starts");
    postgres.stop().await.expect("it stops");
    session.close().await.expect("it closes");
}

#[tokio::test]
async fn a_setting_that_nginx_or_redis_refuses_is_told_with_the_key_and_all_is_stopped_again() {
    let Some(session) = open(options("fatal")).await else { return };
    let mut say = |line: String| notice(&line);
    let mut plan = stack_plan();
    plan.nginx = server(&[("nosuch_directive", "1")]);
    let error = session.start_stack(&plan, &api_plan(), "postgres", &mut say).await.err();
    let Some(StackError::Provisioning(text)) = error else { panic!("{error:?}") };
    assert!(text.contains("services.nginx.settings.nosuch_directive"), "{text}");
    plan = stack_plan();
    plan.redis = Some(server(&[("maxmemory-policy", "sometimes")]));
    let error = session.start_stack(&plan, &api_plan(), "postgres", &mut say).await.err();
    let Some(StackError::Provisioning(text)) = error else { panic!("{error:?}") };
    assert!(text.contains("services.redis.settings.maxmemory-policy"), "{text}");
    let stack = session
        .start_stack(&stack_plan(), &api_plan(), "postgres", &mut say)
        .await
        .expect("nothing is in its way");
    stack.stop().await.expect("it stops");
    session.close().await.expect("it closes");
}

#[tokio::test]
async fn a_server_that_is_missing_or_too_old_is_refused_with_its_fix_where_nothing_may_be_fetched()
{
    let cache = tempfile::tempdir().expect("a folder");
    let mut options = options("refused");
    options.setup = Setup::Refuse;
    options.needs.nginx = Some(vec![99]);
    options.needs.redis = None;
    options.surroundings.cache_dir = Some(cache.path().join("empty"));
    let error = Session::open(options, &mut |l| notice(&l)).await.err();
    let Some(StackError::Environment(text)) = error else { panic!("{error:?}") };
    for words in ["nginx not found", "99", "looked in", "querylab setup nginx", "apt-get install"] {
        assert!(text.contains(words), "{words} in {text}");
    }
}

#[tokio::test]
async fn a_scratch_folder_with_a_long_path_is_refused_and_one_with_blanks_is_not() {
    let folder =
        tempfile::Builder::new().prefix("with blanks, and 'quotes' ").tempdir_in("/var/tmp");
    let folder = folder.expect("a folder");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), mode).expect("opened");
    let mut long = options("long");
    long.surroundings.scratch_base = Some(folder.path().join("x".repeat(80)));
    let error = Session::open(long, &mut |l| notice(&l)).await.err();
    let Some(StackError::Environment(text)) = error else { panic!("{error:?}") };
    assert!(text.contains("bytes long"), "{text}");
    let mut blanks = options("blanks");
    blanks.surroundings.scratch_base = Some(folder.path().join("a b"));
    let Some(session) = open(blanks).await else { return };
    let stack = session
        .start_stack(&stack_plan(), &api_plan(), "postgres", &mut |l| notice(&l))
        .await
        .expect("starts");
    stack.stop().await.expect("it stops");
    session.close().await.expect("it closes");
}

#[test]
fn the_surroundings_of_a_test_name_our_program() {
    let s: Surroundings = crate::stack::surroundings();
    assert!(s.program.as_deref().is_some_and(|p: &std::path::Path| p.is_file()));
    assert_ne!(s.program, Some(PathBuf::new()));
}

#[tokio::test]
async fn every_part_is_fetched_where_none_is_here() {
    if std::env::var_os("QUERYLAB_NIGHTLY").is_none() {
        eprintln!("SKIPPED: fetching every part takes long; .ci/nightly sets QUERYLAB_NIGHTLY");
        return;
    }
    let options =
        querylab::stack::DoctorOptions { run_as: None, surroundings: crate::stack::surroundings() };
    let mut say = |l: String| notice(&l);
    let lines = querylab::stack::setup(None, &options, &mut say).await.expect("all fetched");
    assert_eq!(lines.len(), 3, "{lines:?}");
    let session = open(crate::stack::options("fetched")).await.expect("servers");
    let stack = session.start_stack(&stack_plan(), &api_plan(), "postgres", &mut say).await;
    stack.expect("starts").stop().await.expect("it stops");
    session.close().await.expect("it closes");
}
