//! JavaScript's regular expressions in the spelling of ours: what means the same and is written differently.

/// Rewrites an expression of JavaScript's. What is no expression stays none.
pub(super) fn translate(expression: &str) -> String {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut in_class = false;
    let mut letters = expression.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => escape(letters.next(), in_class, &mut out),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // `[^]...]`: a bracket in the first place would be a plain one here, and ends the class there.
                if letters.peek() == Some(&'^') {
                    letters.next();
                    out.push('^');
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Classes hold no classes in JavaScript, and are not subtracted from each other.
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(letter);
            }
            letter => out.push(letter),
        }
    }
    out
}

/// The shorthands are ASCII in JavaScript, and an escape of what needs none is that character.
fn escape(escaped: Option<char>, in_class: bool, out: &mut String) {
    match (escaped, in_class) {
        (Some('d'), true) => out.push_str("0-9"),
        (Some('d'), false) => out.push_str("[0-9]"),
        (Some('D'), false) => out.push_str("[^0-9]"),
        (Some('w'), true) => out.push_str("A-Za-z0-9_"),
        (Some('w'), false) => out.push_str("[A-Za-z0-9_]"),
        (Some('W'), false) => out.push_str("[^A-Za-z0-9_]"),
        (Some(plain @ ('<' | '>' | '/' | '_' | ' ' | '"' | '\'' | '%' | '@' | '!' | ',' | ';' | ':' | '=')), _) => {
            out.push(plain);
        }
        (Some(other), _) => {
            out.push('\\');
            out.push(other);
        }
        (None, _) => out.push('\\'),
    }
}

/// Whether what is looked for has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// `(?=...)`
    Found,
    /// `(?!...)`
    NotFound,
}

/// What an expression looks for at its beginning, and what follows. Where it begins is known, so these can be looked for on
/// their own; none when they are about one alternative among others.
pub(super) fn leading_looks(expression: &str) -> (Vec<(Look, &str)>, &str) {
    let mut looks = Vec::new();
    let mut rest = expression;
    loop {
        let look = match rest.get(..3) {
            Some("(?=") => Look::Found,
            Some("(?!") => Look::NotFound,
            Some(_) | None => break,
        };
        let Some(end) = position(&rest[3..], ')') else { break };
        looks.push((look, &rest[3..3 + end]));
        rest = &rest[3 + end + 1..];
    }
    if position(rest, '|').is_some() { (Vec::new(), expression) } else { (looks, rest) }
}

/// Where `wanted` is outside groups and classes.
fn position(expression: &str, wanted: char) -> Option<usize> {
    let mut depth = 0_usize;
    let mut in_class = false;
    let mut escaped = false;
    for (at, letter) in expression.char_indices() {
        if std::mem::take(&mut escaped) {
            continue;
        }
        match letter {
            '\\' => escaped = true,
            ']' => in_class = false,
            _ if in_class => {}
            '[' => in_class = true,
            letter if letter == wanted && depth == 0 => return Some(at),
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Whether an expression ends outside a class.
pub(super) fn closes_its_classes(expression: &str) -> bool {
    let mut in_class = false;
    let mut letters = expression.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            _ => {}
        }
    }
    !in_class
}
