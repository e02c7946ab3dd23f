//! Tables as plain text.

use unicode_width::UnicodeWidthStr;

use crate::{content::render::text::add, domain::wrap::wrap};

/// A table as read; cells are one line of text each.
#[derive(Default)]
pub(super) struct Table {
    pub(super) caption: Vec<String>,
    pub(super) head: Option<Vec<String>>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns when they fit, else each row as lines of `head: value`.
    pub(super) fn lines(self, columns: usize) -> Vec<String> {
        let head = self
            .head
            .filter(|head| head.iter().any(|cell| !cell.is_empty()));
        let rows = &self.rows;
        let body = aligned(head.as_ref(), rows, columns)
            .unwrap_or_else(|| records(head.as_deref().unwrap_or_default(), rows, columns));
        let mut lines = self.caption;
        add(&mut lines, body);
        lines
    }
}

/// The table in columns two spaces apart; `None` when that is too wide.
fn aligned(
    head: Option<&Vec<String>>,
    rows: &[Vec<String>],
    columns: usize,
) -> Option<Vec<String>> {
    let all = || head.into_iter().chain(rows);
    let count = all().map(Vec::len).max()?;
    let widths: Vec<usize> = (0..count)
        .map(|at| {
            all()
                .filter_map(|row| row.get(at))
                .map(|cell| cell.width())
                .max()
                .unwrap_or(0)
        })
        .collect();
    if widths.iter().sum::<usize>() + 2 * count.saturating_sub(1) > columns {
        return None;
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| {
            format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    let mut lines = Vec::new();
    if let Some(head) = head {
        lines.push(line(head));
        lines.push(
            widths
                .iter()
                .map(|width| "-".repeat(*width))
                .collect::<Vec<_>>()
                .join("  "),
        );
    }
    lines.extend(rows.iter().map(line));
    Some(lines)
}

/// One paragraph per row.
fn records(head: &[String], rows: &[Vec<String>], columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        let cells = row
            .iter()
            .enumerate()
            .filter(|(_, cell)| !cell.is_empty())
            .flat_map(|(at, cell)| {
                let name = head.get(at).filter(|name| !name.is_empty());
                let text = name.map_or_else(|| cell.clone(), |name| format!("{name}: {cell}"));
                wrap(&text, columns)
            });
        let record = cells.collect();
        add(&mut lines, record);
    }
    lines
}
