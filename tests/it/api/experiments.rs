//! The API as published experiments have it, asked by the fuzzer that knows nothing but `/openapi.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use querylab::plan::{self, EndpointPlan};
use querylab::spec::{self, Layers};
use tokio::time::timeout;

use super::client::Api;
use super::openapi::fuzz;
use super::servers::{self, execute};

/// For one experiment.
const WITHIN: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_experiments_serve_is_what_their_documents_promise() {
    // Reads through a cache with writes that have bodies; pages; inserts and updates.
    for name in ["0002-cache-strategies", "0004-pagination", "0007-index-price"] {
        let Some(servers) = servers::start(true).await else { return };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = root.join(format!("experiments/{name}.toml"));
        let layers = Layers { profile: Some("smoke".to_owned()), ..Layers::default() };
        let spec = spec::load(&file, &layers).expect("a file that can be read");
        let plan = plan::resolve(&spec).expect("a plan");
        let mut boss = servers.boss().await;
        let folder = root.join("experiments").join(&spec.document.dataset.migrations);
        let files = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file"));
        let mut files: Vec<_> = files.map(|entry| entry.path()).collect();
        files.sort();
        for file in files {
            execute(&mut boss, &fs::read_to_string(file).expect("a migration")).await;
        }
        let rights = "GRANT ALL ON ALL TABLES IN SCHEMA public TO api;
                      GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO api;
                      INSERT INTO users (email, name) SELECT 'abc'::text, 'n' || n FROM generate_series(1, 50) n";
        execute(&mut boss, rights).await;
        let all = plan.cells.iter().flat_map(|cell| &cell.api.endpoints);
        let endpoints: BTreeMap<&str, EndpointPlan> =
            all.map(|endpoint| (endpoint.name.as_str(), endpoint.clone())).collect();
        assert!(endpoints.len() > 1, "{name}");
        let endpoints = endpoints.into_values().collect();
        let api = Api::start(servers.launch(endpoints)).await;
        timeout(WITHIN, fuzz(&api)).await.expect("in time");
        api.stop().await.expect("stops");
    }
}
