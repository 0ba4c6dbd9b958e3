//! `processors`: how many of the machine's processors a load and its servers share.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most that can be named.
const MOST: u32 = 1024;

/// Processors that generator and servers share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Processors {
    /// All that there are.
    All,
    /// The last so many; all, where there are no more.
    Last(NonZeroU32),
}

impl Serialize for Processors {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => s.serialize_str("all"),
            Self::Last(count) => s.serialize_u32(count.get()),
        }
    }
}

impl<'de> Deserialize<'de> for Processors {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visit;
        impl serde::de::Visitor<'_> for Visit {
            type Value = Processors;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a number of processors from 1 to {MOST}, or \"all\"")
            }
            fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<Processors, E> {
                let count = u32::try_from(v).ok().filter(|count| *count <= MOST);
                count
                    .and_then(NonZeroU32::new)
                    .map(Processors::Last)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(v), &self))
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<Processors, E> {
                match u64::try_from(v) {
                    Ok(v) => self.visit_u64(v),
                    Err(_) => Err(E::invalid_value(serde::de::Unexpected::Signed(v), &self)),
                }
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Processors, E> {
                match v {
                    "all" => Ok(Processors::All),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(v), &self)),
                }
            }
        }
        d.deserialize_any(Visit)
    }
}

impl JsonSchema for Processors {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Processors".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let count = schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": MOST });
        schemars::json_schema!({ "anyOf": [count, { "const": "all" }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_a_number_or_all_and_nothing_else() {
        let read = |text: &str| serde_json::from_str::<Processors>(text);
        assert_eq!(read("\"all\"").expect("a word"), Processors::All);
        let one = Processors::Last(NonZeroU32::MIN);
        assert_eq!(read("1").expect("a number"), one);
        assert_eq!(serde_json::to_string(&one).expect("plain"), "1");
        assert_eq!(serde_json::to_string(&Processors::All).expect("plain"), "\"all\"");
        for wrong in ["0", "-1", "1025", "\"half\"", "\"1\"", "1.5"] {
            let error = read(wrong).expect_err(wrong).to_string();
            assert!(error.contains("from 1 to 1024, or \"all\""), "{error}");
        }
    }
}
