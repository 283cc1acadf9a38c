//! A stored response: what the cache keeps. Never changed, only replaced.

use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, CONTENT_LENGTH, DATE, ETAG, LAST_MODIFIED};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::memory::{allocated, shared};
use crate::moment::Span;
use crate::page::Trouble;
use crate::record::{Record, SharedRecord};
use crate::representation::Tagging;
use crate::standing::Mark;
use crate::tally::Tally;
use crate::word::{KeptWord, Word, age_value, expires};
use crate::{
    CDN_CACHE_CONTROL, CacheControl, Coding, EVERGATE_CACHE_CONTROL, Fields, Heed, Moment, Representation,
    ResponseHead, Sharing, Tags, may_be_coded,
};

/// What Next.js says of its own cache.
pub const X_NEXTJS_CACHE: HeaderName = HeaderName::from_static("x-nextjs-cache");

/// A whole response with the times that its freshness is computed from. A million of them may be there, so what all of them have is
/// kept short, and what few of them have apart.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    identity: Representation,
    aside: Option<Box<Aside>>,
    /// When its head arrived, by the monotonic clock.
    received: Span,
    initial_age: Span,
    word: KeptWord,
    kept: Kept,
    /// How its revalidations fare.
    trouble: Trouble,
    tally: Tally,
}

/// What few responses have.
#[derive(Clone, Debug, Default)]
struct Aside {
    /// What was made of it in other codings.
    coded: Vec<(Coding, Representation)>,
    /// What the handler says to this cache alone: kept for the next revalidation, and never sent.
    targeted: Fields,
    /// How long it is good by the handler's own word, where that counts on a route with a window: of what is no success.
    explicit_lifetime: Option<Duration>,
}

/// What is kept beside a response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept {
    /// When its fetch began, and the labels by which it is forgotten.
    pub(crate) record: Option<SharedRecord>,
    /// Whether it may answer those who waited for it.
    pub(crate) sharing: Sharing,
    /// Whether other codings may be made of it.
    pub(crate) recoding: Recoding,
    /// Who says when it was made.
    pub(crate) dating: Dating,
    /// Whether it was fresh when it came.
    pub(crate) arrival: Arrival,
    /// Why it was made.
    pub(crate) making: Making,
}

/// Whether a response was fresh when it came, by the word of a cache in its handler or on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Arrival {
    /// It was, or nothing says otherwise.
    #[default]
    Fresh,
    /// It was stale, so a newer one is being made.
    Stale,
}

impl Arrival {
    /// What the head of an answer says: `x-nextjs-cache: STALE`, with which Next.js has just begun to make a newer one, or an `Age`
    /// that has used up its own lifetime (RFC 9111 section 4.2), where the handler's word on it counts. A lifetime of zero is a word to
    /// browsers and says nothing.
    pub fn of(head: &ResponseHead, heed: Heed, received: Moment) -> Arrival {
        let own = match heed {
            Heed::Nothing => None,
            Heed::Prohibitions | Heed::NoStore | Heed::Explicit => own_lifetime(head, received),
        };
        let used_up = own.is_some_and(|own| !own.is_zero() && own <= age_value(head));
        if is_called_stale(head) || used_up { Arrival::Stale } else { Arrival::Fresh }
    }
}

/// Whether Next.js says that it serves an old response while it makes a newer one.
pub(crate) fn is_called_stale(head: &ResponseHead) -> bool {
    head.fields.get(&X_NEXTJS_CACHE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"STALE"))
}

/// How long a response that was stale when it came is served before its handler is asked again: it is making a newer one.
pub const SOON: Duration = Duration::from_secs(1);

/// Why a response was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Making {
    /// Somebody asked for it.
    #[default]
    OnDemand,
    /// It was made before anybody asked.
    Ahead,
}

/// Who says when a response was made, in its `Date`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dating {
    /// Its handler.
    #[default]
    ByHandler,
    /// The gateway, because its handler did not (RFC 9110 section 6.6.1): that comes from another clock than other dates in it.
    ByGateway,
}

