//! What is read of files of URLs.

use super::{Listed, Room};
use crate::warm::MAX_PAGES;

async fn read(text: &str, limit: Option<usize>) -> Listed {
    let mut listed = Listed::new(limit);
    listed.read_lines(text.as_bytes()).await.expect("memory is read");
    listed
}

#[tokio::test]
async fn lines_are_pages_each_once() {
    let text = "\u{feff}/a\r\n\n  https://b.com/c \n# a comment\n/a\n/#part\n/last";
    let listed = read(text, None).await;
    assert!(listed.left_out().is_none());
    assert_eq!(listed.into_urls(), ["/a", "https://b.com/c", "/#part", "/last"]);
    assert!(read("", None).await.into_urls().is_empty());
}

#[tokio::test]
async fn no_more_is_read_than_is_wanted() {
    let listed = read("/a\n/b\n/c\n", Some(2)).await;
    assert!(listed.left_out().is_none(), "that was wanted");
    assert_eq!(listed.into_urls(), ["/a", "/b"]);
}

#[test]
fn the_limit_is_told() {
    let mut listed = Listed::new(None);
    for number in 0..MAX_PAGES {
        assert_eq!(listed.add(&number.to_string()), Room::Left);
    }
    assert_eq!((listed.add("one more"), listed.add("another"), listed.add("0")), (Room::Full, Room::Full, Room::Left));
    assert_eq!(listed.left_out().map(|problem| problem.url).as_deref(), Some("one more"));
}

#[tokio::test]
async fn what_is_no_text_is_told() {
    let read = Listed::new(None).read_lines(&b"/a\n\xff\n"[..]).await;
    assert_eq!(read.expect_err("it is not UTF-8").kind(), std::io::ErrorKind::InvalidData);
}
