//! Why a statement gave no answer, and what the client is told about it.

use axum::http::StatusCode;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::problem::HttpProblem;

/// Why a statement gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// sqlx or the server says so.
    Database(sqlx::Error),
    /// A parameter could not be encoded.
    Binding,
    /// A column's bytes are not what its type promises.
    Malformed,
    /// The result no longer has the columns that it had at start.
    Changed,
    /// Larger than what may be served.
    TooLarge,
    /// The only row was asked for, and there is none.
    NoRow,
    /// The only row was asked for, and there are several.
    SeveralRows,
    /// The client went away in the middle of its answer.
    Gone,
    /// The server did not even keep its own statement timeout.
    Deadline,
}

impl Failure {
    /// Whether the server has finished with the statement and the connection is in order.
    pub(super) fn spares_connection(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => {
                let severity =
                    error.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
                severity == Some(PgSeverity::Error)
            }
            // Both are known only once the server has sent all.
            Self::Binding | Self::NoRow | Self::SeveralRows => true,
            _ => false,
        }
    }

    /// What the client is told.
    pub(super) fn problem(&self) -> HttpProblem {
        match self {
            Self::Database(sqlx::Error::Database(error)) => database_problem(error.as_ref()),
            Self::Database(sqlx::Error::Io(_)) => HttpProblem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database-lost",
                "the connection to the database was lost",
            ),
            Self::Database(_) => {
                internal("database-error", "the database did not answer as expected")
            }
            Self::Binding => internal("binding", "a parameter could not be encoded"),
            Self::Malformed => internal("decoding", "a column's value could not be decoded"),
            Self::Changed => {
                internal("schema-changed", "the result's columns are no longer those of the start")
            }
            Self::TooLarge => internal("answer-too-large", "the answer is larger than 64 MiB"),
            Self::NoRow => HttpProblem::no_row(),
            Self::SeveralRows => {
                internal("several-rows", "the query gave several rows where one is answered")
            }
            Self::Gone => internal("client-gone", "the client went away"),
            Self::Deadline => timed_out(),
        }
    }
}

fn internal(kind: &'static str, detail: &'static str) -> HttpProblem {
    HttpProblem::new(StatusCode::INTERNAL_SERVER_ERROR, kind, detail)
}

fn timed_out() -> HttpProblem {
    HttpProblem::new(StatusCode::GATEWAY_TIMEOUT, "statement-timeout", "the query took too long")
}

/// By SQLSTATE; the server's message is left out, because it quotes values.
fn database_problem(error: &dyn DatabaseError) -> HttpProblem {
    let code = error.code().unwrap_or_default();
    let problem = match code.as_ref() {
        "57014" => timed_out(),
        code if code.starts_with("22") => HttpProblem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid-data",
            "the database cannot work with these values",
        ),
        code if code.starts_with("23") => HttpProblem::new(
            StatusCode::CONFLICT,
            "constraint",
            "a constraint of the database does not allow it",
        ),
        code if code.starts_with("53") || code.starts_with("57") || code.starts_with("08") => {
            HttpProblem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database-unavailable",
                "the database cannot serve now",
            )
        }
        _ => internal("database-error", "the database refused the query"),
    };
    problem.sqlstate(&code)
}
