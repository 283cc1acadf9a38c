//! The syntax of path patterns, as path-to-regexp 6 and so Next.js read it: plain text, `:name`, `(regex)`, `{group}`, each
//! with a modifier.

use std::fmt;

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Text that stands for itself.
    Text(String),
    /// `{text}` with a modifier, without a parameter in it.
    Group(String, Modifier),
    /// A parameter.
    Param(Param),
}

/// A part of a path that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Param {
    /// Its name; an unnamed one is called by its number, from 0.
    pub(super) name: String,
    /// What stands before it, and comes and goes with it.
    pub(super) prefix: String,
    /// What stands behind it, and comes and goes with it.
    pub(super) suffix: String,
    /// Its regular expression.
    pub(super) regex: String,
    /// How often it may be there.
    pub(super) modifier: Modifier,
    /// Where it is in the pattern, in characters from 0.
    pub(super) at: usize,
}

/// How often something may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modifier {
    /// Once.
    Once,
    /// `?`: once or not at all.
    Optional,
    /// `*`: any number of times.
    Any,
    /// `+`: once or more often.
    Many,
}

impl Modifier {
    fn of(letter: char) -> Modifier {
        match letter {
            '?' => Modifier::Optional,
            '*' => Modifier::Any,
            '+' => Modifier::Many,
            _ => Modifier::Once,
        }
    }

    /// Whether it may be missing.
    pub(super) fn may_be_missing(self) -> bool {
        matches!(self, Modifier::Optional | Modifier::Any)
    }

    /// Whether there may be several.
    pub(super) fn repeats(self) -> bool {
        matches!(self, Modifier::Any | Modifier::Many)
    }

    /// As a regular expression has it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Modifier::Once => "",
            Modifier::Optional => "?",
            Modifier::Any => "*",
            Modifier::Many => "+",
        }
    }
}

/// Why a text is not a pattern, and where. It prints as what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{expected}{}", Place(self))]
pub struct PatternError {
    expected: String,
    /// In characters from 0, where one place is to blame.
    at: Option<usize>,
    /// The pattern from there on.
    rest: String,
}

impl PatternError {
    /// A problem at a character of `pattern`, counted from 0.
    pub(super) fn at(pattern: &str, at: usize, expected: impl Into<String>) -> PatternError {
        let rest: String = pattern.chars().skip(at).collect();
        PatternError { expected: expected.into(), at: Some(at), rest }
    }

    /// A problem of a pattern as a whole.
    pub(super) fn whole(expected: impl Into<String>) -> PatternError {
        PatternError { expected: expected.into(), at: None, rest: String::new() }
    }
}

/// Where the problem is, behind what is expected.
struct Place<'a>(&'a PatternError);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        let Some(at) = self.0.at else { return Ok(()) };
        if self.0.rest.is_empty() {
            return write!(f, ", at its end");
        }
        let shown: String = self.0.rest.chars().take(SHOWN).collect();
        let cut = if shown.len() < self.0.rest.len() { "..." } else { "" };
        write!(f, ", at character {} (`{}{cut}`)", at + 1, shown.escape_debug())
    }
}

/// Reads a pattern.
///
/// # Errors
///
/// What is wrong with it, and where.
pub(super) fn parse(pattern: &str) -> Result<Vec<Token>, PatternError> {
    let mut parser =
        Parser { pattern, lexemes: lex(pattern)?, next: 0, tokens: Vec::new(), text: String::new(), unnamed: 0 };
    while parser.next < parser.lexemes.len() {
        parser.piece()?;
    }
    parser.end_text();
    Ok(parser.tokens)
}

/// The smallest parts of a pattern, with their places.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Lexeme {
    Char(char),
    Escaped(char),
    Name(String),
    Regex(String),
    Modifier(char),
    Open,
    Close,
}

