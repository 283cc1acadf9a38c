//! Sitemaps elsewhere: downloaded by the command, over HTTP and HTTPS.

use std::str::FromStr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::listed::{Listed, Room};
use super::progress::Progress;
use crate::cli::chain;
use crate::sitemap::{MAX_SITEMAP, Walk, beyond_walk};
use crate::target::Target;
use crate::warm::{Problem, Summary};

/// Longest time for a connection.
const CONNECTING: Duration = Duration::from_secs(10);

/// Longest time for a sitemap.
const DOWNLOADING: Duration = Duration::from_secs(120);

/// Most redirects that lead to a sitemap.
const REDIRECTS: usize = 5;

/// Where a sitemap is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// On the gateway's own site: a path.
    Own(String),
    /// Wherever this URL leads.
    Elsewhere(Url),
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Place, &'static str> {
        const EXPECTED: &str =
            "expected the URL of a sitemap (https://acme.com/sitemap.xml), or a path on the gateway's own site";
        if text.starts_with('/') {
            let fits = Target::parse(text).is_ok_and(|target| target.without_repeated_slashes().is_none());
            return fits.then(|| Place::Own(text.to_owned())).ok_or(EXPECTED);
        }
        let url = Url::parse(text).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        url.map(Place::Elsewhere).ok_or(EXPECTED)
    }
}

/// Why a sitemap could not be downloaded.
#[derive(Debug, thiserror::Error)]
enum DownloadError {
    #[error("it could not be downloaded")]
    Failed(#[source] reqwest::Error),
    #[error("its server answers with {0}")]
    Status(StatusCode),
    #[error("it is longer than {MAX_SITEMAP} bytes")]
    TooLong,
}

/// The paths on the gateway's own site, and the URLs elsewhere.
pub(super) fn told_apart(places: &[Place]) -> (Vec<String>, Vec<Url>) {
    let (mut own, mut elsewhere) = (Vec::new(), Vec::new());
    for place in places {
        match place {
            Place::Own(path) => own.push(path.clone()),
            Place::Elsewhere(url) => elsewhere.push(url.clone()),
        }
    }
    (own, elsewhere)
}

/// Downloads sitemaps, and what their indexes lead to, and lists their pages. What cannot be read is counted.
pub(super) async fn download(
    places: Vec<Url>,
    listed: &mut Listed,
    summary: &mut Summary,
    progress: &Progress,
) -> Result<(), reqwest::Error> {
    let client = Client::builder()
        .user_agent(concat!("evergate/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECTING)
        .timeout(DOWNLOADING)
        .redirect(Policy::limited(REDIRECTS))
        .build()?;
    let (mut walk, left_out) = Walk::begin(places.into_iter().map(String::from));
    for url in left_out {
        summary.miss_list(Problem::new(&without_password(&url), beyond_walk()));
    }
    while let Some(sheet) = walk.next_sheet() {
        let shown = without_password(&sheet.url);
        progress.note(&shown);
        let document = get(&client, &sheet.url).await.map_err(|error| chain(&error));
        let base = Url::parse(&sheet.url).ok();
        let resolve = |place: &str| match base.as_ref().map(|base| base.join(place)) {
            Some(Ok(url)) => url.to_string(),
            Some(Err(_)) | None => place.to_owned(),
        };
        let pages = document.and_then(|document| walk.take(&sheet, &document, resolve).map_err(|error| chain(&error)));
        match pages {
            Ok(pages) => {
                if pages.iter().any(|page| listed.add(page) == Room::Full) {
                    return Ok(());
                }
            }
            Err(problem) => summary.miss_list(Problem::new(&shown, problem)),
        }
    }
    Ok(())
}

/// A URL as it may be shown: who is to read a sitemap may need a password, which is nobody else's business.
fn without_password(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) if url.password().is_some() => {
            // Fails for URLs that have no place for one.
            let _ = url.set_password(None);
            url.to_string()
        }
        Ok(_) | Err(_) => url.to_owned(),
    }
}

async fn get(client: &Client, url: &str) -> Result<Vec<u8>, DownloadError> {
    // Who reads of the failure knows the URL.
    let failed = |error: reqwest::Error| DownloadError::Failed(error.without_url());
    let mut response = client.get(url).send().await.map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(DownloadError::Status(response.status()));
    }
    let mut document = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        if document.len() + piece.len() > MAX_SITEMAP {
            return Err(DownloadError::TooLong);
        }
        document.extend_from_slice(&piece);
    }
    Ok(document)
}
