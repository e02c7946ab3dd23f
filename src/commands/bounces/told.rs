//! What reading a mailbox came to, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    commands::{
        Context,
        exit::{Exit, Failure},
        talk::{Format, count},
    },
    domain::report::ReportKind,
    inbound::{Content, Incoming},
    store::{Alarm, Applied, Fate, ReportCounts},
};

/// What came back.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    source: String,
    /// Mails that were read, those of earlier readings included.
    read: u64,
    repeated: u64,
    reports: ReportCounts,
    /// Readers who will not be written to again.
    suppressed: u64,
    left: u64,
    /// Uncertain deliveries that turned out to have been sent.
    proven_sent: u64,
    /// Mails that changed nothing, by reason.
    ignored: BTreeMap<&'static str, u64>,
    alarms: Vec<Alarm>,
}

impl Summary {
    /// Nothing yet.
    pub(super) fn of(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            ..Self::default()
        }
    }

    /// Mails that were not read before.
    pub(super) fn news(&self) -> u64 {
        self.read - self.repeated
    }

    /// Whether there was nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.news() == 0
    }

    /// Adds what became of a batch.
    pub(super) fn add(&mut self, batch: &[Incoming], applied: &Applied) {
        for (incoming, fate) in batch.iter().zip(&applied.fates) {
            self.read += 1;
            let mut report = |kind: ReportKind| *self.reports.entry(kind).or_default() += 1;
            let ignored = match *fate {
                Fate::Repeated => {
                    self.repeated += 1;
                    continue;
                }
                Fate::Noted(kind) => {
                    report(kind);
                    continue;
                }
                Fate::Suppressed(kind) => {
                    report(kind);
                    self.suppressed += 1;
                    continue;
                }
                Fate::Left => {
                    self.left += 1;
                    continue;
                }
                Fate::Nothing => match &incoming.content {
                    Content::Nothing(why) => why.as_str(),
                    Content::Report { .. }
                    | Content::Leaving { .. }
                    | Content::LeftAtRelay { .. } => "without a token of ours",
                },
                Fate::Unknown => "of no message that left, or no reader",
                Fate::Told => "told before",
                Fate::Gone => "of a reader who had left",
            };
            *self.ignored.entry(ignored).or_default() += 1;
        }
        self.proven_sent += applied.proven;
        self.alarms.extend(applied.alarms.iter().cloned());
    }

    /// The exit code that follows.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.alarms.iter().any(|alarm| alarm.is_paused) {
            true => Exit::Paused,
            false => Exit::Done,
        }
    }

    /// Says it, and prints it for programs.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn tell(&self, context: &Context) -> Result<(), Failure> {
        self.say(context);
        if self.is_empty() {
            context.talk.say(format!("{}: no new mail", self.source));
        }
        match context.talk.format {
            Format::Json => context.talk.data(self, String::new),
            Format::Human => Ok(()),
        }
    }

    /// Says what was done, and what a person must know.
    pub(super) fn say(&self, context: &Context) {
        if !self.is_empty() {
            context.talk.say(self.line());
        }
        for alarm in &self.alarms {
            context.talk.must_say(match alarm.is_paused {
                true => format!(
                    "issue {0} is paused: {1}\nhint: `letterpress why ADDRESS` tells what came back; \
                     mend the list, then `letterpress issues resume {0}`",
                    alarm.issue, alarm.text
                ),
                false => format!("issue {}: {}", alarm.issue, alarm.text),
            });
        }
    }

    fn line(&self) -> String {
        let mut parts: Vec<String> = self
            .reports
            .iter()
            .rev()
            .map(|(kind, number)| match kind {
                ReportKind::Accepted | ReportKind::Delayed | ReportKind::Blocked => {
                    format!("{number} {}", kind.as_str())
                }
                _ => count(*number, kind.as_str()),
            })
            .collect();
        if self.suppressed > 0 {
            let readers = count(self.suppressed, "reader");
            parts.push(format!("{readers} will not be written to again"));
        }
        if self.left > 0 {
            parts.push(format!("{} left", count(self.left, "reader")));
        }
        if self.proven_sent > 0 {
            let number = count(self.proven_sent, "uncertain delivery");
            parts.push(format!("{number} proven to be sent"));
        }
        for (why, number) in &self.ignored {
            parts.push(format!("{number} ignored ({why})"));
        }
        let mails = count(self.news(), "mail");
        format!(
            "bounces: {mails} read from {}: {}",
            self.source,
            parts.join(", ")
        )
    }
}
