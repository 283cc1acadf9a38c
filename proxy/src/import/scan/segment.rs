//! Segment config: the constants of a file that say how its answers are kept.
//!
//! What is accepted is what Next.js accepts (`build/segment-config/app/app-segment-config.ts`).

use super::super::route::Window;
use super::literal::Literal;
use crate::config::Dynamic;

/// The segment config of a file, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Segment {
    /// `revalidate`.
    pub(super) revalidate: Option<Window>,
    /// `dynamic`.
    pub(super) dynamic: Option<Dynamic>,
    /// `dynamicParams`.
    pub(super) dynamic_params: Option<bool>,
    /// `fetchCache`.
    pub(super) fetch_cache: Option<String>,
    /// `runtime`.
    pub(super) runtime: Option<String>,
    /// `preferredRegion`.
    pub(super) regions: Vec<String>,
    /// `maxDuration`, in seconds.
    pub(super) max_duration: Option<u64>,
}

impl Segment {
    /// Takes the value of one constant.
    ///
    /// # Errors
    ///
    /// What would be accepted.
    pub(super) fn set(&mut self, name: &str, value: &Literal) -> Result<(), &'static str> {
        match name {
            "revalidate" => {
                const EXPECTED: &str = "a whole number of seconds or false";
                self.revalidate = Some(match value {
                    Literal::Flag(false) => Window::Forever,
                    Literal::Flag(_)
                    | Literal::Number(_)
                    | Literal::Text(_)
                    | Literal::List(_)
                    | Literal::Object(_)
                    | Literal::Nothing => Window::Seconds(whole(value).ok_or(EXPECTED)?),
                });
            }
            "dynamic" => {
                const EXPECTED: &str = "auto, force-dynamic, force-static or error";
                self.dynamic = Some(match text(value).ok_or(EXPECTED)? {
                    "auto" => Dynamic::Auto,
                    "force-dynamic" => Dynamic::ForceDynamic,
                    "force-static" => Dynamic::ForceStatic,
                    "error" => Dynamic::Error,
                    _ => return Err(EXPECTED),
                });
            }
            "dynamicParams" => match value {
                Literal::Flag(flag) => self.dynamic_params = Some(*flag),
                Literal::Number(_) | Literal::Text(_) | Literal::List(_) | Literal::Object(_) | Literal::Nothing => {
                    return Err("true or false");
                }
            },
            "fetchCache" => {
                let word = text(value).filter(|word| FETCH_CACHE.contains(word)).ok_or("a value of fetchCache")?;
                self.fetch_cache = (word != "auto").then(|| word.to_owned());
            }
            "runtime" => {
                let known = |word: &&str| ["nodejs", "edge", "experimental-edge"].contains(word);
                let word = text(value).filter(known).ok_or("nodejs or edge")?;
                self.runtime = Some(if word == "nodejs" { word } else { "edge" }.to_owned());
            }
            "preferredRegion" => self.regions = regions(value).ok_or("a text or a list of texts")?,
            "maxDuration" => {
                let seconds = whole(value).ok_or("a whole number of seconds")?;
                self.max_duration = (seconds > 0).then_some(seconds);
            }
            _ => {}
        }
        Ok(())
    }

    /// The segment config of a page or layout in this one: the shorter window and the nearer word count
    /// (`build/segment-config/app/app-segments.ts`).
    pub(super) fn below(&self, inner: &Self) -> Self {
        let revalidate = match (self.revalidate, inner.revalidate) {
            (Some(Window::Seconds(outer)), Some(Window::Seconds(inner))) => Some(Window::Seconds(outer.min(inner))),
            (Some(outer @ Window::Seconds(_)), Some(Window::Forever | Window::Unsaid | Window::Origin) | None) => {
                Some(outer)
            }
            (Some(Window::Forever | Window::Unsaid | Window::Origin) | None, Some(inner)) => Some(inner),
            (Some(outer), None) => Some(outer),
            (None, None) => None,
        };
        Self {
            revalidate,
            dynamic: inner.dynamic.or(self.dynamic),
            dynamic_params: inner.dynamic_params.or(self.dynamic_params),
            fetch_cache: inner.fetch_cache.clone().or_else(|| self.fetch_cache.clone()),
            runtime: inner.runtime.clone().or_else(|| self.runtime.clone()),
            regions: if inner.regions.is_empty() { self.regions.clone() } else { inner.regions.clone() },
            max_duration: inner.max_duration.or(self.max_duration),
        }
    }
}

/// Whether a constant of this name is segment config.
pub(super) fn is_config(name: &str) -> bool {
    ["revalidate", "dynamic", "dynamicParams", "fetchCache", "runtime", "preferredRegion", "maxDuration"]
        .contains(&name)
}

fn text(value: &Literal) -> Option<&str> {
    match value {
        Literal::Text(text) => Some(text),
        Literal::Flag(_) | Literal::Number(_) | Literal::List(_) | Literal::Object(_) | Literal::Nothing => None,
    }
}

/// A whole number that is not negative, and not longer than the configuration takes as seconds.
fn whole(value: &Literal) -> Option<u64> {
    match value {
        Literal::Number(number) if number.fract() == 0.0 && (0.0..=LONGEST).contains(number) => {
            format!("{number:.0}").parse().ok()
        }
        Literal::Number(_)
        | Literal::Flag(_)
        | Literal::Text(_)
        | Literal::List(_)
        | Literal::Object(_)
        | Literal::Nothing => None,
    }
}

fn regions(value: &Literal) -> Option<Vec<String>> {
    match value {
        Literal::Text(word) => Some(vec![word.clone()]),
        Literal::List(words) => words.iter().map(|word| text(word).map(str::to_owned)).collect(),
        Literal::Flag(_) | Literal::Number(_) | Literal::Object(_) | Literal::Nothing => None,
    }
}

const FETCH_CACHE: [&str; 7] =
    ["auto", "default-cache", "only-cache", "force-cache", "force-no-store", "default-no-store", "only-no-store"];

/// The longest duration that the configuration takes, in seconds.
const LONGEST: f64 = 36_525.0 * 86_400.0;
