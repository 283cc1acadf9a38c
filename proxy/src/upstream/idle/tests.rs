use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;

/// Both ends of a connection.
async fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let address = listener.local_addr().unwrap();
    let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
    (ours.unwrap(), theirs.unwrap().0)
}

async fn listening() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn count(idle: &Idle) -> usize {
    idle.kept.lock().unwrap().connections.len()
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_one_that_was_used_last_is_used_next_and_each_address_has_its_own() {
    let idle = Arc::new(Idle::default());
    let (listener, address) = listening().await;
    let mut others = Vec::new();
    let mut ports = Vec::new();
    for _ in 0..2 {
        let (ours, theirs) = pair(&listener).await;
        ports.push(ours.local_addr().unwrap());
        others.push(theirs);
        idle.keep(ours, address, LONG);
    }
    assert!(idle.take("127.0.0.1:1".parse().unwrap()).is_none());
    let taken: Vec<SocketAddr> = (0..2).map(|_| idle.take(address).unwrap().local_addr().unwrap()).collect();
    ports.reverse();
    assert_eq!(taken, ports);
    assert!(idle.take(address).is_none());
}

#[tokio::test]
async fn promise_9_one_that_is_closed_or_says_what_nobody_asked_for_is_not_used() {
    let idle = Arc::new(Idle::default());
    let (listener, address) = listening().await;
    let (closed, theirs) = pair(&listener).await;
    drop(theirs);
    let (talking, mut theirs) = pair(&listener).await;
    theirs.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    closed.readable().await.unwrap();
    talking.readable().await.unwrap();
    for socket in [closed, talking] {
        idle.keep(socket, address, LONG);
        assert!(idle.take(address).is_none());
    }
}

#[tokio::test]
async fn one_that_is_kept_too_long_is_not_used() {
    let idle = Arc::new(Idle::default());
    let (listener, address) = listening().await;
    let (ours, _theirs) = pair(&listener).await;
    idle.keep(ours, address, Duration::ZERO);
    assert!(idle.take(address).is_none());
}

#[tokio::test]
async fn those_that_nobody_asks_for_are_closed_all_the_same() {
    let idle = Arc::new(Idle::default());
    let (listener, address) = listening().await;
    let (closed, theirs) = pair(&listener).await;
    let (good, _theirs) = pair(&listener).await;
    drop(theirs);
    closed.readable().await.unwrap();
    idle.keep(closed, address, LONG);
    idle.keep(good, address, LONG);
    assert!(idle.look(), "the good one is left");
    assert_eq!(count(&idle), 1);
    drop(idle.take(address));
    assert!(!idle.look());
    assert!(!idle.kept.lock().unwrap().tended, "who looks after them goes when there are none");
}

#[tokio::test]
async fn promise_6_so_many_are_kept_and_no_more() {
    let idle = Arc::new(Idle::default());
    let (listener, address) = listening().await;
    let mut others = Vec::new();
    for _ in 0..MOST_KEPT + 2 {
        let (ours, theirs) = pair(&listener).await;
        others.push(theirs);
        idle.keep(ours, address, LONG);
    }
    assert_eq!(count(&idle), MOST_KEPT);
}
