//! `evergate invalidate`: what it tells the running gateway, what it prints, and how it ends.

use std::fs;
use std::net::TcpListener;

use evergate_tests::{Gateway, Origin, Output, Reply, complaint, evergate, printed};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{numbered, seen, visit};

const ROUTES: &str = "- { path: /p, revalidate: 1h }\n- { path: '/items/[slug]', revalidate: 1h }\n\
                      - { path: '/docs/[[...rest]]', revalidate: 1h }";

/// Runs `evergate invalidate` where `config.yaml` is this text.
fn on(config: &str, arguments: &[&str]) -> Output {
    let directory = TempDir::new().expect("a temporary directory");
    fs::write(directory.path().join("config.yaml"), config).expect("a file in our own directory");
    evergate(&[&["invalidate"], arguments].concat(), directory.path())
}

/// Tells this gateway.
fn tell(gateway: &Gateway, arguments: &[&str]) -> Output {
    let admin = gateway.admin().to_string();
    on("", &[arguments, &["--admin", &admin]].concat())
}

#[tokio::test]
async fn it_forgets_and_says_what() {
    let (_origin, gateway) = numbered(ROUTES).await;
    let admin = gateway.admin();
    visit(&gateway, "/p").await;
    let told = tell(&gateway, &["--tag", "posts", "--path", "/p/"]);
    let expected = format!(" at {admin}, stale: served once more while it is refreshed\n  tag posts\n  path /p\n");
    assert!(printed(&told).ends_with(&expected), "{}", told.stdout);
    assert_eq!(visit(&gateway, "/p").await, seen("STALE", "1"));
    super::becomes(&gateway, "/p", "2").await;
    for (arguments, expected) in [
        (
            &["--path", "/p", "--delete"][..],
            "1 stored response at ADMIN, gone: the next request waits for a new answer\n  path /p\n",
        ),
        (&["--tag", "posts", "--expire", "1m"], "1 stored response at ADMIN, stale, and gone in 1m\n  tag posts\n"),
        (
            &["--tag", "none"],
            "0 stored responses at ADMIN, stale: served once more while it is refreshed\n  tag none\n",
        ),
        (
            &["--route", "/items/[slug]"],
            "0 stored responses at ADMIN, stale: served once more while it is refreshed\n  route /items/[slug]\n",
        ),
        (
            &["--route", "/items/[slug]", "--param", "slug=a b"],
            "0 stored responses at ADMIN, stale: served once more while it is refreshed\n  path /items/a%20b\n",
        ),
        (
            &["--route", "/docs/[[...rest]]", "--param", "rest=x/y", "--upstream", "origin", "--refresh"],
            "0 stored responses of upstream origin at ADMIN, stale: served once more while it is refreshed; what was popular is fetched anew\n  path /docs/x/y\n",
        ),
        (
            &["--layout", "/items"],
            "0 stored responses at ADMIN, stale: served once more while it is refreshed\n  layout /items\n",
        ),
        (&["--all", "--delete"], "1 stored response at ADMIN, gone: the next request waits for a new answer\n  all\n"),
    ] {
        visit(&gateway, "/p").await;
        super::until("it is fresh", async || visit(&gateway, "/p").await.0 == "HIT").await;
        let told = tell(&gateway, arguments);
        assert_eq!(printed(&told).replace(&admin.to_string(), "ADMIN"), expected, "{arguments:?}");
    }
    let prefix = tell(&gateway, &["--prefix", "/p"]);
    assert!(printed(&prefix).ends_with("\n  prefix /p\n"), "{}", prefix.stdout);
}

#[tokio::test]
async fn programs_get_the_gateways_own_answer() {
    let (_origin, gateway) = numbered(ROUTES).await;
    visit(&gateway, "/p").await;
    let told = tell(&gateway, &["--path", "/p", "--expire", "90", "--refresh", "--json"]);
    let object: Value = serde_json::from_str(printed(&told)).expect("an object");
    let expected = json!({
        "mode": { "expire": 90 }, "refresh": true, "upstream": null, "matched": { "count": 1, "exact": true },
        "selected": [{ "path": "/p" }],
    });
    assert_eq!(object, expected);
}

