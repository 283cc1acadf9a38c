//! A gateway without sockets: the bytes of requests go in, the bytes of answers come out, in one thread and without waiting.
//!
//! What counts instructions and allocations uses it, and the fuzz target of both ways. A [`Site`] is a gateway with pages in its
//! cache, a [`Visitor`] a connection to it, which goes the shorter way or the whole one. Nobody fetches: what a site holds is put
//! there with [`Site::keep`].
#![expect(clippy::expect_used, clippy::panic, reason = "what is measured with a site that is none means nothing")]

use std::sync::Arc;

use bytes::Bytes;
use evergate::admission::{Admission, Selected, admit};
use evergate::config;
use evergate::connection::head;
use evergate::connection::http1::{Queued, Scratch};
use evergate::connection::reader::Reader;
use evergate::gateway::Gateway;
use evergate::observe::observe;
use evergate::request::Request;
use evergate::serve::{Served, serve, serve_at_once};
use evergate::server;
use evergate::snapshot::Snapshot;
use evergate::target::Target;
use evergate_cache::{
    Asked, Fields, Lookup, Moment, Policy, Pushed, ResponseHead, Scheme, Tagging, Terms, Variance, Variant,
};
use futures::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode};
use pingora::server::configuration::ServerConf;

/// A gateway and its pages.
pub struct Site {
    /// The gateway.
    pub gateway: Arc<Gateway>,
    /// The configuration at work.
    pub snapshot: Arc<Snapshot>,
}

impl Site {
    /// A gateway with these keys beside its one upstream, and nothing in its cache.
    ///
    /// # Panics
    ///
    /// When the configuration is wrong.
    pub fn new(keys: &str) -> Site {
        let text = format!("upstreams: {{ origin: {{ servers: [\"127.0.0.1:1\"] }} }}\nlog: {{ access: off }}\n{keys}");
        let config = config::parse(&text, "the site", &|_: &str| None).expect("a good configuration");
        let gateway = server::gateway(&config, None, &ServerConf::default()).expect("a gateway");
        Site { snapshot: gateway.snapshot.load_full(), gateway }
    }

    /// Keeps a 200 with these fields as what `head` asks for. Where the handler decides, it is for whoever asks, however they ask.
    ///
    /// # Panics
    ///
    /// When the cache has no part in such a request, or holds its answer already.
    pub fn keep(&self, head: &[u8], lines: &[(&'static str, &'static str)], body: &Bytes) {
        let now = self.gateway.clock.now();
        self.asked(head, |request, selected| {
            let key = key(request, selected, &self.snapshot);
            let variant = match selected.policy {
                Policy::Window(_, variance) => Variant::of(variance, &selected.fields),
                Policy::Origin(_) => {
                    Variant::of(&Variance::new([], evergate_cache::Spelling::Normal), &selected.fields)
                }
            };
            let (policy, demands) = (selected.policy, &selected.demands);
            let asked = Asked { key: &key, request: &selected.fields, policy, demands };
            let Lookup::Miss { fill, .. } = self.gateway.cache.lookup(&asked, now) else {
                panic!("it is there already")
            };
            let terms = Terms { variant: Some(variant), tagging: Tagging::Never, ..Terms::default() };
            let fields =
                lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let head = ResponseHead { status: StatusCode::OK, fields: fields.collect::<Fields>() };
            let filling = fill.begin(head, now, terms).expect("it is short enough");
            assert_eq!(filling.finish(body.clone(), now), Pushed::Kept, "there is room for it");
        });
    }

    /// Does something with a request that the cache may answer.
    ///
    /// # Panics
    ///
    /// When it may not.
    pub fn asked<R>(&self, head: &[u8], what: impl FnOnce(&Request, &Selected<'_>) -> R) -> R {
        let mut reader = Reader::new(None, Scheme::Http);
        reader.read(head).expect("a good head");
        let request = reader.request();
        let target = Target::parse(&request.target).expect("a good target");
        let addressee = self.snapshot.addressee(target.matched_path(), None);
        match admit(request, &target, addressee, &self.snapshot, self.gateway.clock.now().wall) {
            Admission::Cached(selected) => what(request, &selected),
            Admission::Answer(notice, _) => panic!("{} instead of what is stored", notice.status),
            Admission::Pass(passage) => panic!("it passes: {:?}", passage.reason),
        }
    }
}

/// The key under which a site keeps what answers a request.
pub fn key(request: &Request, selected: &Selected<'_>, snapshot: &Snapshot) -> Vec<u8> {
    let mut key = Vec::new();
    selected.key(request.scheme, snapshot).write(&mut key);
    key
}

/// A connection to a site.
pub struct Visitor<'s> {
    site: &'s Site,
    reader: Reader,
    scratch: Scratch,
}

