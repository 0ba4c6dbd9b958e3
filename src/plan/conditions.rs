//! Which share of a column's rows has a value, told from the generator alone.

use crate::rows::{FamilySize, Generator, Parents, Shape};

/// The expected share of the rows whose value is `value`, NULLs left aside.
///
/// # Errors
///
/// Why no row can have it, or why that can't be told.
pub(super) fn share(generator: &Generator, rows: u64, value: &str) -> Result<f64, String> {
    let one_row = if rows == 0 { 0.0 } else { 1.0 / rows as f64 };
    let share = match generator {
        Generator::Weighted { choices } => {
            let sum: f64 = choices.iter().map(|(_, weight)| weight).sum();
            choices.iter().find(|(choice, _)| choice == value).map(|(_, weight)| weight / sum)
        }
        Generator::Constant { value: all } => (all == value).then_some(1.0),
        Generator::Bool { probability } => match value {
            "true" => Some(*probability),
            "false" => Some(1.0 - probability),
            _ => None,
        },
        Generator::Integer { min, max }
        | Generator::Permutation { min, max }
        | Generator::Numeric { min, max, scale: 0, shape: Shape::Uniform } => value
            .parse::<i64>()
            .ok()
            .filter(|n| (min..=max).contains(&n))
            .map(|_| 1.0 / ((*max as f64 - *min as f64) + 1.0)),
        Generator::Sequence { start, step } => {
            let distance = value.parse::<i64>().ok().and_then(|n| n.checked_sub(*start));
            let row = distance.and_then(|d| {
                if *step == 0 {
                    None
                } else {
                    d.checked_rem(*step).filter(|r| *r == 0).map(|_| d / step)
                }
            });
            match (distance, step) {
                (Some(0), 0) => Some(1.0),
                _ => row
                    .filter(|row| u64::try_from(*row).is_ok_and(|row| row < rows))
                    .map(|_| one_row),
            }
        }
        Generator::Template { pieces } => {
            of_template(pieces, rows, value).map(|all| if all { 1.0 } else { one_row })
        }
        // Where all parents are alike, so are the values that they have.
        Generator::ForeignKey {
            rows,
            column,
            parents: Parents::Uniform | Parents::Families(FamilySize::Equal),
            ..
        } => return share(&column.generator, *rows, value),
        _ => {
            return Err("a condition on a column of this generator is not supported yet".into());
        }
    };
    match share {
        Some(share) if share > 0.0 => Ok(share),
        _ => {
            let hint = match generator {
                Generator::Weighted { choices } => {
                    let all: Vec<&str> = choices.iter().map(|(c, _)| c.as_str()).collect();
                    format!("; it is one of `{}`", all.join("`, `"))
                }
                _ => String::new(),
            };
            Err(format!("no row has the value `{}`{hint}", super::short(value)))
        }
    }
}

/// Whether all rows have the value, or one; none has it: none.
fn of_template(pieces: &[String], rows: u64, value: &str) -> Option<bool> {
    let [first, second, ..] = pieces else {
        return pieces.first().filter(|piece| *piece == value).map(|_| true);
    };
    let rest = value.strip_prefix(first.as_str())?;
    // The row number ends where the next piece starts; a piece of digits may be cut in several ways.
    (1..=rest.len().min(20)).find_map(|length| {
        let (digits, after) = rest.split_at_checked(length)?;
        let row: u64 = digits.parse().ok()?;
        let same = pieces.join(digits) == value && after.starts_with(second.as_str());
        (same && row.to_string() == digits && (1..=rows).contains(&row)).then_some(false)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_rows_with_a_value_is_told_from_the_generator() {
        let weighted =
            Generator::Weighted { choices: vec![("a".into(), 70.0), ("b".into(), 30.0)] };
        let sequence = Generator::Sequence { start: 10, step: 5 };
        let template = Generator::Template { pieces: vec!["u".into(), "-1".into(), String::new()] };
        let key = Generator::ForeignKey {
            table: "t".into(),
            rows: 20,
            column: Box::new(crate::rows::ColumnSpec {
                name: "id".into(),
                generator: sequence.clone(),
                null_ratio: 0.0,
            }),
            parents: Parents::Uniform,
        };
        let cases = [
            (&weighted, "a", Ok(0.7)),
            (&weighted, "c", Err(())),
            (&sequence, "25", Ok(0.01)),
            (&sequence, "26", Err(())),
            (&sequence, "510", Err(())),
            (&Generator::Bool { probability: 0.25 }, "false", Ok(0.75)),
            (&Generator::Bool { probability: 0.0 }, "true", Err(())),
            (&Generator::Integer { min: 1, max: 10 }, "10", Ok(0.1)),
            (&Generator::Integer { min: 1, max: 10 }, "11", Err(())),
            (&Generator::Constant { value: "x".into() }, "x", Ok(1.0)),
            (&template, "u7-17", Ok(0.01)),
            (&template, "u7-18", Err(())),
            (&template, "u101-1101", Err(())),
            (&Generator::Uuid, "x", Err(())),
            (&Generator::Permutation { min: 1, max: 200 }, "200", Ok(0.005)),
            (&key, "15", Ok(0.05)),
            (&key, "16", Err(())),
        ];
        for (generator, value, want) in cases {
            assert_eq!(share(generator, 100, value).map_err(|_| ()), want, "{generator:?} {value}");
        }
    }
}
