//! Bodies that are read, and those that are not.

use axum::body::{Body, Bytes};
use futures::stream::{self, StreamExt};

use super::{READING, Unread, read};

#[tokio::test]
async fn a_body_is_read_up_to_its_longest() {
    for (length, expected) in [(0, Ok(0)), (4, Ok(4)), (5, Err(Unread::TooLong(4)))] {
        assert_eq!(read(Body::from(vec![b'x'; length]), 4).await.map(|body| body.len()), expected, "{length}");
    }
    let broken = stream::iter([Ok(Bytes::from_static(b"x")), Err(std::io::Error::other("gone"))]);
    assert_eq!(read(Body::from_stream(broken), 4).await, Err(Unread::Cut));
}

/// Whoever sends half a body and no more does not keep the listener for ever.
#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let begun = tokio::time::Instant::now();
    let stalled = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]).chain(stream::pending());
    assert_eq!(read(Body::from_stream(stalled), 4).await, Err(Unread::Late));
    assert_eq!(begun.elapsed(), READING);
}
