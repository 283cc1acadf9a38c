//! How summaries add up, and what of them is bounded.

use super::{Line, MAX_TOLD_FAILURES, MAX_TOLD_URL, Problem, Summary, Tally};
use crate::metrics::Warmed;

fn failing(times: usize) -> Summary {
    let mut summary = Summary::default();
    for number in 0..times {
        summary.tally.count(Warmed::Failed);
        summary.tell(Problem::new(&format!("/{number}"), "no".to_owned()));
    }
    summary
}

#[test]
fn failures_are_told_up_to_a_number() {
    let mut both = failing(MAX_TOLD_FAILURES - 1);
    both.add(failing(MAX_TOLD_FAILURES + 3));
    assert_eq!((both.failures.len(), both.more_failures), (MAX_TOLD_FAILURES, MAX_TOLD_FAILURES + 2));
    assert_eq!((both.tally.failed, both.tally.pages), (2 * MAX_TOLD_FAILURES + 2, both.tally.done()));
}

/// What was told on the way is more than the batches before it, and its failures have no reasons yet.
#[test]
fn numbers_of_what_has_no_end_are_kept() {
    let mut summary = failing(1);
    let shown = Tally { pages: 9, failed: 3, failed_lists: 1, rendered: 2, ..Tally::default() };
    summary.break_off(shown);
    assert_eq!((summary.tally, summary.failures.len(), summary.more_failures), (shown, 1, 3));
}

#[test]
fn a_long_url_is_cut_between_letters() {
    let long = format!("/a{}", "\u{e9}".repeat(MAX_TOLD_URL));
    let told = Problem::new(&long, String::new()).url;
    assert!(told.len() <= MAX_TOLD_URL + 3 && told.ends_with("\u{e9}\u{2026}"), "{}", told.len());
}

/// The two kinds of lines are told apart by their keys alone.
#[test]
fn lines_are_read_as_they_are_written() {
    let tally = Tally { pages: 4, rendered: 1, fresh: 1, failed: 1, not_cached: 1, failed_lists: 1 };
    let done = Summary { tally, ..failing(1) };
    for (line, text) in [
        (
            Line::Progress { progress: tally },
            r#"{"progress":{"pages":4,"rendered":1,"fresh":1,"failed":1,"not_cached":1,"failed_lists":1}}"#,
        ),
        (
            Line::Done(done),
            r#"{"pages":4,"rendered":1,"fresh":1,"failed":1,"not_cached":1,"failed_lists":1,"failures":[{"url":"/0","problem":"no"}],"more_failures":0}"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&line).expect("JSON"), text);
        assert_eq!(serde_json::from_str::<Line>(text).expect("a line"), line);
    }
}