fn lex(pattern: &str) -> Result<Vec<(usize, Lexeme)>, PatternError> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut lexemes = Vec::with_capacity(letters.len());
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        let start = at;
        at += 1;
        let lexeme = match letter {
            '*' | '+' | '?' => Lexeme::Modifier(letter),
            '{' => Lexeme::Open,
            '}' => Lexeme::Close,
            '\\' => match letters.get(at) {
                Some(&escaped) => {
                    at += 1;
                    Lexeme::Escaped(escaped)
                }
                None => return Err(PatternError::at(pattern, start, "a character behind the backslash")),
            },
            ':' => {
                let name: String = letters[at..].iter().take_while(|letter| is_word(**letter)).collect();
                if name.is_empty() {
                    let expected = "a name of letters, digits and `_` behind the colon (`\\:` is a plain one)";
                    return Err(PatternError::at(pattern, start, expected));
                }
                at += name.len();
                Lexeme::Name(name)
            }
            '(' => {
                let regex = regex(pattern, &letters, start)?;
                at += regex.chars().count() + 1;
                Lexeme::Regex(regex)
            }
            letter => Lexeme::Char(letter),
        };
        lexemes.push((start, lexeme));
    }
    Ok(lexemes)
}

/// The regular expression between the parenthesis at `start` and its partner.
fn regex(pattern: &str, letters: &[char], start: usize) -> Result<String, PatternError> {
    let refuse = |at, expected: &str| Err(PatternError::at(pattern, at, expected));
    let mut depth = 1;
    let mut inner = String::new();
    let mut at = start + 1;
    if letters.get(at) == Some(&'?') {
        return refuse(
            at,
            "a group that does not begin with `?`: look-ahead stands in a group of its own (`((?!api).*)`)",
        );
    }
    while let Some(&letter) = letters.get(at) {
        match letter {
            '\\' => {
                inner.push(letter);
                at += 1;
            }
            ')' if depth == 1 => {
                return if inner.is_empty() {
                    refuse(start, "a regular expression between the parentheses")
                } else {
                    Ok(inner)
                };
            }
            ')' => depth -= 1,
            '(' => {
                depth += 1;
                let behind: String = letters[at + 1..].iter().take(3).collect();
                let names = behind.starts_with("?<") && !behind.starts_with("?<=") && !behind.starts_with("?<!");
                if !behind.starts_with('?') || names {
                    return refuse(at, "no capturing group in a group: `(?:...)`");
                }
            }
            _ => {}
        }
        inner.extend(letters.get(at));
        at += 1;
    }
    refuse(start, "a closing parenthesis for this one")
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

struct Parser<'p> {
    pattern: &'p str,
    lexemes: Vec<(usize, Lexeme)>,
    next: usize,
    tokens: Vec<Token>,
    /// Text that is not a token yet.
    text: String,
    /// How many parameters had no name.
    unnamed: usize,
}

