//! Texts made of the lists: e-mail addresses, companies, and prose of any length over any vocabulary.

use super::draw::{Key, below, mix, one_of, scaled};
use super::names::{FIRST, LAST, WORDS, write_word};
use super::shapes::Prose;
use super::value::write_unsigned;
use super::zipf::Zipf;

/// Domains that are reserved for examples (RFC 2606): nobody gets mail from a test.
const DOMAINS: [&str; 3] = ["example.com", "example.net", "example.org"];
/// What companies end in.
const FORMS: [&str; 8] = ["AG", "Corp.", "GmbH", "Group", "Inc.", "Ltd.", "Partners", "S.A."];
/// Words of a sentence: the fewest, and how many more.
const SENTENCE: (u64, u32) = (4, 9);
/// Lanes of a word's rank, which may be drawn several times.
const LANES: u64 = 64;

/// Addresses like `first.last17@example.com`.
#[derive(Debug, Clone)]
pub(super) struct Mail {
    first: Vec<String>,
    last: Vec<String>,
    domain: Option<String>,
}

impl Mail {
    /// All at this domain; else at one of the examples'.
    pub(super) fn new(domain: Option<&str>) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'.' || b == b'-';
        if domain.is_some_and(|d| d.is_empty() || d.len() > 200 || !d.bytes().all(fits)) {
            return Err("a domain is letters, digits, dots and hyphens".into());
        }
        let plain = |names: &[&str]| names.iter().map(|name| ascii(name)).collect();
        Ok(Self { first: plain(&FIRST), last: plain(&LAST), domain: domain.map(Into::into) })
    }

    /// Appends the address of a row.
    pub(super) fn write(&self, key: Key, row: u64, out: &mut Vec<u8>) {
        let word = mix(key, row, 0);
        out.extend_from_slice(self.first[one_of(self.first.len(), word >> 32)].as_bytes());
        out.push(b'.');
        out.extend_from_slice(self.last[one_of(self.last.len(), word)].as_bytes());
        write_unsigned(row, out);
        out.push(b'@');
        let example = || DOMAINS[one_of(DOMAINS.len(), mix(key, row, 1))];
        out.extend_from_slice(self.domain.as_deref().unwrap_or_else(example).as_bytes());
    }
}

/// Small letters without accents, and nothing else.
fn ascii(name: &str) -> String {
    let plain = |c: char| match c {
        'á' | 'à' | 'ã' | 'å' | 'ä' => 'a',
        'ç' => 'c',
        'é' | 'è' | 'ë' => 'e',
        'í' => 'i',
        'ñ' => 'n',
        'ó' | 'ö' | 'ø' => 'o',
        'ú' | 'ü' => 'u',
        other => other,
    };
    let small = name.chars().flat_map(char::to_lowercase).map(plain);
    small.filter(char::is_ascii_lowercase).collect()
}

/// Appends the name of a row's company.
pub(super) fn write_company(key: Key, row: u64, out: &mut Vec<u8>) {
    let (word, other) = (mix(key, row, 0), mix(key, row, 1));
    out.extend_from_slice(LAST[one_of(LAST.len(), word >> 32)].as_bytes());
    match one_of(3, other >> 32) {
        0 => {}
        1 => {
            out.extend_from_slice(b" & ");
            out.extend_from_slice(LAST[one_of(LAST.len(), word)].as_bytes());
        }
        _ => {
            out.push(b' ');
            let start = out.len();
            out.extend_from_slice(WORDS[one_of(WORDS.len(), word)].as_bytes());
            out[start].make_ascii_uppercase();
        }
    }
    out.push(b' ');
    out.extend_from_slice(FORMS[one_of(FORMS.len(), other)].as_bytes());
}

/// Words, sentences or characters of a vocabulary.
#[derive(Debug, Clone)]
pub(super) struct Text {
    unit: Prose,
    min: u32,
    max: u32,
    vocabulary: u64,
    zipf: Option<Zipf>,
}

impl Text {
    /// An exponent of 0 makes all words alike frequent.
    pub(super) fn new(
        unit: Prose,
        (min, max): (u32, u32),
        vocabulary: u64,
        exponent: f64,
    ) -> Result<Self, String> {
        let most = if unit == Prose::Characters { 100_000 } else { 10_000 };
        if min > max || max > most {
            return Err(format!("{min} to {max} of a text: give min <= max <= {most}"));
        }
        if !(1..=1_000_000).contains(&vocabulary) || !(0.0..=20.0).contains(&exponent) {
            return Err("a vocabulary has 1 to 1,000,000 words, an exponent is 0 to 20".into());
        }
        let zipf = (exponent > 0.0).then(|| Zipf::new(vocabulary, exponent));
        Ok(Self { unit, min, max, vocabulary, zipf })
    }

    /// Appends the text of a row.
    pub(super) fn write(&self, key: Key, row: u64, out: &mut Vec<u8>) {
        let count = self.min + scaled(self.max - self.min + 1, mix(key, row, 0) >> 32);
        match self.unit {
            Prose::Words => {
                self.words(key, row, 0, u64::from(count), out);
            }
            Prose::Sentences => {
                let mut at = 0;
                for sentence in 0..u64::from(count) {
                    if sentence > 0 {
                        out.push(b' ');
                    }
                    let start = out.len();
                    let lane = u64::MAX - 1 - sentence;
                    let length = SENTENCE.0 + u64::from(scaled(SENTENCE.1, mix(key, row, lane)));
                    self.words(key, row, at, length, out);
                    at += length;
                    out[start].make_ascii_uppercase();
                    out.push(b'.');
                }
            }
            Prose::Characters => {
                let end = out.len() + count as usize;
                let mut at = 0;
                while out.len() < end {
                    self.word(key, row, at, out);
                    out.push(b' ');
                    at += 1;
                }
                out.truncate(end);
                if let Some(last) = out.last_mut().filter(|last| count > 0 && **last == b' ') {
                    *last = b'.';
                }
            }
        }
    }

