//! The section `proxy`: what is accepted, and where the problem is otherwise.

use http::StatusCode;

use super::{problems, with};
use crate::config::Config;
use crate::rules::{Action, Case, Destination, Matcher, PathPattern, Reach, Rewrite};

/// A configuration with one entry of these settings.
fn entry(settings: &str) -> Result<Config, crate::config::Problems> {
    with(&format!("proxy:\n  - {{ {settings} }}"))
}

#[test]
fn entries_are_read() {
    let config = with(
        "proxy:\n\
         - response_headers: { set: { X-Frame-Options: DENY }, append: { link: [</a>, </b>], x-n: 1 }, remove: [X-Powered-By] }\n\
         - matcher: /a\n  requestHeaders: { set: { x-tenant: acme } }\n\
         - matcher: [/b/:path*, { source: /c, has: [{ type: header, key: X-A, value: \"^v$\" }], missing: [] }]\n  \
           caseSensitive: false\n  redirect: { to: /d }\n\
         - { matcher: \"/((?!api|_next/static).*)\", rewrite: { to: \"/app/:0\" } }\n\
         - { matcher: { has: [{ type: host, value: \"(?<shop>.*)\\\\.acme\\\\.com\" }] }, redirect: { to: \"https://acme.com/:shop\", status: 308 } }\n\
         - { matcher: /internal/:path*, respond: { status: 403, headers: { x-path: \":path*\" }, body: \"no\" } }\n",
    )
    .unwrap_or_else(|problems| panic!("{problems}"));
    let [first, second, third, fourth, fifth, sixth] = config.proxy.as_slice() else { panic!("{config:?}") };
    assert_eq!((&first.matcher, &first.action), (&Matcher::default(), &Action::GoOn));
    assert_eq!((first.response.set.len(), first.response.append.len()), (1, 3));
    assert_eq!(first.response.remove, ["x-powered-by"]);
    assert!(first.request.is_empty() && !second.request.is_empty() && second.response.is_empty());
    let to = |rule: &crate::rules::Rule, to, reach| Destination::compile(to, &rule.matcher.names(), reach);
    assert_eq!(third.matcher.names().all(), ["path"]);
    assert_eq!(
        third.action,
        Action::Redirect(to(third, "/d", Reach::Anywhere).unwrap(), StatusCode::TEMPORARY_REDIRECT)
    );
    let app = to(fourth, "/app/:0", Reach::Here).ok();
    assert_eq!(fourth.action, Action::Rewrite(Rewrite { to: app, upstream: None }));
    let shop = to(fifth, "https://acme.com/:shop", Reach::Anywhere).unwrap();
    assert_eq!(fifth.action, Action::Redirect(shop, StatusCode::PERMANENT_REDIRECT));
    let Action::Respond(answer) = &sixth.action else { panic!("{sixth:?}") };
    assert_eq!((answer.status, answer.fields.len(), answer.body.as_ref()), (StatusCode::FORBIDDEN, 1, &b"no"[..]));
    for settings in ["proxy: []", "proxy: ~", "proxy:"] {
        assert!(with(settings).unwrap().proxy.is_empty(), "{settings}");
    }
    let insensitive = PathPattern::compile("/b/:path*", Case::Insensitive).unwrap();
    assert!(format!("{:?}", third.matcher).contains(&format!("{insensitive:?}")));
}

/// Settings of an entry, and the problem in them: where it is, what was found, what was expected.
type Broken = (&'static str, &'static str, &'static str, &'static str);

const WRITTEN: &str =
    "another header: this one says how the message is made or kept, which only handler and gateway know";
const FORWARDED: &str = "another header: this one is the connection's, the message's or the gateway's own";
const PATTERN: &str = "a pattern (`/old/:path*`), `{ source, has, missing }`, or a list of these";

