//! What the rules of the configuration make of a request, in the terms of who serves it: the request and the target that go
//! on, the answer where the rules end it, and the changes to whatever answer there will be.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use evergate_cache::{CDN_CACHE_CONTROL, Fields, SURROGATE_CONTROL};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, DATE, LOCATION, ORIGIN, SET_COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::admission::{NotServed, canonical_location, site};
use crate::config::{TrailingSlash, UpstreamId};
use crate::outcome::Answered;
use crate::request::Request;
use crate::respond::{NO_STORE, Notice, date};
use crate::rules::{Changes, Cors, End, Failed, Judgement, Mode, Power, Ruled, Sender, Step, Subject, is_preflight};
use crate::snapshot::{Route, Snapshot};
use crate::target::Target;

/// What the rules make of a request.
#[derive(Debug)]
pub struct Ruling<'r> {
    /// The request that goes on.
    pub request: Cow<'r, Request>,
    /// The target that a rewrite gave it.
    pub target: Option<String>,
    /// The upstream that a rewrite names.
    pub upstream: Option<UpstreamId>,
    /// What a rule says of pages of other origins, or the route once it is known.
    pub cors: Option<Arc<Cors>>,
    /// The answer, where the rules end it.
    pub end: Option<(Box<Notice>, Answered)>,
    /// What changes of the request, and of whatever answer there will be.
    pub changes: Ruled,
}

/// Under which name a page is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    /// Its own.
    Own,
    /// Another than its one name: the gateway tells it.
    Other,
    /// That of a host which is not served.
    NotServed,
}

impl Name {
    fn of(request: &Request, target: &Target<'_>, snapshot: &Snapshot) -> Name {
        match (site(request, snapshot), canonical_location(target, snapshot)) {
            (Err(NotServed), _) => Name::NotServed,
            (Ok(_), Some(_)) => Name::Other,
            (Ok(_), None) => Name::Own,
        }
    }

    /// Nothing leads anywhere from a host that is not served. A page has one name, and only under that is anything decided
    /// about it.
    fn power(self) -> Power {
        match self {
            Name::Own => Power::Full,
            Name::Other | Name::NotServed => Power::AnswersFields,
        }
    }
}

