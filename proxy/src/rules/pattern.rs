//! Path patterns at work: compiled once, tried on every request.

use super::captured::{Captured, Value};
use super::dialect::{closes_its_classes, leading_looks};
use super::effort::Effort;
use super::engine::{Case, Engine, Undecided};
use super::index::{fold, folded};
use super::path_form::matchable;
use super::syntax::{Modifier, Param, PatternError, Token, parse};

/// Most characters of a pattern, as in Next.js.
pub const LONGEST_PATTERN: usize = 4096;

/// A path pattern.
#[derive(Clone, Debug)]
pub struct PathPattern {
    source: String,
    case: Case,
    /// What every path that matches begins with.
    prefix: String,
    /// The longest text that every path which matches holds behind the prefix.
    inner_text: String,
    engine: Option<Engine>,
    params: Vec<Param>,
}

impl PartialEq for PathPattern {
    /// What is written alike means the same.
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.case) == (&other.source, other.case)
    }
}

impl PathPattern {
    /// Compiles a pattern. It matches whole paths, whose trailing slash does not matter.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where.
    pub fn compile(source: &str, case: Case) -> Result<PathPattern, PatternError> {
        if source.chars().count() > LONGEST_PATTERN {
            return Err(PatternError::whole(format!("a pattern of at most {LONGEST_PATTERN} characters")));
        }
        if !source.starts_with('/') {
            return Err(PatternError::at(source, 0, "a pattern that begins with `/`"));
        }
        let mut tokens = parse(source)?;
        normalize(&mut tokens);
        for param in params(&tokens) {
            check(source, param)?;
        }
        let params: Vec<Param> = params(&tokens).cloned().collect();
        check_names(source, &params)?;
        let prefix = take_prefix(&mut tokens, case);
        let inner_text = inner_text(&tokens, case);
        let engine = if tokens.is_empty() {
            None
        } else {
            let engine = compile(&tokens, case);
            Some(engine.map_err(|problem| blame(source, &params, case, &problem))?)
        };
        Ok(PathPattern { source: source.to_owned(), case, prefix, inner_text, engine, params })
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it tells letters of either case apart.
    pub(super) fn case(&self) -> Case {
        self.case
    }

    /// What every path that matches begins with, as [`folded`] where case does not count.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A text that every path which matches holds behind the prefix, as [`folded`] where case does not count; empty when there
    /// is none.
    pub(super) fn inner_text(&self) -> &str {
        &self.inner_text
    }

    /// The names of its parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.params.iter().map(|param| param.name.as_str())
    }

    /// What the parameters stand for, if `path` matches. It is in the form that patterns see.
    pub(super) fn captures(&self, path: &str, effort: &Effort) -> Result<Option<Captured>, Undecided> {
        let Some(rest) = self.behind_prefix(path) else { return Ok(None) };
        let Some(engine) = &self.engine else {
            // The root is also called by the name of its page.
            let root = self.prefix.is_empty() && rest == "/index";
            return Ok((rest.is_empty() || rest == "/" || root).then(Captured::default));
        };
        // What takes its time is not begun where the index would not have found it either.
        if engine.backtracks() && !self.holds_inner_text(rest) {
            return Ok(None);
        }
        let Some(groups) = engine.groups(rest, effort)? else { return Ok(None) };
        let mut captured = Captured::default();
        for (param, text) in self.params.iter().zip(groups.into_iter().skip(1)) {
            if let Some(text) = text {
                let separator =
                    if param.modifier.repeats() { format!("{}{}", param.suffix, param.prefix) } else { String::new() };
                captured.insert(&param.name, Value::Path { text: text.to_owned(), separator });
            }
        }
        Ok(Some(captured))
    }

    fn holds_inner_text(&self, rest: &str) -> bool {
        match self.case {
            Case::Sensitive => rest.contains(&self.inner_text),
            Case::Insensitive => folded(rest).contains(&self.inner_text),
        }
    }

    /// What of a path stands behind the text that every matching path begins with: a cheap test that most paths fail.
    fn behind_prefix<'p>(&self, path: &'p str) -> Option<&'p str> {
        match self.case {
            Case::Sensitive => path.strip_prefix(self.prefix.as_str()),
            Case::Insensitive => {
                let mut letters = path.chars();
                let begins =
                    self.prefix.chars().all(|wanted| letters.next().is_some_and(|found| fold(found) == fold(wanted)));
                begins.then_some(letters.as_str())
            }
        }
    }
}

/// Brings the text of a pattern into the form of paths, and takes off a trailing slash, which does not matter.
fn normalize(tokens: &mut Vec<Token>) {
    for token in tokens.iter_mut() {
        match token {
            Token::Text(text) | Token::Group(text, _) => *text = as_in_paths(text),
            Token::Param(param) => {
                param.prefix = as_in_paths(&param.prefix);
                param.suffix = as_in_paths(&param.suffix);
            }
        }
    }
    if let Some(Token::Text(text)) = tokens.last_mut() {
        if text.ends_with('/') {
            text.pop();
        }
        if text.is_empty() {
            tokens.pop();
        }
    }
}

/// A percent sign that encodes nothing is one that paths have encoded.
fn as_in_paths(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, letter) in text.char_indices() {
        let pair = text.as_bytes().get(at + 1..at + 3).unwrap_or_default();
        let encodes = pair.len() == 2 && pair.iter().all(u8::is_ascii_hexdigit);
        match letter {
            '%' if !encodes => escaped.push_str("%25"),
            letter => escaped.push(letter),
        }
    }
    matchable(&escaped).into_owned()
}

