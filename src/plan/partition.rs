//! A part of a run: whole blocks, so that a variant and its baseline stay together.

use serde::{Deserialize, Serialize};

/// One of so many parts, written `count:1/4`: every fourth block, beginning with the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Which, from 1.
    part: u32,
    /// Of how many.
    of: u32,
}

/// More parts than any design has blocks.
const MOST: u32 = 100;

impl Partition {
    /// Whether a block (from 1) is of this part.
    pub fn has(self, block: u32) -> bool {
        // One that was read from somebody's file may have a 0.
        block.wrapping_sub(1).checked_rem(self.of) == self.part.checked_sub(1)
    }

    /// Of how many parts it is one.
    pub fn of(self) -> u32 {
        self.of
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "count:{}/{}", self.part, self.of)
    }
}

impl std::str::FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no part: write `count:1/4` for the first of four");
        let (part, of) =
            text.strip_prefix("count:").and_then(|n| n.split_once('/')).ok_or_else(wrong)?;
        let number = |text: &str| -> Result<u32, String> {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if digits { text.parse().map_err(|_| wrong()) } else { Err(wrong()) }
        };
        let (part, of) = (number(part)?, number(of)?);
        if part == 0 || part > of {
            return Err(format!("`{text}`: there is no part {part} of {of}"));
        }
        if of > MOST {
            return Err(format!("`{text}`: {MOST} parts are the most"));
        }
        Ok(Self { part, of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_of_exactly_one_part_and_parts_differ_by_one_block_at_most() {
        for of in 1..=7 {
            let parts: Vec<Partition> =
                (1..=of).map(|n| format!("count:{n}/{of}").parse().expect("a part")).collect();
            for block in 1..=20 {
                assert_eq!(parts.iter().filter(|part| part.has(block)).count(), 1);
            }
            let sizes: Vec<usize> = parts
                .iter()
                .map(|part| (1..=20).filter(|block| part.has(*block)).count())
                .collect();
            assert!(
                sizes
                    .iter()
                    .max()
                    .zip(sizes.iter().min())
                    .is_some_and(|(most, least)| most - least <= 1)
            );
            assert_eq!(parts[0].to_string(), format!("count:1/{of}"));
        }
    }

    #[test]
    fn what_is_no_part_is_refused_with_what_to_write() {
        for (text, why) in [
            ("1/4", "write `count:1/4`"),
            ("count:1", "write `count:1/4`"),
            ("count:0/4", "no part 0 of 4"),
            ("count:5/4", "no part 5 of 4"),
            ("count:+1/4", "write `count:1/4`"),
            ("count:1/101", "are the most"),
            ("count:1/99999999999", "write `count:1/4`"),
        ] {
            let refused = text.parse::<Partition>().expect_err(text);
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }
}
