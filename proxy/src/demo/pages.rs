//! What visitors read: JSON, parameters, a search.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::IntoResponse;
use http::Uri;
use serde::Serialize;

use super::site::Site;
use crate::target::decode;

/// `GET /api/hello`: the first example of the page, with its run.
pub(crate) async fn hello(State(site): State<Arc<Site>>) -> impl IntoResponse {
    #[derive(Serialize)]
    struct Hello {
        message: &'static str,
        run: u64,
    }
    Json(Hello { message: "Hello World", run: site.runs.hello.next() })
}

/// `GET /posts`: "Revalidating Cached Data"; `run` and `at` tell a regenerated answer from a remembered one.
pub(crate) async fn posts(State(site): State<Arc<Site>>) -> impl IntoResponse {
    #[derive(Serialize)]
    struct Posts {
        run: u64,
        at: String,
        posts: &'static [Post],
    }
    Json(Posts { run: site.runs.posts.next(), at: site.at(), posts: &POSTS })
}

/// `GET /items/{slug}`: "Dynamic Route Segments".
pub(crate) async fn item(State(site): State<Arc<Site>>, Path(slug): Path<String>) -> impl IntoResponse {
    Json(Item::new(&site, slug))
}

/// `GET /items/form`: the slug that the form's own path would otherwise hide.
pub(crate) async fn form_item(State(site): State<Arc<Site>>) -> impl IntoResponse {
    Json(Item::new(&site, String::from("form")))
}

/// `GET /dashboard/{team}` and `/shop/{tag}/{item}`: the parameters of "context", by name.
pub(crate) async fn params(Path(params): Path<BTreeMap<String, String>>) -> impl IntoResponse {
    Json(params)
}

/// `GET /api/search?query=`: "URL Query Parameters"; as in `searchParams.get`, the first value counts.
pub(crate) async fn search(
    State(site): State<Arc<Site>>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> impl IntoResponse {
    #[derive(Serialize)]
    struct Search {
        query: Option<String>,
        run: u64,
        found: Vec<&'static Post>,
    }
    let query = pairs.into_iter().find_map(|(name, value)| (name == "query").then_some(value));
    let wanted = query.as_deref().unwrap_or_default().to_lowercase();
    let found = POSTS.iter().filter(|post| post.title.to_lowercase().contains(&wanted)).collect();
    Json(Search { query, run: site.runs.search.next(), found })
}

/// `GET /blog/{*slug}`: the last row of the table of "context", `app/blog/[...slug]`: a segment each.
pub(crate) async fn blog(uri: Uri) -> impl IntoResponse {
    #[derive(Serialize)]
    struct Post<'a> {
        slug: Vec<Cow<'a, str>>,
    }
    // Decoded after it was split: `a%2Fb` is one segment.
    let slug = uri.path().split('/').skip(2).map(decode).collect();
    Json(Post { slug }).into_response()
}

#[derive(Serialize)]
struct Item {
    slug: String,
    run: u64,
    at: String,
}

impl Item {
    fn new(site: &Site, slug: String) -> Self {
        Self { slug, run: site.runs.items.next(), at: site.at() }
    }
}

#[derive(Serialize)]
struct Post {
    id: u32,
    title: &'static str,
}

const POSTS: [Post; 3] = [
    Post { id: 1, title: "What ISR is" },
    Post { id: 2, title: "Serve stale, refresh behind" },
    Post { id: 3, title: "One run for ten thousand visitors" },
];