impl Dating {
    /// The `Date` of a head, if its handler says it.
    pub(crate) fn of(self, head: &ResponseHead) -> Option<&HeaderValue> {
        head.fields.get(&DATE).filter(|_| self == Dating::ByHandler)
    }
}

/// Whether the gateway may make other codings of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recoding {
    /// It is sent as it came.
    #[default]
    Never,
    /// It may.
    WhenAsked,
}

/// What the answer to a HEAD says of a stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Description {
    /// That it is what is there.
    This,
    /// That something else is there.
    Another,
    /// Nothing by which that could be told.
    Nothing,
}

impl StoredResponse {
    /// A response whose head arrived at `received` and whose body is whole. `Age` is taken out of the head and remembered;
    /// `Content-Length` becomes the body's. `etag` is the one the gateway made, where the handler gave none: it is told to
    /// visitors and never to the handler. The body is copied: it may be a part of something larger, which would stay in memory.
    pub fn new(head: ResponseHead, body: &[u8], received: Moment, etag: Option<HeaderValue>) -> StoredResponse {
        StoredResponse::written(head, (body.len(), |room| room.copy_from_slice(body)), received, etag)
    }

    /// The same with a body of a length, which is put into its room.
    pub(crate) fn written(
        mut head: ResponseHead,
        (length, write): (usize, impl FnOnce(&mut [u8])),
        received: Moment,
        etag: Option<HeaderValue>,
    ) -> StoredResponse {
        let initial_age = age_value(&head).into();
        let own = explicit_lifetime(&head, received).filter(|_| !head.status.is_success());
        let word = KeptWord::of(&head, received);
        head.fields.remove(&AGE);
        let targeted: Fields =
            head.fields.get_all(&EVERGATE_CACHE_CONTROL).map(|value| (EVERGATE_CACHE_CONTROL, value.clone())).collect();
        head.fields.remove(&EVERGATE_CACHE_CONTROL);
        let etag = etag.filter(|_| !head.fields.contains(&ETAG));
        let tagging = if etag.is_some() { Tagging::ByGateway } else { Tagging::ByHandler };
        if let Some(etag) = etag {
            head.fields.append(ETAG, etag);
        }
        let has_more = !targeted.is_empty() || own.is_some();
        StoredResponse {
            identity: Representation::written(head, tagging, length, write),
            aside: has_more.then(|| Box::new(Aside { coded: Vec::new(), targeted, explicit_lifetime: own })),
            received: received.monotonic.into(),
            initial_age,
            word,
            kept: Kept::default(),
            trouble: Trouble::default(),
            tally: Tally::default(),
        }
    }

    /// The same with another age of arrival, and with what is kept beside it.
    pub(crate) fn with(self, initial_age: Duration, kept: Kept) -> StoredResponse {
        let tally = Tally::since(kept.record.as_ref().map_or(Mark::default(), |record| record.began()));
        let mut with = StoredResponse { initial_age: initial_age.into(), kept, tally, ..self };
        if with.recoding() == Recoding::Never
            && let Some(aside) = &mut with.aside
        {
            aside.coded.clear();
        }
        with
    }

    /// The head that a 304 (Not Modified) leaves: the fields that it carries replace those stored (RFC 9111 section 3.2).
    pub fn updated_by(&self, not_modified: &ResponseHead) -> ResponseHead {
        let mut head = self.head();
        for (name, value) in self.aside.iter().flat_map(|aside| aside.targeted.iter()) {
            head.fields.append(name.clone(), value.clone());
        }
        let updates = |name: &HeaderName| not_modified.fields.contains(name) && !about_the_body(name);
        head.fields.retain(|name, _| !updates(name));
        for (name, value) in not_modified.fields.iter().filter(|(name, _)| updates(name)) {
            head.fields.append(name.clone(), value.clone());
        }
        head
    }