    fn words(&self, key: Key, row: u64, from: u64, count: u64, out: &mut Vec<u8>) {
        for at in from..from + count {
            if at > from {
                out.push(b' ');
            }
            self.word(key, row, at, out);
        }
    }

    /// Appends the word at a place of the text.
    fn word(&self, key: Key, row: u64, at: u64, out: &mut Vec<u8>) {
        let lane = (at + 1) * LANES;
        let rank = match &self.zipf {
            Some(zipf) => zipf.rank(key, row, lane),
            None => below(self.vocabulary, mix(key, row, lane)),
        };
        match usize::try_from(rank) {
            Ok(rank) if rank < WORDS.len() => write_word(rank, out),
            _ => write_syllables(rank - WORDS.len() as u64, out),
        }
    }
}

/// Appends a word that no list has, another one for each number.
fn write_syllables(number: u64, out: &mut Vec<u8>) {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 3] = b"aou";
    const ALL: u64 = 48;
    // Numbers in base 48 without a zero, from the first one of two digits on: each word once, none of one syllable.
    let mut rest = number + ALL + 1;
    // 64 bits are twelve syllables, and all of them are copied at once.
    let mut word = [0; 24];
    let mut length = 0;
    while rest > 0 {
        rest -= 1;
        let syllable = usize::try_from(rest % ALL).expect("below 48");
        word[length] = CONSONANTS[syllable / 3];
        word[length + 1] = VOWELS[syllable % 3];
        length += 2;
        rest /= ALL;
    }
    let end = out.len() + length;
    out.extend_from_slice(&word);
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const KEY: Key = [23, 29];

    fn made(text: &Text, row: u64) -> String {
        let mut out = Vec::new();
        text.write(KEY, row, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn names_lose_their_accents_and_nothing_else() {
        assert_eq!(ascii("Åkesson"), "akesson");
        assert_eq!(ascii("O'Brien"), "obrien");
        for name in FIRST.iter().chain(&LAST) {
            let letters = name.chars().filter(|c| c.is_alphabetic()).count();
            assert_eq!(ascii(name).len(), letters, "{name}");
        }
    }

    #[test]
    fn addresses_are_unique_and_go_nowhere() {
        let mail = Mail::new(None).expect("good");
        let mut seen = BTreeSet::new();
        for row in 1..=1000 {
            let mut out = Vec::new();
            mail.write(KEY, row, &mut out);
            let text = String::from_utf8(out).expect("ASCII");
            assert!(text.contains("@example."), "{text}");
            assert!(seen.insert(text));
        }
        assert!(Mail::new(Some("my.test")).is_ok());
        assert!(Mail::new(Some("a b")).is_err() && Mail::new(Some("")).is_err());
    }

    #[test]
    fn a_vocabulary_has_as_many_words_as_it_says() {
        let mut all: BTreeSet<String> = WORDS.iter().map(|word| (*word).to_owned()).collect();
        for number in 0..100_000 {
            let mut out = Vec::new();
            write_syllables(number, &mut out);
            assert!(all.insert(String::from_utf8(out).expect("ASCII")), "{number}");
        }
    }

    #[test]
    fn texts_have_their_length() {
        let words = Text::new(Prose::Words, (3, 5), 5000, 1.0).expect("good");
        let lines = Text::new(Prose::Sentences, (2, 2), 300, 0.0).expect("good");
        let chars = Text::new(Prose::Characters, (40, 60), 300, 0.0).expect("good");
        for row in 1..=500 {
            assert!((3..=5).contains(&made(&words, row).split(' ').count()));
            let text = made(&lines, row);
            assert_eq!(text.matches('.').count(), 2, "{text}");
            assert!(text.ends_with('.') && text.starts_with(|c: char| c.is_ascii_uppercase()));
            assert!((8..=24).contains(&text.split(' ').count()), "{text}");
            let text = made(&chars, row);
            assert!((40..=60).contains(&text.len()) && !text.ends_with(' '), "{text}");
        }
        let none = Text::new(Prose::Characters, (0, 0), 300, 0.0).expect("good");
        assert_eq!(made(&none, 1), "");
    }

    #[test]
    fn zipfs_first_word_is_the_most_frequent() {
        let text = Text::new(Prose::Words, (10, 10), 10_000, 1.0).expect("good");
        let all: Vec<String> = (1..=2000).map(|row| made(&text, row)).collect();
        let count = |word| all.iter().flat_map(|t| t.split(' ')).filter(|w| *w == word).count();
        // 1/H(10,000) of 20,000 words, and half of that.
        assert!(count(WORDS[0]).abs_diff(2043) < 200, "{}", count(WORDS[0]));
        assert!(count(WORDS[1]).abs_diff(1022) < 150, "{}", count(WORDS[1]));
        let different: BTreeSet<&str> = all.iter().flat_map(|t| t.split(' ')).collect();
        assert!(different.len() > 2000, "{}", different.len());
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert!(Text::new(Prose::Words, (2, 1), 10, 0.0).is_err());
        assert!(Text::new(Prose::Words, (1, 1), 0, 0.0).is_err());
        assert!(Text::new(Prose::Characters, (1, 100_001), 10, 0.0).is_err());
        assert!(Text::new(Prose::Words, (1, 1), 10, f64::NAN).is_err());
    }
}
