//! A real browser: headless Chromium with pages of several origins, whose scripts are the visitors.
//!
//! Only a browser shows that a page may read an answer, and that another may not: it decides that by itself, out of
//! what the gateway sends. It is driven without a debugging protocol: every page asks the origin that served it for the
//! next script, runs it, and posts what it returned; so what a test sees is what a page of the same origin could know.
//!
//! Everything stays on this machine: Chromium may resolve no other names, and its profile is gone when it is.

mod chromium;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::clock;
use crate::gate::Gate;
use crate::origin::Origin;
use crate::poll::BOUND;
use crate::reply::Reply;

use chromium::{Chromium, Console};

/// A running Chromium with one page, in whose frames all other pages are. Dropping it kills it.
#[derive(Debug)]
pub struct Browser {
    shell: Page,
    chromium: Chromium,
}

/// A page in a frame of the browser, on a port of its own.
///
/// Pages under the name `127.0.0.1` are of different origins, for their ports differ, but of the same site: they share
/// cookies and what the browser keeps of answers, and with them the gateway.
#[derive(Debug)]
pub struct Page {
    server: Arc<Origin>,
    desk: Arc<Desk>,
    console: Console,
    address: String,
    origin: String,
}

/// An answer that the script of a page was given to read.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code; 0 when the script may not know it (`mode: "no-cors"`).
    pub status: u16,
    /// Whether it is the answer to another URL than the one that was asked for.
    pub redirected: bool,
    /// The fields that the script may read, in lower case and sorted by name.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The value of the field called `name`, in lower case; nothing when there is none, or it may not be read.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }
}

impl Browser {
    /// Starts Chromium. It opens no page but an empty one, in whose frames [`Browser::page`] opens others.
    ///
    /// # Panics
    /// When there is no Chromium, or it cannot be started, or ends again; the message shows what it printed.
    pub async fn start() -> Browser {
        let console = Console::default();
        let shell = Page::serve("127.0.0.1", console.clone()).await;
        let chromium = Chromium::start(&shell.address, &console);
        let browser = Browser { shell, chromium };
        browser.shell.perform("return 'ready'", START).await;
        browser
    }

    /// Opens a page at `http://NAME:PORT`, where the port is free and the name one of this machine: `127.0.0.1`,
    /// `localhost`, or anything before `.localhost`.
    ///
    /// # Panics
    /// When the browser does not open it within [`BOUND`]; the message shows what the browser printed.
    pub async fn page(&self, name: &str) -> Page {
        let page = Page::serve(name, self.shell.console.clone()).await;
        self.open(&page, "").await;
        page
    }

    /// Opens a page of the gateway's own, which is the origin's at `/page` behind it; it asks for `/script/*` and posts to
    /// `/result/*`, so the gateway has to pass those on.
    ///
    /// # Panics
    /// As [`Browser::page`] does.
    pub async fn page_through(&self, gateway: SocketAddr, server: &Arc<Origin>) -> Page {
        let page = Page::of(Arc::clone(server), &gateway.to_string(), self.shell.console.clone());
        self.open(&page, "").await;
        page
    }

    /// Opens a page in a frame that may run scripts and nothing else: its origin is `null`.
    ///
    /// # Panics
    /// As [`Browser::page`] does.
    pub async fn sandboxed_page(&self) -> Page {
        let mut page = Page::serve("127.0.0.1", self.shell.console.clone()).await;
        page.origin = "null".to_owned();
        self.open(&page, "allow-scripts").await;
        page
    }

    /// The directory of all that Chromium keeps, which each of its processes names in its command line.
    #[must_use]
    pub fn profile(&self) -> &Path {
        self.chromium.profile()
    }

    async fn open(&self, page: &Page, sandbox: &str) {
        let (address, sandbox) = (Value::from(page.address.as_str()), Value::from(sandbox));
        self.shell.run(&format!("frame({address}, {sandbox})")).await;
        let origin = page.run("return origin").await;
        assert_eq!(origin, page.origin.as_str(), "what the browser takes for the origin of the page");
    }
}

impl Page {
    /// Serves a page under this name.
    async fn serve(name: &str, console: Console) -> Page {
        let server = Origin::start().await;
        let host = format!("{name}:{}", server.address().port());
        Page::of(Arc::new(server), &host, console)
    }

    /// A page of this server, which does what its desk tells it; browsers find it at `host`.
    fn of(server: Arc<Origin>, host: &str, console: Console) -> Page {
        let origin = format!("http://{host}");
        let desk = Arc::new(Desk::default());
        server.on("/page", |_| Reply::ok(include_str!("browser/page.html")).header("content-type", "text/html"));
        let waiting = Arc::clone(&desk);
        // A frame without an origin is a stranger to the server that it came from.
        let readable = |reply: Reply| reply.header("access-control-allow-origin", "*");
        server.on("/script/*", move |seen| readable(waiting.reply(seen.path())));
        server.on("/result/*", move |_| readable(Reply::ok("")));
        Page { server, desk, console, address: format!("{origin}/page"), origin }
    }

