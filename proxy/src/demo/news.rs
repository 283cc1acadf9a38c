//! A page that says itself how long it is good, for whom, and when it is to be forgotten: what `revalidate: origin` heeds.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::site::Site;

/// `GET /news`: fresh for ten seconds, then served stale for a minute while it is refreshed; in the visitor's language; with an
/// entity tag, by which the gateway asks whether it is still good; in a group.
pub(crate) async fn read(State(site): State<Arc<Site>>, headers: HeaderMap) -> impl IntoResponse {
    #[derive(Serialize)]
    struct News {
        edition: u64,
        language: String,
        run: u64,
        at: String,
    }
    let language = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = language.and_then(|list| list.split([',', ';']).next()).unwrap_or("en").trim().to_owned();
    let edition = site.editions.count();
    let known = headers.get(header::IF_NONE_MATCH);
    let tag = format!("\"{edition}-{language}\"");
    let mut told = HeaderMap::new();
    told.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=10, stale-while-revalidate=60"));
    told.insert(header::VARY, HeaderValue::from_static("accept-language"));
    told.insert("cache-groups", HeaderValue::from_static("\"news\""));
    let confirmed = known.is_some_and(|known| known.as_bytes() == tag.as_bytes());
    // What visitors call their language has been a header's value before.
    told.extend(HeaderValue::from_str(&tag).map(|tag| (header::ETAG, tag)));
    if confirmed {
        return (StatusCode::NOT_MODIFIED, told).into_response();
    }
    let news = News { edition, language, run: site.runs.news.next(), at: site.at() };
    (told, Json(news)).into_response()
}

/// `POST /news`: a new edition, which makes every page of the group invalid.
pub(crate) async fn publish(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let edition = site.editions.next();
    let told = [(header::HeaderName::from_static("cache-group-invalidation"), "\"news\"")];
    (StatusCode::CREATED, told, format!("edition {edition}\n"))
}
