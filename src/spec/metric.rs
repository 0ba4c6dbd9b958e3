//! What can be claimed, limited and compared, with unit and direction.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A figure of a trial, or of a variant's indexes and tables.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Median time from when a request was due to its answer.
    ResponseTimeP50,
    /// 90th percentile of it.
    ResponseTimeP90,
    /// 95th percentile of it.
    ResponseTimeP95,
    /// 99th percentile of it.
    ResponseTimeP99,
    /// 99.9th percentile of it.
    ResponseTimeP999,
    /// Longest.
    ResponseTimeMax,
    /// Arithmetic mean.
    ResponseTimeMean,
    /// Median time from when a request was sent to its answer.
    ServiceTimeP50,
    /// 90th percentile of it.
    ServiceTimeP90,
    /// 95th percentile of it.
    ServiceTimeP95,
    /// 99th percentile of it.
    ServiceTimeP99,
    /// Right answers per second of the window.
    Throughput,
    /// Failed requests over requests due.
    ErrorRatio,
    /// Cached requests answered from the cache.
    CacheHitRatio,
    /// Answers older than a write that had been answered before they were asked for, over those that were compared.
    StaleRatio,
    /// Size of the variant's own indexes, in bytes.
    IndexBytes,
    /// Time to build the variant's own indexes.
    IndexBuildTime,
    /// Size of the tables without indexes, in bytes.
    TableBytes,
    /// Index scans for each request that reached the database.
    IndexScansPerRequest,
    /// Shared buffers hit or read, for each request.
    BuffersPerRequest,
    /// SQL statements for each request.
    StatementsPerRequest,
    /// Bytes of write-ahead log for each request.
    WalBytesPerRequest,
    /// Bytes of temporary files for each request.
    TempBytesPerRequest,
    /// Commands on keys that Redis took, for each request.
    RedisOperationsPerRequest,
    /// CPU time of Postgres for each request.
    PostgresCpuPerRequest,
    /// CPU time of the API for each request.
    ApiCpuPerRequest,
    /// CPU time of Redis for each request.
    RedisCpuPerRequest,
    /// CPU time of Nginx for each request.
    NginxCpuPerRequest,
    /// Highest rate that keeps the objective of the load's search, in requests per second.
    MaxRate,
    /// From a client to Nginx and back, of one request: the mean of what Nginx answers itself.
    TimeInNetwork,
    /// What Nginx adds by standing before the API, of one request, without the way to it.
    TimeInNginx,
    /// From the request's head at the API to its parameters read, mean.
    TimeInRouting,
    /// Waiting for a database connection, mean.
    TimeInPoolWait,
    /// Asking Redis and telling it, mean over all requests.
    TimeInCache,
    /// From a connection in hand to the last row there, mean over all requests.
    TimeInQuery,
    /// Rows to JSON and the response around it, mean.
    TimeInSerialise,
    /// CPU time of Postgres over the window, 1 is one core.
    PostgresCpuShare,
    /// CPU time of Redis over the window, 1 is one core.
    RedisCpuShare,
    /// CPU time of Nginx over the window, 1 is one core.
    NginxCpuShare,
    /// CPU time of the API over the window, 1 is one core.
    ApiCpuShare,
    /// Memory of Postgres at the end of the window, shared memory counted once.
    PostgresPssBytes,
    /// Memory of Redis at the end of the window, shared memory counted once.
    RedisPssBytes,
    /// Memory of Nginx at the end of the window, shared memory counted once.
    NginxPssBytes,
    /// Memory of the API at the end of the window, shared memory counted once.
    ApiPssBytes,
    /// Bytes between clients and Nginx for each second of the window, both directions.
    NetworkRate,
}

/// The unit in which a metric's value is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds.
    Micros,
    /// Bytes.
    Bytes,
    /// Per second.
    PerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// A share, from 0 to 1.
    Share,
    /// A share of one core: more than 1 where several are used.
    CoreShare,
    /// A plain number.
    Number,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// Latencies, sizes, errors.
    Lower,
    /// Throughput, hit ratio.
    Higher,
}

