//! How pages are put into orders.

use super::{BYTES, Batch, Batches, PAGES};
use crate::warm::{MAX_ORDER, Order};

fn urls(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("/{number}")).collect()
}

#[test]
fn pages_are_ordered_in_batches_and_lists_at_the_end() {
    let mut batches = Batches::new(vec!["/sitemap.xml".to_owned()], true, urls(PAGES + 1));
    let first = batches.next(None).expect("the first");
    assert_eq!((first.urls.len(), first.sitemaps.len(), first.params, batches.waiting()), (PAGES, 0, false, 1));
    let last = batches.next(Some(7)).expect("the last");
    let urls = vec![format!("/{PAGES}")];
    assert_eq!(last, Batch { sitemaps: vec!["/sitemap.xml".to_owned()], params: true, urls, limit: Some(7) });
    assert_eq!(batches.next(None), None);
    // Lists alone are an order too, and nothing is none.
    assert!(Batches::new(Vec::new(), true, Vec::new()).next(None).is_some());
    assert_eq!(Batches::new(Vec::new(), false, Vec::new()).next(None), None);
}

/// The worst that JSON makes of a byte is six.
#[test]
fn the_gateway_reads_every_order() {
    let long = vec!["\u{1}".repeat(16 * 1024); 1000];
    let mut batches = Batches::new(Vec::new(), false, long);
    let batch = batches.next(Some(5)).expect("an order");
    assert!(batch.urls.len() < 1000 && batch.urls.iter().map(String::len).sum::<usize>() >= BYTES);
    let body = batch.order(3, Some(0.5));
    assert!(body.len() <= MAX_ORDER, "{}", body.len());
    let order = Order::read(&body).expect("an order");
    assert_eq!((order.urls, order.concurrency, order.limit), (batch.urls, 3, Some(5)));
    assert_eq!(order.step.map(|step| step.as_secs()), Some(2));
}
