//! As much of SQL's lexical rules as is needed to find `$1` and `;`, and no more.
//!
//! A statement is never rewritten: Postgres parses it. But what is certain to be wrong is said before a server is
//! started, and a `$1` inside a string, a comment or a function's body is not a placeholder.

/// What a piece of a statement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Keyword or unquoted identifier.
    Word,
    /// `"quoted identifier"`.
    Quoted,
    /// Any string constant, dollar-quoted ones included.
    Text,
    /// A number.
    Number,
    /// `$7`; its number, or none where it does not fit.
    Placeholder(Option<u32>),
    /// `;`
    Semicolon,
    /// `\` as the first character of a line: a command of psql, never SQL.
    Backslash,
    /// Any other character.
    Other,
}

/// A piece of a statement: bytes `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Token {
    /// Its text.
    pub(super) fn text<'t>(&self, sql: &'t str) -> &'t str {
        &sql[self.start..self.end]
    }

    /// Whether it is this keyword.
    pub(super) fn is(&self, sql: &str, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(keyword)
    }
}

/// The pieces of a text, and the first string or comment that does not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scan {
    pub(super) tokens: Vec<Token>,
    /// What is not ended ("string", …), and the byte where it starts.
    pub(super) open: Option<(&'static str, usize)>,
}

/// A statement between its placeholders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlPiece<'s> {
    /// Text as it stands, comments included.
    Text(&'s str),
    /// `$1` is 1. A number that is too large is 0, which nothing is bound to.
    Placeholder(usize),
}

/// A statement cut at its placeholders; what looks like one in a string or a comment is none.
pub fn sql_pieces(sql: &str) -> Vec<SqlPiece<'_>> {
    let mut pieces = Vec::new();
    let mut from = 0;
    for token in scan(sql).tokens {
        let Kind::Placeholder(number) = token.kind else { continue };
        pieces.push(SqlPiece::Text(&sql[from..token.start]));
        let number = number.and_then(|number| usize::try_from(number).ok());
        pieces.push(SqlPiece::Placeholder(number.unwrap_or(0)));
        from = token.end;
    }
    pieces.push(SqlPiece::Text(&sql[from..]));
    pieces
}

/// Splits a text into pieces; comments and white space are left out.
pub(super) fn scan(sql: &str) -> Scan {
    let mut scanner = Scanner { sql: sql.as_bytes(), at: 0, tokens: Vec::new(), open: None };
    while scanner.at < scanner.sql.len() {
        scanner.step();
    }
    Scan { tokens: scanner.tokens, open: scanner.open }
}

fn starts_word(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}

fn continues_word(b: u8) -> bool {
    starts_word(b) || b.is_ascii_digit()
}

