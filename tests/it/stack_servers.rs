//! Starting and stopping, as asked.

use querylab::stack::Role;

use crate::stack::{api_plan, notice, open, options, server, stack_plan};

#[tokio::test]
async fn postgres_alone_then_a_whole_stack_then_nothing() {
    let Some(session) = open(options("whole")).await else { return };
    let scratch = session.scratch().to_path_buf();
    notice(&format!("{:?} {:?}", session.versions(), session.programs()));
    let mut say = |line: String| notice(&line);
    let postgres = session.start_postgres(&server(&[]), &mut say).await.expect("starts");
    notice(&format!("{:?}", postgres.address(Role::App, "postgres")));
    postgres.stop().await.expect("stops");
    let stack = session
        .start_stack(&stack_plan(), &api_plan(), "postgres", &mut say)
        .await
        .expect("starts");
    notice(&format!("{} {:?} {:?}", stack.address, stack.pids(), stack.settings()));
    stack.stop().await.expect("stops");
    session.close().await.expect("it closes");
    assert!(!scratch.exists());
}
