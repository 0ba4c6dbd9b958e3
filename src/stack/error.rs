//! What can go wrong with the servers, as the exit codes sort it, each with a text for people.

/// Why servers are not there. The text says what happened and, where there is one, the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StackError {
    /// The machine lacks something: a program, a version, a permission, room, the lock (exit code 3).
    Environment(String),
    /// A server refused or did not get ready; with its own words (exit code 4).
    Provisioning(String),
    /// The guard process died, and with it every server (exit code 3).
    GuardLost(String),
}

impl StackError {
    /// The documented exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Environment(_) | Self::GuardLost(_) => 3,
            Self::Provisioning(_) => 4,
        }
    }

    /// The text for people, one cause, perhaps over several lines.
    pub fn text(&self) -> &str {
        match self {
            Self::Environment(t) | Self::Provisioning(t) | Self::GuardLost(t) => t,
        }
    }
}

impl std::fmt::Display for StackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for StackError {}

/// An `Environment` error about an input or output error.
pub(super) fn environment(what: &str, error: impl std::fmt::Display) -> StackError {
    StackError::Environment(format!("{what}: {error}"))
}
