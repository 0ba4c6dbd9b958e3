//! Expressions as Postgres writes them, taken apart as far as bounds of values need it.

/// An expression, casts left out.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    Column(String),
    Value(String),
    Length(String),
    List(Vec<Self>),
    Compared(String, Box<Self>, Box<Self>),
    All(Vec<Self>),
    Other,
}

/// Nobody nests deeper.
const DEEPEST: usize = 64;

/// The term that a text is; none for what is not read here.
pub(super) fn parse(text: &str) -> Option<Term> {
    let pieces = pieces(text)?;
    let mut reader = Reader { pieces: &pieces, at: 0, depth: 0 };
    let term = reader.either()?;
    (reader.at == pieces.len()).then_some(term)
}

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Word(String),
    /// A name in quotes.
    Name(String),
    Text(String),
    Number(String),
    Sign(String),
}

/// Pieces of an expression; none for what is not closed.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (piece, length) = if first == '\'' || first == '"' {
            let (inner, length) = enclosed(rest, first)?;
            let piece = if first == '"' { Piece::Name(inner) } else { Piece::Text(inner) };
            (piece, length)
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            (Piece::Number(rest[..length].to_owned()), length)
        } else if first.is_alphabetic() || first == '_' {
            let in_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
            let length = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
            (Piece::Word(rest[..length].to_owned()), length)
        } else if "()[],.;".contains(first) {
            (Piece::Sign(first.to_string()), 1)
        } else {
            let in_sign = |c: char| "+-*/<>=~!@#%^&|`?:".contains(c);
            let length = rest.find(|c| !in_sign(c)).unwrap_or(rest.len());
            if length == 0 {
                return None;
            }
            (Piece::Sign(rest[..length].to_owned()), length)
        };
        found.push(piece);
        rest = rest[length..].trim_start();
    }
    Some(found)
}

/// What stands between quotes, doubled ones made one, and how long it is with them.
fn enclosed(text: &str, quote: char) -> Option<(String, usize)> {
    let mut inner = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            inner.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            inner.push(quote);
        } else {
            return Some((inner, at + 1));
        }
    }
    None
}

struct Reader<'a> {
    pieces: &'a [Piece],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn word(&self) -> Option<String> {
        match self.pieces.get(self.at) {
            Some(Piece::Word(word)) => Some(word.to_ascii_uppercase()),
            _ => None,
        }
    }

    fn sign(&self) -> Option<&str> {
        match self.pieces.get(self.at) {
            Some(Piece::Sign(sign)) => Some(sign),
            _ => None,
        }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_there = self.sign() == Some(sign);
        self.at += usize::from(is_there);
        is_there
    }

    /// Terms between OR: more than one is more than is read here.
    fn either(&mut self) -> Option<Term> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return None;
        }
        let first = self.all()?;
        let mut is_one = true;
        while self.word().as_deref() == Some("OR") {
            self.at += 1;
            self.all()?;
            is_one = false;
        }
        self.depth -= 1;
        Some(if is_one { first } else { Term::Other })
    }

    fn all(&mut self) -> Option<Term> {
        let mut terms = vec![self.compared()?];
        while self.word().as_deref() == Some("AND") {
            self.at += 1;
            terms.push(self.compared()?);
        }
        Some(if terms.len() == 1 { terms.remove(0) } else { Term::All(terms) })
    }

    fn compared(&mut self) -> Option<Term> {
        let left = self.one()?;
        let Some(sign) = self.sign().map(str::to_owned) else {
            // IS NOT NULL, LIKE, …
            let ends = |word: &str| word == "AND" || word == "OR";
            return match self.word() {
                Some(word) if !ends(&word) => None,
                _ => Some(left),
            };
        };
        if [")", "]", ","].contains(&sign.as_str()) {
            return Some(left);
        }
        self.at += 1;
        if self.word().as_deref() == Some("ANY") {
            self.at += 1;
        }
        let right = self.one()?;
        Some(Term::Compared(sign, Box::new(left), Box::new(right)))
    }

    /// One value, with the casts behind it.
    fn one(&mut self) -> Option<Term> {
        let term = self.bare()?;
        while self.takes("::") {
            self.cast()?;
        }
        Some(term)
    }

    fn bare(&mut self) -> Option<Term> {
        if self.takes("-") {
            return match self.bare()? {
                Term::Value(value) => Some(Term::Value(format!("-{value}"))),
                _ => None,
            };
        }
        if self.takes("(") {
            let inner = self.either()?;
            return self.takes(")").then_some(inner);
        }
        let piece = self.pieces.get(self.at)?.clone();
        self.at += 1;
        match piece {
            Piece::Text(text) | Piece::Number(text) => Some(Term::Value(text)),
            Piece::Name(name) => Some(Term::Column(name)),
            Piece::Word(word) if word.eq_ignore_ascii_case("array") => {
                let closes = if self.takes("[") { "]" } else { return None };
                self.list(closes).map(Term::List)
            }
            Piece::Word(word) if self.takes("(") => {
                let arguments = self.list(")")?;
                let is_length = ["length", "char_length", "character_length"].contains(&&*word);
                match arguments.as_slice() {
                    [Term::Column(column)] if is_length => Some(Term::Length(column.clone())),
                    _ => Some(Term::Other),
                }
            }
            Piece::Word(word) => {
                let keyword = ["NOT", "CASE", "TRUE", "FALSE", "NULL"];
                let is_keyword = keyword.contains(&word.to_ascii_uppercase().as_str());
                (!is_keyword).then_some(Term::Column(word))
            }
            Piece::Sign(_) => None,
        }
    }

    fn list(&mut self, closes: &str) -> Option<Vec<Term>> {
        let mut terms = Vec::new();
        if self.takes(closes) {
            return Some(terms);
        }
        loop {
            terms.push(self.either()?);
            if self.takes(closes) {
                return Some(terms);
            }
            if !self.takes(",") {
                return None;
            }
        }
    }

    /// `character varying(20)[]`, behind its `::`.
    fn cast(&mut self) -> Option<()> {
        let ends = ["AND", "OR", "IS", "NOT", "LIKE", "COLLATE"];
        let mut words = 0;
        while let Some(piece) = self.pieces.get(self.at) {
            let is_part = match piece {
                Piece::Word(word) => !ends.contains(&word.to_ascii_uppercase().as_str()),
                Piece::Name(_) => true,
                Piece::Sign(sign) => sign == ".",
                _ => false,
            };
            if !is_part {
                break;
            }
            words += 1;
            self.at += 1;
        }
        if self.takes("(") {
            self.list(")")?;
        }
        while self.takes("[") {
            if !self.takes("]") {
                return None;
            }
        }
        (words > 0).then_some(())
    }
}
