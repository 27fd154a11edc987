//! Figures as they are printed.

use std::time::Duration;

/// A figure that was taken several times.
#[derive(Clone, Debug, Default)]
pub struct Figure(Vec<f64>);

impl Figure {
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The middle one, and between which the others lie.
    pub fn spread(&self) -> String {
        match self.0[..] {
            [] => "-".into(),
            [one] => short(one),
            [first, .., last] => format!("{} ({}-{})", short(self.median()), short(first), short(last)),
        }
    }
}

/// Three digits that count.
pub fn short(value: f64) -> String {
    let digits = match value.abs() {
        ..1.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

/// Microseconds for each of `count`.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / count as f64
}

/// So many in a second.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// One row, in Markdown.
pub fn row(cells: &[String]) {
    println!("| {} |", cells.join(" | "));
}

/// The head of a table, in Markdown.
pub fn head(cells: &[&str]) {
    println!("\n| {} |\n|{}", cells.join(" | "), " --- |".repeat(cells.len()));
}
