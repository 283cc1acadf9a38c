//! Tables for the reading of metrics.

use super::{sample, samples, sum};

const TEXT: &str = r#"# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{route="/a",cache="hit"} 3
requests_total{route="/a",cache="miss"} 1
requests_total{route="/\"b\\\n,}",cache="hit"} 4 1700000000
requests_total_other{cache="hit"} 100
duration_bucket{le="+Inf"} 2.5e1
plain 7
"#;

#[test]
fn sums() {
    type Label = (&'static str, &'static str);
    let cases: [(&str, &[Label], f64); 9] = [
        ("requests_total", &[], 8.0),
        ("requests_total", &[("cache", "hit")], 7.0),
        ("requests_total", &[("cache", "hit"), ("route", "/a")], 3.0),
        ("requests_total", &[("route", "/\"b\\\n,}")], 4.0),
        ("requests_total", &[("cache", "hi")], 0.0),
        ("requests_total", &[("none", "")], 0.0),
        ("duration_bucket", &[("le", "+Inf")], 25.0),
        ("plain", &[], 7.0),
        ("missing", &[], 0.0),
    ];
    for (name, labels, expected) in cases {
        let found = sum(TEXT, name, labels);
        assert!(
            (found - expected).abs() < 1e-9 && found.is_sign_positive(),
            "{name} {labels:?}: {found}, not {expected}"
        );
    }
    assert_eq!(samples(TEXT).len(), 6);
}

#[test]
fn what_is_not_a_sample() {
    for line in ["name", "name x", "name{a=\"b} 1", "name{a} 1", "{"] {
        assert_eq!(sample(line), None, "{line:?}");
    }
}
