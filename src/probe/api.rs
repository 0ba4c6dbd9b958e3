//! The API's own counters, asked on its own socket and not through Nginx.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::plan::ApiCounters;

/// No answer is longer: a dozen numbers with their names.
const LONGEST_ANSWER_BYTES: u64 = 16 * 1024;

/// Sums `GET /__querylab/counters` over the API's processes.
///
/// # Errors
///
/// If one of them does not answer within 5 s, or not with counters.
pub async fn counters(sockets: &[std::path::PathBuf]) -> Result<ApiCounters> {
    let mut sum = ApiCounters::default();
    for socket in sockets {
        let one = tokio::time::timeout(Duration::from_secs(5), ask(socket))
            .await
            .context("the API did not say its counters within 5 s")??;
        sum.requests += one.requests;
        sum.refused += one.refused;
        sum.unconnected += one.unconnected;
        sum.statements += one.statements;
        sum.cache_hits += one.cache_hits;
        sum.cache_misses += one.cache_misses;
        sum.cache_errors += one.cache_errors;
        sum.cache_bypasses += one.cache_bypasses;
        sum.pool_timeouts += one.pool_timeouts;
        sum.pool_full += one.pool_full;
        sum.coalesced += one.coalesced;
        sum.renewals += one.renewals;
        sum.cache_write_failures += one.cache_write_failures;
        sum.server_errors += one.server_errors;
        sum.connections_opened += one.connections_opened;
        sum.pool_wait_total_ns += one.pool_wait_total_ns;
        sum.pool_wait_max_ns = sum.pool_wait_max_ns.max(one.pool_wait_max_ns);
        sum.stages = sum.stages.plus(&one.stages);
        sum.http_received_bytes += one.http_received_bytes;
        sum.http_sent_bytes += one.http_sent_bytes;
    }
    Ok(sum)
}

async fn ask(socket: &Path) -> Result<ApiCounters> {
    let mut stream = UnixStream::connect(socket)
        .await
        .with_context(|| format!("cannot connect to {}", socket.display()))?;
    stream
        .write_all(b"GET /__querylab/counters HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER_BYTES).read_to_end(&mut answer).await?;
    let text = String::from_utf8(answer).context("the API's counters are not text")?;
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        bail!("the API's counters were cut short")
    };
    if !head.starts_with("HTTP/1.1 200") {
        bail!("the API refused to say its counters: {}", head.lines().next().unwrap_or(""));
    }
    serde_json::from_str(body.trim()).context("the API's counters")
}