    /// The same body, confirmed by a 304 whose head arrived at `received`.
    pub fn renewed(&self, not_modified: &ResponseHead, received: Moment) -> StoredResponse {
        self.renewed_without(&[], not_modified, received)
    }

    /// The same without these fields, which are for whoever asked.
    pub(crate) fn renewed_without(
        &self,
        unshared: &[HeaderName],
        not_modified: &ResponseHead,
        received: Moment,
    ) -> StoredResponse {
        let mut head = self.updated_by(not_modified);
        head.fields.retain(|name, _| !unshared.contains(name));
        let etag = match self.identity.tagging() {
            Tagging::ByGateway if !not_modified.fields.contains(&ETAG) => head.fields.get(&ETAG).cloned(),
            Tagging::ByGateway | Tagging::ByHandler => None,
        };
        if etag.is_some() {
            head.fields.remove(&ETAG);
        }
        let mut renewed = StoredResponse::new(head, self.body_bytes(), received, etag);
        renewed.take_codings_of(self);
        renewed
    }

    /// The same with one more coding of its body.
    pub(crate) fn with_coding(&self, coding: Coding, body: &[u8]) -> StoredResponse {
        let mut more = self.clone();
        let coded = self.identity.coded(coding, body);
        let known = &mut more.aside.get_or_insert_default().coded;
        known.retain(|(known, _)| *known != coding);
        known.push((coding, coded));
        more
    }

    /// Takes over what was tried with the same body, and what was made of it.
    fn take_codings_of(&mut self, other: &StoredResponse) {
        self.identity.take_attempts_of(&other.identity);
        for (coding, coded) in other.aside.iter().flat_map(|aside| &aside.coded) {
            if self.coded(*coding).is_none() {
                let coded = self.identity.coded(*coding, coded.body_bytes());
                self.aside.get_or_insert_default().coded.push((*coding, coded));
            }
        }
    }

    /// The same with what was made of the same body meanwhile.
    pub(crate) fn with_codings_of(&self, other: &StoredResponse) -> StoredResponse {
        let mut more = self.clone();
        more.take_codings_of(other);
        more
    }

    /// The same moments and word with another head and body: more of what it was a part of.
    pub(crate) fn reshaped(&self, head: ResponseHead, body: &[u8]) -> StoredResponse {
        StoredResponse::new(head, body, self.received(), None).with(self.initial_age.get(), self.kept.clone())
    }

    /// Whether `other` has the same body, whatever was found out about it since.
    pub(crate) fn shares_body_with(&self, other: &StoredResponse) -> bool {
        self.identity.shares_body_with(&other.identity)
    }

    /// Whether other codings may be made of it.
    pub fn recoding(&self) -> Recoding {
        self.kept.recoding
    }

    /// Whether other codings may be made of it with this head, in which a 304 or the answer to a HEAD has put its own fields.
    pub fn recoding_with(&self, updated: &ResponseHead) -> Recoding {
        // How long the body is was told when it came.
        if may_be_coded(updated, 0) { self.recoding() } else { Recoding::Never }
    }

    /// What was made of it in a coding.
    pub fn coded(&self, coding: Coding) -> Option<&Representation> {
        let coded = self.aside.as_ref().and_then(|aside| aside.coded.iter().find(|(known, _)| *known == coding));
        coded.map(|(_, representation)| representation)
    }

    /// Whether a coding of it was tried, or is being made.
    pub fn is_claimed(&self, coding: Coding) -> bool {
        self.identity.is_claimed(coding)
    }

    /// Whether a coding of it is to be made now by whoever asks: true once. Where a confirmation lands at that moment, what it
    /// brings may have it made once more.
    pub fn claim(&self, coding: Coding) -> bool {
        self.identity.claim(coding)
    }

    /// As its handler made it.
    pub fn identity(&self) -> &Representation {
        &self.identity
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.identity.status()
    }

    /// Status and fields as visitors see them ([`Representation::head`]).
    pub fn head(&self) -> ResponseHead {
        self.identity.head()
    }

    /// The status line and the fields as HTTP/1.1 writes them, without the empty line.
    pub fn wire(&self) -> &[u8] {
        self.identity.wire()
    }

