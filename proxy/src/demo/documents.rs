//! What is not a page: a feed, what crawlers ask for, and an image. Each is of its own content type.

use axum::response::IntoResponse;
use http::header;

/// `GET /rss.xml`: "Non-UI Responses", the document of the page.
pub(crate) async fn rss() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/xml")], RSS)
}

/// `GET /sitemap.xml`: where the pages are.
pub(crate) async fn sitemap() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/xml")], SITEMAP)
}

/// `GET /robots.txt`: who may read what.
pub(crate) async fn robots() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain")], ROBOTS)
}

/// `GET /icon.png`: an image, which is bytes and no text.
pub(crate) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/png")], ICON)
}

pub(super) const RSS: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<rss version="2.0">

<channel>
  <title>Next.js Documentation</title>
  <link>https://nextjs.org/docs</link>
  <description>The React Framework for the Web</description>
</channel>

</rss>"#;

pub(super) const SITEMAP: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<url>
<loc>https://acme.com/posts</loc>
<changefreq>always</changefreq>
</url>
</urlset>
"#;

pub(super) const ROBOTS: &str = "User-Agent: *\nAllow: /\nDisallow: /api/\n\nSitemap: https://acme.com/sitemap.xml\n";

/// One blue pixel.
pub(super) const ICON: &[u8] = b"\x89PNG\r\n\x1a\n\
    \0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\x0dIDATx\xdac\xe0\x8e\xf9\xff\x1f\0\x04B\x02f\xae\xc1\x87\x02\
    \0\0\0\0IEND\xaeB`\x82";