/// Takes off the text that comes first, whatever the parameters stand for. Outside ASCII letters may fold to others of another
/// length, so such text stays where case does not count.
fn take_prefix(tokens: &mut Vec<Token>, case: Case) -> String {
    let comparable = |text: &str| case == Case::Sensitive || text.is_ascii();
    let mut prefix = String::new();
    if let Some(Token::Text(text)) = tokens.first() {
        if !comparable(text) {
            return prefix;
        }
        prefix.push_str(text);
        tokens.remove(0);
    }
    if let Some(Token::Param(param)) = tokens.first_mut()
        && param.modifier == Modifier::Once
        && comparable(&param.prefix)
    {
        prefix.push_str(&std::mem::take(&mut param.prefix));
    }
    match case {
        Case::Sensitive => prefix,
        Case::Insensitive => folded(&prefix).into_owned(),
    }
}

/// The longest text that has to be there, whatever the parameters stand for and whichever of them are missing.
fn inner_text(tokens: &[Token], case: Case) -> String {
    // A class that is left open takes the text behind it for its own.
    if params(tokens).any(|param| !closes_its_classes(&param.regex)) {
        return String::new();
    }
    let mut texts = vec![String::new()];
    let mut push = |text: &str, then: &[&str]| {
        if let Some(last) = texts.last_mut() {
            last.push_str(text);
        }
        texts.extend(then.iter().map(|text| (*text).to_owned()));
    };
    for token in tokens {
        match token {
            Token::Text(text) | Token::Group(text, Modifier::Once) => push(text, &[]),
            Token::Group(text, Modifier::Many) => push(text, &[""]),
            Token::Group(_, Modifier::Optional | Modifier::Any) => push("", &[""]),
            Token::Param(param) => match param.modifier {
                Modifier::Once | Modifier::Many => push(&param.prefix, &[&param.suffix]),
                Modifier::Optional | Modifier::Any => push("", &[""]),
            },
        }
    }
    match case {
        Case::Sensitive => longest(texts.iter().map(String::as_str)).to_owned(),
        // Letters outside ASCII have several forms.
        Case::Insensitive => {
            let texts = texts.iter().flat_map(|text| text.split(|letter: char| !letter.is_ascii()));
            folded(longest(texts)).into_owned()
        }
    }
}

fn longest<'t>(texts: impl Iterator<Item = &'t str>) -> &'t str {
    texts.max_by_key(|text| text.len()).unwrap_or_default()
}

/// Compiles what stands behind the prefix. What the first parameter looks for ahead of it is looked for at a known place.
fn compile(tokens: &[Token], case: Case) -> Result<Engine, String> {
    let whole = tokens.iter().map(expression).collect::<String>() + "/?";
    if let [Token::Param(first), rest @ ..] = tokens
        && first.modifier == Modifier::Once
        && first.prefix.is_empty()
    {
        let (looks, behind) = leading_looks(&first.regex);
        let first = Token::Param(Param { regex: behind.to_owned(), ..first.clone() });
        let behind = [first].iter().chain(rest).map(expression).collect::<String>() + "/?";
        return Engine::looking_ahead(&looks, &behind, &whole, case);
    }
    Engine::looking_ahead(&[], &whole, &whole, case)
}

fn expression(token: &Token) -> String {
    match token {
        Token::Text(text) => regex::escape(text),
        Token::Group(text, modifier) => format!("(?:{}){}", regex::escape(text), modifier.as_str()),
        Token::Param(Param { prefix, suffix, regex, modifier, .. }) => {
            let (before, behind) = (regex::escape(prefix), regex::escape(suffix));
            match modifier {
                Modifier::Any | Modifier::Many => {
                    let end = if *modifier == Modifier::Any { "?" } else { "" };
                    let more = format!("(?:{behind}{before}(?:{regex}))*");
                    format!("(?:{before}((?:{regex}){more}){behind}){end}")
                }
                Modifier::Once | Modifier::Optional => {
                    format!("(?:{before}({regex}){behind}){}", modifier.as_str())
                }
            }
        }
    }
}

fn params(tokens: &[Token]) -> impl Iterator<Item = &Param> {
    tokens.iter().filter_map(|token| match token {
        Token::Param(param) => Some(param),
        Token::Text(_) | Token::Group(..) => None,
    })
}

fn check(source: &str, param: &Param) -> Result<(), PatternError> {
    if param.modifier.repeats() && param.prefix.is_empty() && param.suffix.is_empty() {
        let expected = "`/` or `.` before a parameter that is repeated, or a group around it (`{-:name}*`)";
        return Err(PatternError::at(source, param.at, expected));
    }
    Ok(())
}

fn check_names(source: &str, params: &[Param]) -> Result<(), PatternError> {
    let twice =
        params.iter().enumerate().find(|(index, param)| params[..*index].iter().any(|one| one.name == param.name));
    match twice {
        Some((_, param)) => Err(PatternError::at(
            source,
            param.at,
            format!("each name once in a pattern; `{}` is there twice", param.name),
        )),
        None => Ok(()),
    }
}

/// Which parameter's regular expression is to blame.
fn blame(source: &str, params: &[Param], case: Case, problem: &str) -> PatternError {
    for param in params {
        if let Err(problem) = Engine::new(&param.regex, case) {
            return PatternError::at(
                source,
                param.at,
                format!("a regular expression that can be compiled ({problem})"),
            );
        }
    }
    PatternError::whole(format!("a pattern that can be compiled ({problem})"))
}
