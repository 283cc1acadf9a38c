//! Methods: which of them a route's handler answers.

use http::Method;

use super::node::{Content, Expected, Node};
use super::problem::Report;

/// The methods that a route lists. GET brings HEAD with it, and OPTIONS is answered whether it is listed or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Methods(Vec<Method>);

impl Methods {
    /// Whether a request of this method goes to the handler.
    pub fn list(&self, method: &Method) -> bool {
        self.0.contains(method) || *method == Method::HEAD && self.0.contains(&Method::GET)
    }

    /// The value of `Allow`: every method that is answered, in alphabetical order as Next.js has it.
    pub fn allow(&self) -> String {
        let mut names: Vec<&str> = self.0.iter().map(Method::as_str).collect();
        names.push("OPTIONS");
        if self.0.contains(&Method::GET) {
            names.push("HEAD");
        }
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }

    /// The methods as they are listed.
    pub fn iter(&self) -> impl Iterator<Item = &Method> {
        self.0.iter()
    }

    /// Reads the setting `methods`.
    pub(super) fn read(node: &Node, report: &mut Report) -> Option<Self> {
        const EXPECTED: &str = "a list of methods (`[GET, POST]`)";
        let methods = node.read_list(EXPECTED, report, method)?;
        if matches!(&node.content, Content::List(items) if items.is_empty()) {
            node.refuse("at least one method (`[GET]`); leave it out and every method goes to the handler", report);
        }
        Some(Self(methods))
    }
}

/// Reads the name of a method.
pub(super) fn name(node: &Node) -> Result<String, Expected> {
    method(node).map(|method| method.as_str().to_owned())
}

/// Reads a method.
pub(super) fn method(node: &Node) -> Result<Method, Expected> {
    const EXPECTED: &str = "the name of a method (GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD)";
    let text = node.text().ok_or(EXPECTED)?;
    let method = Method::from_bytes(text.as_bytes()).map_err(|_| EXPECTED)?;
    if method == Method::CONNECT {
        return Err("another method: CONNECT asks for a tunnel, which is not served".into());
    }
    // Methods are case-sensitive (RFC 9110 section 9.1), and all that are registered are in upper case.
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(format!("upper case: `{}`", text.to_ascii_uppercase()).into());
    }
    Ok(method)
}
