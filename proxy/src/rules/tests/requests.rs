//! Requests: what the rules make of them.

use http::header::{CONTENT_TYPE, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use evergate_cache::Fields;

use super::super::{
    Action, Alternative, Answer, Case, Condition, Destination, Direction, End, Failed, FieldRules, Judgement, Matcher,
    PathPattern, Power, Reach, Rewrite, Rule, Rules, Subject, Template, Unbuildable, Undecided, Verb, What, may,
};

fn matcher(source: &str) -> Matcher {
    let source = Some(PathPattern::compile(source, Case::Sensitive).unwrap());
    Matcher::new(vec![Alternative { source, ..Alternative::default() }])
}

fn redirect(source: &str, to: &str) -> Rule {
    redirect_of(matcher(source), to)
}

fn redirect_of(matcher: Matcher, to: &str) -> Rule {
    let to = Destination::compile(to, &matcher.names(), Reach::Anywhere).unwrap();
    Rule { matcher, action: Action::Redirect(to, StatusCode::TEMPORARY_REDIRECT), ..Rule::default() }
}

fn rewrite(source: &str, to: &str) -> Rule {
    rewrite_of(matcher(source), to)
}

fn rewrite_of(matcher: Matcher, to: &str) -> Rule {
    let to = Destination::compile(to, &matcher.names(), Reach::Here).unwrap();
    let rewrite = Rewrite { to: Some(to), upstream: None };
    Rule { matcher, action: Action::Rewrite(rewrite), ..Rule::default() }
}

fn lines(matcher: &Matcher, lines: &[(&str, &str)]) -> Vec<(Template, Template)> {
    let names = matcher.names();
    lines.iter().map(|(name, value)| (Template::new(name, &names), Template::new(value, &names))).collect()
}

/// A rule that sets a field of the answer.
fn sets(matcher: Matcher, name: &str, value: &str) -> Rule {
    let response = FieldRules { set: lines(&matcher, &[(name, value)]), ..FieldRules::default() };
    Rule { matcher, response, ..Rule::default() }
}

fn judge_with(rules: Vec<Rule>, target: &str, headers: &HeaderMap, power: Power) -> Judgement {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    Rules::new(rules).judge(&Subject { path, query, host: Some("acme.com"), headers }, power)
}

fn judge(rules: Vec<Rule>, target: &str) -> Judgement {
    judge_with(rules, target, &HeaderMap::new(), Power::Full)
}

/// Where the rules lead, or why not.
fn location(rule: Rule, target: &str, headers: &HeaderMap) -> Result<String, Failed> {
    match judge_with(vec![rule], target, headers, Power::Full).end {
        Some(End::Redirect(_, location)) => Ok(location.to_str().unwrap().to_owned()),
        Some(End::Failed(failed)) => Err(failed),
        other => panic!("{target}: {other:?}"),
    }
}

#[test]
fn redirects_lead_where_they_say() {
    let cases = [
        ("/old/:path*", "/new/:path*", "/old", "/new"),
        ("/old/:path*", "/new/:path*", "/old/a/b?x=1&y", "/new/a/b?x=1&y"),
        ("/old/:path*", "/new/:path*", "/old/a%2Fb/c%3Fd", "/new/a%2Fb/c%3Fd"),
        ("/old/:path*", "/:path*", "/old", "/"),
        ("/old/(.*)", "/:0", "/old/%2Fevil.com", "/%2Fevil.com"),
        ("/a/:p?/b", "/x/:p", "/a/b", "/x"),
        ("/a", "/b?x=:y&c=1", "/a?c=2&d=3", "/b?d=3&x=:y&c=1"),
        ("/a/:p", "/b?p=:p&q", "/a/x%26y%20z", "/b?p=x%26y%20z&q"),
        ("/a/:p*", "/b?p=:p*", "/a/x/y", "/b?p=x%2Fy"),
        ("/a/:p", "/b#:p", "/a/x", "/b#x"),
        ("/a/:p", "https://:p.acme.com:8443/x/:p?y=1#z", "/a/b", "https://b.acme.com:8443/x/b?y=1#z"),
        ("/a", "https://acme.com", "/a?b", "https://acme.com/?b"),
        ("/a", "HTTP://acme.com/x", "/a", "http://acme.com/x"),
        ("/a", r"http://[\:\:1]:80/x", "/a", "http://[::1]:80/x"),
        ("/:a/:b", "/x{-:b}/:a", "/1/2", "/x-2/1"),
        ("/a/:p", "/caf\u{e9} b/:p", "/a/%C3%A9", "/caf%C3%A9%20b/%C3%A9"),
        ("/a/:p(.*)", "/b/:p/c", "/a/", "/b/c"),
    ];
    for (source, to, target, expected) in cases {
        let found = location(redirect(source, to), target, &HeaderMap::new());
        assert_eq!(found.as_deref(), Ok(expected), "{source} to {to} on {target}");
    }
}

#[test]
fn what_visitors_say_names_no_host_and_no_directory() {
    let of = |what: What, expression: &str, to: &str| {
        let source = Some(PathPattern::compile("/a/:p*", Case::Sensitive).unwrap());
        let has = vec![Condition::matches(what, expression).unwrap()];
        redirect_of(Matcher::new(vec![Alternative { source, has, missing: Vec::new() }]), to)
    };
    let query = |to| of(What::Query("q".to_owned()), "(?<q>[\\s\\S]*)", to);
    let cases = [
        ("/:q", "/a?q=/evil.com", Ok("/%2Fevil.com?q=/evil.com")),
        ("/:q", "/a?q=%5Cevil.com", Ok("/%5Cevil.com?q=%5Cevil.com")),
        ("/x/:q", "/a?q=..", Err(Failed::Unbuildable(Unbuildable))),
        ("/x/:q/y", "/a?q=.", Err(Failed::Unbuildable(Unbuildable))),
        ("/x/:q", "/a?q=%252e%252e", Ok("/x/%252e%252e?q=%252e%252e")),
        ("/x?y=:q", "/a?q=1%26b=%23", Ok("/x?q=1%26b=%23&y=1%26b%3D%23")),
        ("/x/:q", "/a?q=%0d%0ax-a:+1", Ok("/x/%0D%0Ax-a:%201?q=%0d%0ax-a:+1")),
        ("https://:q.acme.com/", "/a?q=b", Ok("https://b.acme.com/?q=b")),
        ("https://:q.acme.com/", "/a?q=evil.com/", Err(Failed::Unbuildable(Unbuildable))),
        ("https://:q.acme.com/", "/a?q=evil.com%23", Err(Failed::Unbuildable(Unbuildable))),
        ("https://:q.acme.com/", "/a?q=me:x@evil", Err(Failed::Unbuildable(Unbuildable))),
    ];
    for (to, target, expected) in cases {
        let found = location(query(to), target, &HeaderMap::new());
        assert_eq!(found.as_deref(), expected.as_ref().map(|text: &&str| *text), "{to} on {target}");
    }
}

#[test]
fn rewrites_pass_on_what_their_path_does_not_use() {
    let cases = [
        ("/old/:slug", "/new/:slug", "/old/a?x=1", "/new/a?x=1"),
        ("/old/:slug", "/new", "/old/a%20b?x=1", "/new?x=1&slug=a%20b"),
        ("/old/:slug", "/new?slug=c", "/old/a?slug=b", "/new?slug=c"),
        ("/old/:slug*", "/new", "/old/a/b", "/new?slug=a&slug=b"),
        ("/old/(.*)", "/new", "/old/a", "/new"),
        ("/old/:a/:b*", "/new/:b*", "/old/x", "/new?a=x"),
        ("/old/:a/:b*", "/new/:b*", "/old/x/y", "/new/y"),
        ("/((?!api|_next/static).*)", "/app/:0", "/a/b/", "/app/a/b/"),
        ("/((?!api|_next/static).*)", "/app/:0", "/", "/app/"),
        ("/a/:p", "/b/:p", "/a/%2Fc", "/b/%2Fc"),
    ];
    for (source, to, target, expected) in cases {
        assert_eq!(judge(vec![rewrite(source, to)], target).target.as_deref(), Some(expected), "{source} on {target}");
    }
}

#[test]
fn targets_that_are_none_are_refused() {
    let names = matcher("/a/:p/(.*)").names();
    let known = "names that the matcher captures, each of its alternatives (`:0`, `:p`)";
    let cases = [
        ("b", "a path of this gateway (`/new/:path*`)".to_owned()),
        ("//b", "a path of this gateway (`/new/:path*`)".to_owned()),
        ("https://acme.com/", "a path of this gateway (`/new/:path*`)".to_owned()),
        ("/b#c", "a path of this gateway (`/new/:path*`)".to_owned()),
        ("/b/../c", "a target without `.` and `..` segments".to_owned()),
        ("/b/:q", format!("{known}, at character 3 (`/:q`)")),
        (
            "/b/:",
            "a name of letters, digits and `_` behind the colon (`\\:` is a plain one), at character 4 (`:`)"
                .to_owned(),
        ),
    ];
    for (to, expected) in cases {
        let found = Destination::compile(to, &names, Reach::Here).map_err(|error| error.to_string());
        assert_eq!(found, Err(expected), "{to}");
    }
    assert!(Destination::compile("https://user@acme.com/", &names, Reach::Anywhere).is_err());
    let several = Matcher::new(vec![Alternative::default(), Alternative::default()]).names();
    let found = Destination::compile("/:p", &several, Reach::Here).map_err(|error| error.to_string());
    assert!(found.unwrap_err().contains("(there are none)"));
}

#[test]
fn only_rewrites_see_what_rewrites_made() {
    let rules = || {
        vec![
            rewrite("/a", "/b"),
            sets(matcher("/b"), "x-b", "1"),
            sets(matcher("/a"), "x-a", "1"),
            redirect("/b", "/no"),
            rewrite("/b", "/c?x=1"),
            rewrite("/a", "/no"),
            rewrite("/c", "/d?y=2"),
        ]
    };
    let judgement = judge(rules(), "/a?q=1");
    assert_eq!((judgement.target.as_deref(), judgement.end), (Some("/d?q=1&x=1&y=2"), None));
    let mut fields = Fields::default();
    judgement.response.apply_to_answer(&mut fields, StatusCode::OK);
    assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-a"]);
}

#[test]
fn rewrites_end() {
    let chain =
        |length: usize| (0..length).map(|n| rewrite(&format!("/{n}"), &format!("/{}", n + 1))).collect::<Vec<_>>();
    assert_eq!(judge(chain(8), "/0").target.as_deref(), Some("/8"));
    assert_eq!(judge(chain(9), "/0").end, Some(End::Failed(Failed::Endless)));
    assert_eq!(judge(chain(9), "/1").target.as_deref(), Some("/9"));
}

#[test]
fn the_first_answer_ends_it_and_later_fields_count() {
    let everything = Matcher::default;
    let request = FieldRules { set: lines(&everything(), &[("x-late", "1")]), ..FieldRules::default() };
    let respond = Rule {
        matcher: matcher("/a/:p"),
        action: Action::Respond(Answer {
            status: StatusCode::FORBIDDEN,
            fields: lines(&matcher("/a/:p"), &[("x-p", "p=:p")]),
            body: "no".into(),
        }),
        ..Rule::default()
    };
    let rules = || {
        vec![
            sets(everything(), "x-first", "1"),
            respond.clone(),
            redirect("/a/:p", "/b"),
            rewrite("/a/:p", "/c"),
            Rule { request: request.clone(), ..Rule::default() },
            sets(everything(), "x-last", "1"),
        ]
    };
    let judgement = judge(rules(), "/a/x");
    let line = (HeaderName::from_static("x-p"), HeaderValue::from_static("p=x"));
    assert_eq!(judgement.end, Some(End::Respond(StatusCode::FORBIDDEN, vec![line], "no".into())));
    assert_eq!((judgement.target, judgement.request.is_empty()), (None, true));
    let mut fields = Fields::default();
    judgement.response.apply_to_answer(&mut fields, StatusCode::FORBIDDEN);
    assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-first", "x-last"]);

    let only_fields = judge_with(rules(), "/a/x", &HeaderMap::new(), Power::AnswersFields);
    assert_eq!((only_fields.end, only_fields.request.is_empty()), (None, true));
    assert_eq!(only_fields.response, judgement.response);
}

#[test]
fn what_cannot_be_decided_is_not_served() {
    let undecided = "/x{y}?((?:(?!z)a*)*)c";
    let rules = vec![sets(Matcher::default(), "x-a", "1"), sets(matcher(undecided), "x-b", "1")];
    let judgement = judge(rules, &format!("/xc{}", "a".repeat(1_000)));
    assert_eq!(judgement.end, Some(End::Failed(Failed::Undecided(Undecided))));
    let mut fields = Fields::default();
    judgement.response.apply_to_answer(&mut fields, StatusCode::OK);
    assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-a"]);
}

#[test]
fn conditions_capture_what_they_match() {
    let has = vec![
        Condition::there(What::Header(HeaderName::from_static("x-my-id"))),
        Condition::matches(What::Cookie("session".to_owned()), "(?<user>[a-z]+)-\\d+").unwrap(),
        Condition::matches(What::Host, "acme\\.com").unwrap(),
    ];
    let missing = vec![Condition::there(What::Query("skip".to_owned()))];
    let rule = sets(Matcher::new(vec![Alternative { source: None, has, missing }]), "x-:user", ":xmyid at :host");
    let mut headers = HeaderMap::new();
    headers.insert("x-my-id", HeaderValue::from_static("7"));
    headers.append("cookie", HeaderValue::from_static("a=1; session=\"ann%2D1\"; session=bob-2"));
    for (target, skipped) in [("/a", false), ("/a?skip", false), ("/a?skip=1", true), ("/a?skip=1&sk%69p=", false)] {
        let judgement = judge_with(vec![rule.clone()], target, &headers, Power::Full);
        let mut fields = Fields::default();
        judgement.response.apply_to_answer(&mut fields, StatusCode::OK);
        let found = fields.get(&HeaderName::from_static("x-ann")).map(|value| value.to_str().unwrap());
        assert_eq!(found, (!skipped).then_some("7 at acme.com"), "{target}");
    }
    headers.append("x-my-id", HeaderValue::from_static("8"));
    let judgement = judge_with(vec![rule], "/a", &headers, Power::Full);
    let mut fields = Fields::default();
    judgement.response.apply_to_answer(&mut fields, StatusCode::OK);
    assert_eq!(fields.get(&HeaderName::from_static("x-ann")), Some(&HeaderValue::from_static("7, 8 at acme.com")));
}

/// What an answer is said to depend on.
fn vary(judgement: &Judgement) -> Option<String> {
    let mut fields = Fields::default();
    judgement.response.apply_to_answer(&mut fields, StatusCode::OK);
    fields.get(&VARY).map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn answers_depend_on_what_conditions_read() {
    let header = |name| Condition::there(What::Header(HeaderName::from_static(name)));
    let cookie = || Condition::there(What::Cookie("a".to_owned()));
    let query = || Condition::there(What::Query("q".to_owned()));
    let one = |source: &str, has, missing| Alternative {
        source: Some(PathPattern::compile(source, Case::Sensitive).unwrap()),
        has,
        missing,
    };
    let cases = [
        (vec![one("/a", vec![header("x-b"), cookie(), cookie()], vec![header("x-a")])], Some("cookie, x-a, x-b")),
        (vec![one("/b", vec![cookie()], vec![])], None),
        (vec![one("/a", vec![query()], vec![])], None),
        // Without the parameter nobody gets further.
        (vec![one("/a", vec![cookie(), query()], vec![])], None),
        (vec![one("/a", vec![cookie()], vec![query()])], Some("cookie")),
        // Whoever is let in by one alternative is told what would have let in others.
        (vec![one("/a", vec![header("x-here")], vec![]), one("/a", vec![cookie()], vec![])], Some("cookie, x-here")),
        // What is about everybody comes before what is about some.
        (vec![one("/a", vec![], vec![]), one("/a", vec![cookie()], vec![])], None),
    ];
    let mut headers = HeaderMap::new();
    headers.insert("x-here", HeaderValue::from_static("1"));
    for (alternatives, expected) in cases {
        let matcher = || Matcher::new(alternatives.clone());
        let request = FieldRules { set: lines(&matcher(), &[("x-late", "1")]), ..FieldRules::default() };
        let rules = [
            sets(matcher(), "x-set", "1"),
            redirect_of(matcher(), "/to"),
            rewrite_of(matcher(), "/to"),
            Rule { matcher: matcher(), request, ..Rule::default() },
        ];
        for rule in rules {
            let judgement = judge_with(vec![rule.clone()], "/a", &headers, Power::Full);
            assert_eq!(vary(&judgement).as_deref(), expected, "{rule:?}");
            let only_fields = judge_with(vec![rule.clone()], "/a", &headers, Power::AnswersFields);
            let expected = expected.filter(|_| !rule.response.is_empty());
            assert_eq!(vary(&only_fields).as_deref(), expected, "{rule:?}");
        }
        let idle = Rule { matcher: matcher(), ..Rule::default() };
        assert_eq!(vary(&judge_with(vec![idle], "/a", &headers, Power::Full)), None);
    }
}

#[test]
fn rewritten_targets_count_too() {
    let has = vec![Condition::there(What::Cookie("a".to_owned()))];
    let source = Some(PathPattern::compile("/b", Case::Sensitive).unwrap());
    let conditional = rewrite_of(Matcher::new(vec![Alternative { source, has, missing: Vec::new() }]), "/c");
    assert_eq!(vary(&judge(vec![rewrite("/a", "/b"), conditional.clone()], "/a")).as_deref(), Some("cookie"));
    assert_eq!(vary(&judge(vec![conditional], "/a")), None);
}

#[test]
fn fields_are_changed_as_the_handlers_answer_comes() {
    let everything = Matcher::default();
    let first = Rule {
        response: FieldRules {
            remove: vec![HeaderName::from_static("x-powered-by")],
            set: lines(
                &everything,
                &[("x-a", "1"), ("set-cookie", "rule=1"), ("vary", "x-b"), ("content-type", "text/weird")],
            ),
            append: lines(&everything, &[("x-b", "rule"), ("link", "<:a>")]),
        },
        ..Rule::default()
    };
    let second = sets(everything, "x-a", "2");
    let judgement = judge(vec![first, second], "/");
    let handlers = [
        ("x-powered-by", "PHP"),
        ("x-a", "0"),
        ("set-cookie", "handler=1"),
        ("vary", "x-b"),
        ("x-b", "handler"),
        ("content-type", "text/plain"),
    ];
    let fields = || -> Fields {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        handlers.iter().map(line).collect()
    };
    let all = |fields: &Fields, name: HeaderName| {
        fields.get_all(&name).map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut changed = fields();
    judgement.response.apply_to_answer(&mut changed, StatusCode::OK);
    for (name, expected) in [
        (HeaderName::from_static("x-powered-by"), vec![]),
        (HeaderName::from_static("x-a"), vec!["2"]),
        (SET_COOKIE, vec!["handler=1", "rule=1"]),
        (VARY, vec!["x-b"]),
        (HeaderName::from_static("x-b"), vec!["handler", "rule"]),
        (CONTENT_TYPE, vec!["text/weird"]),
        (HeaderName::from_static("link"), vec!["<:a>"]),
    ] {
        assert_eq!(all(&changed, name.clone()), expected, "{name}");
    }
    let mut confirmed = Fields::default();
    judgement.response.apply_to_answer(&mut confirmed, StatusCode::NOT_MODIFIED);
    assert_eq!(
        (all(&confirmed, CONTENT_TYPE), all(&confirmed, HeaderName::from_static("x-a"))),
        (vec![], vec!["2".to_owned()])
    );
}

#[test]
fn some_fields_are_not_the_rules_to_change() {
    let barred = [
        ("connection", Direction::Request, Verb::Remove),
        ("content-length", Direction::Response, Verb::Remove),
        ("transfer-encoding", Direction::Response, Verb::Write),
        ("host", Direction::Request, Verb::Write),
        ("x-forwarded-for", Direction::Request, Verb::Write),
        ("x_forwarded_for", Direction::Request, Verb::Write),
        ("x-middleware-rewrite", Direction::Request, Verb::Write),
        ("age", Direction::Response, Verb::Remove),
        ("x-cache", Direction::Response, Verb::Write),
        ("etag", Direction::Response, Verb::Write),
        ("last-modified", Direction::Response, Verb::Write),
        ("accept-ranges", Direction::Response, Verb::Write),
    ];
    for (name, direction, verb) in barred {
        assert!(!may(verb, &HeaderName::from_static(name), direction), "{name}");
    }
    for name in ["x-cache", "etag", "last-modified", "accept-ranges"] {
        assert!(may(Verb::Remove, &HeaderName::from_static(name), Direction::Response), "{name}");
    }
    assert!(may(Verb::Write, &HeaderName::from_static("host"), Direction::Response));
    // A captured name makes none of them either, and none that is not a name.
    for name in ["x-cache", "etag", "a(b", "content-length"] {
        let rule = sets(matcher("/:name"), ":name", "1");
        assert!(judge(vec![rule], &format!("/{name}")).response.is_empty(), "{name}");
    }
}

#[test]
fn values_carry_no_line_breaks() {
    let rule = sets(matcher("/:p(.*)"), "x-p", ":p");
    let judgement = judge(vec![rule], "/a%0D%0Ax%3A1%2F%25%C3%A9");
    let mut fields = Fields::default();
    judgement.response.apply_to_answer(&mut fields, StatusCode::OK);
    let value = fields.get(&HeaderName::from_static("x-p")).unwrap();
    assert_eq!(value, "a%0D%0Ax:1%2F%25%C3%A9");
}

#[test]
fn rules_for_everything_count_where_nothing_could_be_read() {
    let rules = Rules::new(vec![sets(Matcher::default(), "x-a", "1"), sets(matcher("/:path*"), "x-b", "1")]);
    let mut fields = Fields::default();
    rules.everywhere().apply_to_answer(&mut fields, StatusCode::BAD_REQUEST);
    assert_eq!(fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-a"]);
}