/// How far a request came without waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It is answered: what happened, how many bytes of body there are, and whether the connection goes on. The answer is in
    /// [`Visitor::answer`].
    Answered(String, u64, bool),
    /// It goes through without the cache: why, and under which target.
    Passes(String, String),
    /// It would have to wait.
    Waits,
    /// It is no request.
    Refused,
}

impl<'s> Visitor<'s> {
    /// A visitor who has asked for nothing yet.
    pub fn new(site: &'s Site) -> Visitor<'s> {
        Visitor { site, reader: Reader::new(None, Scheme::Http), scratch: Scratch::default() }
    }

    /// Asks with the head at the beginning of `inbox`, in the shorter way, and lets it be counted, as the connections of the gateway
    /// do. Whether it was answered; then the answer is in [`Visitor::answer`].
    pub fn hit(&mut self, inbox: &[u8], now: Moment) -> bool {
        let Some(keep_alive) = self.read(inbox) else { return false };
        let mut queued = Queued::new(&mut self.scratch, self.reader.request(), keep_alive);
        let served = serve_at_once(&self.site.gateway, self.reader.request(), now, &mut queued);
        let sent = queued.sent();
        let Some(Served::Done(record)) = served else { return false };
        observe(&self.site.gateway, self.reader.request(), &record, sent, now);
        true
    }

    /// Asks with the head at the beginning of `inbox`, in the shorter way.
    pub fn ask(&mut self, inbox: &[u8], now: Moment) -> End {
        let Some(keep_alive) = self.read(inbox) else { return End::Refused };
        let mut queued = Queued::new(&mut self.scratch, self.reader.request(), keep_alive);
        let served = serve_at_once(&self.site.gateway, self.reader.request(), now, &mut queued);
        end(served, &queued)
    }

    /// The same in the whole way, as far as it does not wait. What is not there is fetched, and who fetches wants a runtime.
    pub fn ask_whole(&mut self, inbox: &[u8], now: Moment) -> End {
        let Some(keep_alive) = self.read(inbox) else { return End::Refused };
        let mut queued = Queued::new(&mut self.scratch, self.reader.request(), keep_alive);
        let served = serve(&self.site.gateway, self.reader.request(), now, &mut queued).now_or_never();
        end(served, &queued)
    }

    /// Whether the head at the beginning of `inbox` is a request.
    pub fn reads(&mut self, inbox: &[u8]) -> bool {
        self.read(inbox).is_some()
    }

    /// The last answers, as they would go out.
    pub fn answer(&self) -> [&[u8]; 2] {
        self.scratch.pieces()
    }

    /// Takes the answers off.
    pub fn clear(&mut self) {
        self.scratch.clear();
    }

    /// Reads a head, and tells whether the connection goes on after its answer; none where it is no head.
    fn read(&mut self, inbox: &[u8]) -> Option<bool> {
        let length = self.reader.repeated(inbox).or_else(|| head::find_end(inbox, 0).ok().flatten())?;
        self.reader.read(&inbox[..length]).ok()?;
        Some(self.reader.request().keep_alive && self.reader.framing() == head::BodyFraming::None)
    }
}

fn end(served: Option<Served>, queued: &Queued<'_>) -> End {
    match served {
        Some(Served::Done(record)) => {
            let what = format!(
                "{:?} {} on {:?}",
                record.status,
                record.outcome,
                record.route.map(|route| route.pattern.clone())
            );
            End::Answered(what, queued.sent(), queued.keeps_alive())
        }
        Some(Served::Pass(passage)) => End::Passes(format!("{:?}", passage.reason), passage.target),
        None => End::Waits,
    }
}
