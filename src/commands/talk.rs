//! What a command says, and where: data on stdout, talk on stderr.

use std::{
    fmt::{self, Display},
    io::{IsTerminal, Write},
    time::Duration,
};

use chrono::TimeDelta;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::Serialize;

use super::exit::{Exit, Failure};

/// The form of what reading commands print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON document, or one per line where it streams.
    Json,
}

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volume {
    /// Only what a person must know.
    Quiet,
    /// What was done, when somebody is looking.
    Usual,
    /// Everything, also when nobody is.
    Verbose,
}

/// The voice of a command.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    /// `--format`.
    pub format: Format,
    /// `-q`, `-v`.
    pub volume: Volume,
    is_terminal: bool,
    /// A verb for cron says nothing to nobody.
    is_for_cron: bool,
}

impl Talk {
    /// A voice on this process's stdout and stderr.
    #[must_use]
    pub fn new(format: Format, volume: Volume) -> Self {
        Self {
            format,
            volume,
            is_terminal: std::io::stderr().is_terminal(),
            is_for_cron: false,
        }
    }

    /// The same voice for `run` and `work`: without a terminal they only say what a
    /// person must know, since cron mails every word and logs keep it.
    #[must_use]
    pub fn for_cron(mut self) -> Self {
        self.is_for_cron = true;
        self
    }

    /// Whether the caller wants to hear everything.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.volume == Volume::Verbose
    }

    fn is_chatty(&self) -> bool {
        match self.volume {
            Volume::Quiet => false,
            Volume::Usual => self.is_terminal || !self.is_for_cron,
            Volume::Verbose => true,
        }
    }

    /// Says what was done, when somebody is looking.
    pub fn say(&self, line: impl Display) {
        if self.is_chatty() {
            self.must_say(line);
        }
    }

    /// Says what a person must know.
    pub fn must_say(&self, line: impl Display) {
        // Nobody can be told that stderr is closed.
        let _ = writeln!(anstream::stderr(), "{line}");
    }

    /// Prints data: `human` for people, `document` for `--format json`.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn data<T: Serialize>(
        &self,
        document: &T,
        human: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Human => human(),
            Format::Json => serde_json::to_string_pretty(document)
                .map_err(|error| Failure::of(Exit::Internal, &error))?,
        };
        self.print(&text)
    }

    /// One JSON document on one line, for lists that stream.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn json_line<T: Serialize>(&self, document: &T) -> Result<(), Failure> {
        let text =
            serde_json::to_string(document).map_err(|error| Failure::of(Exit::Internal, &error))?;
        self.print(&text)
    }

    /// Prints text on stdout, with a line end. A reader that went away
    /// (`| head`) is no failure.
    ///
    /// # Errors
    /// When stdout cannot be written for another reason.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let text = text.trim_end_matches('\n');
        if text.is_empty() {
            return Ok(());
        }
        match writeln!(anstream::stdout(), "{text}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Failure::of(Exit::Io, &error))
            }
            _ => Ok(()),
        }
    }

    /// A bar on a terminal; nothing elsewhere.
    #[must_use]
    pub fn bar(&self, verb: &'static str, total: u64) -> ProgressBar {
        let is_shown = self.is_terminal && self.volume != Volume::Quiet;
        let target = if is_shown {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let style = ProgressStyle::with_template(
            "{prefix:>9} [{bar:24}] {pos}/{len} {rate} {eta} left {msg}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, to: &mut dyn fmt::Write| {
            // A rate that cannot be written is no reason to stop.
            let _ = write!(to, "{:.0}/s", state.per_sec());
        })
        .progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
        bar.set_prefix(verb);
        bar
    }

    /// Whether long work should report itself in plain lines instead of a bar,
    /// and how often.
    #[must_use]
    pub fn plain_interval(&self) -> Option<Duration> {
        let is_wanted = self.is_chatty() && !self.is_terminal;
        is_wanted.then_some(Duration::from_secs(10))
    }
}

/// `1 article`, `2 articles`, `0 deliveries`, `2 addresses`.
#[must_use]
pub fn count(number: impl TryInto<u64>, noun: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        number if noun.ends_with("ery") => format!("{number} {}ies", &noun[..noun.len() - 1]),
        number if noun.ends_with("ss") => format!("{number} {noun}es"),
        number => format!("{number} {noun}s"),
    }
}

/// A span in its largest whole unit.
#[must_use]
pub fn span(span: TimeDelta) -> String {
    let number = |amount: i64| usize::try_from(amount).unwrap_or_default();
    match (span.num_days(), span.num_hours()) {
        (days @ 1.., _) => count(number(days), "day"),
        (_, hours @ 1..) => count(number(hours), "hour"),
        _ => count(number(span.num_minutes()), "minute"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_nouns_agree() {
        assert_eq!(count(1, "delivery"), "1 delivery");
        assert_eq!(count(0, "delivery"), "0 deliveries");
        assert_eq!(count(2, "unknown address"), "2 unknown addresses");
        assert_eq!(count(3, "article"), "3 articles");
        assert_eq!(
            count(u64::MAX, "byte"),
            format!("{} bytes", u64::MAX),
            "whatever its type"
        );
    }
}