    /// The whole body, for somebody who keeps it: that takes a little memory of its own as long as it is kept.
    pub fn body(&self) -> Bytes {
        self.identity.body()
    }

    /// The bytes of the body, for somebody who looks at them.
    pub fn body_bytes(&self) -> &[u8] {
        self.identity.body_bytes()
    }

    /// The length of the body, in bytes.
    pub fn length(&self) -> usize {
        self.identity.length()
    }

    /// The current age (RFC 9111 section 4.2.3): what it had when it came, and the time it has been here.
    pub fn age(&self, now: Moment) -> Duration {
        self.initial_age.get().saturating_add(self.resident(now))
    }

    /// How long it has been here.
    pub fn resident(&self, now: Moment) -> Duration {
        now.monotonic.saturating_sub(self.received.get())
    }

    /// The handler's own word on how long it is good from when it came, if it gave one and this is no success.
    pub fn explicit_lifetime(&self) -> Option<Duration> {
        self.aside.as_ref().and_then(|aside| aside.explicit_lifetime)
    }

    /// The entity tag that the handler gave; one made by the gateway means nothing to it.
    pub fn handler_etag(&self) -> Option<HeaderValue> {
        match self.identity.tagging() {
            Tagging::ByHandler => self.identity.value(&ETAG),
            Tagging::ByGateway => None,
        }
    }

    /// When it was made, if its handler says so.
    pub fn handler_date(&self) -> Option<HeaderValue> {
        match self.kept.dating {
            Dating::ByHandler => self.identity.value(&DATE),
            Dating::ByGateway => None,
        }
    }

    /// The modification date that the handler gave.
    pub fn last_modified(&self) -> Option<HeaderValue> {
        self.identity.value(&LAST_MODIFIED)
    }

    /// Whether the handler can be asked if it is still good: a 200 that it gave a validator.
    pub fn can_be_confirmed(&self) -> bool {
        self.status() == StatusCode::OK && (self.handler_etag().is_some() || self.last_modified().is_some())
    }

    /// Whether a 304 with this head speaks of it: a strong tag must be its own (RFC 9111 section 4.3.4).
    pub fn is_meant_by(&self, not_modified: &ResponseHead) -> bool {
        match not_modified.fields.get(&ETAG) {
            Some(etag) if !etag.as_bytes().starts_with(b"W/") => self.handler_etag().as_ref() == Some(etag),
            Some(_) | None => true,
        }
    }

    /// Whether a 304 with this head speaks of it by every validator that it has (RFC 9111 section 4.3.4): a strong tag must be its
    /// own, a weak one mean the same, and without a tag the date must be its own.
    pub fn is_confirmed_by(&self, not_modified: &ResponseHead) -> bool {
        let opaque = |etag: &HeaderValue| etag.as_bytes().strip_prefix(b"W/").unwrap_or(etag.as_bytes()).to_vec();
        match (not_modified.fields.get(&ETAG), not_modified.fields.get(&LAST_MODIFIED)) {
            (Some(etag), _) if etag.as_bytes().starts_with(b"W/") => {
                self.handler_etag().is_some_and(|own| opaque(&own) == opaque(etag))
            }
            (Some(_), _) => self.is_meant_by(not_modified),
            (None, Some(modified)) => self.last_modified().is_none_or(|own| own == modified),
            (None, None) => true,
        }
    }

    /// What the answer to a HEAD says of it: whether every validator that the answer has is its own, and the length (RFC 9111
    /// section 4.3.5).
    pub(crate) fn description(&self, head: &ResponseHead) -> Description {
        let length = HeaderValue::from(self.length());
        let own = [(ETAG, self.handler_etag()), (LAST_MODIFIED, self.last_modified()), (CONTENT_LENGTH, Some(length))];
        let mut said = own.iter().filter(|(name, _)| head.fields.contains(name)).peekable();
        let same = said.peek().is_some();
        if head.status != self.status() || !said.all(|(name, own)| head.fields.get(name) == own.as_ref()) {
            Description::Another
        } else if same {
            Description::This
        } else {
            Description::Nothing
        }
    }

