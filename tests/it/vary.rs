//! Routes with `vary`: the listed request fields split a page into variants, everything else does not. Carries the part
//! of promise 1 that is about variants, and the limit of their number from promise 6.

use evergate_tests::{Client, Gate, Gateway, Origin, Reply, Response, Seen, get, until};
use tokio::task::JoinSet;

/// Header lines.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// A GET of `/p` by a visitor of its own.
async fn visit(gateway: &Gateway, lines: Lines<'_>) -> Response {
    Client::connect(gateway.address()).await.get_with("/p", lines).await
}

/// A GET of `/p` in a language.
async fn speak(gateway: &Gateway, language: &str) -> Response {
    visit(gateway, &[("accept-language", language)]).await
}

/// The page in the visitor's language.
fn in_language(seen: &Seen) -> Reply {
    Reply::ok(seen.all("accept-language").join(", "))
}

/// An origin whose `/p` replies so, behind a gateway whose route for it has these settings.
async fn in_front_of(reply: impl Fn(&Seen) -> Reply + Send + Sync + 'static, settings: &str) -> (Origin, Gateway) {
    let origin = Origin::start().await;
    origin.on("/p", reply);
    let gateway = Gateway::simple(&origin, &format!("- {{ path: /p, {settings} }}")).await;
    (origin, gateway)
}

/// Requests in groups that share a variant each, and what their handler gets to see of the two listed fields.
type Group = (&'static [Lines<'static>], [&'static [&'static str]; 2]);

const GROUPS: [Group; 10] = [
    (&[&[], &[("accept", "text/html"), ("cookie", "id=ann"), ("x-plans", "pro")]], [&[], &[]]),
    (
        &[
            &[("accept-language", "fi")],
            &[("Accept-Language", "fi"), ("accept-encoding", "br")],
            &[("accept-language", "  fi ")],
        ],
        [&["fi"], &[]],
    ),
    (&[&[("accept-language", "FI")]], [&["FI"], &[]]),
    (&[&[("accept-language", "")]], [&[""], &[]]),
    (&[&[("accept-language", "fi, en")]], [&["fi, en"], &[]]),
    // Several lines are one list (RFC 9110 section 5.3); what the key does not know of it, the handler does not see.
    (
        &[
            &[("accept-language", "en"), ("accept-language", "fi")],
            &[("accept-language", "en, fi")],
            &[("Accept-Language", "en"), ("x-other", "1"), ("accept-language", "fi")],
        ],
        [&["en, fi"], &[]],
    ),
    (&[&[("accept-language", ""), ("accept-language", "")]], [&[","], &[]]),
    (&[&[("x-plan", "fi")]], [&[], &["fi"]]),
    (
        &[&[("accept-language", "fi"), ("x-plan", "pro")], &[("x-plan", "pro"), ("accept-language", "fi")]],
        [&["fi"], &["pro"]],
    ),
    (&[&[("x-plan", "pr\u{f6}")]], [&[], &["pr\u{f6}"]]),
];

#[tokio::test]
async fn promise_1_listed_fields_split_variants_and_are_all_that_is_forwarded() {
    let (origin, gateway) = in_front_of(in_language, "revalidate: false, vary: [Accept-Language, x-plan]").await;
    for (visitors, [language, plan]) in GROUPS {
        let before = origin.count("/p");
        for (index, lines) in visitors.iter().enumerate() {
            let response = visit(&gateway, lines).await;
            let expected = if index == 0 { "MISS" } else { "HIT" };
            assert_eq!((response.x_cache(), response.text()), (expected, language.join(", ").as_str()), "{lines:?}");
        }
        let seen = &origin.seen("/p")[before..];
        assert_eq!(seen.len(), 1, "one run for {visitors:?}");
        assert_eq!((seen[0].all("accept-language"), seen[0].all("x-plan")), (language.to_vec(), plan.to_vec()));
        for withheld in ["accept-encoding", "cookie", "x-plans"] {
            assert_eq!(seen[0].header(withheld), None, "{withheld}");
        }
    }
}

#[tokio::test]
async fn a_missing_variant_is_told_from_a_missing_page() {
    let (_origin, gateway) = in_front_of(in_language, "revalidate: false, vary: [accept-language]").await;
    for (language, status) in [
        ("fi", "evergate; fwd=uri-miss; fwd-status=200; stored"),
        ("en", "evergate; fwd=vary-miss; fwd-status=200; stored"),
        ("fi", "evergate; hit"),
        ("en", "evergate; hit"),
    ] {
        assert_eq!(speak(&gateway, language).await.cache_status(), status, "{language}");
    }
}

#[tokio::test]
async fn listed_fields_that_the_gateway_sends_itself_are_the_visitors() {
    let echo = |seen: &Seen| {
        let values = ["accept", "user-agent"].map(|name| seen.all(name).join("+"));
        Reply::ok(values.join(" "))
    };
    let (_origin, gateway) = in_front_of(echo, "revalidate: false, vary: [accept, user-agent]").await;
    for (accept, agent) in [("text/html", "one"), ("text/html", "two"), ("*/*", "one")] {
        let response = visit(&gateway, &[("accept", accept), ("user-agent", agent)]).await;
        assert_eq!((response.x_cache(), response.text()), ("MISS", format!("{accept} {agent}").as_str()));
    }
}

