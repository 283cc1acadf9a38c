//! Behaviour tests: the real gateway between a programmable origin and clients, one module for each subject.

// `cfg(test)` always holds here; it tells the linter that helper functions may panic too.
#[cfg(test)]
mod admin;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod codings;
#[cfg(test)]
mod collapse;
#[cfg(test)]
mod conditional;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod cors;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod downstream;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod failure;
#[cfg(test)]
mod fast_path;
#[cfg(test)]
mod freshness;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod interim;
#[cfg(test)]
mod invalidate;
mod inventory;
#[cfg(test)]
mod keepalive;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod metrics;
mod next;
#[cfg(test)]
mod origin;
#[cfg(test)]
mod params;
#[cfg(test)]
mod pass;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod queue;
#[cfg(test)]
mod ranges;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod seed;
#[cfg(test)]
mod segment;
#[cfg(test)]
mod stale;
#[cfg(test)]
mod streaming;
#[cfg(test)]
mod tags;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod upstreams;
#[cfg(test)]
mod vary;
#[cfg(test)]
mod warm;