#[tokio::test]
async fn the_configuration_says_where_the_gateway_is_and_what_it_wants() {
    let origin = Origin::start().await;
    origin.on("/p", |_| Reply::ok("page"));
    let config = Gateway::simple_config(&origin, ROUTES)
        .replace("\"127.0.0.1:0\" }\nthreads", "\"127.0.0.1:0\", token: s3cret }\nthreads");
    let gateway = Gateway::start(&config).await;
    let own =
        config.replace("admin: { address: \"127.0.0.1:0\"", &format!("admin: {{ address: \"{}\"", gateway.admin()));
    assert!(printed(&on(&own, &["--all"])).starts_with("0 stored responses at "));
    printed(&tell(&gateway, &["--all", "--token", "s3cret"]));
    let admin = gateway.admin();
    let hint = "(`--token`, or EVERGATE_ADMIN_TOKEN)\n";
    let refused = tell(&gateway, &["--all"]);
    assert_eq!(complaint(&refused, 1), format!("the gateway at {admin} wants its admin token {hint}"));
    let refused = on(&own, &["--all", "--token", "wr0ng"]);
    assert_eq!(complaint(&refused, 1), format!("the gateway at {admin} does not accept this token {hint}"));
    // A port that the system chose is known to nobody.
    let unknown = on(&config, &["--all"]);
    assert!(complaint(&unknown, 1).contains("`--admin`"), "{}", unknown.stderr);
}

#[tokio::test]
async fn every_problem_is_printed_and_nothing_is_forgotten() {
    let (_origin, gateway) = numbered(ROUTES).await;
    visit(&gateway, "/p").await;
    let output =
        tell(&gateway, &["--all", "--tag", "", "--path", "/p?x=1", "--route", "/item/[slug]", "--upstream", "orign"]);
    let said = complaint(&output, 1);
    let admin = gateway.admin();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}");
    assert_eq!(
        lines[0],
        format!(
            "the gateway at {admin} answers with 422 Unprocessable Entity: the order has problems, so nothing was forgotten"
        )
    );
    for (line, begins) in lines[1..].iter().zip(["  tags[0]: ", "  paths[0]: ", "  routes[0]: ", "  upstream: "]) {
        assert!(line.starts_with(begins), "{line}");
    }
    let partial = tell(&gateway, &["--route", "/items/[slug]", "--param", "id=1"]);
    assert!(complaint(&partial, 1).contains("without `id`"), "{}", partial.stderr);
    assert_eq!(visit(&gateway, "/p").await, seen("HIT", "1"));
}

#[test]
fn wrong_usage_is_told_apart() {
    let config = "upstreams: { demo: { builtin: demo } }\n";
    for (arguments, says) in [
        (&[][..], "--tag <TAG>"),
        (&["--delete"], "--tag <TAG>"),
        (&["--all", "--delete", "--expire", "1m"], "cannot be used with"),
        (&["--all", "--expire", "soon"], "invalid value 'soon' for '--expire <TIME>': expected a duration"),
        (&["--route", "/a", "--param", "slug"], "expected a name and a value (slug=a)"),
        (&["--route", "/a", "--route", "/b", "--param", "slug=a"], "`--param` needs a single `--route`"),
        (&["--route", "/a", "--param", "slug=a", "--param", "slug=b"], "`--param slug` is given twice"),
        (&["--tag", "a", "--param", "slug=a"], "--route"),
        (&["--all", "--admin", "nowhere"], "expected the URL of an admin listener"),
        (&["--all", "--admin", "127.0.0.1:1", "--config", "config.yaml"], "cannot be used with"),
        (&["posts"], "unexpected argument 'posts'"),
    ] {
        let output = on(config, arguments);
        let said = complaint(&output, 64);
        assert!(said.starts_with("error: ") && said.contains(says), "{arguments:?}: {said}");
    }
    let broken = on("thread: 5\nupstreams: { demo: { builtin: demo } }\n", &["--all"]);
    assert!(complaint(&broken, 78).starts_with("config.yaml:1: thread: found an unknown key"), "{}", broken.stderr);
    let nowhere =
        TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a free port").to_string();
    let output = on("", &["--all", "--admin", &nowhere]);
    assert_eq!(complaint(&output, 1), format!("nothing answers at {nowhere}: connection refused\n"));
}