const BROKEN: &[Broken] = &[
    (
        "matcher: /a",
        "",
        "an entry that changes nothing",
        "at least one of `redirect`, `rewrite`, `respond`, `cors`, `request_headers`, `response_headers`, `security_headers`",
    ),
    ("matcher: true, rewrite: { to: /b }", ".matcher", "`true`", PATTERN),
    (
        "matcher: [], rewrite: { to: /b }",
        ".matcher",
        "an empty list",
        "1 to 256 patterns, or no `matcher` for every path",
    ),
    ("matcher: [/a, [b]], rewrite: { to: /b }", ".matcher[1]", "a list", PATTERN),
    (
        "matcher: \"/a/(b\", rewrite: { to: \"/b/:c\" }",
        ".matcher",
        "`/a/(b`",
        "a closing parenthesis for this one, at character 4 (`(b`)",
    ),
    (
        "matcher: { sources: /a }, rewrite: { to: /b }",
        ".matcher.sources",
        "an unknown key",
        "a known key: did you mean `source`?",
    ),
    (
        "matcher: { has: [{ type: headers, key: a }] }, rewrite: { to: /b }",
        ".matcher.has[0].type",
        "`headers`",
        "one of `header`, `cookie`, `query`, `host`",
    ),
    (
        "matcher: { has: [{ type: header }] }, rewrite: { to: /b }",
        ".matcher.has[0].key",
        "nothing",
        "the name of the header, cookie or query parameter",
    ),
    (
        "matcher: { has: [{ type: header, key: \"a b\" }] }, rewrite: { to: /b }",
        ".matcher.has[0].key",
        "`a b`",
        "the name of a request header",
    ),
    (
        "matcher: { has: [{ type: host }] }, rewrite: { to: /b }",
        ".matcher.has[0].value",
        "nothing",
        "the name of a host, or a regular expression (`(?<shop>.*)\\.acme\\.com`)",
    ),
    (
        "matcher: { has: [{ type: host, key: h, value: v }] }, rewrite: { to: /b }",
        ".matcher.has[0].key",
        "`h`",
        "nothing: there is one host",
    ),
    (
        "matcher: { missing: [{ type: query, key: a, value: \"(\" }] }, rewrite: { to: /b }",
        ".matcher.missing[0].value",
        "`(`",
        "a regular expression that can be compiled (unclosed group)",
    ),
    (
        "matcher: { has: a }, rewrite: { to: /b }",
        ".matcher.has",
        "`a`",
        "a list of conditions (`- { type: header, key: x-preview }`)",
    ),
    ("case_sensitive: 1, rewrite: { to: /b }", ".case_sensitive", "`1`", "`true` or `false`"),
    ("matcher: /a, redirect: {}", ".redirect.to", "nothing", "where it leads (`/new/:path*`)"),
    (
        "matcher: /a, redirect: { to: b }",
        ".redirect.to",
        "`b`",
        "a path (`/new/:path*`), or a URL (`https://acme.com/:path*`)",
    ),
    ("matcher: /a, redirect: { to: /b, status: 300 }", ".redirect.status", "`300`", "301, 302, 303, 307 or 308"),
    (
        "matcher: /a, redirect: { to: /b, permanent: true }",
        ".redirect.permanent",
        "an unknown key",
        "one of `to`, `status`",
    ),
    (
        "matcher: \"/a/:c\", rewrite: { to: \"/b/:d\" }",
        ".rewrite.to",
        "`/b/:d`",
        "names that the matcher captures, each of its alternatives (`:c`), at character 3 (`/:d`)",
    ),
    (
        "matcher: [/a, \"/a/:c\"], rewrite: { to: \"/b/:c\" }",
        ".rewrite.to",
        "`/b/:c`",
        "names that the matcher captures, each of its alternatives (`:c`), at character 3 (`/:c`)",
    ),
    (
        "matcher: /a, rewrite: { to: \"https://acme.com\" }",
        ".rewrite.to",
        "`https://acme.com`",
        "a path of this gateway (`/new/:path*`)",
    ),
    ("matcher: /a, rewrite: {}", ".rewrite.to", "nothing", "where it leads (`/new/:path*`)"),
    (
        "matcher: /a, rewrite: { upstream: elsewhere }",
        ".rewrite.upstream",
        "`elsewhere`",
        "the name of an upstream: `demo`",
    ),
    ("security_headers: lax", ".security_headers", "`lax`", "one of `basic`, `strict`"),
    ("matcher: /a, respond: { status: 101 }", ".respond.status", "`101`", "a status from 200 to 599, apart from 304"),
    ("matcher: /a, respond: { status: 304 }", ".respond.status", "`304`", "a status from 200 to 599, apart from 304"),
    (
        "matcher: /a, respond: { status: 204, body: x }",
        ".respond.body",
        "`x`",
        "nothing: an answer with status 204 has no body",
    ),
    ("matcher: /a, respond: { body: [x] }", ".respond.body", "a list", "a text"),
    (
        "matcher: /a, respond: { headers: { content-length: 1 } }",
        ".respond.headers.content-length",
        "`content-length`",
        WRITTEN,
    ),
    ("response_headers: { set: { Connection: close } }", ".response_headers.set.Connection", "`Connection`", WRITTEN),
    ("response_headers: { set: { x-cache: HIT } }", ".response_headers.set.x-cache", "`x-cache`", WRITTEN),
    ("response_headers: { set: { ETag: '\"v1\"' } }", ".response_headers.set.ETag", "`ETag`", WRITTEN),
    (
        "response_headers: { append: { last-modified: now } }",
        ".response_headers.append.last-modified",
        "`last-modified`",
        WRITTEN,
    ),
    (
        "matcher: /a, respond: { headers: { accept-ranges: none } }",
        ".respond.headers.accept-ranges",
        "`accept-ranges`",
        WRITTEN,
    ),
    ("response_headers: { remove: [age] }", ".response_headers.remove[0]", "`age`", WRITTEN),
    (
        "response_headers: { remove: x-a }",
        ".response_headers.remove",
        "`x-a`",
        "a list of names of headers (`[x-powered-by]`)",
    ),
    (
        "response_headers: { set: [x-a] }",
        ".response_headers.set",
        "a list",
        "headers with their values (`{ x-frame-options: DENY }`)",
    ),
    (
        "response_headers: { set: { x-a: [b] } }",
        ".response_headers.set.x-a",
        "a list",
        "the value of a header, as a text in one line",
    ),
    (
        "response_headers: { append: { x-a: [b, true] } }",
        ".response_headers.append.x-a[1]",
        "`true`",
        "the value of a header, as a text in one line",
    ),
    (
        "response_headers: { set: { x-a: \"b\\nc\" } }",
        ".response_headers.set.x-a",
        "`b\\nc`",
        "the value of a header, as a text in one line",
    ),
    ("response_headers: { set: { \"x a\": b } }", ".response_headers.set.x a", "`x a`", "the name of a header"),
    ("request_headers: { set: { host: acme.com } }", ".request_headers.set.host", "`host`", FORWARDED),
    (
        "request_headers: { set: { Transfer-Encoding: chunked } }",
        ".request_headers.set.Transfer-Encoding",
        "`Transfer-Encoding`",
        FORWARDED,
    ),
    (
        "request_headers: { append: { x-forwarded-for: a } }",
        ".request_headers.append.x-forwarded-for",
        "`x-forwarded-for`",
        FORWARDED,
    ),
    ("request_headers: { sets: {} }", ".request_headers.sets", "an unknown key", "a known key: did you mean `set`?"),
];

