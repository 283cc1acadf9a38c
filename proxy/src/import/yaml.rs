//! YAML as it is written: texts that come back as they were, and comments that stay comments.
//!
//! What is written comes out of manifests and sources, so it may hold quotes, line ends, `#`, or `${NAME}`, which the
//! configuration would expand. The style is that of the reference configuration: plain where that is safe, otherwise in
//! double quotes (YAML 1.2.2 section 7.3).

#[cfg(test)]
mod tests;

/// A document that is being written, line by line.
#[derive(Debug, Default)]
pub(super) struct Yaml {
    text: String,
}

/// Where a text stands: plain texts may hold more outside of brackets (YAML 1.2.2 section 7.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Alone behind a key or a dash.
    Block,
    /// Between brackets or braces.
    Flow,
}

impl Yaml {
    /// Adds a line.
    pub(super) fn line(&mut self, indent: usize, text: &str) {
        self.text.push_str(&" ".repeat(indent));
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Adds an empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Adds a comment, broken between words where it is long. Whatever stands in it, nothing of it is read.
    pub(super) fn comment(&mut self, indent: usize, text: &str) {
        let harmless = harmless(text);
        let width = WIDTH.saturating_sub(indent + 2).max(20);
        let mut line = String::new();
        for word in harmless.split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                self.line(indent, &format!("# {line}"));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(indent, format!("# {line}").trim_end());
    }

    /// Adds what another document holds as comments that keep its form: without the signs it would be read.
    pub(super) fn append_commented(&mut self, other: &Yaml, indent: usize) {
        for line in other.lines() {
            let inner = line.get(indent..).unwrap_or_default();
            self.line(indent, &if inner.starts_with('#') { inner.to_owned() } else { format!("# {inner}") });
        }
    }

    /// Adds what another document holds.
    pub(super) fn append(&mut self, other: &Yaml) {
        self.text.push_str(&other.text);
    }

    /// Whether nothing was written.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether anything but comments was written.
    pub(super) fn has_items(&self) -> bool {
        self.lines().any(|line| !line.trim_start().starts_with('#'))
    }

    /// Its lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines()
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// A text as a value. A dollar is doubled, because the configuration expands `${NAME}` in values.
pub(super) fn value(text: &str, place: Place) -> String {
    scalar(&text.replace('$', "$$"), place)
}

/// A text as a key. Keys are not expanded.
pub(super) fn key(text: &str, place: Place) -> String {
    // In a block a colon behind a key would be the key's own.
    if text.contains(':') { quoted(text) } else { scalar(text, place) }
}

/// Texts as a list on one line.
pub(super) fn list<T: AsRef<str>>(texts: &[T]) -> String {
    let items: Vec<String> = texts.iter().map(|text| value(text.as_ref(), Place::Flow)).collect();
    format!("[{}]", items.join(", "))
}

fn scalar(text: &str, place: Place) -> String {
    if is_plain(text, place) { text.to_owned() } else { quoted(text) }
}

/// Whether a text can stand without quotes, and is then nothing but this text. Texts that might be are quoted too.
fn is_plain(text: &str, place: Place) -> bool {
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/' || letter == '_');
    let inside = |letter: char| {
        let everywhere = letter.is_ascii_alphanumeric() || "/_.-+*@=~$%".contains(letter);
        match place {
            Place::Block => everywhere || ":()[]?!|\\^<>".contains(letter),
            Place::Flow => everywhere,
        }
    };
    // Words that YAML 1.1 or 1.2 takes for something else than a text.
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    begins && text.chars().all(inside) && !text.ends_with(':') && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// A text in double quotes (YAML 1.2.2 section 7.3.1).
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if is_hidden(letter) => out.push_str(&escape(letter)),
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}

/// A text whose hidden characters, line ends above all, are shown as escapes.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|letter| if is_hidden(letter) { letter.escape_default().to_string() } else { letter.to_string() })
        .collect()
}

/// Characters that YAML does not take as they are (section 5.1), that end a line, or that change how a line reads.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(letter: char) -> String {
    let code = u32::from(letter);
    if code <= 0xff { format!("\\x{code:02x}") } else { format!("\\u{code:04x}") }
}

/// How wide comments are.
const WIDTH: usize = 110;
