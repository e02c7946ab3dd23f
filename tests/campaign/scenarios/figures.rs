//! What a campaign found out, for people and for the table in the documents.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Facts in the order in which they are told.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<(String, String)>);

impl Figures {
    /// One more fact.
    pub(crate) fn add(&mut self, what: &str, value: impl fmt::Display) -> &mut Self {
        self.0.push((what.to_owned(), value.to_string()));
        self
    }

    /// A line of the table in `docs/proof.md`.
    pub(crate) fn markdown(&self, command: &str) -> String {
        let facts: Vec<String> = self
            .0
            .iter()
            .map(|(what, value)| format!("{what} {value}"))
            .collect();
        let short = command.trim_start_matches("cargo test --release --test campaign -- ");
        format!("| `{short}` | {} |", facts.join("; "))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(what, _)| what.len()).max().unwrap_or(0);
        for (what, value) in &self.0 {
            writeln!(f, "{what:width$}  {value}")?;
        }
        Ok(())
    }
}

/// Small numbers, counted: `0: 640, 1: 210, 8: 3`.
#[derive(Debug, Default)]
pub(crate) struct Histogram(BTreeMap<usize, usize>);

impl Histogram {
    /// Counts one more.
    pub(crate) fn count(&mut self, number: usize) {
        *self.0.entry(number).or_default() += 1;
    }

    /// The sum of all numbers counted.
    pub(crate) fn sum(&self) -> usize {
        self.0.iter().map(|(number, times)| number * times).sum()
    }

    /// The largest.
    pub(crate) fn most(&self) -> usize {
        self.0.keys().next_back().copied().unwrap_or(0)
    }

    /// The mean, with two decimals.
    pub(crate) fn mean(&self) -> String {
        let times: usize = self.0.values().sum();
        let hundredths = (self.sum() * 100).checked_div(times).unwrap_or(0);
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self
            .0
            .iter()
            .map(|(number, times)| format!("{number}: {times}"))
            .collect();
        f.write_str(&parts.join(", "))
    }
}

/// Median and largest of some times: `median 210 ms, at most 420 ms`.
pub(crate) fn spread(times: &mut [Duration]) -> String {
    times.sort();
    let Some(most) = times.last() else {
        return "none".to_owned();
    };
    let median = times[times.len() / 2].as_millis();
    format!("median {median} ms, at most {} ms", most.as_millis())
}

/// A number with its thousands parted.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
