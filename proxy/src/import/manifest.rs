//! Manifests: what `next build` writes about an application, as far as the gateway needs it.
//!
//! The shapes are those of Next.js 16.2 (`packages/next/src/build/index.ts`: `RoutesManifest`, `PrerenderManifest`,
//! `FunctionsConfigManifest`, `MiddlewareManifest`). Only the fields that are used are read, so that nothing else, keys of the
//! preview mode and variables of the environment above all, can find its way into a configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `app-path-routes-manifest.json`: what stands in `app/`, and the path it answers. Keys end in `/route` or `/page`.
pub(super) type AppPaths = BTreeMap<String, String>;

/// `routes-manifest.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Routes {
    /// The version of its form.
    pub(super) version: u64,
    /// `basePath`: what every path begins with.
    #[serde(default)]
    pub(super) base_path: String,
    /// Whether rules of `next.config` tell letters of either case apart.
    #[serde(default)]
    pub(super) case_sensitive: bool,
    /// Redirects in their order, those that Next.js added itself among them.
    #[serde(default)]
    pub(super) redirects: Vec<Redirect>,
    /// Header rules in their order.
    #[serde(default)]
    pub(super) headers: Vec<Headers>,
    /// Rewrites.
    #[serde(default)]
    pub(super) rewrites: Rewrites,
    /// Whether paths begin with a language.
    #[serde(default)]
    pub(super) i18n: Option<serde::de::IgnoredAny>,
    /// Every path without parameters, of `app/` and of `pages/`, without the base path.
    #[serde(default)]
    pub(super) static_routes: Vec<PagePath>,
    /// Every path with parameters.
    #[serde(default)]
    pub(super) dynamic_routes: Vec<PagePath>,
}

/// A path that Next.js answers.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct PagePath {
    /// In the conventions of the file system.
    pub(super) page: String,
}

/// Which requests a rule of `next.config` is about.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Source {
    /// A pattern of path-to-regexp; it has the base path where there is one.
    pub(super) source: String,
    /// All of these must hold.
    #[serde(default)]
    pub(super) has: Vec<Condition>,
    /// None of these may hold.
    #[serde(default)]
    pub(super) missing: Vec<Condition>,
}

/// Something that a request has or has not.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Condition {
    /// `header`, `cookie`, `query` or `host`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// Its name; hosts have none.
    #[serde(default)]
    pub(super) key: Option<String>,
    /// The regular expression that its value fits.
    #[serde(default)]
    pub(super) value: Option<String>,
}

/// A redirect.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Redirect {
    /// Which requests.
    #[serde(flatten)]
    pub(super) when: Source,
    /// Where to.
    pub(super) destination: String,
    /// With which status.
    #[serde(default)]
    pub(super) status_code: Option<u16>,
    /// Whether Next.js added it itself: slashes at the end of paths.
    #[serde(default)]
    pub(super) internal: bool,
}

/// A header rule.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Headers {
    /// Which requests.
    #[serde(flatten)]
    pub(super) when: Source,
    /// The lines, in their order.
    pub(super) headers: Vec<HeaderLine>,
}

/// One line of a header rule.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct HeaderLine {
    /// Its name.
    pub(super) key: String,
    /// Its value.
    pub(super) value: String,
}

/// The rewrites by the moment at which they apply.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "RewritesForm")]
pub(super) struct Rewrites {
    /// Before files and pages.
    pub(super) before_files: Vec<Rewrite>,
    /// After files and static paths, before dynamic ones.
    pub(super) after_files: Vec<Rewrite>,
    /// Where nothing else matches.
    pub(super) fallback: Vec<Rewrite>,
}

/// The forms of rewrites: earlier versions write a list where there are none but those after files.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum RewritesForm {
    AfterFiles(Vec<Rewrite>),
    #[serde(rename_all = "camelCase")]
    ByMoment {
        #[serde(default)]
        before_files: Vec<Rewrite>,
        #[serde(default)]
        after_files: Vec<Rewrite>,
        #[serde(default)]
        fallback: Vec<Rewrite>,
    },
}

impl From<RewritesForm> for Rewrites {
    fn from(form: RewritesForm) -> Self {
        match form {
            RewritesForm::AfterFiles(after_files) => Self { after_files, ..Self::default() },
            RewritesForm::ByMoment { before_files, after_files, fallback } => {
                Self { before_files, after_files, fallback }
            }
        }
    }
}

/// A rewrite.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Rewrite {
    /// Which requests.
    #[serde(flatten)]
    pub(super) when: Source,
    /// What they become: a path, or an address of another site.
    pub(super) destination: String,
}

