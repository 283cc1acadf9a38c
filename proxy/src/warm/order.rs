//! What is to be warmed up, as `POST /warm` is told it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::target::{MAX_TARGET, Target};

/// Longest order, in bytes.
pub const MAX_ORDER: usize = 16 << 20;

/// Most pages of one run.
pub const MAX_PAGES: usize = 1_000_000;

/// Most pages at once.
pub const MAX_CONCURRENCY: usize = 256;

/// Pages at once, where the order does not say it.
pub const CONCURRENCY: usize = 8;

/// How many pages a second may be asked for.
const RATES: RangeInclusive<f64> = 0.01..=100_000.0;

/// Most problems of an order that are told one by one.
const MAX_TOLD_PROBLEMS: usize = 20;

/// What is to be warmed up.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Sitemaps of the gateway's own site: paths.
    pub sitemaps: Vec<String>,
    /// Pages: URLs or paths.
    pub urls: Vec<String>,
    /// Whether the parameters of routes that are known beforehand are meant too.
    pub params: bool,
    /// Pages at once.
    pub concurrency: usize,
    /// The least time from one fetch to the next; what is there already takes none.
    pub step: Option<Duration>,
    /// Most pages.
    pub limit: Option<usize>,
}

/// Why an order is none.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// It cannot be read.
    #[error("the body is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It can, and says what nobody understands.
    #[error("the body is not what a warm-up is told")]
    Problems(Vec<String>),
}

impl Order {
    /// Reads an order.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn read(body: &[u8]) -> Result<Order, OrderError> {
        let Value::Object(given) = serde_json::from_slice(body)? else {
            return Err(OrderError::Problems(vec![format!("expected an object with {NAMES}")]));
        };
        let mut reading = Reading { given, problems: Vec::new() };
        let order = Order {
            sitemaps: reading.list("sitemaps", is_path, A_SITEMAP),
            urls: reading.list("urls", |_| true, "a URL or a path"),
            params: reading.take("params", "true or false", Value::as_bool).unwrap_or_default(),
            concurrency: reading
                .take("concurrency", &format!("a number from 1 to {MAX_CONCURRENCY}"), |value| {
                    number(value).filter(|number| (1..=MAX_CONCURRENCY).contains(number))
                })
                .unwrap_or(CONCURRENCY),
            step: reading.take("rate", &a_rate(), |value| value.as_f64().and_then(step)),
            limit: reading
                .take("limit", "a number of pages, at least 1", |value| number(value).filter(|number| *number > 0)),
        };
        let mut problems = reading.rest();
        if problems.is_empty() && order.sitemaps.is_empty() && order.urls.is_empty() && !order.params {
            problems.push("nothing to warm up: give `sitemaps`, `urls` or `params`".to_owned());
        }
        if problems.is_empty() { Ok(order) } else { Err(OrderError::Problems(problems)) }
    }
}

/// The time from one page to the next at so many a second.
pub fn step(rate: f64) -> Option<Duration> {
    RATES.contains(&rate).then(|| Duration::from_secs_f64(rate.recip()))
}

/// What a rate may be.
pub fn a_rate() -> String {
    format!("pages a second, from {} to {}", RATES.start(), RATES.end())
}

/// An order as far as it was read.
struct Reading {
    given: Map<String, Value>,
    problems: Vec<String>,
}

impl Reading {
    /// Takes a setting out. What is null is not said.
    fn take<T>(&mut self, name: &str, expected: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.given.remove(name).filter(|value| !value.is_null())?;
        let taken = read(&value);
        if taken.is_none() {
            self.problems.push(format!("`{name}`: expected {expected}, found {}", found(&value)));
        }
        taken
    }

    fn list(&mut self, name: &str, fits: impl Fn(&str) -> bool, expected: &str) -> Vec<String> {
        let items = self.take(name, "a list of texts", |value| value.as_array().cloned()).unwrap_or_default();
        let mut list = Vec::with_capacity(items.len());
        for (place, item) in items.into_iter().enumerate() {
            match item.as_str().filter(|text| fits(text)) {
                Some(text) => list.push(text.to_owned()),
                None => self.problems.push(format!("`{name}[{place}]`: expected {expected}, found {}", found(&item))),
            }
        }
        list
    }

    /// The problems, with what nobody has asked for.
    fn rest(mut self) -> Vec<String> {
        let unknown = self.given.keys().map(|name| format!("`{}`: expected {NAMES}", name.escape_debug()));
        self.problems.extend(unknown);
        let more = self.problems.len().saturating_sub(MAX_TOLD_PROBLEMS);
        if more > 0 {
            self.problems.truncate(MAX_TOLD_PROBLEMS);
            self.problems.push(format!("and {more} more"));
        }
        self.problems
    }
}

const NAMES: &str = "`sitemaps`, `urls`, `params`, `concurrency`, `rate` or `limit`";
const A_SITEMAP: &str = "a path of this site (`/sitemap.xml`); `evergate warm --sitemap` reads sitemaps elsewhere";

fn is_path(text: &str) -> bool {
    text.len() <= MAX_TARGET && Target::parse(text).is_ok_and(|target| target.without_repeated_slashes().is_none())
}

fn number(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|number| usize::try_from(number).ok())
}

/// What was found, shortened.
fn found(value: &Value) -> String {
    /// Longest value that is told as it is.
    const MOST: usize = 100;
    let text = value.to_string();
    if text.len() <= MOST { text } else { format!("{}\u{2026}", &text[..text.floor_char_boundary(MOST)]) }
}

#[cfg(test)]
mod tests;
