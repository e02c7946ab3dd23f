//! How the list grows, and what comes back of issues, as plots and tables.

use serde::Serialize;

use super::super::{
    proof::Proof,
    ui::{self, Place},
};
use crate::{
    commands::subscribers::stats::{CameBack, Growth, Told, percent},
    web::Answer,
};

/// Height of a plot, and the width that one bar has with its gap, in the units
/// of its view box.
const HEIGHT: u64 = 120;
const STEP: usize = 28;
/// A plot is at least so many bars wide, so that one alone is no wall.
const FEWEST: usize = 12;

#[derive(Serialize)]
struct View {
    readers: Vec<(String, u64)>,
    changes: Plot,
    active: Plot,
    bounces: Plot,
    complaints: Plot,
    months: Vec<Vec<String>>,
    issues: Vec<Vec<String>>,
}

/// Bars side by side; those below the line hang from it.
#[derive(Serialize)]
struct Plot {
    width: usize,
    /// Where the line is.
    line: u64,
    height: u64,
    most: String,
    /// Whether there is nothing to plot.
    is_empty: bool,
    bars: Vec<Bar>,
}

#[derive(Serialize)]
struct Bar {
    x: usize,
    up: u64,
    down: u64,
    /// What a pointer on it tells.
    what: String,
}

/// A part of the height, at least a hair where there is anything at all.
fn share(part: u64, most: u64) -> u64 {
    match (part, most) {
        (0, _) | (_, 0) => 0,
        (part, most) => (part * HEIGHT / most).max(1),
    }
}

impl Plot {
    /// Of `(up, down, what)` for each bar.
    fn of(values: &[(u64, u64, String)], most: impl Fn(u64) -> String) -> Self {
        let up = values.iter().map(|value| value.0).max().unwrap_or(0);
        let down = values.iter().map(|value| value.1).max().unwrap_or(0);
        let largest = up.max(down);
        let bars = values.iter().enumerate().map(|(at, (up, down, what))| Bar {
            x: at * STEP,
            up: share(*up, largest),
            down: share(*down, largest),
            what: what.clone(),
        });
        let line = share(up, largest).max(1);
        Self {
            width: values.len().max(FEWEST) * STEP,
            line,
            height: line + share(down, largest) + 2,
            most: most(largest),
            is_empty: largest == 0,
            bars: bars.collect(),
        }
    }
}

/// In hundredths of a per cent: bars are whole numbers.
fn basis_points(rate: Option<f64>) -> u64 {
    let points = (rate.unwrap_or(0.0).clamp(0.0, 1.0) * 10_000.0).round();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10,000"
    )]
    let points = points as u64;
    points
}

fn of_points(points: u64) -> String {
    format!("{}.{:02} %", points / 100, points % 100)
}

/// The page.
pub(in super::super) fn show(proof: &Proof) -> Answer {
    let view = proof.press.readers.as_ref().map(view);
    ui::page(
        proof,
        "readers.html",
        (Some(Place::Readers), "Readers"),
        &view,
    )
}

fn view(told: &Told) -> View {
    let number = |number: u64| number.to_string();
    let changes = told.months.iter().map(|month| {
        let what = format!(
            "{}: {} joined, {} went",
            month.month,
            month.joined,
            month.gone()
        );
        (month.joined, month.gone(), what)
    });
    let active = told.months.iter().map(|month| {
        let what = format!("{}: {} active at its end", month.month, month.active_at_end);
        (month.active_at_end, 0, what)
    });
    // The ledger tells of the newest first; time runs to the right.
    let issues = || told.issues.iter().rev();
    let bounces = issues().map(|issue| {
        let what = format!("{}: {} bounced", issue.issue, percent(issue.bounce_rate));
        (basis_points(issue.bounce_rate), 0, what)
    });
    let complaints = issues().map(|issue| {
        let what = format!(
            "{}: {} complained",
            issue.issue,
            percent(issue.complaint_rate)
        );
        (basis_points(issue.complaint_rate), 0, what)
    });
    View {
        readers: told
            .readers
            .iter()
            .map(|(status, number)| (status.to_string(), *number))
            .collect(),
        changes: Plot::of(&changes.collect::<Vec<_>>(), number),
        active: Plot::of(&active.collect::<Vec<_>>(), number),
        bounces: Plot::of(&bounces.collect::<Vec<_>>(), of_points),
        complaints: Plot::of(&complaints.collect::<Vec<_>>(), of_points),
        months: told.months.iter().rev().map(Growth::row).collect(),
        issues: told.issues.iter().map(CameBack::row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_bar_has_the_height_and_the_smallest_is_seen() {
        let values = [(1_000, 10, String::new()), (1, 0, String::new())];
        let plot = Plot::of(&values, |most| most.to_string());
        let bars: Vec<(u64, u64)> = plot.bars.iter().map(|bar| (bar.up, bar.down)).collect();
        assert_eq!(bars, [(HEIGHT, 1), (1, 0)]);
        assert_eq!((plot.line, plot.most.as_str()), (HEIGHT, "1000"));
        let nothing = Plot::of(&[], |most| most.to_string());
        assert!(nothing.is_empty && nothing.bars.is_empty() && nothing.width > 0);
    }

    #[test]
    fn a_rate_is_told_with_two_places() {
        assert_eq!(of_points(basis_points(Some(0.0312))), "3.12 %");
        assert_eq!(of_points(basis_points(None)), "0.00 %");
    }
}