    /// Its origin, as the browser sends it: `http://127.0.0.1:PORT`, or `null`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Asks with `fetch(url, init)`. The answer is what the script may read of it; when the browser does not give it
    /// one, the error that it got instead, and what the browser says about that to the developer.
    ///
    /// # Errors
    /// When the browser refused the answer to the script, or there was none.
    ///
    /// # Panics
    /// When nothing comes of it within [`BOUND`]; the message shows what the browser printed.
    pub async fn fetch(&self, url: &str, init: Value) -> Result<Answer, String> {
        self.ask("byFetch", url, &init).await
    }

    /// Asks with an `XMLHttpRequest`, for which `init` is read as by [`Page::fetch`]: method, headers, body, credentials.
    ///
    /// # Errors
    /// As [`Page::fetch`].
    ///
    /// # Panics
    /// As [`Page::fetch`] does.
    pub async fn xhr(&self, url: &str, init: Value) -> Result<Answer, String> {
        self.ask("byXhr", url, &init).await
    }

    async fn ask(&self, function: &str, url: &str, init: &Value) -> Result<Answer, String> {
        let (number, outcome) = self.perform(&format!("return {function}({}, {init})", Value::from(url)), BOUND).await;
        if let Some(error) = outcome["error"].as_str() {
            let console = self.console.said(&begin(self, number), &end(self, number)).unwrap_or_default();
            return Err(format!("{error}\n{}", console.join("\n")));
        }
        let status = outcome["status"].as_u64().and_then(|status| u16::try_from(status).ok());
        let fields = outcome["headers"].as_array().expect("a list of fields");
        let text = |value: &Value| value.as_str().expect("a string").to_owned();
        Ok(Answer {
            status: status.expect("a status code"),
            redirected: outcome["redirected"] == true,
            headers: fields.iter().map(|field| (text(&field[0]), text(&field[1]))).collect(),
            body: text(&outcome["body"]),
        })
    }

    /// Runs a script, the body of an asynchronous function, and gives back what it returned.
    ///
    /// # Panics
    /// When it throws, or has not ended within [`BOUND`]; the message shows what the browser printed.
    pub async fn run(&self, script: &str) -> Value {
        self.perform(script, BOUND).await.1
    }

    /// The number of the script, and what it returned.
    async fn perform(&self, script: &str, patience: Duration) -> (usize, Value) {
        let number = self.desk.hand_over(script);
        let path = format!("/result/{number}");
        let start = clock::now();
        let result = loop {
            let result = self.server.seen(&path).pop().filter(|seen| seen.whole);
            // What the script printed comes another way, and is wanted as well.
            if let Some(result) = result
                && self.console.said(&begin(self, number), &end(self, number)).is_some()
            {
                break result.body;
            }
            assert!(
                start.elapsed() < patience && !self.console.ended(),
                "the script has not ended after {:?}:\n{script}\nof the page {}; Chromium printed:\n{}",
                start.elapsed(),
                self.address,
                self.console.text()
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        let result: Value = serde_json::from_slice(&result).expect("the page posts JSON");
        if let Some(thrown) = result["thrown"].as_str() {
            panic!("the script threw {thrown}:\n{script}\nChromium printed:\n{}", self.console.text());
        }
        (number, result["value"].clone())
    }
}

/// How long Chromium may take to start on a busy machine, or when nothing of it is in memory yet.
const START: Duration = Duration::from_secs(60);

/// What the page prints before its script of this number.
fn begin(page: &Page, number: usize) -> String {
    format!("{} begins {number}.", page.address)
}

/// What the page prints after it.
fn end(page: &Page, number: usize) -> String {
    format!("{} ends {number}.", page.address)
}

/// The scripts for one page, in their order.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<Scripts>,
}

#[derive(Debug, Default)]
struct Scripts {
    list: Vec<String>,
    /// Holds the page that has asked for a script which is not there yet.
    more: Gate,
}

impl Desk {
    /// Adds a script and gives its number.
    fn hand_over(&self, script: &str) -> usize {
        let mut scripts = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.list.push(script.to_owned());
        std::mem::take(&mut scripts.more).open();
        scripts.list.len() - 1
    }

    /// The script whose number is the last segment; when it is not there yet, nothing as soon as another has come.
    fn reply(&self, path: &str) -> Reply {
        let scripts = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let number = path.rsplit('/').next().and_then(|number| number.parse::<usize>().ok());
        match number.and_then(|number| scripts.list.get(number)) {
            Some(script) => Reply::ok(script),
            None => Reply::ok("").status(204).gate(&scripts.more),
        }
    }
}