impl Metric {
    /// Every metric, in the order of this page.
    pub const ALL: [Self; 45] = [
        Self::ResponseTimeP50,
        Self::ResponseTimeP90,
        Self::ResponseTimeP95,
        Self::ResponseTimeP99,
        Self::ResponseTimeP999,
        Self::ResponseTimeMax,
        Self::ResponseTimeMean,
        Self::ServiceTimeP50,
        Self::ServiceTimeP90,
        Self::ServiceTimeP95,
        Self::ServiceTimeP99,
        Self::Throughput,
        Self::ErrorRatio,
        Self::CacheHitRatio,
        Self::StaleRatio,
        Self::IndexBytes,
        Self::IndexBuildTime,
        Self::TableBytes,
        Self::IndexScansPerRequest,
        Self::BuffersPerRequest,
        Self::StatementsPerRequest,
        Self::WalBytesPerRequest,
        Self::TempBytesPerRequest,
        Self::RedisOperationsPerRequest,
        Self::PostgresCpuPerRequest,
        Self::ApiCpuPerRequest,
        Self::RedisCpuPerRequest,
        Self::NginxCpuPerRequest,
        Self::MaxRate,
        Self::TimeInNetwork,
        Self::TimeInNginx,
        Self::TimeInRouting,
        Self::TimeInPoolWait,
        Self::TimeInCache,
        Self::TimeInQuery,
        Self::TimeInSerialise,
        Self::PostgresCpuShare,
        Self::RedisCpuShare,
        Self::NginxCpuShare,
        Self::ApiCpuShare,
        Self::PostgresPssBytes,
        Self::RedisPssBytes,
        Self::NginxPssBytes,
        Self::ApiPssBytes,
        Self::NetworkRate,
    ];

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResponseTimeP50 => "response_time_p50",
            Self::ResponseTimeP90 => "response_time_p90",
            Self::ResponseTimeP95 => "response_time_p95",
            Self::ResponseTimeP99 => "response_time_p99",
            Self::ResponseTimeP999 => "response_time_p999",
            Self::ResponseTimeMax => "response_time_max",
            Self::ResponseTimeMean => "response_time_mean",
            Self::ServiceTimeP50 => "service_time_p50",
            Self::ServiceTimeP90 => "service_time_p90",
            Self::ServiceTimeP95 => "service_time_p95",
            Self::ServiceTimeP99 => "service_time_p99",
            Self::Throughput => "throughput",
            Self::ErrorRatio => "error_ratio",
            Self::CacheHitRatio => "cache_hit_ratio",
            Self::StaleRatio => "stale_ratio",
            Self::IndexBytes => "index_bytes",
            Self::IndexBuildTime => "index_build_time",
            Self::TableBytes => "table_bytes",
            Self::IndexScansPerRequest => "index_scans_per_request",
            Self::BuffersPerRequest => "buffers_per_request",
            Self::StatementsPerRequest => "statements_per_request",
            Self::WalBytesPerRequest => "wal_bytes_per_request",
            Self::TempBytesPerRequest => "temp_bytes_per_request",
            Self::RedisOperationsPerRequest => "redis_operations_per_request",
            Self::PostgresCpuPerRequest => "postgres_cpu_per_request",
            Self::ApiCpuPerRequest => "api_cpu_per_request",
            Self::RedisCpuPerRequest => "redis_cpu_per_request",
            Self::NginxCpuPerRequest => "nginx_cpu_per_request",
            Self::MaxRate => "max_rate",
            Self::TimeInNetwork => "time_in_network",
            Self::TimeInNginx => "time_in_nginx",
            Self::TimeInRouting => "time_in_routing",
            Self::TimeInPoolWait => "time_in_pool_wait",
            Self::TimeInCache => "time_in_cache",
            Self::TimeInQuery => "time_in_query",
            Self::TimeInSerialise => "time_in_serialise",
            Self::PostgresCpuShare => "postgres_cpu_share",
            Self::RedisCpuShare => "redis_cpu_share",
            Self::NginxCpuShare => "nginx_cpu_share",
            Self::ApiCpuShare => "api_cpu_share",
            Self::PostgresPssBytes => "postgres_pss_bytes",
            Self::RedisPssBytes => "redis_pss_bytes",
            Self::NginxPssBytes => "nginx_pss_bytes",
            Self::ApiPssBytes => "api_pss_bytes",
            Self::NetworkRate => "network_rate",
        }
    }

    /// The unit of its values.
    pub fn unit(self) -> Unit {
        match self {
            Self::Throughput | Self::MaxRate => Unit::PerSecond,
            Self::ErrorRatio | Self::CacheHitRatio | Self::StaleRatio => Unit::Share,
            Self::PostgresCpuShare
            | Self::RedisCpuShare
            | Self::NginxCpuShare
            | Self::ApiCpuShare => Unit::CoreShare,
            Self::IndexBytes
            | Self::TableBytes
            | Self::WalBytesPerRequest
            | Self::TempBytesPerRequest
            | Self::PostgresPssBytes
            | Self::RedisPssBytes
            | Self::NginxPssBytes
            | Self::ApiPssBytes => Unit::Bytes,
            Self::NetworkRate => Unit::BytesPerSecond,
            Self::IndexScansPerRequest
            | Self::BuffersPerRequest
            | Self::StatementsPerRequest
            | Self::RedisOperationsPerRequest => Unit::Number,
            _ => Unit::Micros,
        }
    }

    /// Which way is better.
    pub fn better(self) -> Better {
        match self {
            Self::Throughput | Self::CacheHitRatio | Self::MaxRate => Better::Higher,
            _ => Better::Lower,
        }
    }

    /// Which quantile of a time it is, from 0 to 1; none for a maximum, a mean and all that is no time.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::ResponseTimeP50 | Self::ServiceTimeP50 => Some(0.5),
            Self::ResponseTimeP90 | Self::ServiceTimeP90 => Some(0.9),
            Self::ResponseTimeP95 | Self::ServiceTimeP95 => Some(0.95),
            Self::ResponseTimeP99 | Self::ServiceTimeP99 => Some(0.99),
            Self::ResponseTimeP999 => Some(0.999),
            _ => None,
        }
    }

    /// Whether it is a response or service time.
    pub fn is_time_of_requests(self) -> bool {
        let name = self.name();
        name.starts_with("response_time_") || name.starts_with("service_time_")
    }

    /// Whether it belongs to a variant's data, whatever the load.
    pub fn is_of_data(self) -> bool {
        matches!(self, Self::IndexBytes | Self::IndexBuildTime | Self::TableBytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_written_as_its_name() {
        for m in Metric::ALL {
            assert_eq!(serde_json::to_value(m).expect("serialises"), m.name());
        }
    }
}
