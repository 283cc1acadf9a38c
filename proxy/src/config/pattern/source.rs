//! Paths of source files, which people paste where the path of a route belongs: what visitors ask for instead.
//!
//! In the conventions of Next.js a folder is a segment, except for `(group)` and `@slot`, which are in no path; `(..)photo`
//! stands for a path that begins elsewhere; and nothing below `_private` is a route.

/// The path in place of a text without a leading slash, if that is the path of a source file or of its folder.
pub(super) fn visited_by(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('/').collect();
    let is_source = is_file(&parts) || matches!(parts.as_slice(), ["." | ".." | "src", "app", ..]);
    (is_source && !text.contains(':')).then(|| visited(&parts, true))
}

/// The path that visitors ask for, where these are the parts of a path that may be that of a source file.
pub(super) fn visited(parts: &[&str], is_source: bool) -> String {
    let folders = match parts.split_last() {
        Some((_, folders)) if is_file(parts) => folders,
        Some(_) | None => parts,
    };
    // Where the editor's terminal stands is nobody's path.
    let dots = folders.iter().take_while(|folder| matches!(**folder, "." | "..")).count();
    let below_app = match &folders[dots..] {
        ["src", "app", below @ ..] | ["app", below @ ..] if is_source => below,
        folders => folders,
    };
    let mut path: Vec<&str> = Vec::new();
    for folder in below_app {
        if folder.is_empty() || is_group(folder) || (is_source && folder.starts_with('@')) {
            continue;
        }
        match interception(folder) {
            None => path.push(folder),
            Some((levels, name)) => {
                path.truncate(path.len().saturating_sub(levels));
                path.push(name);
            }
        }
    }
    format!("/{}", path.join("/"))
}

/// Whether a segment is a route group. A plain pair of parentheses can be written `%28` and `%29`.
pub(super) fn is_group(part: &str) -> bool {
    part.starts_with('(') && part.ends_with(')')
}

/// How many levels up an intercepting segment begins, and what it intercepts.
pub(super) fn interception(part: &str) -> Option<(usize, &str)> {
    let markers = [("(...)", usize::MAX), ("(..)(..)", 2), ("(..)", 1), ("(.)", 0)];
    let found = markers.into_iter().find_map(|(marker, levels)| Some((levels, part.strip_prefix(marker)?)));
    found.filter(|(_, name)| !name.is_empty())
}

/// Whether the last part is the file of a Route Handler or of a page.
pub(super) fn is_file(parts: &[&str]) -> bool {
    match parts.last().and_then(|last| last.split_once('.')) {
        Some(("route", ending)) => ["js", "jsx", "ts", "tsx", "mjs", "cjs", "mts"].contains(&ending),
        Some(("page", ending)) => ["js", "jsx", "ts", "tsx", "md", "mdx"].contains(&ending),
        Some(_) | None => false,
    }
}

/// The folder of a source file below which Next.js makes no routes.
pub(super) fn private<'a>(parts: &[&'a str]) -> Option<&'a str> {
    if !is_file(parts) {
        return None;
    }
    parts.iter().copied().find(|part| part.starts_with('_'))
}