impl<'r> Ruling<'r> {
    /// Asks the rules. Without rules this costs nothing.
    pub fn of(request: &'r Request, target: &Target<'_>, snapshot: &Snapshot, now: SystemTime) -> Ruling<'r> {
        Ruling::by(request, target, snapshot, now, |subject, power| snapshot.rules.judge(subject, power))
    }

    /// The same, and what each rule did.
    pub fn retraced(
        request: &'r Request,
        target: &Target<'_>,
        snapshot: &Snapshot,
        now: SystemTime,
    ) -> (Ruling<'r>, Vec<Step>) {
        let mut steps = Vec::new();
        let ruling = Ruling::by(request, target, snapshot, now, |subject, power| {
            let (judgement, retraced) = snapshot.rules.retrace(subject, power);
            steps = retraced;
            judgement
        });
        (ruling, steps)
    }

    fn by(
        request: &'r Request,
        target: &Target<'_>,
        snapshot: &Snapshot,
        now: SystemTime,
        judge: impl FnOnce(&Subject<'_>, Power) -> Judgement,
    ) -> Ruling<'r> {
        if snapshot.rules.is_empty() {
            return Ruling::new(request, Judgement::default(), now);
        }
        let subject =
            Subject { path: target.path(), query: target.query(), host: request.host(), headers: &request.headers };
        let power = Name::of(request, target, snapshot).power();
        let mut ruling = Ruling::new(request, judge(&subject, power), now);
        ruling.target = ruling.target.map(|target| match snapshot.trailing_slash {
            TrailingSlash::Ignore => target,
            // The visitor's own target was in order, and must not be told the other one.
            TrailingSlash::Redirect => without_trailing_slash(&target),
        });
        ruling
    }

    /// What counts for a request whose target cannot be read, or that asks for none.
    pub fn unjudged(request: &'r Request, snapshot: &Snapshot, now: SystemTime) -> Ruling<'r> {
        let mut ruling = Ruling::new(request, snapshot.rules.unjudged(), now);
        ruling.speak(request);
        ruling
    }

    fn new(request: &'r Request, judgement: Judgement, now: SystemTime) -> Ruling<'r> {
        let Judgement { target, upstream, cors, request: changed, response, end } = judgement;
        let mut changes = Ruled { request: changed, response };
        keep_private(&mut changes.response, end.as_ref());
        let mut request = Cow::Borrowed(request);
        if !changes.request.is_empty() {
            changes.change(&mut request.to_mut().headers);
        }
        Ruling { request, target, upstream, cors, end: end.map(|end| answer(end, now)), changes }
    }

    /// Lets what the route or else the rules say of pages of other origins count: with the answer, or instead of it. Request and
    /// target are the visitor's.
    pub fn cross(
        &mut self,
        (request, target): (&Request, &Target<'_>),
        route: Option<&Route>,
        snapshot: &Snapshot,
        now: SystemTime,
    ) {
        if let Some(cors) = route.and_then(|route| route.cors.as_ref()) {
            self.cors = Some(Arc::clone(cors));
        }
        let Some(cors) = &self.cors else { return };
        let sender = cors.sender(&request.headers, request.authority.as_deref());
        match Name::of(request, target, snapshot) {
            Name::NotServed => {}
            Name::Own | Name::Other
                if cors.mode == Mode::Enforce && sender == Sender::Foreign && !is_own_form(request) =>
            {
                let notice = Notice::new(StatusCode::FORBIDDEN, "pages of this origin may not ask for this", now);
                self.end = Some((Box::new(notice), Answered::ForeignOrigin));
            }
            Name::Own | Name::Other if is_preflight(&request.method, &request.headers) => {
                let notice = Notice::without_body(StatusCode::NO_CONTENT, now);
                let lines = cors.preflight(sender, &request.headers).into_iter();
                let notice = lines.fold(notice, |notice, (name, value)| notice.with(name, value));
                self.end = Some((Box::new(notice), Answered::Preflight));
                self.changes.response.vary(Cors::READ_IN_PREFLIGHTS.to_vec());
                return;
            }
            Name::Own | Name::Other => {}
        }
        self.speak(request);
    }

    /// Says with the answer what pages of other origins may do.
    fn speak(&mut self, request: &Request) {
        if let Some(cors) = &self.cors {
            let sender = cors.sender(&request.headers, request.authority.as_deref());
            self.changes.response.cross(cors, sender, &request.headers);
        }
    }
}

/// Whether a page of the same origin sends a form, which `Referrer-Policy: no-referrer` keeps from saying where it is from (the
/// Fetch standard, section 3.2). No script can say so of another (Fetch Metadata, section 2.3), and no cache keeps the answer.
fn is_own_form(request: &Request) -> bool {
    let says = |name: HeaderName, value: &str| {
        let mut lines = request.headers.get_all(name).iter();
        lines.next().is_some_and(|line| line == value) && lines.next().is_none()
    };
    !request.method.is_safe() && says(ORIGIN, "null") && says(SEC_FETCH_SITE, "same-origin")
}

/// How a page and what it asks for stand to each other, as the browser says it (Fetch Metadata, section 2.3).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A cookie that a rule sets is for one visitor. Unless a rule says who may keep the answer, nobody may.
fn keep_private(response: &mut Changes, end: Option<&End>) {
    let said_in_answer = match end {
        Some(End::Respond(_, lines, _)) => lines.iter().any(|(name, _)| *name == CACHE_CONTROL),
        Some(End::Redirect(..) | End::Failed(_)) | None => false,
    };
    let said = said_in_answer || response.decided().any(|name| *name == CACHE_CONTROL);
    if response.write(&SET_COOKIE) && !said {
        response.set(CACHE_CONTROL, NO_STORE);
        for targeted in [CDN_CACHE_CONTROL, SURROGATE_CONTROL] {
            response.remove(targeted);
        }
    }
}

fn answer(end: End, now: SystemTime) -> (Box<Notice>, Answered) {
    match end {
        End::Redirect(status, location) => {
            let notice = Notice::new(status, "a rule leads elsewhere", now).with(LOCATION, location);
            (Box::new(notice), Answered::RuleRedirect)
        }
        End::Respond(status, lines, body) => {
            let mut fields = Fields::with_capacity(lines.len() + 3);
            let given = |wanted: &HeaderName| lines.iter().any(|(name, _)| name == wanted);
            if !body.is_empty() && !given(&CONTENT_TYPE) {
                fields.append(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            }
            if !given(&CACHE_CONTROL) {
                fields.append(CACHE_CONTROL, NO_STORE);
            }
            fields.append(DATE, date(now));
            for (name, value) in lines {
                fields.append(name, value);
            }
            (Box::new(Notice { status, fields, body }), Answered::RuleRespond)
        }
        End::Failed(failed) => {
            let status = match failed {
                Failed::Undecided(_) | Failed::Unbuildable(_) => StatusCode::BAD_REQUEST,
                Failed::Endless => StatusCode::LOOP_DETECTED,
            };
            (Box::new(Notice::new(status, &failed.to_string(), now)), Answered::RuleFailed)
        }
    }
}

fn without_trailing_slash(target: &str) -> String {
    match Target::parse(target) {
        Ok(parsed) if parsed.trailing_slash() => parsed.without_trailing_slash(),
        Ok(_) | Err(_) => target.to_owned(),
    }
}
