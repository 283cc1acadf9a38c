use super::{Place, Yaml, key, list, value};

/// Texts that come back as they were, wherever they stand.
const TEXTS: [&str; 34] = [
    "posts",
    "/posts",
    "/items/[slug]",
    "/docs/[[...parts]]",
    "/old/:path*",
    "/((?!_next|favicon.ico).*)",
    "a: b",
    "ends in a colon:",
    "- dash",
    "# no comment",
    "a #b",
    "it's",
    "\"quoted\"",
    "line\nend",
    "carriage\rreturn",
    "tab\tin it",
    "nul\0",
    "\u{85}\u{2028}\u{2029}\u{feff}",
    "\u{202e}right to left",
    "grün",
    "🦀",
    "",
    " ",
    "60",
    "1e3",
    "0x10",
    "true",
    "No",
    "~",
    "null",
    "\\d{1,}",
    "{a: b}",
    "[a, b]",
    "*alias",
];

#[test]
fn texts_come_back_as_they_were() {
    for text in TEXTS {
        for place in [Place::Block, Place::Flow] {
            let written = match place {
                Place::Block => format!("k: {}\n", value(text, place)),
                Place::Flow => format!("k: {{ a: [{}] }}\n", value(text, place)),
            };
            let read: serde_yaml::Value =
                serde_yaml::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
            let found = match place {
                Place::Block => &read["k"],
                Place::Flow => &read["k"]["a"][0],
            };
            assert_eq!(found.as_str(), Some(text), "{written}");
        }
        let written = format!("{}: 1\n", key(text, Place::Block));
        let read: serde_yaml::Value =
            serde_yaml::from_str(&written).unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(read.get(text), Some(&serde_yaml::Value::from(1)), "{written}");
    }
}

#[test]
fn plain_texts_are_left_plain() {
    for (text, place, expected) in [
        ("/items/[slug]", Place::Block, "/items/[slug]"),
        ("/items/[slug]", Place::Flow, "\"/items/[slug]\""),
        ("/old/:path*", Place::Block, "/old/:path*"),
        ("posts", Place::Flow, "posts"),
        ("^v$", Place::Flow, "\"^v$$\""),
        ("${X}", Place::Block, "\"$${X}\""),
        ("$$", Place::Flow, "\"$$$$\""),
    ] {
        assert_eq!(value(text, place), expected);
    }
    assert_eq!(key("x-${X}", Place::Block), "\"x-${X}\"");
    assert_eq!(list(&["a", "b c"]), "[a, \"b c\"]");
}

#[test]
fn comments_stay_comments() {
    let mut yaml = Yaml::default();
    yaml.comment(2, "one\nkey: value\r\n- item");
    yaml.comment(0, "");
    yaml.comment(0, &"word ".repeat(40));
    let text = yaml.finish();
    assert!(text.lines().all(|line| line.trim_start().starts_with('#') && line.len() <= super::WIDTH), "{text}");
    assert!(text.starts_with("  # one\\nkey: value\\r\\n- item\n#\n# word word"), "{text}");
}
