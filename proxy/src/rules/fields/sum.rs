//! What changes of fields come to in the end, name by name.

use http::{HeaderName, HeaderValue};

use super::{Change, Changes};

/// What changes come to, whichever rules they are of. Each name is in one of the first three lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Fields that are taken away.
    pub remove: Vec<HeaderName>,
    /// The lines that take the place of those of their name.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// The lines that are added to those of their name.
    pub append: Vec<(HeaderName, HeaderValue)>,
    /// What is told in `Vary` where the message does not say so.
    pub vary: Vec<HeaderName>,
    /// What is said to pages of other origins, before all else.
    pub cors: Vec<(HeaderName, HeaderValue)>,
}

/// What becomes of the lines that a message has of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    Stay,
    Go,
}

impl Changes {
    /// What they come to.
    pub fn sum(&self) -> Sum {
        let mut names: Vec<(&HeaderName, Old, Vec<&HeaderValue>)> = Vec::new();
        let mut sum = Sum::default();
        for change in &self.0 {
            let (name, value) = match change {
                Change::Remove(name) => (name, None),
                Change::Set(name, value) | Change::Append(name, value) => (name, Some(value)),
                Change::Vary(names) => {
                    sum.vary.extend(names.iter().filter(|name| !sum.vary.contains(name)).cloned().collect::<Vec<_>>());
                    continue;
                }
                Change::Cors(said) => {
                    sum.cors = said.lines().to_vec();
                    continue;
                }
            };
            let place = names.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
                names.push((name, Old::Stay, Vec::new()));
                names.len() - 1
            });
            let (_, old, lines) = &mut names[place];
            match change {
                Change::Remove(_) | Change::Set(..) => {
                    *old = Old::Go;
                    lines.clear();
                }
                Change::Append(..) | Change::Vary(_) | Change::Cors(_) => {}
            }
            lines.extend(value);
        }
        for (name, old, lines) in names {
            let lines = lines.into_iter().map(|value| (name.clone(), value.clone()));
            match old {
                Old::Go if lines.len() == 0 => sum.remove.push(name.clone()),
                Old::Go => sum.set.extend(lines),
                Old::Stay => sum.append.extend(lines),
            }
        }
        sum
    }
}
