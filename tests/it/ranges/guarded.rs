//! `If-Range`: who has a part already gets another one only of the same bytes, otherwise the whole (RFC 9110 section 13.1.5).

use evergate_tests::{Gateway, Reply, until};

use super::{MODIFIED, PLACES, body, is_part, is_whole, page, part, start, visit};

const A_SECOND_LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

/// What time it is, by which the gateway dates a page whose handler does not.
async fn now(gateway: &Gateway) -> String {
    let dated = visit(gateway, "/kept/clock", &[]).await;
    dated.header("date").expect("every answer has a date").to_owned()
}

/// An `If-Range`, and whether a page with the entity tag `"v1"` that was modified at [`MODIFIED`], well before its `Date`,
/// fulfils it (RFC 9110 section 13.1.5).
const IF_RANGE: [(&str, bool); 13] = [
    ("\"v1\"", true),
    // Both tags must be strong (section 8.8.3.2), and it is one tag, not a list.
    ("W/\"v1\"", false),
    ("\"v2\"", false),
    ("\"V1\"", false),
    ("v1", false),
    ("*", false),
    ("\"v1\", \"v2\"", false),
    ("", false),
    // A date is compared for equality, in whichever of its formats.
    (MODIFIED, true),
    ("Sunday, 06-Nov-94 08:49:37 GMT", true),
    (A_SECOND_LATER, false),
    ("Sun, 06 Nov 1994 08:49:36 GMT", false),
    ("yesterday", false),
];

#[tokio::test]
async fn if_range_decides_between_the_part_and_the_whole() {
    let (origin, gateway) = start().await;
    // One second is enough; where the handler's word counts, the page would be as old as its date.
    let now = now(&gateway).await;
    for (place, date) in PLACES.into_iter().zip([A_SECOND_LATER, &now]) {
        let dated = page().header("date", date);
        origin.on(place, move |_| dated.clone());
        visit(&gateway, place, &[]).await;
        for (validator, holds) in IF_RANGE {
            let what = format!("{place} {validator:?}");
            let answer = visit(&gateway, place, &[("range", "bytes=5-9"), ("if-range", validator)]).await;
            assert_eq!(answer.x_cache(), "HIT", "{what}");
            if holds {
                is_part(&answer, 5, 9, &what)
            } else {
                is_whole(&answer, &what)
            }
            // Without a Range it means nothing, and what it guards may turn out not to be there.
            is_whole(&visit(&gateway, place, &[("if-range", validator)]).await, &what);
            let beyond = visit(&gateway, place, &[("range", "bytes=2000-"), ("if-range", validator)]).await;
            assert_eq!(beyond.status, if holds { 416 } else { 200 }, "{what}");
        }
        let twice = [("range", "bytes=5-9"), ("if-range", "\"v1\""), ("if-range", "\"v1\"")];
        is_whole(&visit(&gateway, place, &twice).await, "what two lines mean together is not defined");
    }
}

#[tokio::test]
async fn weak_validators_guard_no_parts() {
    let (origin, gateway) = start().await;
    let now = now(&gateway).await;
    for (place, date) in PLACES.into_iter().zip([MODIFIED, &now]) {
        // RFC 9110 section 8.8.2.2: within the second of its Date it may have been modified once more.
        let reply = Reply::ok(body()).header("cache-control", "max-age=3600").header("etag", "W/\"v1\"");
        let reply = reply.header("last-modified", date).header("date", date);
        origin.on(place, move |_| reply.clone());
        visit(&gateway, place, &[]).await;
        for validator in ["W/\"v1\"", "\"v1\"", date] {
            let answer = visit(&gateway, place, &[("range", "bytes=5-9"), ("if-range", validator)]).await;
            assert_eq!(answer.x_cache(), "HIT");
            is_whole(&answer, &format!("{place} {validator}"));
        }
        // Who does not ask gets the part.
        is_part(&part(&gateway, place, "bytes=5-9").await, 5, 9, place);
    }
}

#[tokio::test]
async fn a_date_of_the_gateways_own_makes_no_date_strong() {
    let (origin, gateway) = start().await;
    // Both times must be of one clock (RFC 9110 section 8.8.2.2), and of this handler's clock nothing is known.
    let modified = now(&gateway).await;
    let dated = modified.clone();
    origin.on("/kept/*", move |_| Reply::ok(body()).header("last-modified", dated.as_str()));
    let number = std::cell::Cell::new(0);
    until("the gateway's clock has gone on", async || {
        number.set(number.get() + 1);
        let miss = visit(&gateway, &format!("/kept/{}", number.get()), &[]).await;
        miss.header("date") != Some(modified.as_str())
    })
    .await;
    let target = format!("/kept/{}", number.get());
    let answer = visit(&gateway, &target, &[("range", "bytes=5-9"), ("if-range", &modified)]).await;
    is_whole(&answer, &format!("modified at {modified}, dated {:?} by the gateway", answer.header("date")));
}