    /// The tags with which it is forgotten.
    pub fn tags(&self) -> Tags {
        self.record().map_or_else(Tags::default, |record| record.tags())
    }

    /// How often visitors were answered with it, and with what was stored in its place before.
    pub fn hits(&self) -> u64 {
        self.tally.hits()
    }

    /// A visitor is answered with it. Whoever looks it up for another reason does not count.
    pub fn count_hit(&self) {
        self.tally.count_hits(1);
    }

    /// When its fetch began, and the labels by which it is forgotten.
    pub(crate) fn record(&self) -> Option<&Record> {
        self.kept.record.as_deref()
    }

    /// Whether it was made before anybody asked, and is served for the first time now: true once.
    pub fn first_use(&self) -> bool {
        self.kept.making == Making::Ahead && self.record().is_some_and(Record::first_use)
    }

    /// Whether it was made before anybody asked, and has not been served yet. Looking is no use of it.
    pub fn is_unused(&self) -> bool {
        self.kept.making == Making::Ahead && self.record().is_some_and(Record::is_unused)
    }

    /// When its head arrived; by the wall clock to the second, as dates in fields are.
    pub fn received(&self) -> Moment {
        Moment { wall: self.word.said(), monotonic: self.received.get() }
    }

    /// The handler's word on it.
    pub(crate) fn word(&self) -> Word {
        self.word.get()
    }

    /// How its revalidations fare.
    pub(crate) fn trouble(&self) -> &Trouble {
        &self.trouble
    }

    /// What every hit reads or counts.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What is kept beside it.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// What it takes in memory, in bytes: its representations and the bookkeeping.
    pub fn size(&self) -> usize {
        let coded = |(_, coded): &(Coding, Representation)| size_of::<(Coding, Representation)>() + coded.size();
        let aside = |aside: &Aside| {
            let targeted = aside.targeted.size() + aside.targeted.len() * size_of::<(HeaderName, HeaderValue)>();
            allocated(size_of::<Aside>()) + targeted + aside.coded.iter().map(coded).sum::<usize>()
        };
        let aside = self.aside.as_deref().map_or(0, aside);
        shared(size_of::<Self>()) + self.identity.size() + aside + self.record().map_or(0, Record::size)
    }
}

/// The longest time for which the fields of a response that came at `received` tell any cache to keep it, from when it was made.
pub fn lifetime_told(head: &ResponseHead, received: Moment) -> Duration {
    let directives = [CACHE_CONTROL, CDN_CACHE_CONTROL].map(|name| CacheControl::parse(head.fields.get_all(&name)));
    let told = directives.iter().filter_map(CacheControl::lifetime).chain(expires(head, received.wall));
    told.max().unwrap_or_default()
}

/// Fields that describe the bytes of the body that was sent with them; a 304 has none, so what it says of them is not taken
/// over (RFC 9111 section 3.2).
fn about_the_body(name: &HeaderName) -> bool {
    const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
    [CONTENT_LENGTH, http::header::CONTENT_ENCODING, http::header::CONTENT_RANGE, CONTENT_MD5].contains(name)
}

/// What the handler says itself: `s-maxage`, else `max-age`, else `Expires` less `Date` (RFC 9111 section 4.2.1), less the age
/// with which it came.
pub(crate) fn explicit_lifetime(head: &ResponseHead, received: Moment) -> Option<Duration> {
    Some(own_lifetime(head, received)?.saturating_sub(age_value(head)))
}

/// What the handler says itself, whatever the age with which it came.
pub(crate) fn own_lifetime(head: &ResponseHead, received: Moment) -> Option<Duration> {
    let directives = CacheControl::parse(head.fields.get_all(&CACHE_CONTROL));
    directives.lifetime().or_else(|| expires(head, received.wall))
}

#[cfg(test)]
mod tests;
