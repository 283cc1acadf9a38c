//! Directives of responses and of requests. A line of the input is a line of the field.
#![no_main]

use std::time::Duration;

use evergate_cache::{CacheControl, Demands, Restriction};
use evergate_fuzz::{lists, plain_elements, values};
use http::header::{CACHE_CONTROL, PRAGMA};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

/// The largest number of seconds there is (RFC 9111 section 1.2.2).
const LONGEST: Duration = Duration::from_secs(1 << 31);

fuzz_target!(|data: &[u8]| {
    let lines = values(data);
    of_responses(&lines);
    of_requests(&lines);
});

fn of_responses(lines: &[HeaderValue]) {
    let directives = parse(lines);
    for line in lines {
        assert!(!lists(line, "no-store") || directives.no_store);
        assert!(!lists(line, "must-revalidate") || directives.must_revalidate && directives.forbids_stale());
        assert!(!lists(line, "private") || directives.private == Restriction::Whole);
        assert!(!lists(line, "no-cache") || directives.no_cache == Restriction::Whole);
        for (name, time) in [("max-age=", directives.max_age), ("s-maxage=", directives.s_maxage)] {
            for told in plain_elements(line).filter_map(|element| seconds(element, name)) {
                assert!(time.is_some_and(|time| time <= told), "of several the shortest counts");
            }
        }
    }
    let times = [
        directives.max_age,
        directives.s_maxage,
        directives.stale_while_revalidate,
        directives.stale_if_error,
        directives.lifetime(),
    ];
    assert!(times.iter().flatten().all(|time| *time <= LONGEST));
    assert_eq!(directives.lifetime(), directives.s_maxage.or(directives.max_age));

    // Neither order nor case means anything, and without quotes the lines are one list.
    assert_eq!(directives, parse(&reversed(lines)));
    assert_eq!(directives, parse(&in_capitals(lines)));
    if !lines.iter().any(|line| line.as_bytes().contains(&b'"')) {
        assert_eq!(directives, parse(&[joined(lines)]));
    }

    // A line more never allows more, but for being public.
    let [known @ .., _] = lines else { return };
    let known = parse(known);
    assert!(!known.no_store || directives.no_store);
    assert!(!known.forbids_stale() || directives.forbids_stale());
    assert!(is_within(&known.private, &directives.private));
    assert!(is_within(&known.no_cache, &directives.no_cache));
    assert!(known.max_age.is_none_or(|time| directives.max_age.is_some_and(|new| new <= time)));
    assert!(known.s_maxage.is_none_or(|time| directives.s_maxage.is_some_and(|new| new <= time)));
}

fn of_requests(lines: &[HeaderValue]) {
    let demands = Demands::of(&request(&CACHE_CONTROL, lines));
    assert_eq!(demands, Demands::of(&request(&CACHE_CONTROL, &reversed(lines))));
    assert_eq!(demands, Demands::of(&request(&CACHE_CONTROL, &in_capitals(lines))));
    for line in lines {
        assert!(!lists(line, "no-store") || demands.no_store);
        assert!(!lists(line, "only-if-cached") || demands.only_if_cached);
        assert!(!lists(line, "no-cache") || !demands.accept_fresh(Duration::ZERO, None));
        for told in plain_elements(line).filter_map(|element| seconds(element, "max-age=")) {
            assert!(!demands.accept_fresh(told + Duration::from_secs(1), None));
        }
        for told in plain_elements(line).filter_map(|element| seconds(element, "min-fresh=")) {
            assert!(told.is_zero() || !demands.accept_fresh(Duration::ZERO, Some(told - Duration::from_nanos(1))));
        }
    }

    // What is good enough stays so when it is younger, and without the last demand.
    const TIMES: [Duration; 5] =
        [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(60), Duration::from_secs(3601), LONGEST];
    let fewer = lines.split_last().map(|(_, known)| Demands::of(&request(&CACHE_CONTROL, known)));
    for age in TIMES {
        for time in TIMES {
            let fresh = demands.accept_fresh(age, Some(time));
            assert!(!fresh || demands.accept_fresh(age / 2, Some(time)) && demands.accept_fresh(age, Some(time * 2)));
            assert!(!fresh || demands.accept_fresh(age, None));
            assert!(!fresh || fewer.is_none_or(|fewer| fewer.accept_fresh(age, Some(time))));
            let stale = demands.accept_stale(age, time);
            assert!(!stale || demands.accept_stale(age / 2, time / 2));
            assert!(stale || !demands.ask_for_stale(age, time), "whoever asks for it accepts it");
        }
    }

    // `Pragma` says nothing but `no-cache`, and nothing at all beside `Cache-Control`.
    let mut request = request(&PRAGMA, lines);
    let old = Demands::of(&request);
    assert_eq!(old, Demands { no_cache: old.no_cache, ..Demands::default() });
    assert!(old.no_cache || !lines.iter().any(|line| lists(line, "no-cache")));
    request.append(CACHE_CONTROL, HeaderValue::from_static("max-stale=5"));
    assert!(!Demands::of(&request).no_cache);
}

/// The directives, the fields that they name in the order of the alphabet.
fn parse(lines: &[HeaderValue]) -> CacheControl {
    let mut directives = CacheControl::parse(lines.iter());
    for restriction in [&mut directives.no_cache, &mut directives.private] {
        if let Restriction::Fields(names) = restriction {
            names.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        }
    }
    directives
}

/// Whether `more` holds back all that `less` does.
fn is_within(less: &Restriction, more: &Restriction) -> bool {
    match (less, more) {
        (Restriction::Nothing, _) | (_, Restriction::Whole) => true,
        (Restriction::Whole, _) | (Restriction::Fields(_), Restriction::Nothing) => false,
        (Restriction::Fields(less), Restriction::Fields(more)) => less.iter().all(|name| more.contains(name)),
    }
}

/// What an element says that has this name, and digits behind it.
fn seconds(element: &[u8], name: &str) -> Option<Duration> {
    let (start, digits) = element.split_at_checked(name.len())?;
    let seconds = str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit))?.parse().ok()?;
    start.eq_ignore_ascii_case(name.as_bytes()).then(|| Duration::from_secs(seconds).min(LONGEST))
}

fn request(name: &HeaderName, lines: &[HeaderValue]) -> HeaderMap {
    lines.iter().map(|line| (name.clone(), line.clone())).fold(HeaderMap::new(), |mut request, (name, line)| {
        request.append(name, line);
        request
    })
}

fn reversed(lines: &[HeaderValue]) -> Vec<HeaderValue> {
    lines.iter().rev().cloned().collect()
}

fn in_capitals(lines: &[HeaderValue]) -> Vec<HeaderValue> {
    let capitals = |line: &HeaderValue| HeaderValue::from_bytes(&line.as_bytes().to_ascii_uppercase());
    lines.iter().map(|line| capitals(line).expect("capitals are as valid")).collect()
}

fn joined(lines: &[HeaderValue]) -> HeaderValue {
    let lines: Vec<&[u8]> = lines.iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&lines.join(b",".as_slice())).expect("values joined are one")
}
