use super::{MAX_TAG_LENGTH, MAX_TAGS, Tags};

fn kept<'t>(tags: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    Tags::new(tags).iter().map(str::to_owned).collect()
}

#[test]
fn each_tag_is_there_once_and_in_order() {
    assert_eq!(kept(["posts", "item:a", "posts", "", "a"]), ["posts", "item:a", "a"]);
    assert_eq!(kept([]), [""; 0]);
}

#[test]
fn what_is_beyond_the_limits_is_left_out() {
    let longest = "\u{e9}".repeat(MAX_TAG_LENGTH);
    let longer = format!("{longest}x");
    assert_eq!(kept([longest.as_str(), longer.as_str(), "short"]), [longest.as_str(), "short"]);
    let many: Vec<String> = (0..MAX_TAGS + 5).map(|number| number.to_string()).collect();
    let tags = kept(many.iter().map(String::as_str));
    assert_eq!(tags, many[..MAX_TAGS]);
}

#[test]
fn what_is_left_out_is_counted() {
    let longer = "x".repeat(MAX_TAG_LENGTH + 1);
    assert_eq!(Tags::new(["a", "a", "", "b"]).cut(), 0, "what is there twice, or empty, is not missing");
    assert_eq!(Tags::new(["a", longer.as_str(), "b"]).cut(), 1);
    let many: Vec<String> = (0..MAX_TAGS + 5).map(|number| number.to_string()).collect();
    assert_eq!(Tags::new(many.iter().map(String::as_str).chain(["0"])).cut(), 5);
}

#[test]
fn what_a_route_implies_is_never_left_out() {
    let longer = "x".repeat(MAX_TAG_LENGTH + 1);
    let many: Vec<String> = (0..MAX_TAGS + 2).map(|number| number.to_string()).collect();
    let all = |tags: &Tags| tags.iter().map(str::to_owned).collect::<Vec<_>>();
    let tags = Tags::with_implied([longer.as_str(), "a", "a", ""], ["b", "a", longer.as_str()]);
    assert_eq!((all(&tags), tags.cut()), (vec![longer.clone(), "a".to_owned(), "b".to_owned()], 0));
    // They count among those that fit.
    let tags = Tags::with_implied(many.iter().map(String::as_str), ["0", "other"]);
    assert_eq!((all(&tags), tags.cut()), (many, 1));
    let tags = Tags::with_implied(["a"], [format!("{longer}x").as_str()]);
    assert_eq!((all(&tags), tags.cut()), (vec!["a".to_owned()], 1));
}
