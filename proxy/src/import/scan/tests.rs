use std::path::{Path, PathBuf};
use std::time::Duration;

use super::folder::{Folder, Step};
use super::source::Source;
use super::{Entry, Scan, ScanError, Window, handler};

/// The entry of a handler at a dynamic path whose file holds this.
fn scanned(text: &str) -> Entry {
    let place = Path::new("app/[id]/route.ts");
    let source = Source::parse(text, place).unwrap_or_else(|error| panic!("{text}: {error}"));
    let folder = Folder { place: PathBuf::from("app/[id]"), route: "/[id]".to_owned(), depth: 1 };
    handler(&folder, place, &source)
}

/// Every way to export a method that is known, and what is not taken for one.
#[test]
fn exported_methods() {
    for (text, expected) in [
        ("export async function GET() {}", Some(&["GET"][..])),
        ("export function GET() {} export function HEAD() {}", Some(&["GET"])),
        ("export function HEAD() {}", Some(&["HEAD"])),
        ("export const POST = async () => {}, PUT = POST", Some(&["POST", "PUT"])),
        ("export const { GET, post: PATCH } = handlers", Some(&["GET", "PATCH"])),
        (
            "const handler = 1; export { GET, handler as OPTIONS, handler as 'DELETE' }",
            Some(&["DELETE", "GET", "OPTIONS"]),
        ),
        ("export { GET } from './x'; export * as POST from './y'", Some(&["GET"])),
        (
            "export type { GET } from './x'; export { type POST } from './x'; export type PUT = 1; export function PATCH() {}",
            Some(&["PATCH"]),
        ),
        ("export function GET(): void; export function GET(x?: 1) {} export declare const POST: 1", Some(&["GET"])),
        ("export * from './x'; export function GET() {}", None),
        ("export default function GET() {}", None),
        ("function GET() {} // export function GET() {}", None),
        ("const text = `export function GET() {}`", None),
    ] {
        let mut found = scanned(text).methods;
        if let Some(methods) = &mut found {
            methods.sort_unstable();
        }
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}

/// What is beside `export function GET() {}`, the window that comes of it, and how many comments. Which forms Next.js
/// refuses was seen on builds with 16.2.2.
#[test]
fn windows() {
    let forever = Window::Forever;
    for (text, window, notes) in [
        ("", Window::Unsaid, 0),
        ("export const revalidate = 60", Window::Seconds(60), 0),
        ("export const revalidate = 1_000", Window::Seconds(1000), 0),
        ("export let revalidate = 0x10", Window::Seconds(16), 0),
        ("export const revalidate: number | false = false", forever, 0),
        ("export const revalidate = 0", Window::Seconds(0), 0),
        ("export const revalidate = 60 satisfies number", Window::Seconds(60), 0),
        ("export const revalidate = 60 as const", Window::Seconds(60), 1),
        ("export const revalidate = (60)", Window::Seconds(60), 1),
        ("export const revalidate = undefined", Window::Unsaid, 0),
        ("export const revalidate = 60 * 60", Window::Unsaid, 1),
        ("const x = 60; export const revalidate = x", Window::Unsaid, 1),
        ("export const revalidate = Infinity", Window::Unsaid, 1),
        ("export const revalidate = `${60}`", Window::Unsaid, 1),
        ("export const revalidate = 1.5", Window::Unsaid, 1),
        ("export const revalidate = '60'", Window::Unsaid, 1),
        ("export const revalidate = true", Window::Unsaid, 1),
        ("export const revalidate = 1e300", Window::Unsaid, 1),
        ("export const revalidate = -5", Window::Unsaid, 2),
        ("const revalidate = 60; export { revalidate }", Window::Unsaid, 1),
        ("export { revalidate } from './x'", Window::Unsaid, 1),
        ("export const dynamic = 'force-static'", forever, 0),
        ("export const dynamic = `error`", forever, 0),
        ("export const dynamic = 'force-static', revalidate = 5", Window::Seconds(5), 0),
        ("export const dynamic = 'force-dynamic'", Window::Unsaid, 0),
        ("export const dynamic = 'force-dynamic', revalidate = 5", Window::Unsaid, 1),
        ("export const dynamic = 'error', revalidate = 0", Window::Seconds(0), 1),
        ("export const dynamic = 'sometimes'", Window::Unsaid, 1),
        ("export const generateStaticParams = () => []", forever, 0),
        // Beside another method, and without parameters, it is cached all the same.
        ("export const revalidate = 60; export function POST() {}", Window::Seconds(60), 0),
    ] {
        let entry = scanned(&format!("{text}\nexport function GET() {{}}"));
        assert_eq!((entry.revalidate, entry.notes.len()), (window, notes), "{text}: {:?}", entry.notes);
    }
    let without = scanned("export const revalidate = 60; export function POST() {}");
    assert_eq!((without.revalidate, without.is_cached(), without.notes.len()), (Window::Unsaid, false, 1));
}

/// `generateStaticParams`, with how many objects it gives; none where that cannot be known.
#[test]
fn static_params() {
    for (text, expected) in [
        ("export function generateStaticParams() { return [{ id: 'a' }, { 'id': `b` }] }", Some(2)),
        (
            "export async function generateStaticParams() { 'use strict'; return [{ id: ['a', 'b'] }] as const }",
            Some(1),
        ),
        ("export const generateStaticParams = async () => ([{ id: 'a' }])", Some(1)),
        ("export const generateStaticParams = function () { return [{ id: 'a' }] } satisfies Some", Some(1)),
        ("export function generateStaticParams() { const all = []; return all }", None),
        ("export function* generateStaticParams() { return [{ id: 'a' }] }", None),
        ("export const generateStaticParams = () => ids.map((id) => ({ id }))", None),
        ("export const generateStaticParams = () => [{ id: 1 }]", None),
        ("export const generateStaticParams = () => [{ ['id']: 'a' }]", None),
        ("export const generateStaticParams = () => [...more]", None),
        ("export { generateStaticParams } from './x'", None),
    ] {
        for closed in [false, true] {
            let entry =
                scanned(&format!("export function GET() {{}}\nexport const dynamicParams = {}; {text}", !closed));
            assert_eq!(entry.params.map(|params| params.len()), expected, "{text}");
            assert_eq!(entry.closed, closed && expected.is_some(), "{text}");
            assert_eq!(entry.notes.is_empty(), expected.is_some(), "{text}: {:?}", entry.notes);
        }
    }
}

#[test]
fn other_constants() {
    let entry = scanned(
        "export function GET() {}
         export const maxDuration = 30, fetchCache = 'only-cache', runtime = 'experimental-edge'
         export const preferredRegion = ['fra1', 'iad1'] as const",
    );
    assert_eq!((entry.max_duration, entry.fetch_cache.as_deref()), (Some(30), Some("only-cache")));
    assert_eq!((entry.runtime.as_deref(), entry.regions.join(",")), (Some("edge"), "fra1,iad1".to_owned()));
    let wrong =
        "export const maxDuration = 'x', fetchCache = 'x', runtime = 'x', preferredRegion = 1, dynamicParams = 0";
    assert_eq!(scanned(&format!("export function GET() {{}}; {wrong}")).notes.len(), 5);
}

#[test]
fn what_does_not_parse_is_named_with_its_place() {
    for (text, says) in [
        ("export function GET( {\n  return }", "line 2, column "),
        ("export const x = 'grün'; \u{0}", "line 1, column "),
        (&"[".repeat(100_000), "nested too deeply"),
        (&format!("x = {}{}", "[".repeat(500), "]".repeat(500)), ""),
    ] {
        match Source::parse(text, Path::new("route.ts")) {
            Err(error) => assert!(!says.is_empty() && error.contains(says), "{says}: {error}"),
            Ok(_) => assert_eq!(says, ""),
        }
    }
    // Every language of a route file, JSX in plain JavaScript among them.
    for (ending, text) in [
        ("js", "export const a = <p>a</p>"),
        ("mjs", "export const a = <p>a</p>"),
        ("jsx", "export const a = <p>a</p>"),
        ("tsx", "export const a: unknown = <p>a</p>"),
        ("ts", "export const a = <T,>(b: T): T => b"),
    ] {
        assert!(Source::parse(text, Path::new(&format!("route.{ending}"))).is_ok(), "{ending}");
    }
}

#[test]
fn folders_become_paths() {
    let parent = Folder { place: PathBuf::from("app/a"), route: "/a".to_owned(), depth: 1 };
    for (name, expected) in [
        ("b", Some("/a/b")),
        ("(group)", Some("/a")),
        ("[id]", Some("/a/[id]")),
        ("%5Fb%5Fc", Some("/a/_b_c")),
        (".well-known", Some("/a/.well-known")),
        ("_private", None),
        ("@slot", None),
        ("(.)b", None),
        ("(..)(..)b", None),
        ("(...)b", None),
    ] {
        let found = match parent.step(name) {
            Step::Into(folder) => Some(folder.route),
            Step::Past | Step::Skipped(_) => None,
        };
        assert_eq!(found.as_deref(), expected, "{name}");
    }
}

#[test]
fn the_app_is_found_from_its_project() {
    let root = std::env::temp_dir().join(format!("evergate-import-scan-{}", std::process::id()));
    std::fs::create_dir_all(root.join("src/app/app")).unwrap();
    std::fs::write(root.join("src/app/app/route.js"), "export function GET() {}").unwrap();
    let found = |place: PathBuf| {
        Scan::read(&place).map(|scan| scan.entries.iter().map(|entry| entry.path.clone()).collect::<Vec<_>>())
    };
    for place in [root.clone(), root.join("src/app")] {
        assert_eq!(found(place).unwrap(), ["/app"]);
    }
    std::fs::create_dir(root.join("empty")).unwrap();
    std::fs::write(root.join("empty/package.json"), "{}").unwrap();
    assert!(matches!(found(root.join("empty")), Err(ScanError::NoApp { .. })));
    assert!(matches!(found(root.join("missing")), Err(ScanError::Unreadable { .. })));
    // A link that leads back is not followed.
    std::os::unix::fs::symlink(root.join("src/app"), root.join("src/app/again")).unwrap();
    let scan = Scan::read(&root).unwrap();
    assert_eq!((scan.entries.len(), scan.skipped.len()), (1, 1), "{scan:?}");
    assert!(scan.skipped[0].contains("leads back"), "{scan:?}");
    std::fs::remove_dir_all(&root).unwrap();
}

/// Nobody writes to the pipe, so opening it would wait for ever.
#[test]
fn a_pipe_is_no_source() {
    let root = std::env::temp_dir().join(format!("evergate-import-pipe-{}", std::process::id()));
    std::fs::create_dir_all(root.join("a")).unwrap();
    std::fs::write(root.join("route.ts"), "export function GET() {}").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(root.join("a/route.ts")).status().unwrap().success());
    let scan = Scan::read(&root).unwrap();
    assert_eq!((scan.entries.len(), scan.skipped.len()), (1, 1), "{scan:?}");
    assert!(scan.warnings[0].ends_with("a/route.ts: not a regular file"), "{scan:?}");
    std::fs::remove_dir_all(&root).unwrap();
}

/// The parser tries again at every `<`. What takes it for ever is left behind, once; these take it long enough.
#[test]
fn a_file_that_takes_too_long_is_left_behind() {
    let patience = Duration::from_millis(5);
    let root = std::env::temp_dir().join(format!("evergate-import-slow-{}", std::process::id()));
    std::fs::create_dir_all(root.join("z")).unwrap();
    std::fs::write(root.join("route.ts"), format!("x = a{}", "<a".repeat(800))).unwrap();
    let scan = Scan::read_within(&root, patience).unwrap();
    assert_eq!((scan.entries.len(), scan.skipped.len()), (0, 1), "{scan:?}");
    assert!(scan.warnings[0].ends_with("route.ts: takes too long to understand"), "{scan:?}");
    std::fs::copy(root.join("route.ts"), root.join("z/route.ts")).unwrap();
    match Scan::read_within(&root, patience) {
        Err(ScanError::TooSlow { path }) => assert_eq!(path, root.join("z/route.ts")),
        other => panic!("{other:?}"),
    }
    std::fs::remove_dir_all(&root).unwrap();
}
