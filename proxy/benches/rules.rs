//! What it costs to judge a request by 0 to 1,000 rules, and what a hostile request costs.
//!
//! Each mixture of rules is asked three things: what none of them fits, what the last of them fits, and what the last and a few
//! that fit every path do. The rules change a field of the answer, so that judging never ends early; `chain` rewrites eight
//! times. `hostile` asks patterns that look ahead, look behind, refer back, or repeat what repeats, what costs them most: each
//! alone and a thousand times over; the slowest line of its table is what a visitor can make a request cost.
#![expect(clippy::expect_used, reason = "a benchmark of patterns that are wrong should not run")]

use std::fmt;

use divan::{Bencher, black_box};
use evergate::rules::{
    Action, Alternative, Case, Condition, Destination, FieldRules, Matcher, PathPattern, Power, Reach, Rewrite, Rule,
    Rules, Subject, Template, What,
};
use http::{HeaderMap, HeaderName, HeaderValue};

fn main() {
    divan::main();
}

/// How many rules there are.
const SIZES: [usize; 3] = [10, 100, 1_000];

/// Rules of one kind.
#[derive(Clone, Copy, Debug)]
enum Mixture {
    Static,
    Named,
    NoPrefix,
    LookAhead,
    Insensitive,
    Conditional,
}

const MIXTURES: [Mixture; 6] = [
    Mixture::Static,
    Mixture::Named,
    Mixture::NoPrefix,
    Mixture::LookAhead,
    Mixture::Insensitive,
    Mixture::Conditional,
];

/// So many rules of a kind.
#[derive(Clone, Copy)]
struct Many(Mixture, usize);

impl fmt::Debug for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:>4}", self.0, self.1)
    }
}

fn every_many() -> impl Iterator<Item = Many> {
    MIXTURES.into_iter().flat_map(|mixture| SIZES.map(|size| Many(mixture, size)))
}

impl Mixture {
    fn rule(self, number: usize) -> Rule {
        let source = match self {
            Mixture::Static | Mixture::Conditional => format!("/section{}/page{number}", number / 100),
            Mixture::Named if number.is_multiple_of(2) => format!("/section{}/page{number}/:name", number / 100),
            Mixture::Named => format!("/section{}/page{number}/:path*", number / 100),
            Mixture::NoPrefix if number.is_multiple_of(2) => format!("/:locale/page{number}/:path*"),
            Mixture::NoPrefix => format!("/(.*)/page{number}"),
            Mixture::LookAhead => format!("/((?!api|_next/static).*)/page{number}"),
            Mixture::Insensitive if number.is_multiple_of(2) => format!("/Section{}/Page{number}", number / 100),
            Mixture::Insensitive => format!("/:locale/Page{number}/:path*"),
        };
        let case = if matches!(self, Mixture::Insensitive) { Case::Insensitive } else { Case::Sensitive };
        let source = Some(PathPattern::compile(&source, case).expect("a good pattern"));
        let (mut has, mut missing) = (Vec::new(), Vec::new());
        if matches!(self, Mixture::Conditional) {
            has.push(match number % 4 {
                0 => Condition::there(What::Header(HeaderName::from_static("x-preview"))),
                1 => Condition::there(What::Cookie("session".to_owned())),
                2 => Condition::there(What::Query("q".to_owned())),
                _ => Condition::matches(What::Host, "(?<shop>[a-z]+)\\.acme\\.com").expect("a good expression"),
            });
            missing.push(Condition::there(What::Header(HeaderName::from_static("x-skip"))));
        }
        changing(Matcher::new(vec![Alternative { source, has, missing }]))
    }

    /// What the rule of this number fits.
    fn path(self, number: usize) -> String {
        match self {
            Mixture::Static | Mixture::Conditional => format!("/section{}/page{number}", number / 100),
            Mixture::Named => format!("/section{}/page{number}/a-name", number / 100),
            Mixture::NoPrefix | Mixture::LookAhead => format!("/en/page{number}"),
            Mixture::Insensitive => format!("/SECTION{}/PAGE{number}", number / 100),
        }
    }
}

/// A rule that changes a field of the answer.
fn changing(matcher: Matcher) -> Rule {
    let names = matcher.names();
    let line = (Template::new("x-section", &names), Template::new("one", &names));
    Rule { matcher, response: FieldRules { set: vec![line], ..FieldRules::default() }, ..Rule::default() }
}

fn of_pattern(source: &str, case: Case) -> Matcher {
    let source = Some(PathPattern::compile(source, case).expect("a good pattern"));
    Matcher::new(vec![Alternative { source, ..Alternative::default() }])
}

