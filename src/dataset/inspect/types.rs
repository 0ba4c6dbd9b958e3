//! Types of the catalogue as kinds of values, domains resolved.

use std::collections::BTreeMap;

use anyhow::Result;
use sqlx::postgres::PgConnection;

use crate::dataset::connect::answer;
use crate::spec::draft::Kind;

/// Domains over arrays of domains over …: nobody nests deeper, and a loop would.
const DEEPEST: usize = 16;

/// OID, name, kind, category, element, base, modifier, NOT NULL.
type Told = (i64, String, String, String, i64, i64, i32, bool);

/// A row of `pg_type`.
struct Row {
    name: String,
    /// `e` for enums, `d` for domains.
    kind: String,
    /// `A` for arrays.
    category: String,
    element: i64,
    base: i64,
    modifier: i32,
    required: bool,
}

/// All types of a database.
pub(super) struct Types {
    rows: BTreeMap<i64, Row>,
    labels: BTreeMap<i64, Vec<String>>,
    checks: BTreeMap<i64, Vec<String>>,
}

/// A type as it is for a column.
#[derive(Debug, Default)]
pub(super) struct Resolved {
    pub(super) kind: Kind,
    /// Check constraints of its domains.
    pub(super) checks: Vec<String>,
    /// Whether a domain forbids NULL.
    pub(super) required: bool,
}

impl Types {
    /// Reads them.
    pub(super) async fn read(connection: &mut PgConnection) -> Result<Self> {
        let types = "SELECT oid::int8, typname::text, typtype::text, typcategory::text, \
                     typelem::int8, typbasetype::int8, typtypmod, typnotnull \
                     FROM pg_catalog.pg_type";
        let rows: Vec<Told> =
            answer("cannot list the types", sqlx::query_as(types).fetch_all(&mut *connection))
                .await?;
        let labels = "SELECT enumtypid::int8, enumlabel::text FROM pg_catalog.pg_enum ORDER BY enumtypid, enumsortorder";
        let labels: Vec<(i64, String)> =
            answer("cannot list the enums", sqlx::query_as(labels).fetch_all(&mut *connection))
                .await?;
        let checks = "SELECT contypid::int8, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint \
                      WHERE contypid <> 0 AND contype = 'c' ORDER BY oid";
        let checks: Vec<(i64, String)> =
            answer("cannot list the domains", sqlx::query_as(checks).fetch_all(&mut *connection))
                .await?;
        let row = |(oid, name, kind, category, element, base, modifier, required)| {
            (oid, Row { name, kind, category, element, base, modifier, required })
        };
        Ok(Self {
            rows: rows.into_iter().map(row).collect(),
            labels: grouped(labels),
            checks: grouped(checks),
        })
    }

    /// A column's type.
    pub(super) fn resolve(&self, oid: i64, modifier: i32) -> Resolved {
        let mut resolved = Resolved::default();
        resolved.kind = self.kind(oid, modifier, 0, &mut resolved.checks, &mut resolved.required);
        resolved
    }

    fn kind(
        &self,
        oid: i64,
        modifier: i32,
        depth: usize,
        checks: &mut Vec<String>,
        required: &mut bool,
    ) -> Kind {
        let Some(row) = self.rows.get(&oid).filter(|_| depth < DEEPEST) else {
            return Kind::Unknown;
        };
        match (row.kind.as_str(), row.category.as_str()) {
            ("d", _) => {
                checks.extend(self.checks.get(&oid).into_iter().flatten().cloned());
                *required |= row.required;
                self.kind(row.base, row.modifier, depth + 1, checks, required)
            }
            ("e", _) => Kind::Enum(self.labels.get(&oid).cloned().unwrap_or_default()),
            ("b", "A") if row.element != 0 => {
                // What an element's domain asks for is not asked of the array.
                let (mut own, mut own_required) = (Vec::new(), false);
                let depth = depth + 1;
                let of = self.kind(row.element, modifier, depth, &mut own, &mut own_required);
                Kind::Array(Box::new(if own.is_empty() { of } else { Kind::Unknown }))
            }
            ("b" | "r", _) => plain(&row.name, modifier),
            _ => Kind::Unknown,
        }
    }
}

fn grouped(pairs: Vec<(i64, String)>) -> BTreeMap<i64, Vec<String>> {
    let mut groups = BTreeMap::<i64, Vec<String>>::new();
    for (oid, text) in pairs {
        groups.entry(oid).or_default().push(text);
    }
    groups
}

/// A type of its own, by its name; `modifier` holds lengths and digits.
fn plain(name: &str, modifier: i32) -> Kind {
    let stated = u32::try_from(modifier.saturating_sub(4)).ok();
    match name {
        "bool" => Kind::Bool,
        "int2" => Kind::Integer(2),
        "int4" => Kind::Integer(4),
        "int8" => Kind::Integer(8),
        "numeric" => Kind::Numeric(stated.map(|digits| {
            // Eleven bits with a sign; digits after the point of less than none are none.
            let scale = digits & 0x7FF;
            (digits >> 16, if scale > 1023 { 0 } else { scale })
        })),
        "float4" | "float8" => Kind::Float,
        "text" | "citext" => Kind::Text(None),
        "varchar" | "bpchar" => Kind::Text(stated),
        "name" => Kind::Text(Some(63)),
        "uuid" => Kind::Uuid,
        "date" => Kind::Date,
        "timestamp" => Kind::Timestamp(false),
        "timestamptz" => Kind::Timestamp(true),
        "json" | "jsonb" => Kind::Json,
        "bytea" => Kind::Bytea,
        "inet" => Kind::Inet,
        "point" => Kind::Point,
        other => Kind::Other(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_digits_are_in_the_modifier() {
        assert_eq!(plain("varchar", 259), Kind::Text(Some(255)));
        assert_eq!(plain("varchar", -1), Kind::Text(None));
        assert_eq!(plain("numeric", (12 << 16) + 2 + 4), Kind::Numeric(Some((12, 2))));
        assert_eq!(plain("numeric", -1), Kind::Numeric(None));
        assert_eq!(plain("hstore", -1), Kind::Other("hstore".into()));
    }

    #[test]
    fn domains_are_what_they_are_over_with_all_their_checks_and_a_loop_ends() {
        let row = |oid: i64, name: &str, kind: &str, category: &str, element, base| {
            let (name, kind, category) = (name.into(), kind.into(), category.into());
            (oid, Row { name, kind, category, element, base, modifier: -1, required: oid == 3 })
        };
        let rows = [
            row(1, "int4", "b", "N", 0, 0),
            row(2, "small", "d", "N", 0, 1),
            row(3, "smaller", "d", "N", 0, 2),
            row(4, "_int4", "b", "A", 1, 0),
            row(5, "round", "d", "N", 0, 5),
        ];
        let types = Types {
            rows: rows.into_iter().collect(),
            labels: BTreeMap::new(),
            checks: [(2, vec!["a".to_owned()]), (3, vec!["b".to_owned()])].into(),
        };
        let smaller = types.resolve(3, -1);
        assert_eq!(smaller.kind, Kind::Integer(4));
        assert_eq!((smaller.checks, smaller.required), (vec!["b".into(), "a".into()], true));
        assert_eq!(types.resolve(4, -1).kind, Kind::Array(Box::new(Kind::Integer(4))));
        assert_eq!(types.resolve(5, -1).kind, Kind::Unknown);
    }
}
