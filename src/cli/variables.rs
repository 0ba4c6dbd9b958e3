//! Variables that set the tool itself.

/// A variable that sets the tool itself: `QUERYLAB_NAME`, one underscore. An empty one is as if it were not there.
///
/// # Errors
///
/// A sentence, if its value is no text.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere below")]
pub(super) fn tool_variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(value)) => {
            Err(format!("{name} is `{}`, which is no Unicode", value.display()))
        }
    }
}

/// A variable with a secret in it: no message repeats its value. An empty one is as if it were not there.
///
/// # Errors
///
/// A sentence, if its value is no text.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere below")]
pub(super) fn secret_variable(name: &str) -> Result<Option<String>, String> {
    match std::env::var(name) {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(format!("the variable {name} holds what is no Unicode"))
        }
    }
}

/// A variable that a CI server sets for its jobs; none where it is not there, or empty.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and nowhere below")]
pub(super) fn of_server(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