impl Parser<'_> {
    /// Reads the next piece.
    fn piece(&mut self) -> Result<(), PatternError> {
        let at = self.place();
        let letter = self.take(|lexeme| if let Lexeme::Char(letter) = lexeme { Some(*letter) } else { None });
        let behind = self.place();
        if let Some((name, regex)) = self.named_or_regex() {
            let mut prefix = letter.map(String::from).unwrap_or_default();
            // What no parameter can take with it is text.
            if !prefix.is_empty() && prefix != "." && prefix != "/" {
                self.text.push_str(&std::mem::take(&mut prefix));
            }
            self.end_text();
            let at = if prefix.is_empty() { behind } else { at };
            return self.param(name, (prefix, String::new()), regex, at);
        }
        if let Some(letter) = letter.or_else(|| self.escaped()) {
            self.text.push(letter);
            return Ok(());
        }
        self.end_text();
        if self.take(|lexeme| (*lexeme == Lexeme::Open).then_some(())).is_some() {
            let prefix = self.plain();
            let inner = self.named_or_regex();
            let suffix = self.plain();
            if self.take(|lexeme| (*lexeme == Lexeme::Close).then_some(())).is_none() {
                return Err(self.refuse("`}` for the group, which holds text and at most one parameter"));
            }
            return match inner {
                Some((name, regex)) => self.param(name, (prefix, suffix), regex, at),
                None => {
                    let modifier = self.modifier();
                    self.tokens.push(Token::Group(prefix + &suffix, modifier));
                    Ok(())
                }
            };
        }
        Err(self.refuse("a modifier only behind a parameter or a group (`\\` makes a plain character of it)"))
    }

    fn param(
        &mut self,
        name: Option<String>,
        (prefix, suffix): (String, String),
        regex: Option<String>,
        at: usize,
    ) -> Result<(), PatternError> {
        let regex = match regex {
            Some(regex) => regex,
            None => self.ordinary(&prefix, at)?,
        };
        let name = name.unwrap_or_else(|| {
            self.unnamed += 1;
            (self.unnamed - 1).to_string()
        });
        let modifier = self.modifier();
        self.tokens.push(Token::Param(Param { name, prefix, suffix, regex, modifier, at }));
        Ok(())
    }

    /// What a parameter without a regular expression stands for: a part of one segment. It does not hold the text before it,
    /// or there would be many ways to cut a path into parameters.
    fn ordinary(&self, prefix: &str, at: usize) -> Result<String, PatternError> {
        let before = match (prefix, self.tokens.last()) {
            ("", Some(Token::Text(text))) => text.as_str(),
            ("", Some(Token::Param(_) | Token::Group(..))) => {
                return Err(PatternError::at(self.pattern, at, "text between two parameters"));
            }
            ("", None) => "",
            (prefix, _) => prefix,
        };
        let mut letters = before.chars();
        Ok(match (letters.next(), letters.next()) {
            (None, _) => "[^/]+?".to_owned(),
            _ if before.contains('/') => "[^/]+?".to_owned(),
            (Some(_), None) => format!("[^/{}]+?", regex::escape(before)),
            (Some(_), Some(_)) => format!("(?:(?!{})[^/])+?", regex::escape(before)),
        })
    }

    fn named_or_regex(&mut self) -> Option<(Option<String>, Option<String>)> {
        let name = self.take(|lexeme| if let Lexeme::Name(name) = lexeme { Some(name.clone()) } else { None });
        let regex = self.take(|lexeme| if let Lexeme::Regex(regex) = lexeme { Some(regex.clone()) } else { None });
        (name.is_some() || regex.is_some()).then_some((name, regex))
    }

    fn modifier(&mut self) -> Modifier {
        let letter = self.take(|lexeme| if let Lexeme::Modifier(letter) = lexeme { Some(*letter) } else { None });
        letter.map_or(Modifier::Once, Modifier::of)
    }

    /// Text inside a group.
    fn plain(&mut self) -> String {
        let mut text = String::new();
        while let Some(letter) = self.take(|lexeme| match lexeme {
            Lexeme::Char(letter) | Lexeme::Escaped(letter) => Some(*letter),
            Lexeme::Name(_) | Lexeme::Regex(_) | Lexeme::Modifier(_) | Lexeme::Open | Lexeme::Close => None,
        }) {
            text.push(letter);
        }
        text
    }

    fn escaped(&mut self) -> Option<char> {
        self.take(|lexeme| if let Lexeme::Escaped(letter) = lexeme { Some(*letter) } else { None })
    }

    fn take<T>(&mut self, wanted: impl FnOnce(&Lexeme) -> Option<T>) -> Option<T> {
        let taken = wanted(&self.lexemes.get(self.next)?.1);
        self.next += usize::from(taken.is_some());
        taken
    }

    fn end_text(&mut self) {
        if !self.text.is_empty() {
            self.tokens.push(Token::Text(std::mem::take(&mut self.text)));
        }
    }

    /// Where the next lexeme is.
    fn place(&self) -> usize {
        self.lexemes.get(self.next).map_or_else(|| self.pattern.chars().count(), |(at, _)| *at)
    }

    fn refuse(&self, expected: &str) -> PatternError {
        PatternError::at(self.pattern, self.place(), expected)
    }
}
