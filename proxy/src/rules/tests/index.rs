//! The index: whom it finds, and that judging by those it finds is judging by all.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use proptest::collection::vec;
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_assert_eq, prop_oneof, proptest};

use super::super::effort::Effort;
use super::super::index::Index;
use super::super::matcher::Forms;
use super::super::{
    Action, Alternative, Answer, Case, Condition, Destination, End, Failed, FieldRules, Matcher, PathPattern, Power,
    Reach, Rewrite, Rule, Rules, Subject, Template, Undecided, What,
};

fn alternative(source: &str, case: Case) -> Option<Alternative> {
    let source = Some(PathPattern::compile(source, case).ok()?);
    Some(Alternative { source, ..Alternative::default() })
}

/// The places of the rules that are tried on a path.
fn found(rules: &[Rule], path: &str) -> Vec<usize> {
    let index = Index::new(rules);
    let mut candidates = index.candidates();
    candidates.add(&Forms::new(path), &Effort::new()).unwrap();
    candidates.collect()
}

fn rules(sources: &[&str], case: Case) -> Vec<Rule> {
    let rule = |source: &&str| {
        let alternatives = source.split(" or ").map(|source| alternative(source, case).unwrap()).collect();
        Rule { matcher: Matcher::new(alternatives), ..Rule::default() }
    };
    sources.iter().map(rule).collect()
}

#[test]
fn rules_are_found_by_what_their_patterns_cannot_do_without() {
    let sources = [
        "/a",
        "/a/b",
        "/a/b/c",
        "/ab/:p*",
        "/:l/x1/:p*",
        "/(.*)/x2",
        "/:p*",
        "/x{y}?/z",
        "/((?!api).*)-end",
        "/q or /a/r",
        "/",
        "/:p.json",
        "/many{bc}+",
        "/many{bc}?",
    ];
    let cases = [
        ("/", vec![6, 10]),
        ("/a", vec![0, 6, 10]),
        ("/a/", vec![0, 6, 10]),
        ("/a/b/c/d", vec![0, 1, 2, 6, 10]),
        ("/a/c", vec![0, 6, 10]),
        ("/a0", vec![0, 6, 10]),
        ("/abc", vec![0, 3, 6, 10, 12]),
        ("/en/x1", vec![4, 6, 10]),
        ("/en/x2/x1", vec![4, 5, 6, 10]),
        ("/xy/z", vec![6, 7, 10]),
        ("/b-end", vec![6, 8, 10]),
        ("/a/r", vec![0, 6, 9, 10]),
        ("/q", vec![6, 9, 10]),
        ("/a.json", vec![0, 6, 10, 11]),
        ("/many", vec![6, 10, 13]),
        ("/manybc", vec![6, 10, 12, 13]),
        // Encoded slashes are read both ways.
        ("/a%2Fb", vec![0, 1, 6, 10]),
        ("/x/..%2Fa", vec![0, 6, 7, 10]),
    ];
    for (path, expected) in cases {
        assert_eq!(found(&rules(&sources, Case::Sensitive), path), expected, "{path}");
    }
}

#[test]
fn rules_for_which_case_does_not_count_are_found_in_every_case() {
    let sources = ["/About", "/:l/Kiosk", "/caf\u{c9}s/:p", "/x/:p(y|z)\u{e9}nd"];
    for (path, expected) in [
        ("/ABOUT/x", vec![0]),
        ("/en/kIOSK", vec![1]),
        ("/en/\u{212a}io\u{17f}k", vec![1]),
        ("/CAF%C3%A9\u{17f}/x", vec![2]),
        ("/X/y\u{c9}ND", vec![3]),
    ] {
        let found = found(&rules(&sources, Case::Insensitive), path);
        assert!(expected.iter().all(|place| found.contains(place)), "{path}: {found:?}");
    }
    assert_eq!(found(&rules(&sources, Case::Sensitive), "/ABOUT"), [0; 0]);
}

#[test]
fn of_many_rules_few_are_tried() {
    let shapes = ["/s/page#", "/:l/page#/:p*", "/(.*)/page#", "/((?!api|_next/static).*)/page#", "/s/:p/page#"];
    for shape in shapes {
        let sources: Vec<String> = (0..300).map(|number| shape.replace('#', &format!("{number:03}"))).collect();
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        for case in [Case::Sensitive, Case::Insensitive] {
            let list = rules(&sources, case);
            assert_eq!(found(&list, "/s/elsewhere"), [0; 0], "{shape}");
            assert_eq!(found(&list, "/s/page277"), [277], "{shape}");
            assert_eq!(
                found(&list, "/s/x/page001/page277"),
                if shape.starts_with("/s/page") { vec![] } else { vec![1, 277] }
            );
        }
    }
    // What could be about any path is tried on each.
    assert_eq!(found(&rules(&["/:p*"; 300], Case::Sensitive), "/a").len(), 300);
    assert_eq!(found(&vec![Rule::default(); 130], "/a"), (0..130).collect::<Vec<_>>());
}

/// Pieces of patterns; `#` makes names differ.
const PIECES: [&str; 32] = [
    "/a",
    "/b",
    "/ab",
    "/A",
    "/K",
    "/k",
    "/s",
    "/\u{e9}",
    "/\u{c9}",
    "/a%2Fb",
    "/:p#",
    "/:p#?",
    "/:p#*",
    "/:p#+",
    "/(.*)",
    "/((?!api).*)",
    "/:p#(a|b)",
    "{/y}?",
    "{/y}+",
    "{y}*",
    "/:p#-:q#",
    "-b",
    ".a",
    "/:p#([a-k]+)",
    "/",
    "/:p#*{/}?",
    "/:p#((?<!a)b)",
    "/:p#((?:(?!z)a*)*)c",
    "{-:p#}*",
    "/api",
    "/x",
    "/\u{17f}",
];

