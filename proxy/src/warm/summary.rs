//! What is told of a warm-up: in lines while it goes on, and at its end.

use serde::{Deserialize, Serialize};

use crate::metrics::Warmed;

/// Most failures that are told one by one.
pub const MAX_TOLD_FAILURES: usize = 100;

/// Most bytes of a URL that are told with its failure.
const MAX_TOLD_URL: usize = 1024;

/// A line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// How far it has come: `pages` are those that are listed so far.
    Progress {
        /// The numbers.
        progress: Tally,
    },
    /// The last one: what came of it.
    Done(Summary),
}

/// Pages by what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// All of them.
    pub pages: usize,
    /// Fetched.
    pub rendered: usize,
    /// There already.
    pub fresh: usize,
    /// Not there, though they should be.
    pub failed: usize,
    /// Not there, because nothing is kept of them.
    pub not_cached: usize,
    /// Lists that could not be read, or not to their end; whatever pages they have are not among the pages.
    pub failed_lists: usize,
}

/// What came of a warm-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The numbers.
    #[serde(flatten)]
    pub tally: Tally,
    /// The first failures.
    pub failures: Vec<Problem>,
    /// How many more there are.
    pub more_failures: usize,
}

/// A page that is not there, or a list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its URL, as it was given.
    pub url: String,
    /// Why.
    pub problem: String,
}

impl Tally {
    /// Counts a page.
    pub fn count(&mut self, warmed: Warmed) {
        self.pages += 1;
        match warmed {
            Warmed::Rendered => self.rendered += 1,
            Warmed::Fresh => self.fresh += 1,
            Warmed::Failed => self.failed += 1,
            Warmed::NotCached => self.not_cached += 1,
        }
    }

    /// How many pages are dealt with.
    pub fn done(&self) -> usize {
        self.rendered + self.fresh + self.failed + self.not_cached
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Tally) -> Tally {
        Tally {
            pages: self.pages + other.pages,
            rendered: self.rendered + other.rendered,
            fresh: self.fresh + other.fresh,
            failed: self.failed + other.failed,
            not_cached: self.not_cached + other.not_cached,
            failed_lists: self.failed_lists + other.failed_lists,
        }
    }
}

impl Summary {
    /// Counts a list that cannot be read, and tells why.
    pub fn miss_list(&mut self, problem: Problem) {
        self.tally.failed_lists += 1;
        self.tell(problem);
    }

    /// Tells a failure that is counted already, if there is room.
    pub fn tell(&mut self, problem: Problem) {
        if self.failures.len() < MAX_TOLD_FAILURES {
            self.failures.push(problem);
        } else {
            self.more_failures += 1;
        }
    }

    /// Takes numbers that go beyond what was summed up, of a warm-up that has no end: its failures are known by number only.
    pub fn break_off(&mut self, tally: Tally) {
        let failures = |tally: &Tally| tally.failed + tally.failed_lists;
        self.more_failures += failures(&tally).saturating_sub(failures(&self.tally));
        self.tally = tally;
    }

    /// Adds what came of another.
    pub fn add(&mut self, other: Summary) {
        self.tally = self.tally.plus(other.tally);
        self.more_failures += other.more_failures;
        for problem in other.failures {
            self.tell(problem);
        }
    }
}

impl Problem {
    /// What is wrong with a URL, which may be of any length.
    pub fn new(url: &str, problem: String) -> Problem {
        let mut told: String = url.to_owned();
        if url.len() > MAX_TOLD_URL {
            told.truncate(url.floor_char_boundary(MAX_TOLD_URL));
            told.push('\u{2026}');
        }
        Problem { url: told, problem }
    }
}

#[cfg(test)]
mod tests;
