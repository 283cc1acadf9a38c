//! Lines: where in the file each setting stands.
//!
//! The parser that gives the values keeps no positions, so a second one, which gives events with
//! marks, goes over the text when there is something to report.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use yaml_rust2::parser::{Event, MarkedEventReceiver, Parser};
use yaml_rust2::scanner::Marker;

/// The line of each setting, by its path, and the keys that stand twice.
#[derive(Debug, Default)]
pub(super) struct Lines {
    by_path: HashMap<String, usize>,
    repeated: Vec<Repeated>,
    open: Vec<Frame>,
}

/// A key that stands in its mapping already.
#[derive(Debug)]
pub(super) struct Repeated {
    /// The setting.
    pub(super) path: String,
    /// The line of the later place; [`Lines::line_of`] knows the first.
    pub(super) line: usize,
}

/// A list or mapping that has begun and not ended.
#[derive(Debug)]
enum Frame {
    /// A mapping; `key` waits for its value.
    Map { path: String, key: Option<String> },
    /// A list; `next` is the index of the item to come.
    List { path: String, next: usize },
}

impl Lines {
    /// Goes over a text. What follows a syntax error is not indexed.
    pub(super) fn index(text: &str) -> Self {
        let mut lines = Self::default();
        // A syntax error was already reported by whoever read the values; the lines above it count.
        let _ = Parser::new_from_str(text).load(&mut lines, false);
        lines
    }

    /// The line of a setting, or of the nearest part around it that is there; 1 at worst.
    pub(super) fn line_of(&self, path: &str) -> usize {
        let mut path = path;
        loop {
            if let Some(line) = self.by_path.get(path) {
                return *line;
            }
            let Some(end) = path.rfind(['.', '[']) else {
                return 1;
            };
            path = &path[..end];
        }
    }

    /// The settings that stand more than once in their mapping.
    pub(super) fn repeated(&self) -> &[Repeated] {
        &self.repeated
    }

    /// Something begins at `line`: a key, a value or an item. Gives its path, and nothing for a key.
    fn begin(&mut self, line: usize, key_text: Option<String>) -> Option<String> {
        match self.open.last_mut() {
            None => {
                self.by_path.insert(String::new(), line);
                Some(String::new())
            }
            Some(Frame::List { path, next }) => {
                let item = item_path(path, *next);
                *next += 1;
                self.by_path.insert(item.clone(), line);
                Some(item)
            }
            Some(Frame::Map { path, key }) => {
                if let Some(key) = key.take() {
                    return Some(key_path(path, &key));
                }
                let text = key_text.unwrap_or_else(|| "?".to_owned());
                let setting = key_path(path, &text);
                match self.by_path.entry(setting) {
                    Entry::Vacant(place) => {
                        place.insert(line);
                        *key = Some(text);
                    }
                    Entry::Occupied(first) => {
                        // What is below the second one must not count as repeated too.
                        *key = Some(format!("{text} (again)"));
                        let path = first.key().clone();
                        self.repeated.push(Repeated { path, line });
                    }
                }
                None
            }
        }
    }
}

impl MarkedEventReceiver for Lines {
    fn on_event(&mut self, event: Event, mark: Marker) {
        match event {
            Event::Scalar(text, ..) => {
                self.begin(mark.line(), Some(text));
            }
            Event::Alias(_) => {
                self.begin(mark.line(), None);
            }
            Event::MappingStart(..) => {
                let path = self.begin(mark.line(), None).unwrap_or_default();
                self.open.push(Frame::Map { path, key: None });
            }
            Event::SequenceStart(..) => {
                let path = self.begin(mark.line(), None).unwrap_or_default();
                self.open.push(Frame::List { path, next: 0 });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart | Event::DocumentEnd => {}
        }
    }
}

/// The path of a key in the mapping at `path`.
pub(super) fn key_path(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The path of an item in the list at `path`.
pub(super) fn item_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}
