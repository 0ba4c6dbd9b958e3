//! Exit codes: an interface that scripts rely on, documented in `docs/EXPERIMENT.md`.

use std::process::ExitCode;

use crate::lab::Stop;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// 0: done, and everything held.
    Done,
    /// 2: the input is wrong; nothing was started.
    Input,
    /// 3: something of the machine is missing or taken.
    Environment,
    /// 4: a server or the data could not be had.
    Provisioning,
    /// 5: a measurement failed.
    Measurement,
    /// 6: a wrong answer, a wrong plan, a broken sum.
    Correctness,
    /// 10: a threshold failed, a claim was refuted under `--strict-claims`, a regression was found under `--gate`.
    Gate,
    /// 11: under `--gate`, it can't be told.
    Inconclusive,
    /// 128 + signal.
    Interrupted(i32),
}

impl Exit {
    /// Its number.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Input => 2,
            Self::Environment => 3,
            Self::Provisioning => 4,
            Self::Measurement => 5,
            Self::Correctness => 6,
            Self::Gate => 10,
            Self::Inconclusive => 11,
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(130),
        }
    }

    /// For the end of `main`.
    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// The graver of two, for several files in one call.
    pub(super) fn worst(self, other: Self) -> Self {
        if other.gravity() > self.gravity() { other } else { self }
    }

    /// Who was interrupted wants to know that; then what is wrong, then what could not be done, then what did not hold.
    fn gravity(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Inconclusive => 1,
            Self::Gate => 2,
            Self::Measurement => 3,
            Self::Provisioning => 4,
            Self::Environment => 5,
            Self::Correctness => 6,
            Self::Input => 7,
            Self::Interrupted(_) => 8,
        }
    }
}

impl From<&Stop> for Exit {
    fn from(stop: &Stop) -> Self {
        match stop {
            Stop::Environment(_) => Self::Environment,
            Stop::Provisioning(_) => Self::Provisioning,
            Stop::Measurement(_) => Self::Measurement,
            Stop::Correctness(_) => Self::Correctness,
            Stop::Interrupted(signal) => Self::Interrupted(*signal),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_documentation() {
        let all = [
            (Exit::Done, 0),
            (Exit::Input, 2),
            (Exit::Environment, 3),
            (Exit::Provisioning, 4),
            (Exit::Measurement, 5),
            (Exit::Correctness, 6),
            (Exit::Gate, 10),
            (Exit::Inconclusive, 11),
            (Exit::Interrupted(2), 130),
            (Exit::Interrupted(15), 143),
        ];
        for (exit, number) in all {
            assert_eq!(exit.number(), number);
        }
        assert_eq!(Exit::Done.worst(Exit::Gate), Exit::Gate);
        assert_eq!(Exit::Gate.worst(Exit::Input), Exit::Input);
        assert_eq!(Exit::Inconclusive.worst(Exit::Gate), Exit::Gate);
    }
}
