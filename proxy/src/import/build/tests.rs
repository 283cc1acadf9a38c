use std::error::Error;
use std::path::{Path, PathBuf};

use super::Build;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/import");

/// A folder with some files of the golden build, which goes away at the end.
struct Folder(PathBuf);

impl Folder {
    fn with(name: &str, files: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("evergate-import-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join(".next/server")).unwrap();
        for file in files {
            std::fs::copy(Path::new(GOLDEN).join("build").join(file), folder.join(".next").join(file)).unwrap();
        }
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in the system's place for such is no failure.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const ALL: [&str; 5] = [
    "routes-manifest.json",
    "app-path-routes-manifest.json",
    "prerender-manifest.json",
    "server/functions-config-manifest.json",
    "server/middleware-manifest.json",
];

#[test]
fn a_build_is_found_in_its_project_and_by_itself() {
    let folder = Folder::with("found", &ALL);
    for place in [folder.0.clone(), folder.0.join(".next")] {
        let build = Build::read(&place).unwrap();
        assert_eq!((build.id, build.routes.version, build.prerender.version), (None, 3, 4));
    }
}

#[test]
fn what_is_missing_is_named() {
    for (name, files, says) in [
        ("none", &ALL[..0], "no build in "),
        ("one", &ALL[..1], "app-path-routes-manifest.json; run `next build`, which writes it"),
        ("four", &ALL[..4], "server/middleware-manifest.json; run `next build`, which writes it"),
    ] {
        let folder = Folder::with(name, files);
        let error = Build::read(&folder.0).unwrap_err();
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
}

#[test]
fn a_broken_manifest_is_named_with_the_place() {
    let folder = Folder::with("broken", &ALL);
    std::fs::write(folder.0.join(".next/prerender-manifest.json"), "{ \"version\": 4, \"routes\": [] }").unwrap();
    let error = Build::read(&folder.0).unwrap_err();
    assert!(error.to_string().contains("prerender-manifest.json is not in the form"), "{error}");
    assert!(error.source().is_some_and(|cause| cause.to_string().contains("line 1 column")), "{error:?}");
}
