//! Whether a setting in force is the one that was asked for, in the servers' own units.

/// How a Postgres setting is in force: a row of `pg_settings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PgSetting {
    /// Name.
    pub name: String,
    /// Value, in `unit`s.
    pub setting: String,
    /// `8kB`, `ms`, …
    pub unit: Option<String>,
    /// `bool`, `integer`, `real`, `enum`, `string`.
    pub vartype: String,
}

impl PgSetting {
    /// Whether the asked value means this one. Postgres rounds to its unit, so less than one unit apart is equal.
    pub(super) fn is(&self, asked: &str) -> bool {
        match self.vartype.as_str() {
            "bool" => truth(asked).is_some_and(|a| truth(&self.setting) == Some(a)),
            "integer" | "real" => self.is_amount(asked),
            "enum" => {
                self.setting.eq_ignore_ascii_case(asked)
                    || truth(asked).is_some_and(|a| truth(&self.setting) == Some(a))
            }
            _ => self.setting == asked,
        }
    }

    fn is_amount(&self, asked: &str) -> bool {
        let Some(value) = number_and_unit(&self.setting).map(|(n, _)| n) else { return false };
        let Some((wanted, suffix)) = number_and_unit(asked) else { return false };
        let one = self.unit.as_deref().map_or(Some(1.0), |u| {
            let (count, name) = number_and_unit(u).unwrap_or((1.0, u));
            Some(count * pg_unit(name)?)
        });
        let Some(one) = one else { return false };
        let scale = if suffix.is_empty() { Some(one) } else { pg_unit(suffix) };
        let Some(scale) = scale else { return false };
        let tolerance = if self.vartype == "real" { 1e-6 * one } else { one * 0.999_999 };
        (wanted * scale - value * one).abs() <= tolerance.max(1e-9 * wanted.abs() * scale)
    }

    /// As people write it: with its unit.
    pub(super) fn shown(&self) -> String {
        let negative = self.setting.starts_with('-');
        match &self.unit {
            Some(unit) if !negative && unit.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("{} × {unit}", self.setting)
            }
            Some(unit) if !negative => format!("{}{unit}", self.setting),
            _ => self.setting.clone(),
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" | "t" | "y" => Some(true),
        "off" | "false" | "no" | "0" | "f" | "n" => Some(false),
        _ => None,
    }
}

/// `8kB` as 8 and `kB`.
fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || "+-.".contains(c))).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

/// Bytes or milliseconds of one unit; Postgres keeps the two apart by the setting.
fn pg_unit(name: &str) -> Option<f64> {
    Some(match name {
        "B" | "ms" => 1.0,
        "kB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        "TB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "us" => 0.001,
        "s" => 1000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    })
}

/// An amount of memory as Postgres writes it, in bytes; a bare number counts kilobytes, as for its `work_mem`s.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let kilobytes = if unit.is_empty() { number } else { number * pg_unit(unit)? / 1024.0 };
    format!("{kilobytes:.0}").parse::<u64>().ok()?.checked_mul(1024)
}

/// Whether a Redis setting in force means the asked one: `64mb` is answered as `67108864`.
pub(super) fn redis_is(asked: &str, in_force: &str) -> bool {
    let plain = |t: &str| t.trim().to_ascii_lowercase();
    if plain(asked) == plain(in_force) {
        return true;
    }
    let bytes = |text: &str| {
        let text = plain(text);
        let (number, unit) = number_and_unit(&text).map(|(n, u)| (n, u.to_owned()))?;
        let factor = match unit.as_str() {
            "" | "b" => 1.0,
            "k" => 1e3,
            "kb" => 1024.0,
            "m" => 1e6,
            "mb" => 1024.0 * 1024.0,
            "g" => 1e9,
            "gb" => 1024.0 * 1024.0 * 1024.0,
            _ => return None,
        };
        Some(number * factor)
    };
    bytes(asked).zip(bytes(in_force)).is_some_and(|(a, b)| (a - b).abs() < 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pg(setting: &str, unit: Option<&str>, vartype: &str) -> PgSetting {
        PgSetting {
            name: "x".into(),
            setting: setting.into(),
            unit: unit.map(str::to_owned),
            vartype: vartype.into(),
        }
    }

    #[test]
    fn amounts_are_compared_in_the_servers_units() {
        assert!(pg("32768", Some("8kB"), "integer").is("256MB"));
        assert!(pg("32768", Some("8kB"), "integer").is("32768"));
        assert!(!pg("32768", Some("8kB"), "integer").is("255MB"));
        assert!(pg("16384", Some("kB"), "integer").is("16MB"));
        assert!(pg("3600", Some("s"), "integer").is("1h"));
        assert!(pg("60000", Some("ms"), "integer").is("1min"));
        assert!(pg("-1", Some("kB"), "integer").is("-1"));
        assert!(!pg("1", Some("s"), "integer").is("1 parsec"));
    }

    #[test]
    fn numbers_truths_words_and_texts() {
        assert!(pg("1.1", None, "real").is("1.10"));
        assert!(!pg("4", None, "real").is("1.1"));
        assert!(!pg("100", None, "integer").is("101"));
        assert!(pg("off", None, "bool").is("false"));
        assert!(!pg("on", None, "bool").is("off"));
        assert!(pg("force_generic_plan", None, "enum").is("FORCE_GENERIC_PLAN"));
        assert!(pg("on", None, "enum").is("true"));
        assert!(pg("a, b", None, "string").is("a, b"));
        assert!(!pg("a", None, "string").is("b"));
    }

    #[test]
    fn memory_is_read_in_postgres_units() {
        assert_eq!(bytes("128MB"), Some(128 << 20));
        assert_eq!(bytes("65536"), Some(64 << 20));
        assert_eq!(bytes("-1"), None);
        assert_eq!(bytes("much"), None);
    }

    #[test]
    fn redis_answers_in_bytes() {
        assert!(redis_is("256mb", "268435456"));
        assert!(redis_is("256MB", "268435456"));
        assert!(!redis_is("256mb", "256000000"));
        assert!(redis_is("allkeys-lru", "allkeys-lru"));
        assert!(!redis_is("allkeys-lru", "noeviction"));
    }
}
