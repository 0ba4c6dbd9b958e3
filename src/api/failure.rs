//! Why a statement gave no answer, and what the client is told about it.

use std::error::Error as _;

use axum::http::StatusCode;
use tokio_postgres::error::{DbError, Severity, SqlState};

use super::problem::HttpProblem;

/// Why a statement gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// The driver or the server says so.
    Database(tokio_postgres::Error),
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
            Self::Database(error) => error.as_db_error().is_some_and(only_the_statement),
            // Both are known only once the server has sent all.
            Self::Binding | Self::NoRow | Self::SeveralRows => true,
            _ => false,
        }
    }

    /// Whether the server itself has refused the statement, so that it changed nothing. A session that is ended says so in
    /// the same way, and may have committed before.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Database(error) => error.as_db_error().is_some_and(is_of_the_statement),
            _ => false,
        }
    }

    /// Whether statements of this session fail for ever that another session prepares anew.
    pub(super) fn spoils_session(&self) -> bool {
        match self {
            Self::Database(error) => error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED),
            _ => false,
        }
    }

    /// What the client is told.
    pub(super) fn problem(&self) -> HttpProblem {
        match self {
            Self::Database(error) => database_problem(error),
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

/// Whether the session outlives the error.
fn only_the_statement(error: &DbError) -> bool {
    // A statement that was prepared before its table was altered fails on this session for ever; another one prepares it anew.
    is_of_the_statement(error) && *error.code() != SqlState::FEATURE_NOT_SUPPORTED
}

fn is_of_the_statement(error: &DbError) -> bool {
    error.parsed_severity() == Some(Severity::Error)
}

fn database_problem(error: &tokio_postgres::Error) -> HttpProblem {
    if let Some(refusal) = error.as_db_error() {
        return refused(refusal.code().code());
    }
    if error.is_closed()
        || error.source().is_some_and(<dyn std::error::Error + 'static>::is::<std::io::Error>)
    {
        return HttpProblem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "database-lost",
            "the connection to the database was lost",
        );
    }
    internal("database-error", "the database did not answer as expected")
}

/// By SQLSTATE; the server's message is left out, because it quotes values.
fn refused(code: &str) -> HttpProblem {
    let problem = match code {
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
    problem.sqlstate(code)
}
