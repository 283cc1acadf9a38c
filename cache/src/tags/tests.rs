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
fn tags_count_towards_the_size_of_a_response() {
    let (none, two) = (Tags::default(), Tags::new(["a", "bcd"]));
    assert_eq!(none.size(), 0);
    assert_eq!(two.size(), 4 + 2 * size_of::<Box<str>>());
}