/// `prerender-manifest.json`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prerender {
    /// The version of its form.
    pub(super) version: u64,
    /// What was built, by path.
    #[serde(default)]
    pub(super) routes: BTreeMap<String, Prerendered>,
    /// Dynamic paths that are built on demand.
    #[serde(default)]
    pub(super) dynamic_routes: BTreeMap<String, OnDemand>,
}

/// One path that was built.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Prerendered {
    /// The window: a number of seconds, or `false`.
    #[serde(default)]
    pub(super) initial_revalidate_seconds: Seconds,
    /// The bound of all staleness.
    #[serde(default)]
    pub(super) initial_expire_seconds: Option<f64>,
    /// The status, where it is not 200.
    #[serde(default)]
    pub(super) initial_status: Option<u16>,
    /// The headers that were stored.
    #[serde(default)]
    pub(super) initial_headers: BTreeMap<String, HeaderText>,
    /// The route that it belongs to.
    #[serde(default)]
    pub(super) src_route: Option<String>,
    /// `PARTIALLY_STATIC` where a part of the page is made for each visitor.
    #[serde(default)]
    pub(super) rendering_mode: Option<String>,
    /// The same in earlier versions.
    #[serde(default, rename = "experimentalPPR")]
    pub(super) experimental_ppr: Option<bool>,
}

impl Prerendered {
    /// Whether a part of the page is made for each visitor.
    pub(super) fn is_partial(&self) -> bool {
        self.rendering_mode.as_deref() == Some("PARTIALLY_STATIC") || self.experimental_ppr == Some(true)
    }
}

/// The value of a stored header: one line or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum HeaderText {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// A window in a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Seconds {
    /// `false`: until it is invalidated. (`true` means nothing, and is taken for it.)
    Flag(bool),
    /// So many seconds.
    Number(f64),
}

impl Default for Seconds {
    fn default() -> Self {
        Self::Flag(false)
    }
}

/// A dynamic path that is built on demand.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct OnDemand {
    /// `false` where nothing is built but what was prerendered: `dynamicParams = false`.
    #[serde(default)]
    pub(super) fallback: Fallback,
    /// As of a path that was built.
    #[serde(default, rename = "renderingMode")]
    pub(super) rendering_mode: Option<String>,
}

/// What a path gets that was not prerendered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(untagged)]
pub(super) enum Fallback {
    /// `false`: 404.
    Flag(bool),
    /// A page that is shown meanwhile.
    Page(String),
    /// `null`: it waits.
    #[default]
    Waits,
}

/// `server/functions-config-manifest.json`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Functions {
    /// The version of its form.
    pub(super) version: u64,
    /// By path; the proxy file is `/_middleware`.
    #[serde(default)]
    pub(super) functions: BTreeMap<String, Function>,
}

/// What is said about one path.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Function {
    /// `maxDuration`, in seconds.
    #[serde(default)]
    pub(super) max_duration: Option<f64>,
    /// `preferredRegion`.
    #[serde(default)]
    pub(super) regions: Option<Words>,
    /// `runtime`, where it was said.
    #[serde(default)]
    pub(super) runtime: Option<String>,
    /// Which paths the proxy file is about.
    #[serde(default)]
    pub(super) matchers: Vec<Matcher>,
}

/// A word or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Words {
    /// All of them.
    pub(super) fn all(&self) -> &[String] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Many(words) => words,
        }
    }
}

/// A matcher of the proxy file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Matcher {
    /// The pattern as it was written, without the base path.
    #[serde(default)]
    pub(super) original_source: Option<String>,
    /// What Next.js made of it.
    #[serde(default)]
    pub(super) regexp: String,
    /// All of these must hold.
    #[serde(default)]
    pub(super) has: Vec<Condition>,
    /// None of these may hold.
    #[serde(default)]
    pub(super) missing: Vec<Condition>,
}

/// `server/middleware-manifest.json`: what runs in the edge runtime.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Middleware {
    /// The version of its form.
    pub(super) version: u64,
    /// The proxy file, under `/`.
    #[serde(default)]
    pub(super) middleware: BTreeMap<String, EdgeFunction>,
    /// Handlers and pages, by their key in [`AppPaths`].
    #[serde(default)]
    pub(super) functions: BTreeMap<String, EdgeFunction>,
}

/// Something that runs in the edge runtime.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct EdgeFunction {
    /// Which paths it is about.
    #[serde(default)]
    pub(super) matchers: Vec<Matcher>,
    /// `preferredRegion`.
    #[serde(default)]
    pub(super) regions: Option<Words>,
}
