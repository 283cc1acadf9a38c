//! Metrics in the text format of Prometheus, as far as tests read them: names, labels and values of samples.

/// One line of the text format.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The name, with `_bucket`, `_sum` or `_count` for the parts of a histogram.
    pub name: String,
    /// The labels in their order.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// Whether it has this label with this value.
    #[must_use]
    pub fn has(&self, label: &str, value: &str) -> bool {
        let mut labels = self.labels.iter();
        labels.any(|(name, found)| name == label && found == value)
    }
}

/// The sum of the samples called `name` that have these labels, whatever others they have; 0 when there is none.
///
/// # Panics
/// When the text cannot be read.
#[must_use]
pub fn sum(text: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let fitting = samples(text).into_iter().filter(|sample| {
        let has = |(label, value): &(&str, &str)| sample.has(label, value);
        sample.name == name && labels.iter().all(has)
    });
    // The sum of nothing would be -0.0, which reads oddly in a failed test.
    fitting.fold(0.0, |sum, sample| sum + sample.value)
}

/// All samples of the text.
///
/// # Panics
/// When a line cannot be read; the message shows it.
#[must_use]
pub fn samples(text: &str) -> Vec<Sample> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line| sample(line).unwrap_or_else(|| panic!("not a sample: {line:?}"));
    lines.map(read).collect()
}

/// Reads `name{label="value",...} value`, where a time may follow.
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(list) = rest.strip_prefix('{') {
        rest = list.trim_start();
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.push((label.trim().to_owned(), value));
            let after = after.trim_start();
            rest = after.strip_prefix(',').unwrap_or(after).trim_start();
        }
        rest = &rest[1..];
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// Reads up to the closing quotation mark; gives the text and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests;
