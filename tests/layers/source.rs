//! Rust text as tokens with line numbers: comments dropped, strings set aside.

/// One identifier or mark of the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// The line it stands in, from 1.
    pub(crate) line: usize,
    /// An identifier, `::`, or a single other character.
    pub(crate) text: String,
}

/// A source file, split.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// The code without comments and literals.
    pub(crate) tokens: Vec<Token>,
    /// Contents of string literals with the line each begins in.
    pub(crate) strings: Vec<(usize, String)>,
}

/// Whether a string literal reads like an SQL statement: we write the first
/// word of ours in capitals.
pub(crate) fn looks_like_sql(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    match words.as_slice() {
        ["SELECT" | "UPDATE" | "PRAGMA" | "WITH", _] => true,
        ["INSERT" | "REPLACE", "INTO" | "OR"] | ["DELETE", "FROM"] => true,
        ["BEGIN", "IMMEDIATE" | "EXCLUSIVE" | "DEFERRED"] => true,
        ["CREATE" | "DROP" | "ALTER", second] => {
            matches!(*second, "TABLE" | "INDEX" | "UNIQUE" | "VIEW" | "TRIGGER")
        }
        _ => false,
    }
}

impl Source {
    /// Splits a file. It need not compile; what is unclear becomes marks.
    pub(crate) fn parse(text: &str) -> Self {
        let mut reader = Reader {
            rest: text,
            line: 1,
            source: Self::default(),
        };
        while !reader.rest.is_empty() {
            reader.step();
        }
        reader.source
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
    source: Source,
}

impl<'a> Reader<'a> {
    fn step(&mut self) {
        let rest = self.rest;
        if rest.starts_with("//") {
            self.take(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.take(block_comment(rest));
        } else if let Some((length, content)) = string(rest) {
            self.source.strings.push((self.line, content.to_owned()));
            self.take(length);
        } else if let Some(length) = character(rest) {
            self.take(length);
        } else {
            let length = identifier(rest).or_else(|| rest.starts_with("::").then_some(2));
            let length = length.unwrap_or_else(|| rest.chars().next().map_or(1, char::len_utf8));
            let line = self.line;
            let text = self.take(length);
            if !text.trim().is_empty() {
                let text = text.strip_prefix("r#").unwrap_or(text).to_owned();
                self.source.tokens.push(Token { line, text });
            }
        }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }
}

/// Length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length and content of a string literal of any kind.
fn string(text: &str) -> Option<(usize, &str)> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        text.strip_prefix(*prefix)
            .is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let start = prefix.len() + hashes + 1;
    if prefix.ends_with('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        let length = text[start..].find(&end).unwrap_or(text.len() - start);
        let total = (start + length + end.len()).min(text.len());
        return Some((total, &text[start..start + length]));
    }
    if hashes > 0 {
        return None;
    }
    let mut escaped = false;
    for (at, mark) in text[start..].char_indices() {
        match mark {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some((start + at + 1, &text[start..start + at])),
            _ => {}
        }
    }
    Some((text.len(), &text[start..]))
}

/// Length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let mut marks = rest.char_indices();
    let (_, first) = marks.next()?;
    if first == '\\' {
        // The character after the backslash may itself be a quote.
        marks.next()?;
        return marks.find(|(_, mark)| *mark == '\'').map(|(at, _)| at + 2);
    }
    let (at, second) = marks.next()?;
    (second == '\'').then_some(at + 2)
}

/// Length of an identifier, raw ones included.
fn identifier(text: &str) -> Option<usize> {
    let start = if text.starts_with("r#") { 2 } else { 0 };
    let is_part = |mark: char| mark.is_alphanumeric() || mark == '_';
    let length = text[start..]
        .find(|mark| !is_part(mark))
        .unwrap_or(text.len() - start);
    (length > 0).then_some(start + length)
}
