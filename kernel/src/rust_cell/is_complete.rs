//! Whether a Rust cell could be run as it stands: a scan of brackets, strings and comments. Names
//! and types are the compiler's business.

/// The answer to Jupyter's `is_complete_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Every bracket, string and comment is closed.
    Complete,
    /// Something is still open, or the last line asks for another.
    Incomplete,
    /// No further line can make it right.
    Invalid,
}

/// Scan a cell.
pub fn is_complete(code: &str) -> Completeness {
    let mut scanner = Scanner { chars: code.chars().collect(), position: 0 };
    let mut open = Vec::new();
    let mut last = None;
    let mut words: Vec<String> = Vec::new();
    loop {
        match scanner.next_token() {
            Token::End => break,
            Token::Unclosed => return Completeness::Incomplete,
            Token::Invalid => return Completeness::Invalid,
            Token::Open(bracket) => open.push(closing(bracket)),
            Token::Close(bracket) => {
                if open.pop() != Some(bracket) {
                    return Completeness::Invalid;
                }
            }
            Token::Word(word) => {
                if let Some(previous) = words.last()
                    && last == Some(Last::Word)
                    && never_adjacent(previous, &word)
                {
                    return Completeness::Invalid;
                }
                words.push(word);
                last = Some(Last::Word);
                continue;
            }
            Token::Literal => {}
            Token::Other(character) => {
                last = Some(Last::Other(character));
                continue;
            }
        }
        last = Some(Last::Bracket);
    }
    let wants_more = match last {
        Some(Last::Other(character)) => {
            matches!(character, '=' | '+' | '-' | '*' | '/' | '&' | '|' | '.' | ',' | ':' | '<')
        }
        Some(Last::Word) => words.last().is_some_and(|word| NEEDS_MORE.contains(&word.as_str())),
        Some(Last::Bracket) | None => false,
    };
    match open.is_empty() && !wants_more {
        true => Completeness::Complete,
        false => Completeness::Incomplete,
    }
}

#[derive(PartialEq, Eq)]
enum Last {
    Word,
    Bracket,
    Other(char),
}

/// Keywords that no cell ends with.
const NEEDS_MORE: [&str; 22] = [
    "fn", "let", "mut", "struct", "enum", "trait", "impl", "mod", "use", "pub", "const", "static", "if", "else",
    "match", "while", "for", "in", "where", "unsafe", "async", "move",
];

/// Keywords that name something must not be followed by a keyword that starts something.
fn never_adjacent(previous: &str, word: &str) -> bool {
    const NAMES: [&str; 6] = ["fn", "struct", "enum", "trait", "mod", "let"];
    const STARTS: [&str; 14] = [
        "fn", "let", "struct", "enum", "trait", "impl", "mod", "use", "pub", "static", "while", "for", "match", "else",
    ];
    NAMES.contains(&previous) && STARTS.contains(&word)
}

fn closing(bracket: char) -> char {
    match bracket {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

enum Token {
    End,
    Unclosed,
    Invalid,
    Open(char),
    Close(char),
    Word(String),
    Literal,
    Other(char),
}

struct Scanner {
    chars: Vec<char>,
    position: usize,
}

impl Scanner {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.position + ahead).copied()
    }

    fn next_token(&mut self) -> Token {
        loop {
            let Some(character) = self.peek(0) else { return Token::End };
            match character {
                _ if character.is_whitespace() => self.position += 1,
                '/' if self.peek(1) == Some('/') => self.skip_line(),
                '/' if self.peek(1) == Some('*') => {
                    if !self.skip_block_comment() {
                        return Token::Unclosed;
                    }
                }
                '"' => return self.string(),
                '\'' => return self.quote(),
                '(' | '[' | '{' => {
                    self.position += 1;
                    return Token::Open(character);
                }
                ')' | ']' | '}' => {
                    self.position += 1;
                    return Token::Close(character);
                }
                _ if character == '_' || character.is_alphanumeric() => return self.word(),
                _ => {
                    self.position += 1;
                    return Token::Other(character);
                }
            }
        }
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|character| character != '\n') {
            self.position += 1;
        }
    }

    /// Block comments nest. False: not closed.
    fn skip_block_comment(&mut self) -> bool {
        let mut depth = 0;
        while let Some(character) = self.peek(0) {
            match (character, self.peek(1)) {
                ('/', Some('*')) => {
                    depth += 1;
                    self.position += 2;
                }
                ('*', Some('/')) => {
                    depth -= 1;
                    self.position += 2;
                    if depth == 0 {
                        return true;
                    }
                }
                _ => self.position += 1,
            }
        }
        false
    }

    /// At the opening quote of a string with escapes.
    fn string(&mut self) -> Token {
        self.position += 1;
        while let Some(character) = self.peek(0) {
            match character {
                '\\' => self.position += 2,
                '"' => {
                    self.position += 1;
                    return Token::Literal;
                }
                _ => self.position += 1,
            }
        }
        Token::Unclosed
    }

    /// A character, or a lifetime.
    fn quote(&mut self) -> Token {
        if self.peek(1) == Some('\\') {
            self.position += 3;
            while let Some(character) = self.peek(0) {
                self.position += 1;
                match character {
                    '\'' => return Token::Literal,
                    '\n' => return Token::Invalid,
                    _ => {}
                }
            }
            return Token::Invalid;
        }
        if self.peek(2) == Some('\'') && self.peek(1) != Some('\'') {
            self.position += 3;
            return Token::Literal;
        }
        self.position += 1;
        while self.peek(0).is_some_and(|character| character == '_' || character.is_alphanumeric()) {
            self.position += 1;
        }
        Token::Literal
    }

    /// A name or number, or the prefix of a raw, byte or C string.
    fn word(&mut self) -> Token {
        let start = self.position;
        while self.peek(0).is_some_and(|character| character == '_' || character.is_alphanumeric()) {
            self.position += 1;
        }
        let word: String = self.chars[start..self.position].iter().collect();
        match (word.as_str(), self.peek(0)) {
            ("r" | "br" | "cr", Some('"' | '#')) if self.raw_string_follows() => self.raw_string(),
            ("b" | "c", Some('"')) => self.string(),
            ("b", Some('\'')) => self.quote(),
            _ => Token::Word(word),
        }
    }

    /// `r#type` is a name, `r#"` and `r"` are not.
    fn raw_string_follows(&self) -> bool {
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        self.peek(hashes) == Some('"')
    }

    fn raw_string(&mut self) -> Token {
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        self.position += hashes + 1;
        while let Some(character) = self.peek(0) {
            self.position += 1;
            if character == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.position += hashes;
                return Token::Literal;
            }
        }
        Token::Unclosed
    }
}

#[cfg(test)]
mod tests;