struct Scanner<'t> {
    sql: &'t [u8],
    at: usize,
    tokens: Vec<Token>,
    open: Option<(&'static str, usize)>,
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.sql.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip_while(&mut self, mut ok: impl FnMut(u8) -> bool) {
        while self.at < self.sql.len() && ok(self.sql[self.at]) {
            self.at += 1;
        }
    }

    fn push(&mut self, kind: Kind, start: usize) {
        self.tokens.push(Token { kind, start, end: self.at });
    }

    fn step(&mut self) {
        let start = self.at;
        match self.peek(0) {
            b if b.is_ascii_whitespace() => self.at += 1,
            b'-' if self.peek(1) == b'-' => self.skip_while(|b| b != b'\n'),
            b'/' if self.peek(1) == b'*' => self.comment(),
            b'\'' => self.quoted(b'\'', false, "string", Kind::Text, start),
            b'"' => self.quoted(b'"', false, "quoted identifier", Kind::Quoted, start),
            b'$' => self.dollar(),
            b';' => self.single(Kind::Semicolon),
            b'\\' if self.at_line_start() => self.single(Kind::Backslash),
            b if starts_word(b) => {
                // An identifier may hold `$` after its first character: `a$1` is one name.
                self.skip_while(|b| continues_word(b) || b == b'$');
                let escapes = self.at - start == 1 && matches!(b, b'e' | b'E');
                if escapes && self.peek(0) == b'\'' {
                    self.quoted(b'\'', true, "string", Kind::Text, start);
                } else {
                    self.push(Kind::Word, start);
                }
            }
            b if b.is_ascii_digit() => {
                self.skip_while(|b| continues_word(b) || b == b'.');
                self.push(Kind::Number, start);
            }
            _ => self.single(Kind::Other),
        }
    }

    fn single(&mut self, kind: Kind) {
        let start = self.at;
        self.at += 1;
        self.push(kind, start);
    }

    fn at_line_start(&self) -> bool {
        let before = &self.sql[..self.at];
        let line = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        before[line..].iter().all(u8::is_ascii_whitespace)
    }

    /// Comments nest in Postgres.
    fn comment(&mut self) {
        let start = self.at;
        let mut depth = 0_u32;
        while self.at < self.sql.len() {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
        self.never_ends("comment", start);
    }

    fn quoted(&mut self, quote: u8, escapes: bool, name: &'static str, kind: Kind, start: usize) {
        self.at += 1;
        while self.at < self.sql.len() {
            let b = self.peek(0);
            if escapes && b == b'\\' {
                self.at += 2;
            } else if b != quote {
                self.at += 1;
            } else if self.peek(1) == quote {
                self.at += 2;
            } else {
                self.at += 1;
                return self.push(kind, start);
            }
        }
        self.never_ends(name, start);
    }

    /// `$1`, `$tag$ … $tag$`, or a lone `$`.
    fn dollar(&mut self) {
        let start = self.at;
        if self.peek(1).is_ascii_digit() {
            self.at += 1;
            self.skip_while(|b| b.is_ascii_digit());
            let digits = std::str::from_utf8(&self.sql[start + 1..self.at]).unwrap_or_default();
            return self.push(Kind::Placeholder(digits.parse().ok()), start);
        }
        self.at += 1;
        if starts_word(self.peek(0)) {
            self.skip_while(continues_word);
        }
        if self.peek(0) != b'$' {
            self.at = start;
            return self.single(Kind::Other);
        }
        self.at += 1;
        let tag = &self.sql[start..self.at];
        match self.sql[self.at..].windows(tag.len()).position(|w| w == tag) {
            Some(length) => {
                self.at += length + tag.len();
                self.push(Kind::Text, start);
            }
            None => self.never_ends("dollar-quoted string", start),
        }
    }

    fn never_ends(&mut self, name: &'static str, start: usize) {
        self.at = self.sql.len();
        self.open.get_or_insert((name, start));
    }
}

/// Why a text is not one statement.
pub(super) fn not_one_statement(sql: &str, scan: &Scan) -> Option<String> {
    if let Some((name, start)) = scan.open {
        let (line, column) = line_and_column(sql, start);
        return Some(format!(
            "the {name} that starts at its line {line}, column {column} never ends"
        ));
    }
    if sql.contains('\0') {
        return Some("it holds a NUL character".into());
    }
    let end = scan.tokens.iter().position(|t| t.kind == Kind::Semicolon);
    match (scan.tokens.first(), end) {
        (None, _) | (_, Some(0)) => Some("it is empty".into()),
        (_, Some(end)) if scan.tokens[end..].iter().any(|t| t.kind != Kind::Semicolon) => {
            Some("it is more than one statement".into())
        }
        _ => None,
    }
}

/// The numbers of the placeholders, in order of appearance; `None` where the number does not fit.
pub(super) fn placeholders(scan: &Scan) -> impl Iterator<Item = Option<u32>> {
    scan.tokens.iter().filter_map(|t| match t.kind {
        Kind::Placeholder(n) => Some(n),
        _ => None,
    })
}

/// The name that an identifier stands for: unquoted ones fold to lower case.
pub(super) fn identifier(sql: &str, token: &Token) -> Option<String> {
    let text = token.text(sql);
    match token.kind {
        Kind::Word => Some(text.to_ascii_lowercase()),
        Kind::Quoted => Some(text[1..text.len() - 1].replace("\"\"", "\"")),
        _ => None,
    }
}

/// Line and column, both from 1, the column in characters.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(sql: &str) -> Vec<Option<u32>> {
        placeholders(&scan(sql)).collect()
    }

    #[test]
    fn placeholders_are_found_where_postgres_finds_them() {
        let cases: [(&str, &[u32]); 14] = [
            ("SELECT $1, $2 , $1", &[1, 2, 1]),
            ("SELECT '$1' || $2", &[2]),
            ("SELECT 'it''s $1' || $2", &[2]),
            (r"SELECT E'it\'s $1' || $2", &[2]),
            (r"SELECT 'back\' || $1", &[1]),
            (r#"SELECT "a""$1" FROM t WHERE x = $3"#, &[3]),
            ("SELECT $$ $1 $$, $2", &[2]),
            ("SELECT $q$ $$ $1 $q1$ $q$, $2", &[2]),
            ("SELECT $1 -- $2\n, $3", &[1, 3]),
            ("SELECT $1 /* $2 /* $3 */ $4 */, $5", &[1, 5]),
            ("SELECT a$1, $2 FROM b", &[2]),
            ("SELECT $0", &[0]),
            ("SELECT té$1, $2", &[2]),
            ("SELECT (x->'$1')::text=$1::text", &[1]),
        ];
        for (sql, want) in cases {
            let want: Vec<_> = want.iter().map(|n| Some(*n)).collect();
            assert_eq!(numbers(sql), want, "{sql}");
        }
        assert_eq!(numbers("SELECT $99999999999"), [None]);
    }

    #[test]
    fn what_is_not_one_statement_is_said() {
        let why = |sql: &str| not_one_statement(sql, &scan(sql));
        for good in ["SELECT 1", "SELECT 1;", "SELECT ';' ; -- end\n", "SELECT $$;$$", "SELECT 1;;"]
        {
            assert_eq!(why(good), None, "{good}");
        }
        for (bad, says) in [
            ("SELECT 1; SELECT 2", "more than one"),
            ("SELECT 1;--\n/**/DROP TABLE t", "more than one"),
            ("", "empty"),
            (" -- nothing\n;", "empty"),
            ("SELECT 'a", "string that starts at its line 1, column 8"),
            ("SELECT\n  $a$ x", "line 2, column 3"),
            ("SELECT 1 /* /* */", "comment"),
            ("SELECT \"a", "quoted identifier"),
        ] {
            assert!(why(bad).is_some_and(|w| w.contains(says)), "{bad}: {:?}", why(bad));
        }
    }

    #[test]
    fn psql_commands_are_told_from_escapes_and_literals() {
        let has = |sql: &str| scan(sql).tokens.iter().any(|t| t.kind == Kind::Backslash);
        assert!(has("SELECT 1;\n  \\! rm -rf x"));
        assert!(has("\\connect other"));
        assert!(!has("SELECT '\n\\! x'"));
        assert!(!has("-- \\c\nSELECT $$\n\\c\n$$"));
    }

    proptest! {
        #[test]
        fn any_text_at_all_is_scanned_into_pieces_in_order(sql in any::<String>()) {
            let mut end = 0;
            for t in scan(&sql).tokens {
                prop_assert!(t.start >= end && t.end > t.start && t.end <= sql.len());
                end = t.end;
                prop_assert!(sql.is_char_boundary(t.start) || t.kind == Kind::Other);
            }
        }

        #[test]
        fn a_literal_hides_whatever_it_holds(inside in "[^']*", tail in 1_u32..100) {
            let sql = format!("SELECT '{inside}' || ${tail}");
            prop_assert_eq!(numbers(&sql), vec![Some(tail)]);
        }
    }
}
