//! Rules as tables: a pattern, a path, what is captured; a request, what becomes of it.

mod index;
mod patterns;
mod requests;
mod vectors;
