//! Behaviour tests: the real gateway between a programmable origin and clients, one module for each subject.

// `cfg(test)` always holds here; it tells the linter that helper functions may panic too.
#[cfg(test)]
mod collapse;
#[cfg(test)]
mod failure;
#[cfg(test)]
mod freshness;
#[cfg(test)]
mod harness;
mod next;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod stale;
#[cfg(test)]
mod streaming;
