//! CORS: which pages of other origins may read answers, said at the gateway for every answer, whoever gives it. The browser's side
//! of it is in `browser`.

mod answers;
mod modes;
mod preflight;
mod routes;

use evergate_tests::{Client, Gateway, Origin, Reply, Response};

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// Routes of every kind: a window, a short one, `origin`, dynamic, one that says what it answers, one with its own word. Whatever
/// else comes has no route.
const ROUTES: &str = " [{ path: '/api/kept/[page]', revalidate: 1h }, { path: '/api/brief/[page]', revalidate: 1 },\n\
    { path: '/api/theirs/[page]', revalidate: origin }, { path: '/api/live/[page]' },\n\
    { path: '/api/known/[page]', methods: [GET], dynamic_params: false, params: [{ page: b }] },\n\
    { path: '/api/own/[page]', revalidate: 1h, cors: { allow_origins: ['https://partner.example'] } },\n\
    { path: '/api/shut/[page]', revalidate: 1h, cors: {} }]";

const RULES: &str = r#"
hosts: [api.example, b.example]
proxy:
  - matcher: "/api/:path*"
    cors:
      allow_origins: ["https://acme.example", "https://*.acme.app"]
      allow_methods: [GET, PUT, DELETE]
      allow_headers: [Content-Type, Authorization]
      expose_headers: [x-total]
      allow_credentials: true
      max_age: 1d
  - { matcher: /api/moved, redirect: { to: /api/kept/a } }
  - { matcher: /api/closed, respond: { status: 503, body: "later" } }
  - { matcher: "/api/pretty/:page", rewrite: { to: "/api/own/:page" } }
"#;

const ACME: &str = "https://acme.example";
const EVIL: &str = "https://evil.example";

/// What an allowed page is told with every answer.
const WELCOME: [(&str, &str); 3] = [
    ("access-control-allow-origin", ACME),
    ("access-control-allow-credentials", "true"),
    ("access-control-expose-headers", "x-total"),
];

/// Fields that say something about CORS in an answer.
fn said(response: &Response) -> Vec<(&str, &str)> {
    let lines = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    lines.filter(|(name, _)| name.to_ascii_lowercase().starts_with("access-control-")).collect()
}

/// Whether `Vary` names a field, in whichever line.
fn varies_by(response: &Response, name: &str) -> bool {
    response.all("vary").iter().any(|line| line.split(',').any(|item| item.trim().eq_ignore_ascii_case(name)))
}

/// An origin that says itself what it thinks of CORS, behind a gateway with these rules.
async fn start(rules: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/*", |seen| {
        let theirs = seen.header("origin").unwrap_or("*").to_owned();
        Reply::ok(format!("{} {}", seen.method, seen.target))
            .header("cache-control", "max-age=60")
            .header("etag", "\"v1\"")
            .header("access-control-allow-origin", theirs)
            .header("access-control-allow-methods", "PATCH")
            .header("x-total", "7")
    });
    let config = Gateway::simple_config(&origin, ROUTES).replace("127.0.0.1:0\" }]", "127.0.0.1:0\", h2c: true }]");
    let gateway = Gateway::start(&format!("{config}{rules}\n")).await;
    (origin, gateway)
}

/// A request by a visitor of its own.
async fn ask(gateway: &Gateway, method: &str, target: &str, lines: Lines<'_>) -> Response {
    let mut all = vec![("host", "api.example")];
    all.extend_from_slice(lines);
    Client::connect(gateway.address()).await.request(method, target, &all, "").await
}

async fn visit(gateway: &Gateway, target: &str, origin: &str) -> Response {
    ask(gateway, "GET", target, &[("origin", origin)]).await
}