#[tokio::test]
async fn what_the_handler_varies_on_beyond_the_list_is_constant_and_ignored() {
    let varies = |seen: &Seen| in_language(seen).header("vary", "Accept-Encoding, Cookie").header("vary", "x-a");
    let (origin, gateway) = in_front_of(varies, "revalidate: false, vary: [accept-language]").await;
    let fields = |encoding, cookie| [("accept-language", "fi"), ("accept-encoding", encoding), ("cookie", cookie)];
    for (lines, x_cache) in
        [(fields("br", "id=ann"), "MISS"), (fields("gzip", "id=bob"), "HIT"), (fields("", ""), "HIT")]
    {
        let response = visit(&gateway, &lines).await;
        assert_eq!(response.x_cache(), x_cache, "{lines:?}");
        // Visitors' own caches still go by it.
        let told = response.all("vary").join(", ").to_ascii_lowercase();
        for name in ["accept-encoding", "cookie", "x-a"] {
            assert!(told.contains(name), "{name} in {told:?}");
        }
    }
    assert_eq!(origin.count("/p"), 1);
}

#[tokio::test]
async fn caches_in_front_are_told_what_splits_the_page() {
    let settings = "revalidate: false, vary: [accept-language], cookies: [theme]";
    let (_origin, gateway) = in_front_of(|seen| in_language(seen).header("vary", "x-a"), settings).await;
    for x_cache in ["MISS", "HIT"] {
        let response = speak(&gateway, "fi").await;
        assert_eq!(response.x_cache(), x_cache);
        // The answer says `CDN-Cache-Control: public`; without this a cache in front would mix up its visitors.
        let told = response.all("vary").join(",").to_ascii_lowercase();
        let mut names: Vec<&str> = told.split(',').map(str::trim).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept-language", "cookie", "x-a"], "{x_cache}");
    }
}

#[tokio::test]
async fn promise_2_each_variant_has_one_fill_of_its_own() {
    let gate = Gate::new();
    let held = gate.clone();
    let reply = move |seen: &Seen| in_language(seen).gate(&held);
    let (origin, gateway) = in_front_of(reply, "revalidate: false, vary: [accept-language]").await;
    let mut visitors = JoinSet::new();
    for language in ["fi", "en", "fi", "en", "fi", "en"] {
        let mut client = Client::connect(gateway.address()).await;
        client.send("GET", "/p", &[("accept-language", language)], "").await;
        visitors.spawn(async move { (language, client.read_response("GET").await) });
    }
    // Neither waits for the other.
    gate.arrived(2).await;
    gate.open();
    for (language, response) in visitors.join_all().await {
        assert_eq!((response.x_cache() == "PASS", response.text()), (false, language));
    }
    assert_eq!(origin.count("/p"), 2);
}

#[tokio::test]
async fn refreshes_ask_for_the_variant_that_they_replace() {
    let (origin, gateway) = in_front_of(in_language, "revalidate: 1, vary: [accept-language]").await;
    for language in ["fi", "en"] {
        assert_eq!(speak(&gateway, language).await.x_cache(), "MISS");
    }
    let refreshed = async || {
        let answers = [speak(&gateway, "fi").await, speak(&gateway, "en").await];
        assert_eq!(answers.each_ref().map(Response::text), ["fi", "en"]);
        origin.count("/p") >= 4
    };
    until("both variants are refreshed", refreshed).await;
    for language in ["fi", "en"] {
        let asked = origin.seen("/p").iter().filter(|seen| seen.header("accept-language") == Some(language)).count();
        assert!(asked >= 2, "{language} was asked for {asked} times");
    }
}

#[tokio::test]
async fn promise_1_a_variant_that_is_declined_leaves_the_others() {
    let reply = |seen: &Seen| match seen.header("accept-language") {
        Some("fi") => in_language(seen).header("set-cookie", "a=1"),
        Some(_) | None => in_language(seen),
    };
    let (_origin, gateway) = in_front_of(reply, "revalidate: false, vary: [accept-language]").await;
    for (language, x_cache) in
        [("en", "MISS"), ("fi", "PASS"), ("en", "HIT"), ("fi", "PASS"), ("sv", "MISS"), ("en", "HIT")]
    {
        assert_eq!(speak(&gateway, language).await.x_cache(), x_cache, "{language}");
    }
}

#[tokio::test]
async fn promise_6_a_page_keeps_its_32_latest_variants() {
    let (origin, gateway) = in_front_of(in_language, "revalidate: false, vary: [accept-language]").await;
    for number in 0..40 {
        assert_eq!(speak(&gateway, &number.to_string()).await.x_cache(), "MISS", "{number}");
    }
    let evicted = gateway.metric("evergate_cache_evictions_total", &[("cause", "variants")]).await;
    let entries = gateway.metric("evergate_cache_entries", &[]).await;
    assert!((evicted, entries) == (8.0, 1.0), "{evicted} evicted, {entries} pages");
    for number in 8..40 {
        let response = speak(&gateway, &number.to_string()).await;
        assert_eq!((response.x_cache(), response.text()), ("HIT", number.to_string().as_str()));
    }
    for number in 0..8 {
        let response = speak(&gateway, &number.to_string()).await;
        assert_eq!(response.cache_status(), "evergate; fwd=vary-miss; fwd-status=200; stored", "{number}");
    }
    assert_eq!(origin.count("/p"), 48);
}

#[tokio::test]
async fn routes_without_a_list_have_one_variant() {
    let (origin, gateway) =
        in_front_of(|seen| in_language(seen).header("vary", "accept-language"), "revalidate: false").await;
    assert_eq!(speak(&gateway, "fi").await.x_cache(), "MISS");
    assert_eq!(speak(&gateway, "en").await.x_cache(), "HIT");
    assert_eq!((get(gateway.address(), "/p").await.text(), origin.count("/p")), ("", 1));
}
