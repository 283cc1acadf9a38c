//! The machinery of the Evergate gateway: connections, the proxy framework, configuration, routes, handler services, admin
//! listener, metrics, command line. What may be kept and for how long is the knowledge of `evergate-cache`.
//!
//! A request comes in by [`connection`], which reads its head by the letter; [`rules`] say what becomes of it before it meets
//! a route, and [`ruling`] what that means for who serves it; [`serve`] answers it, from the cache where
//! [`admission`] lets it; [`fetch`] asks handlers and fills what is missing; what the cache has no part in goes through
//! [`pass`], with [`effects`] on what is stored. [`forwarded`] says which of a visitor's fields a handler may see, [`compress`]
//! codes what is stored. [`prerender`] and [`warm`] fetch before anybody asks, and so does [`refresh`] after an [`invalidation`], of
//! which caches in front are told by [`downstream`]. [`tls`] is what connections
//! begin with where they are encrypted. [`outcome`] names what happened, and [`observe`] tells it.
//!
//! This is the only crate that knows the framework, files, signals and the outside world. Begin with [`server::run`] for the
//! process, with [`serve::serve`] for a request.

pub mod access_log;
pub mod admin;
pub mod admission;
pub mod cli;
pub mod clock;
pub mod compress;
pub mod config;
pub mod connection;
pub mod demo;
pub mod downstream;
pub mod effects;
pub mod explain;
pub mod failure;
pub mod fetch;
pub mod forwarded;
pub mod gateway;
pub mod handler_request;
pub mod import;
pub mod invalidation;
pub mod inventory;
pub mod known;
pub mod log;
pub mod metrics;
pub mod observe;
pub mod outcome;
pub mod pace;
pub mod page_form;
pub mod pass;
pub mod passage;
pub mod phase;
pub mod prerender;
pub mod refresh;
pub mod regular_file;
pub mod render;
pub mod request;
pub mod respond;
pub mod routes;
pub mod rules;
pub mod ruling;
pub mod serve;
pub mod server;
pub mod sitemap;
pub mod snapshot;
pub mod sweep;
pub mod tags;
pub mod target;
pub mod tls;
pub mod upstream;
pub mod warm;
