//! Every code of a mistake in an experiment file, in one table; stable once released.
//!
//! QL01 reading and syntax, QL02 names, QL03 types, units and ranges, QL04 contradictions, QL05 not supported yet.
//! QL06 is `plan`'s: references between sections.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)*) => {
        $($(#[doc = $doc])+ pub const $name: &str = $code;)*

        /// Code and meaning, in order.
        pub const ALL: &[(&str, &str)] = &[$(($code, concat!($($doc),+))),*];
    };
}

codes! {
    /// The file cannot be read.
    UNREADABLE = "QL0101";
    /// Not a regular file.
    NOT_A_FILE = "QL0102";
    /// Longer than 1 MiB, or too many or too deep values.
    TOO_LARGE = "QL0103";
    /// Not UTF-8.
    NOT_UTF8 = "QL0104";
    /// Not TOML.
    SYNTAX = "QL0105";
    /// The same key twice.
    DUPLICATE = "QL0106";
    /// An override that is not `KEY=VALUE`.
    OVERRIDE = "QL0107";
    /// More mistakes than are worth printing.
    MANY = "QL0199";

    /// A key that the format does not have.
    UNKNOWN_KEY = "QL0201";
    /// A key that must be there.
    REQUIRED = "QL0202";
    /// A profile that the file does not have.
    UNKNOWN_PROFILE = "QL0203";
    /// A variable or `--set` whose key does not exist.
    UNKNOWN_OVERRIDE = "QL0204";
    /// A name of the wrong form, or a reserved one.
    BAD_NAME = "QL0205";
    /// `experiment.id` is not the file's stem.
    ID_IS_NOT_STEM = "QL0206";
    /// The same name twice in a list.
    TWICE = "QL0207";

    /// A value of another type.
    WRONG_TYPE = "QL0301";
    /// A number out of its range.
    OUT_OF_RANGE = "QL0302";
    /// A quantity without its unit, or with a wrong one.
    BAD_UNIT = "QL0303";
    /// A text too short or too long.
    BAD_LENGTH = "QL0304";
    /// A word that is none of those allowed.
    UNKNOWN_WORD = "QL0305";
    /// NaN, infinity, or a number too large to hold.
    NOT_A_NUMBER = "QL0306";
    /// A text that does not have the form it must have.
    BAD_FORM = "QL0307";
    /// Zero where nothing would happen.
    ZERO = "QL0308";
    /// A condition that cannot be read.
    BAD_CONDITION = "QL0309";
    /// A template with braces that mean nothing.
    BAD_TEMPLATE = "QL0310";
    /// A point in time that is not RFC 3339.
    BAD_TIMESTAMP = "QL0311";
    /// Weights that give no distribution.
    BAD_WEIGHTS = "QL0312";
    /// Control characters in a text of one line.
    CONTROL = "QL0313";
    /// `${NAME}`: files are not interpolated.
    INTERPOLATION = "QL0314";
    /// Too many of a kind, or none.
    BAD_COUNT = "QL0315";
    /// A version of the format that this program does not read.
    FORMAT = "QL0316";

    /// Two keys that exclude each other.
    EXCLUDES = "QL0401";
    /// A key that another one needs.
    NEEDS = "QL0402";
    /// A smallest value above the largest.
    REVERSED = "QL0403";
    /// A claim that says nothing, or two things.
    CLAIM = "QL0404";
    /// A limit without a bound.
    NO_BOUND = "QL0405";
    /// A secret in the file.
    SECRET = "QL0406";

    /// Part of the format, but its engine is not there yet.
    NOT_YET = "QL0501";

    /// A gap of the checks: they passed, and the file still cannot be decoded.
    GAP = "QL0901";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_unique_and_means_something() {
        let codes: BTreeSet<_> = super::ALL.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), super::ALL.len());
        for (code, meaning) in super::ALL {
            assert!(code.starts_with("QL0") && code.len() == 6, "{code}");
            assert!(meaning.trim().ends_with('.'), "{code}: {meaning}");
        }
    }
}
