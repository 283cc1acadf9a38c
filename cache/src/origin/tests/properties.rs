//! What holds whatever a handler says.

use std::time::Duration;

use proptest::prelude::*;

use super::super::OriginRules;
use super::{ANSWER, Answer, GUESSING, HOUR_AGO, Line, RULES, after, judged, secs, stored};
use crate::standing::Validity;
use crate::{Demands, Freshness, Policy, Use};

/// Words of a handler, forbidding or not, readable or not.
fn control() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(vec![
        "max-age=60",
        "max-age=0",
        "max-age=x",
        "s-maxage=30",
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "no-cache",
        "no-cache=\"x-a\"",
        "private=\"x-a\"",
        "must-understand",
        "stale-while-revalidate=20",
        "stale-if-error=40",
        "x",
    ]);
    proptest::collection::vec(word, 0..5).prop_map(|words| words.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is fresh has some life left, and no more than was given to it.
    #[test]
    fn a_time_to_live_is_within_the_lifetime(
        control in control(), expires in proptest::option::of("(0|Thu, 01 Jan 1970 0[0-3]:00:00 GMT)"),
        modified in any::<bool>(), guessing in any::<bool>(), age in 0u64..100, seconds in 0u64..2000, expire in 0u64..1500,
    ) {
        let age_text = age.to_string();
        let mut lines = vec![("cache-control", control.as_str()), ("age", &age_text)];
        lines.extend(expires.as_deref().map(|date| ("expires", date)));
        lines.extend(modified.then_some(("last-modified", HOUR_AGO)));
        let response = stored(200, &lines);
        let rules = OriginRules { expire: secs(expire), ..if guessing { GUESSING } else { RULES } };
        let word = response.word();
        let lifetime = word.lifetime.or(word.guess.filter(|_| guessing)).unwrap_or_default();
        match rules.freshness(&response, after(seconds)) {
            Freshness::Fresh { ttl } => {
                let ttl = ttl.expect("every life that a handler gives has an end");
                prop_assert!(!ttl.is_zero());
                prop_assert_eq!(ttl + secs(age + seconds), lifetime);
            }
            Freshness::Stale { staleness } => {
                prop_assert_eq!(staleness + lifetime, secs(age + seconds));
                prop_assert!(seconds < expire && !word.forbids_stale);
            }
            Freshness::Expired => prop_assert!(word.ask_each_time || secs(age + seconds) >= lifetime),
        }
    }

    #[test]
    fn nothing_becomes_fresher_by_waiting(control in control(), earlier in 0u64..200, wait in 0u64..200) {
        let response = stored(200, &[("cache-control", &control)]);
        let order = |freshness| match freshness {
            Freshness::Fresh { ttl } => (0, Duration::MAX - ttl.unwrap()),
            Freshness::Stale { staleness } => (1, staleness),
            Freshness::Expired => (2, Duration::ZERO),
        };
        let [before, later] = [earlier, earlier + wait].map(|time| order(RULES.freshness(&response, after(time))));
        prop_assert!(before <= later, "{before:?} and then {later:?}");
    }

    /// Promise 1: whatever else an answer says, what is for one visitor is shared with nobody.
    #[test]
    fn promise_1_what_is_for_one_visitor_is_never_shared(
        status in 200u16..600,
        forbidding in proptest::sample::select(vec![
            ("set-cookie", "sid=1"), ("cache-control", "private"), ("cache-control", "PRIVATE=\"\""), ("vary", "accept,*"),
            ("cache-control", "no-store"), ("cache-control", "No-Store; x"), ("evergate-cache-control", "private"),
            ("evergate-cache-control", "no-store"), ("cache-control", "no-cache"),
        ]),
        others in proptest::collection::vec(control().prop_map(|line| ("cache-control", line)), 0..3),
        validator in any::<bool>(), place in 0usize..4, age in 0u64..100, old in proptest::option::of(Just(503)),
    ) {
        let mut lines: Vec<Line<'_>> = others.iter().map(|(name, line)| (*name, line.as_str())).collect();
        lines.insert(place.min(lines.len()), forbidding);
        lines.extend(validator.then_some(("etag", "\"a\"")));
        // Who understands a status may keep it in spite of `no-store` (section 5.2.2.3).
        let understood = forbidding.0 == "cache-control" && forbidding.1.to_lowercase().starts_with("no-store")
            && others.iter().any(|(_, line)| line.contains("must-understand"));
        let verdict = judged(GUESSING, Answer { request: &[], status, lines: &lines, age, old });
        prop_assert!(understood || verdict != "store" && !verdict.starts_with("store by"), "{lines:?}: {verdict}");
        prop_assert!(understood || forbidding.1 == "no-cache" || !verdict.starts_with("store"), "{lines:?}: {verdict}");
    }

    /// Nor is what was made for who shows credentials, where nobody says that others may have it.
    #[test]
    fn promise_1_what_credentials_open_stays_closed(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "max-age=60", "proxy-revalidate", "stale-while-revalidate=60", "publicly", "public=1", "no-cache=\"x-a\"", "immutable",
        ]), 0..5),
        modified in any::<bool>(), status in 200u16..500,
    ) {
        let control = words.join(", ");
        let mut lines = vec![("cache-control", control.as_str()), ("etag", "\"a\"")];
        lines.extend(modified.then_some(("last-modified", HOUR_AGO)));
        let answer = Answer { request: &[("authorization", "Basic x")], status, lines: &lines, ..ANSWER };
        let verdict = judged(GUESSING, answer);
        prop_assert!(!verdict.starts_with("store"), "{lines:?}: {verdict}");
    }

    /// What is kept for everyone is what could be served the moment it came.
    #[test]
    fn what_everyone_gets_may_be_served(control in control(), validator in any::<bool>(), age in 0u64..100) {
        let age_text = age.to_string();
        let mut lines = vec![("cache-control", control.as_str()), ("age", &age_text)];
        lines.extend(validator.then_some(("etag", "\"a\"")));
        let verdict = judged(RULES, Answer { lines: &lines, age, ..ANSWER });
        let stored = stored(200, &lines);
        let found = Policy::Origin(RULES).allowed(&stored, Validity::Valid, &Demands::default(), after(0));
        let served = match found {
            Use::Fresh(_) | Use::WhileRevalidating(_) => true,
            Use::Unwanted | Use::AsAsked(_) | Use::Never => false,
        };
        let everyone = verdict == "store" || verdict.starts_with("store without");
        let has_lifetime = stored.word().lifetime.is_some();
        prop_assert_eq!(everyone, served && has_lifetime, "{}: {} and {:?}", control, verdict, found);
    }
}
