//! The production server of the Next.js application, and a gateway in front of it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use evergate_tests::{Gateway, tools, within};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A Next.js production server on a free port of its own; dropping it ends it.
pub(super) struct Next {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Next {
    pub(super) async fn start() -> Self {
        let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("next-app");
        let entry = app.join("node_modules/next/dist/bin/next");
        for needed in [app.join(".next/BUILD_ID"), entry.clone()] {
            assert!(
                needed.exists(),
                "{} is missing: run `make test`, which installs and builds tests/next-app",
                needed.display()
            );
        }
        let mut child = Command::new(tools::node())
            .arg(&entry)
            .args(["start", "-p", "0", "-H", "127.0.0.1"])
            .current_dir(&app)
            .env("NEXT_TELEMETRY_DISABLED", "1")
            .env_remove("NODE_ENV")
            .env_remove("PORT")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("node starts");
        let (lines, mut output) = unbounded_channel();
        read_lines(child.stdout.take().expect("piped"), lines.clone());
        read_lines(child.stderr.take().expect("piped"), lines);
        // The child is owned before the first wait, so that a test that fails there ends it too.
        let mut next = Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        next.address = within("Next.js to be ready", START, ready(&mut output)).await;
        next
    }
}

impl Drop for Next {
    fn drop(&mut self) {
        // A child that has ended already cannot be killed, and there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// How long Next.js may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Sends each line of a pipe on. The pipe is drained to its end, so that the server never blocks on a full one.
fn read_lines(pipe: impl Read + Send + 'static, lines: UnboundedSender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // Nobody listens any more once the server is ready.
            drop(lines.send(line));
        }
    });
}

/// Waits until the server says that it is ready, and learns the port it chose.
async fn ready(output: &mut UnboundedReceiver<String>) -> SocketAddr {
    let mut said = String::new();
    let mut address = None;
    while let Some(line) = output.recv().await {
        if let Some((_, url)) = line.split_once("Local:") {
            address = url.trim().strip_prefix("http://").and_then(|host| host.parse().ok());
        }
        if let (Some(address), true) = (address, line.contains("Ready in")) {
            return address;
        }
        said.push_str(&line);
        said.push('\n');
    }
    panic!("Next.js ended before it was ready:\n{said}")
}

/// A gateway whose only upstream is this server.
pub(super) async fn in_front_of(next: &Next, routes: &str) -> Gateway {
    let address = next.address;
    Gateway::start(&format!(
        "listen: [{{ address: '127.0.0.1:0' }}]\n\
         admin: {{ address: '127.0.0.1:0' }}\n\
         threads: 2\n\
         upstreams: {{ next: {{ servers: ['{address}'] }} }}\n\
         routes: {routes}\n"
    ))
    .await
}
