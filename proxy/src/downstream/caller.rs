//! The one who calls: takes what waits for an entry of the configuration, in order, and does not give up at once.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use reqwest::Client;
use tokio::time::sleep;
use tracing::{debug, warn};

use super::item::{Item, Mode};
use super::message::Written;
use super::{Entry, Lost};
use crate::clock::wall;

/// Longest time between two attempts, whatever the other side asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Most of an answer that is read, so that the connection can be used again.
const MOST_READ: usize = 64 << 10;

/// Calls for one entry.
pub(super) struct Caller {
    pub(super) entry: Arc<Entry>,
    pub(super) client: Client,
}

/// Why a call was not answered with success.
#[derive(Debug, thiserror::Error)]
enum CallError {
    /// There was no answer.
    #[error("no answer")]
    Transport(#[source] reqwest::Error),
    /// The answer was another.
    #[error("answered with {0}")]
    Status(StatusCode, Option<Duration>),
}

impl CallError {
    /// Whether the same call may succeed later.
    fn is_passing(&self) -> bool {
        match self {
            CallError::Transport(error) => !error.is_builder(),
            CallError::Status(status, _) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// How long the other side wants to be left alone.
    fn asked_for(&self) -> Option<Duration> {
        match self {
            CallError::Transport(_) => None,
            CallError::Status(_, after) => *after,
        }
    }
}

impl Caller {
    /// Calls until the queue is closed and empty.
    pub(super) async fn run(self) {
        let most = self.entry.settings.batch;
        while let Some(begun) = self.next(most).await {
            self.call(begun).await;
        }
    }

    async fn next(&self, most: NonZeroUsize) -> Option<Begun> {
        let (items, mode) = self.entry.queue.next(most).await?;
        self.entry.counters.left_queue(items.len());
        Some(Begun { entry: Arc::clone(&self.entry), items, mode })
    }

    /// Makes one call, again and again as far as that may help.
    async fn call(&self, mut begun: Begun) {
        let Some(written) = begun.write() else { return };
        let settings = &self.entry.settings;
        let mut attempt = 0;
        loop {
            let error = match self.send(&written).await {
                Ok(()) => return begun.succeeded(),
                Err(error) => error,
            };
            if !error.is_passing() || attempt == settings.retries {
                return begun.failed(&error);
            }
            let pause = pause(settings.backoff, attempt, error.asked_for(), fastrand::f64());
            debug!(downstream = settings.name, attempt, ?pause, error = chain(&error), "a call downstream is repeated");
            attempt += 1;
            sleep(pause).await;
            self.entry.counters.retried(begun.items.len());
        }
    }

    async fn send(&self, written: &Written) -> Result<(), CallError> {
        let settings = &self.entry.settings;
        let mut request = self
            .client
            .request(settings.message.method.clone(), written.url.clone())
            .timeout(settings.timeout)
            .headers(written.headers.clone());
        if let Some(body) = &written.body {
            request = request.body(body.clone());
        }
        // Its URL may hold a secret.
        let mut response = request.send().await.map_err(|error| CallError::Transport(error.without_url()))?;
        let status = response.status();
        let after = retry_after(response.headers(), wall());
        let mut read = 0;
        while let Ok(Some(piece)) = response.chunk().await {
            read += piece.len();
            if read > MOST_READ {
                break;
            }
        }
        if status.is_success() { Ok(()) } else { Err(CallError::Status(status, after)) }
    }
}

/// How long to wait after an attempt, counted from 0: twice as long each time, less a random part of up to a half so that
/// gateways do not call in step, and at least as long as the other side asks for.
fn pause(first: Duration, attempt: u32, asked_for: Option<Duration>, random: f64) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(attempt)).min(LONGEST_WAIT);
    let jittered = doubled.mul_f64(1.0 - random / 2.0);
    jittered.max(asked_for.unwrap_or_default()).min(LONGEST_WAIT)
}

/// What `Retry-After` asks for (RFC 9110 section 10.2.3).
fn retry_after(fields: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = fields.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).ok(),
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// What is being told. Whoever drops it has not told it, and that is counted.
struct Begun {
    entry: Arc<Entry>,
    items: Vec<Item>,
    mode: Mode,
}

impl Begun {
    /// The call about them. Those that cannot be told are counted and left out; none when nothing remains.
    fn write(&mut self) -> Option<Written> {
        let message = &self.entry.settings.message;
        let mut told = Vec::with_capacity(self.items.len());
        for item in std::mem::take(&mut self.items) {
            match message.write(std::slice::from_ref(&item), self.mode) {
                Ok(_) => told.push(item),
                Err(error) => self.entry.dead(&[item], &error.to_string()),
            }
        }
        self.items = told;
        if self.items.is_empty() {
            return None;
        }
        match message.write(&self.items, self.mode) {
            Ok(written) => Some(written),
            Err(error) => {
                self.entry.dead(&std::mem::take(&mut self.items), &error.to_string());
                None
            }
        }
    }

    fn succeeded(mut self) {
        self.entry.counters.ok(std::mem::take(&mut self.items).len());
    }

    fn failed(mut self, error: &CallError) {
        self.entry.dead(&std::mem::take(&mut self.items), &chain(error));
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.items.is_empty() {
            self.entry.dead(&self.items, "the gateway ended before it was told");
        }
    }
}

impl Entry {
    /// Counts and tells what was not told downstream.
    pub(super) fn dead(&self, items: &[Item], reason: &str) {
        self.counters.failed(items.len());
        let (name, count) = (&self.settings.name, items.len());
        warn!(downstream = name, count, lost = %Lost(items), reason, "what was invalidated is not told downstream");
    }
}

#[cfg(test)]
mod tests;
