//! Redis' own counters.

use std::time::Duration;

use anyhow::{Context, Result};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo,
};

use crate::plan::RedisAddress;

/// What Redis counts since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RedisStats {
    /// `keyspace_hits`.
    pub hits: u64,
    /// `keyspace_misses`.
    pub misses: u64,
    /// `evicted_keys`.
    pub evicted: u64,
    /// `expired_keys`.
    pub expired: u64,
    /// Calls of commands that work on keys, from `commandstats`: without those of connecting and of asking for figures.
    pub operations: u64,
    /// `used_memory`.
    pub memory_bytes: u64,
    /// `total_net_input_bytes`, as far as it had got when asked.
    pub received_bytes: u64,
    /// `total_net_output_bytes`, without the answer to this question.
    pub sent_bytes: u64,
    /// Length of the answer to this question: the next one finds it among the bytes sent.
    pub answer_bytes: u64,
}

/// Asks `INFO`.
///
/// # Errors
///
/// If Redis does not answer within 5 s.
pub async fn redis_stats(address: &RedisAddress) -> Result<RedisStats> {
    let settings = RedisConnectionInfo::default().set_password(&address.password);
    let info = ConnectionAddr::Unix(address.socket.clone())
        .into_connection_info()
        .context("the address of Redis")?
        .set_redis_settings(settings);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(5)))
        .set_response_timeout(Some(Duration::from_secs(5)));
    let client = Client::open(info).context("the address of Redis")?;
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .context("cannot connect to Redis")?;
    let text: String = redis::cmd("INFO")
        .arg("default")
        .arg("commandstats")
        .query_async(&mut connection)
        .await
        .context("Redis INFO")?;
    parse(&text)
}

/// Commands that a client sends for itself or for us, as `commandstats` names them; subcommands follow after a bar.
const NO_OPERATIONS: [&str; 8] =
    ["auth", "client", "command", "config", "hello", "info", "ping", "select"];

/// The calls in lines like `cmdstat_get:calls=21,usec=175,…`.
fn operations(info: &str) -> u64 {
    let calls = |line: &str| -> Option<u64> {
        let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        let command = name.split('|').next()?;
        let calls = figures.strip_prefix("calls=")?.split(',').next()?.parse().ok()?;
        (!NO_OPERATIONS.contains(&command)).then_some(calls)
    };
    info.lines().filter_map(calls).sum()
}

fn parse(info: &str) -> Result<RedisStats> {
    let field = |name: &str| -> Result<u64> {
        info.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .with_context(|| format!("Redis INFO has no {name}"))?
            .trim()
            .parse()
            .with_context(|| format!("Redis INFO: {name}"))
    };
    Ok(RedisStats {
        hits: field("keyspace_hits")?,
        misses: field("keyspace_misses")?,
        evicted: field("evicted_keys")?,
        expired: field("expired_keys")?,
        operations: operations(info),
        memory_bytes: field("used_memory")?,
        received_bytes: field("total_net_input_bytes")?,
        sent_bytes: field("total_net_output_bytes")?,
        answer_bytes: info.len() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_their_whole_name() {
        let info = "used_memory_rss:9\r\nused_memory:5\r\ntotal_net_input_bytes:6\r\ntotal_net_output_bytes:7\r\nkeyspace_hits:1\r\nkeyspace_misses:2\r\nevicted_keys:3\r\nexpired_keys:4\r\ncmdstat_get:calls=21,usec=17\r\ncmdstat_set:calls=9,usec=1\r\ncmdstat_client|setinfo:calls=2,usec=1\r\ncmdstat_info:calls=3,usec=1\r\n";
        let stats = parse(info).unwrap();
        assert_eq!(
            stats,
            RedisStats {
                hits: 1,
                misses: 2,
                evicted: 3,
                expired: 4,
                operations: 30,
                memory_bytes: 5,
                received_bytes: 6,
                sent_bytes: 7,
                answer_bytes: info.len() as u64,
            }
        );
        assert!(parse("used_memory:5").unwrap_err().to_string().contains("keyspace_hits"));
    }
}
