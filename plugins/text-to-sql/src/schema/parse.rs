//! Reads the text of a CREATE TABLE statement as `sqlite_schema` keeps it. Whatever is not
//! understood (checks, collations, generated columns) is stepped over: the grammar needs names,
//! types and keys only.

use super::{Affinity, Column, Table};

/// A foreign key by name, resolved once all tables are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedReference {
    /// Index of the referring column.
    pub column: usize,
    /// Parent table.
    pub parent: String,
    /// Parent column; none means its primary key.
    pub parent_column: Option<String>,
}

/// A word, a quoted name, a literal or one punctuation character.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Mark(char),
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Token::Word(text) if text.eq_ignore_ascii_case(word))
    }
    fn name(&self) -> Option<&str> {
        match self {
            Token::Word(text) | Token::Quoted(text) => Some(text),
            Token::Mark(_) => None,
        }
    }
}

/// The table and its foreign keys, or none if `sql` is not a plain CREATE TABLE (a view, a virtual table).
#[must_use]
pub fn parse_create_table(sql: &str) -> Option<(Table, Vec<NamedReference>)> {
    let tokens = tokenize(sql);
    let open = tokens.iter().position(|token| *token == Token::Mark('('))?;
    let head = &tokens[..open];
    if !head.first()?.is("create")
        || !head.iter().any(|token| token.is("table"))
        || head.iter().any(|token| token.is("virtual"))
    {
        return None;
    }
    let mut table = Table { name: head.last()?.name()?.to_owned(), columns: Vec::new(), primary_key: None };
    let mut references = Vec::new();
    for part in split_parts(&tokens[open + 1..]) {
        read_part(&part, &mut table, &mut references);
    }
    (!table.columns.is_empty()).then_some((table, references))
}

fn read_part(part: &[Token], table: &mut Table, references: &mut Vec<NamedReference>) {
    let Some(first) = part.first() else { return };
    let constraint = ["primary", "foreign", "unique", "check", "constraint"].iter().any(|word| first.is(word));
    if constraint {
        return read_constraint(part, table, references);
    }
    let Some(name) = first.name() else { return };
    let column = table.columns.len();
    let find = |word: &str| part.iter().position(|token| token.is(word));
    let end = [
        "primary",
        "not",
        "null",
        "references",
        "default",
        "unique",
        "check",
        "collate",
        "constraint",
        "generated",
        "as",
    ]
    .iter()
    .filter_map(|word| find(word).filter(|at| *at > 0))
    .min()
    .unwrap_or(part.len());
    let declared: String = part[1..end].iter().filter_map(Token::name).collect::<Vec<_>>().join(" ");
    let primary = find("primary").is_some();
    if primary {
        table.primary_key = Some(column);
    }
    let not_null = part.windows(2).any(|pair| pair[0].is("not") && pair[1].is("null"));
    if let Some(at) = find("references") {
        references.extend(read_references(&part[at..], &[column]));
    }
    table.columns.push(Column {
        name: name.to_owned(),
        affinity: affinity(&declared),
        nullable: !primary && !not_null,
        references: None,
        samples: Vec::new(),
        more_values: false,
    });
}

fn read_constraint(part: &[Token], table: &mut Table, references: &mut Vec<NamedReference>) {
    let names = first_parenthesis(part);
    let columns: Vec<usize> = names.iter().filter_map(|name| table.column(name)).collect();
    if part.iter().any(|token| token.is("primary")) && columns.len() == 1 {
        table.primary_key = columns.first().copied();
    }
    if part.iter().any(|token| token.is("foreign"))
        && let Some(at) = part.iter().position(|token| token.is("references"))
    {
        references.extend(read_references(&part[at..], &columns));
    }
}

/// `references parent(column)`; a key over several columns cannot be joined on one and is left out.
fn read_references(part: &[Token], columns: &[usize]) -> Option<NamedReference> {
    let [column] = columns else { return None };
    let parent = part.get(1)?.name()?.to_owned();
    let open = part.get(2) == Some(&Token::Mark('('));
    let parent_column = if open { first_parenthesis(&part[2..]).into_iter().next() } else { None };
    Some(NamedReference { column: *column, parent, parent_column })
}

fn first_parenthesis(part: &[Token]) -> Vec<String> {
    part.iter()
        .skip_while(|token| **token != Token::Mark('('))
        .take_while(|token| **token != Token::Mark(')'))
        .filter_map(|token| token.name().map(str::to_owned))
        .collect()
}

/// Splits the body at its top-level commas, up to its closing parenthesis.
fn split_parts(tokens: &[Token]) -> Vec<Vec<Token>> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0;
    for token in tokens {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') if depth == 0 => break,
            Token::Mark(')') => depth -= 1,
            Token::Mark(',') if depth == 0 => {
                parts.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(token.clone());
        }
    }
    parts
}

/// SQLite's rules of section 3.1, "Determination Of Column Affinity", in their order.
fn affinity(declared: &str) -> Affinity {
    let upper = declared.to_ascii_uppercase();
    let has = |part: &str| upper.contains(part);
    if has("INT") || has("BOOL") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") || has("DATE") || has("TIME") || upper.is_empty() {
        // DATE and DATETIME have numeric affinity, but their values are text almost everywhere.
        Affinity::Text
    } else {
        Affinity::Real
    }
}

fn tokenize(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(&first) = chars.peek() {
        if first.is_whitespace() {
            chars.next();
        } else if first.is_alphanumeric() || first == '_' {
            let mut word = String::new();
            while let Some(next) = chars.next_if(|next| next.is_alphanumeric() || matches!(next, '_' | '$')) {
                word.push(next);
            }
            tokens.push(Token::Word(word));
        } else if matches!(first, '"' | '`' | '[' | '\'') {
            chars.next();
            tokens.push(Token::Quoted(quoted(&mut chars, if first == '[' { ']' } else { first })));
        } else {
            chars.next();
            match (first, chars.peek()) {
                ('-', Some('-')) => while chars.next().is_some_and(|next| next != '\n') {},
                ('/', Some('*')) => skip_comment(&mut chars),
                _ => tokens.push(Token::Mark(first)),
            }
        }
    }
    tokens
}

fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, close: char) -> String {
    let mut text = String::new();
    while let Some(next) = chars.next() {
        if next == close && (close == ']' || chars.next_if_eq(&close).is_none()) {
            break;
        }
        text.push(next);
    }
    text
}

fn skip_comment(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut previous = ' ';
    chars.next();
    for next in chars.by_ref() {
        if previous == '*' && next == '/' {
            return;
        }
        previous = next;
    }
}
