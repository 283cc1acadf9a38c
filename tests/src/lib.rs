//! The harness for tests of Evergate: it starts a gateway, a programmable origin behind it and clients before it.
//!
//! It drives the real binary over TCP and never links the gateway, so a test sees what a visitor sees. It knows the
//! wire (HTTP/1.1 written and read byte for byte), the command line and the lines which the gateway prints when it has
//! started; it knows nothing of caching: what is right is said by the tests in `tests/it`.
//!
//! Begin with [`Origin`], [`Reply`] and [`Gate`] for the side behind the gateway, [`Gateway`] for the program itself,
//! and [`Client`] for the side before it. [`until`] waits for what is to come, within a bound.
//!
//! ```no_run
//! use evergate_tests::{Gateway, Origin, Reply, get};
//!
//! # async fn test() {
//! let origin = Origin::start().await;
//! origin.on("/posts", |_| Reply::ok("first").header("content-type", "text/plain"));
//! let gateway = Gateway::simple(&origin, "- path: /posts\n  revalidate: 60").await;
//! assert_eq!(get(gateway.address(), "/posts").await.x_cache(), "MISS");
//! assert_eq!(get(gateway.address(), "/posts").await.x_cache(), "HIT");
//! assert_eq!(origin.count("/posts"), 1);
//! # }
//! ```
//!
//! [`Site`] has a certificate and clients that trust it, for what is asked over TLS.
//! [`Browser`] is a real one, for what only a browser decides.
//!
//! Two variables of the environment choose what is tested: `EVERGATE_BIN` names the binary that [`Gateway`] starts
//! (otherwise the newest of `target/release/evergate` and `target/debug/evergate`), and `EVERGATE_ADDRESS` names a
//! running gateway for tools that bring their own origin (see [`external_address`]).
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a harness reports a failed test, and a machine that cannot run it, by panicking in the test"
)]

pub mod browser;
pub mod client;
pub mod clock;
mod exchange;
pub mod flood;
pub mod gate;
pub mod gateway;
pub mod http2;
pub mod journal;
pub mod metrics;
pub mod origin;
pub mod poll;
pub mod program;
pub mod reply;
pub mod response;
pub mod site;
pub mod tools;
mod wire;

pub use browser::{Answer, Browser, Page};
pub use client::{Client, get};
pub use flood::{flood, raise_file_limit};
pub use gate::Gate;
pub use gateway::{Gateway, external_address};
pub use http2::Http2Client;
pub use journal::{Ending, Seen};
pub use origin::Origin;
pub use poll::{BOUND, until, within};
pub use program::{Output, complaint, evergate, printed};
pub use reply::Reply;
pub use response::Response;
pub use site::Site;
