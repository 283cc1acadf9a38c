//! Presets of headers that tell browsers what a page may do (`security_headers`).

use http::HeaderName;

use super::problem::Report;
use super::quantity::choice;
use super::section::Section;
use crate::rules::{FieldRules, Names, Template};

/// A set of headers. Each beats the handler's, and is beaten by what `response_headers` says of it, in the same entry or in a
/// later one.
#[derive(Clone, Copy)]
struct Preset(&'static [(&'static str, &'static str)]);

/// What does no page any harm.
const BASIC: Preset = Preset(&[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
]);

/// What OWASP's Secure Headers Project proposes, for pages that load everything from their own site and have no inline scripts.
/// `no-referrer` would make browsers say `Origin: null` with a site's own forms (the Fetch standard, section 3.2), so the referrer
/// stays within the site.
const STRICT: Preset = Preset(&[
    ("strict-transport-security", "max-age=63072000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    (
        "content-security-policy",
        "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    ("permissions-policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-permitted-cross-domain-policies", "none"),
]);

/// What tells the world what a handler is made with.
const TELLTALE: HeaderName = HeaderName::from_static("x-powered-by");

/// Puts the preset that an entry names before what it says of answers itself.
pub(super) fn add_preset(section: &Section<'_>, response: &mut FieldRules, report: &mut Report) {
    let presets = [("basic", BASIC), ("strict", STRICT)];
    let Some(Preset(lines)) = section.read("security_headers", report, |node| choice(node, &presets)) else { return };
    // What the entry removes, it removes of the preset too.
    let wanted = lines.iter().filter(|(name, _)| response.remove.iter().all(|removed| removed != name));
    let template = |text: &str| Template::new(text, &Names::unknown());
    let preset = wanted.map(|(name, value)| (template(name), template(value))).collect();
    let own = std::mem::replace(&mut response.set, preset);
    response.set.extend(own);
    if !response.remove.contains(&TELLTALE) {
        response.remove.push(TELLTALE);
    }
}