/// Pieces of paths, which the pieces of patterns are about.
const PARTS: [&str; 26] = [
    "/a",
    "/b",
    "/ab",
    "/A",
    "/B",
    "/k",
    "/K",
    "/\u{212a}",
    "/s",
    "/\u{17f}",
    "/%C3%A9",
    "/%C3%89",
    "%2Fa",
    "%2F",
    "/..",
    "%2F..",
    "/y",
    "-b",
    ".a",
    "/api",
    "/x",
    "//",
    "/",
    "/index",
    "c",
    "/%FF",
];

fn pattern() -> impl Strategy<Value = Alternative> {
    let pieces = vec((0..PIECES.len(), Just(())), 1..4);
    (pieces, any::<bool>()).prop_filter_map("a pattern", |(pieces, sensitive)| {
        let named = |(number, (piece, ())): (usize, &(usize, ()))| PIECES[*piece].replace('#', &number.to_string());
        let source: String = pieces.iter().enumerate().map(named).collect();
        alternative(&source, if sensitive { Case::Sensitive } else { Case::Insensitive })
    })
}

fn path() -> impl Strategy<Value = String> {
    let long = Just(format!("/x/{}c/b", "a".repeat(600)));
    let parts = vec(0..PARTS.len(), 1..5);
    prop_oneof![9 => parts.prop_map(|parts| parts.iter().map(|part| PARTS[*part]).collect()), 1 => long]
}

/// What a rule does, with a target that rewrites and redirects lead to.
fn rule() -> impl Strategy<Value = Rule> {
    let conditional = |alternative: Alternative, conditional: bool| {
        let has = if conditional { vec![Condition::there(What::Query("q".to_owned()))] } else { Vec::new() };
        Alternative { has, ..alternative }
    };
    let alternative = (pattern(), any::<bool>()).prop_map(move |(pattern, chosen)| conditional(pattern, chosen));
    let anything =
        Just(Alternative { has: vec![Condition::there(What::Query("q".to_owned()))], ..Alternative::default() });
    let alternatives = vec(prop_oneof![20 => alternative, 1 => anything], 1..3);
    (alternatives, 0..7, path().prop_filter("a target", |path| !path.starts_with("//"))).prop_map(
        |(alternatives, what, to)| {
            let matcher = Matcher::new(alternatives);
            let names = matcher.names();
            let to = |reach| Destination::compile(&to, &names, reach);
            let action = match what {
                0 => Action::Respond(Answer { status: StatusCode::FORBIDDEN, fields: Vec::new(), body: "no".into() }),
                1 => to(Reach::Anywhere).map_or(Action::GoOn, |to| Action::Redirect(to, StatusCode::FOUND)),
                2..5 => to(Reach::Here)
                    .map_or(Action::GoOn, |to| Action::Rewrite(Rewrite { to: Some(to), ..Rewrite::default() })),
                _ => Action::GoOn,
            };
            // Each captured name is told, whatever stands for it.
            let value: String = names.all().iter().map(|name| format!(":{name};")).collect();
            let line = (Template::new("x-seen", &names), Template::new(&value, &names));
            Rule {
                matcher,
                action,
                response: FieldRules { append: vec![line], ..FieldRules::default() },
                ..Rule::default()
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn judging_by_those_that_are_found_is_judging_by_all(list in vec(rule(), 0..8), paths in vec(path(), 1..8)) {
        let rules = Rules::new(list);
        let all = Rules { index: Arc::new(Index::of_everything(rules.list.len())), ..rules.clone() };
        for path in &paths {
            for query in [None, Some("q=1")] {
                let subject = Subject { path, query, host: None, headers: &HeaderMap::new() };
                for power in [Power::Full, Power::AnswersFields] {
                    let (one, other) = (rules.judge(&subject, power), all.judge(&subject, power));
                    prop_assert_eq!(format!("{one:?}"), format!("{other:?}"), "{:?}", path);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_decided_ends_it_where_it_stands() {
    let undecided = "/x{y}?((?:(?!z)a*)*)c";
    let path = format!("/xc{}", "a".repeat(1_000));
    let responding = |source: &str| {
        let answer = Answer { status: StatusCode::FORBIDDEN, fields: Vec::new(), body: "no".into() };
        let matcher = Matcher::new(vec![alternative(source, Case::Sensitive).unwrap()]);
        Rule { matcher, action: Action::Respond(answer), ..Rule::default() }
    };
    for (sources, expected) in [
        ([undecided, "/:p*"], Some(End::Failed(Failed::Undecided(Undecided)))),
        (["/:p*", undecided], Some(End::Respond(StatusCode::FORBIDDEN, Vec::new(), "no".into()))),
        (["/y", undecided], Some(End::Failed(Failed::Undecided(Undecided)))),
        (["/y", "/z"], None),
    ] {
        let rules = Rules::new(sources.map(responding).into());
        let subject = Subject { path: &path, query: None, host: None, headers: &HeaderMap::new() };
        assert_eq!(rules.judge(&subject, Power::Full).end, expected, "{sources:?}");
    }
}
