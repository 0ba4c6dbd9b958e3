//! Where a parameter's values come from beside the generated rows: a CSV file, a log of requests; and how many are hot.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::units::Share;

/// `from_csv = { … }`: values from a column of a CSV file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromCsv {
    /// The file, relative to this one; its first line names the columns.
    #[schemars(length(min = 1, max = 1000))]
    pub file: String,
    /// The column, as the first line has it.
    #[schemars(length(min = 1, max = 200))]
    pub column: String,
}

/// `from_log = { … }`: values as a log of requests has them, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FromLog {
    /// The file, relative to this one: a JSON object a line, as the API logs its requests.
    #[schemars(length(min = 1, max = 1000))]
    pub file: String,
    /// Only requests to this endpoint, by its name or its route; all that have the parameter if left out.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1000))]
    pub endpoint: Option<String>,
}

/// How many keys are hot: a number of them, or a share of all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HotKeys {
    /// So many.
    Count(u64),
    /// Of all keys.
    Share(Share),
}

impl Serialize for HotKeys {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => s.serialize_u64(*count),
            Self::Share(share) => share.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for HotKeys {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visit;
        impl serde::de::Visitor<'_> for Visit {
            type Value = HotKeys;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of keys, or a share of them like \"1%\"")
            }
            fn visit_u64<E: serde::de::Error>(self, v: u64) -> Result<HotKeys, E> {
                Ok(HotKeys::Count(v))
            }
            fn visit_i64<E: serde::de::Error>(self, v: i64) -> Result<HotKeys, E> {
                u64::try_from(v).map(HotKeys::Count).map_err(E::custom)
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<HotKeys, E> {
                v.parse().map(HotKeys::Share).map_err(E::custom)
            }
        }
        d.deserialize_any(Visit)
    }
}

impl JsonSchema for HotKeys {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HotKeys".into()
    }
    fn json_schema(g: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let share = g.subschema_for::<Share>();
        let count =
            schemars::json_schema!({ "type": "integer", "minimum": 1, "maximum": 10_000_000 });
        schemars::json_schema!({ "anyOf": [count, share] })
    }
}