#[test]
fn broken_entries_name_the_place() {
    for (settings, path, found, expected) in BROKEN {
        let problem = format!("config.yaml:3: proxy[0]{path}: found {found}, expected {expected}");
        assert_eq!(problems(entry(settings)), problem, "{settings}");
    }
}

#[test]
fn every_problem_of_an_entry_is_told_at_once() {
    let text = problems(with(
        "proxy:\n\
         - matcher: [a, \"/b/(\"]\n  redirect: { status: 200 }\n  rewrite: { to: /c }\n  response_headers: { set: { te: x } }\n\
         - 5\n",
    ));
    let places: Vec<&str> = text.lines().map(|line| line.split(": found").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "config.yaml:3: proxy[0].matcher[0]",
            "config.yaml:3: proxy[0].matcher[1]",
            "config.yaml:4: proxy[0].redirect.status",
            "config.yaml:4: proxy[0].redirect.to",
            "config.yaml:5: proxy[0].rewrite",
            "config.yaml:6: proxy[0].response_headers.set.te",
            "config.yaml:7: proxy[1]",
        ]
    );
    assert!(
        text.contains(
            "only one of `redirect`, `rewrite`, `respond` in an entry; the first is proxy[0].redirect (line 4)"
        ),
        "{text}"
    );
    assert_eq!(
        problems(with("proxy: { matcher: /a }")),
        "config.yaml:2: proxy: found a mapping, expected a list of entries (`- matcher: /old/:path*`)"
    );
    let many = "- { matcher: /a, rewrite: { to: /b } }\n".repeat(1025);
    assert_eq!(
        problems(with(&format!("proxy:\n{many}"))),
        "config.yaml:2: proxy: found 1025 entries, expected at most 1024"
    );
}

/// What an entry sets and removes of answers, the last word about a name last.
fn answers(settings: &str) -> (Vec<String>, Vec<String>) {
    let response =
        entry(settings).unwrap_or_else(|problems| panic!("{settings}: {problems}")).proxy[0].response.clone();
    let fixed = |(name, value): &(crate::rules::Template, crate::rules::Template)| {
        format!("{}: {}", name.fixed().unwrap(), value.fixed().unwrap())
    };
    (response.set.iter().map(fixed).collect(), response.remove.iter().map(ToString::to_string).collect())
}

#[test]
fn a_preset_of_security_headers_is_what_the_entry_does_not_say_itself() {
    let (set, remove) = answers("security_headers: basic");
    assert_eq!(
        set,
        [
            "x-content-type-options: nosniff",
            "x-frame-options: SAMEORIGIN",
            "referrer-policy: strict-origin-when-cross-origin"
        ]
    );
    assert_eq!(remove, ["x-powered-by"]);
    let (set, remove) = answers(
        "security_headers: strict, response_headers: { set: { X-Frame-Options: SAMEORIGIN }, remove: [content-security-policy] }",
    );
    assert_eq!(
        set,
        [
            "strict-transport-security: max-age=63072000; includeSubDomains",
            "x-content-type-options: nosniff",
            "x-frame-options: DENY",
            "referrer-policy: same-origin",
            "permissions-policy: camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
            "x-permitted-cross-domain-policies: none",
            "X-Frame-Options: SAMEORIGIN"
        ]
    );
    assert_eq!(remove, ["content-security-policy", "x-powered-by"]);
}