/// The fields of an ordinary browser.
fn headers() -> HeaderMap {
    let lines = [
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("accept-language", "en-GB,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("cookie", "theme=dark; session=7f3a9c"),
        ("x-preview", "1"),
    ];
    lines.into_iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn judge(bencher: Bencher<'_, '_>, rules: Vec<Rule>, path: &str) {
    let (rules, headers) = (Rules::new(rules), headers());
    bencher.bench_local(|| {
        let subject =
            Subject { path: black_box(path), query: Some("q=1"), host: Some("books.acme.com"), headers: &headers };
        rules.judge(&subject, Power::Full)
    });
}

fn many(Many(mixture, size): Many) -> Vec<Rule> {
    (0..size).map(|number| mixture.rule(number)).collect()
}

#[divan::bench]
fn no_rules(bencher: Bencher<'_, '_>) {
    judge(bencher, Vec::new(), "/section9/page999");
}

#[divan::bench(args = SIZES)]
fn rules_for_everything(bencher: Bencher<'_, '_>, size: usize) {
    judge(bencher, (0..size).map(|_| changing(Matcher::default())).collect(), "/section9/page999");
}

#[divan::bench(args = every_many())]
fn nothing_fits(bencher: Bencher<'_, '_>, asked: Many) {
    judge(bencher, many(asked), "/section9/elsewhere/altogether");
}

#[divan::bench(args = every_many())]
fn the_last_fits(bencher: Bencher<'_, '_>, asked: Many) {
    let Many(mixture, size) = asked;
    judge(bencher, many(asked), &mixture.path(size - 1));
}

#[divan::bench(args = every_many())]
fn a_few_fit(bencher: Bencher<'_, '_>, asked: Many) {
    let Many(mixture, size) = asked;
    let mut rules = many(asked);
    for place in [0, size / 3, size / 2] {
        rules.insert(place, changing(of_pattern("/:path*", Case::Sensitive)));
    }
    judge(bencher, rules, &mixture.path(size - 1));
}

/// Eight rewrites that follow each other, with as many rules as in `size` between them.
#[divan::bench(args = SIZES)]
fn chain(bencher: Bencher<'_, '_>, size: usize) {
    let step = |number: usize| {
        let matcher = of_pattern(&format!("/step{number}/:path*"), Case::Sensitive);
        let to = format!("/step{}/:path*", number + 1);
        let to = Destination::compile(&to, &matcher.names(), Reach::Here).expect("a good target");
        Rule { matcher, action: Action::Rewrite(Rewrite { to: Some(to), ..Rewrite::default() }), ..Rule::default() }
    };
    // Steps that are not part of the chain rewrite too, so that each is asked about every target.
    let rules =
        (0..8).flat_map(|number| (0..size / 8).map(move |other| 100 + number * size + other).chain([number]).map(step));
    judge(bencher, rules.collect(), "/step0/a/b");
}

/// A pattern with what costs it most.
struct Hostile {
    name: &'static str,
    pattern: String,
    case: Case,
    path: String,
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How long hostile paths are: about as long as what is tried with backtracking may be, about as long as a path may be, and
/// what is between.
const LENGTHS: [usize; 3] = [500, 3_000, 16_000];

/// A text of so many bytes in which nothing comes back.
fn unruly(letters: &str, length: usize) -> String {
    let mut state = 1_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from(state >> 33).unwrap_or_default() % letters.len();
        char::from(letters.as_bytes()[at])
    };
    (0..length).map(letter).collect()
}

fn every_hostile() -> Vec<Hostile> {
    let all = |pattern: &str, unit: &str, end: &str| (pattern.to_owned(), unit.to_owned(), end.to_owned());
    let random = unruly("abc", LENGTHS[2]);
    let words: Vec<String> = (0..400).map(|number| format!("word{number}")).collect();
    let alternation = format!("/(.*)((?:{}){{2}})/x", words.join("|"));
    let table = [
        ("nested quantifiers", all("/((?:a+)+)+b", "a", "")),
        ("three wild cards", all("/(.*)a(.*)a(.*)ab", "aab", "/b")),
        ("counted repetition", all("/(.*a[ab]{400}c)", "abc", "abb")),
        ("counted repetition, unruly", all("/(.*[ac][abc]{60}d)", "aababbcbabacaabbdba", "/b")),
        ("counted any character", all("/(.*a.{60}[bc])", "aababbabaaabbbac", "%C3%A9")),
        ("counted, twice", all("/(.*a.{30}b.{30}[bc])", "aababbabaaabbbac", "%C3%A9")),
        ("matching, counted", all("/(.*a.{60})", "aababbabaaabbba", "")),
        ("counted, on unruly", all("/(.*a.{20}[bc])d", &random, "d/")),
        ("counted to 60, on unruly", all("/(.*a.{60}[bc])d", &random, "d/")),
        ("counted to 400, on unruly", all("/(.*a[abc]{400}[bc])d", &random, "d/")),
        ("counted to 10, on unruly", all("/(.*a.{10}[bc])d", &random, "d/")),
        ("ambiguous", all("/((?:a?){60})((?:a?){60})((?:a|a|a|a)*)", "a", "")),
        ("unruly, looking ahead", all("/((?!.*a.{60}[bc]d).*)x", &random, "x/")),
        ("unruly, looking ahead in a loop", all("/((?:(?!.*a.{60}[bc]d).)*)x", &random, "x/")),
        ("unruly, looking behind", all("/(.*)((?<!a.{60}[bc])x)", &random, "x/")),
        ("huge alternation", all(&alternation, "word39", "")),
        ("letters", all("/((?:\\p{L}{1,20}-?)*)z", "a%C3%A9-z", "")),
        ("letters that fit", all("/((?:\\p{L}{1,20}-?)*)z", "a%C3%A9-z", "z")),
        ("names", all("/:a-:b", "a-", "/")),
        ("many segments", all("/:a*/x", "a/x/", "b")),
        ("fits, long", all("/:path*", "a/", "b")),
        ("fits six, long", all("/:a/:b/:c/:d/:e/:f/:path*", "a/", "b")),
        ("look-ahead first", all("/((?!api|_next/static|.*\\.png$).*)x", "a/x", "b")),
        ("look-ahead first, bad", all("/((?!(?:.*a){20}c).*)x", "abx", "b")),
        ("encoded slashes", all("/((?!api).*)/x", "a%2F..%2F.%2F%2Fx", "b")),
        ("encoded slashes, many segments", all("/:a*/x", "a%2Fx%2F", "b")),
        ("encoded slashes, counted", all("/(.*a.{60}[bc])", "a%2Fab%2Fbc%2Fba", "%C3%A9")),
        ("encoded slashes, backtracking", all("/(.*)-((?!x).*)c", "a%2F..%2F-%2F%2Fb", "")),
        ("back-references", all("/:a((?:a|aa)+)/:b(\\1)", "a", "/aaaa")),
        ("back-references, two", all("/:a(.*)/:b(.*)((?:\\1|\\2){2}x)", "ab/", "b")),
        ("tempered", all("/x{y}?((?:(?!z)a*)*)c", "a", "")),
        ("tempered, cheap", all("/:a(.*)/((?:(?!a.).)*)c", "a/", "b")),
        ("tempered by the rest", all("/((?:(?!.*z).)*)c", "a", "c/")),
        ("ahead in a loop", all("/((?:(?=.*(?:a|b)*b)a|aa|a)*)c", "a", "b/")),
        ("wild cards and look-ahead", all("/(.*)-(.*)-((?!x).*)c", "a-", "")),
        ("look-behind", all("/(.*)((?<!a)x?)(.*)((?<!b)x?)c", "ab", "")),
        ("look-behind, long", all("/(.*)((?<!x.{0,40}).*c)", "ab", "")),
        ("two dashes", all("/:a--:b--:c--:d", "a--", "/x")),
    ];
    let mut every = Vec::new();
    for (name, (pattern, unit, end)) in table {
        let case = if name.contains("letters") { Case::Insensitive } else { Case::Sensitive };
        for length in LENGTHS {
            let name = Box::leak(format!("{name}, {length} bytes").into_boxed_str());
            let length = length - end.len();
            let path = format!(
                "/x{}{end}",
                if unit.len() > length { unit[..length].to_owned() } else { unit.repeat(length / unit.len()) }
            );
            every.push(Hostile { name, pattern: pattern.clone(), case, path });
        }
    }
    every
}

#[divan::bench(args = every_hostile(), sample_count = 20, sample_size = 1)]
fn hostile(bencher: Bencher<'_, '_>, asked: &Hostile) {
    judge(bencher, vec![changing(of_pattern(&asked.pattern, asked.case))], &asked.path);
}

#[divan::bench(args = every_hostile(), sample_count = 2, sample_size = 1)]
fn hostile_a_thousand_times(bencher: Bencher<'_, '_>, asked: &Hostile) {
    let rule = changing(of_pattern(&asked.pattern, asked.case));
    judge(bencher, vec![rule; 1_000], &asked.path);
}
