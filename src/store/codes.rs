//! The numbers that stand for states and statuses in the ledger, and how
//! columns become domain values. A number is never given a second meaning.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use rusqlite::types::{Type, ValueRef};

use crate::domain::{
    address::EmailAddress,
    article::ArticleId,
    choice::Choice,
    delivery::State,
    issue::IssueState,
    report::ReportKind,
    subscriber::{Status, SubscriberId},
};
use crate::store::sql::{self, Row};

/// Number of a delivery's state.
pub(super) const fn of_state(state: State) -> i64 {
    match state {
        State::Queued => 0,
        State::Claimed => 1,
        State::Inflight => 2,
        State::Sent => 3,
        State::Uncertain => 4,
        State::Rejected => 5,
        State::Failed => 6,
        State::Expired => 7,
        State::Cancelled => 8,
    }
}

/// Number of a subscriber's status.
pub(super) const fn of_status(status: Status) -> i64 {
    match status {
        Status::Active => 0,
        Status::Pending => 1,
        Status::Bounced => 2,
        Status::Unsubscribed => 3,
        Status::Complained => 4,
        Status::Erased => 5,
    }
}

/// Number of an issue's state.
pub(super) const fn of_issue_state(state: IssueState) -> i64 {
    match state {
        IssueState::Sending => 0,
        IssueState::Paused => 1,
        IssueState::Done => 2,
        IssueState::Cancelled => 3,
    }
}

/// Number of what a report says.
pub(super) const fn of_report_kind(kind: ReportKind) -> i64 {
    match kind {
        ReportKind::Accepted => 0,
        ReportKind::Delayed => 1,
        ReportKind::Blocked => 2,
        ReportKind::SoftBounce => 3,
        ReportKind::HardBounce => 4,
        ReportKind::Complaint => 5,
    }
}

/// How an attempt ended, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Sent = 1,
    Deferred = 2,
    Requeued = 3,
    Rejected = 4,
    Failed = 5,
    Uncertain = 6,
}

impl End {
    const ALL: [Self; 6] = [
        Self::Sent,
        Self::Deferred,
        Self::Requeued,
        Self::Rejected,
        Self::Failed,
        Self::Uncertain,
    ];

    /// The number.
    pub(super) const fn code(self) -> i64 {
        self as i64
    }

    /// The word for reports.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Deferred => "deferred",
            Self::Requeued => "requeued",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Uncertain => "uncertain",
        }
    }
}

/// A column holds what no version of the program writes.
fn impossible(column: usize, kind: Type, what: &str) -> sql::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, what.into()).into()
}

/// A column holds a number that means nothing there.
fn beyond(column: usize, number: i64) -> sql::Error {
    rusqlite::Error::IntegralValueOutOfRange(column, number).into()
}

/// The value of a closed set whose number stands in a column.
fn decode<T: Copy>(
    row: &Row<'_>,
    column: usize,
    all: &[T],
    code: impl Fn(T) -> i64,
) -> sql::Result<T> {
    let number: i64 = row.get(column)?;
    all.iter()
        .copied()
        .find(|value| code(*value) == number)
        .ok_or_else(|| beyond(column, number))
}

/// A delivery's state.
pub(super) fn state(row: &Row<'_>, column: usize) -> sql::Result<State> {
    decode(row, column, &State::ALL, of_state)
}

/// A subscriber's status.
pub(super) fn status(row: &Row<'_>, column: usize) -> sql::Result<Status> {
    decode(row, column, &Status::ALL, of_status)
}

/// An issue's state.
pub(super) fn issue_state(row: &Row<'_>, column: usize) -> sql::Result<IssueState> {
    let all = [
        IssueState::Sending,
        IssueState::Paused,
        IssueState::Done,
        IssueState::Cancelled,
    ];
    decode(row, column, &all, of_issue_state)
}

/// What a report says.
pub(super) fn report_kind(row: &Row<'_>, column: usize) -> sql::Result<ReportKind> {
    decode(row, column, &ReportKind::ALL, of_report_kind)
}

/// How an attempt ended; `None` while it is under way.
pub(super) fn end(row: &Row<'_>, column: usize) -> sql::Result<Option<End>> {
    match row.get::<Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => decode(row, column, &End::ALL, End::code).map(Some),
    }
}

/// A count.
pub(super) fn count(row: &Row<'_>, column: usize) -> sql::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| beyond(column, number))
}

/// A moment.
pub(super) fn time(row: &Row<'_>, column: usize) -> sql::Result<DateTime<Utc>> {
    let seconds: i64 = row.get(column)?;
    DateTime::from_timestamp(seconds, 0).ok_or_else(|| beyond(column, seconds))
}

/// A moment that may be absent.
pub(super) fn time_if_any(row: &Row<'_>, column: usize) -> sql::Result<Option<DateTime<Utc>>> {
    match row.get::<Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => time(row, column).map(Some),
    }
}

/// A text that is a domain type: an address, a slot, an occasion.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: usize) -> sql::Result<T> {
    row.get_ref(column)?
        .as_str()?
        .parse()
        .map_err(|_| impossible(column, Type::Text, "the text is not what this column holds"))
}

/// An address, as it was taken: the ledger holds no others.
pub(super) fn address(row: &Row<'_>, column: usize) -> sql::Result<EmailAddress> {
    EmailAddress::international(row.get_ref(column)?.as_str()?)
        .map_err(|_| impossible(column, Type::Text, "not an address"))
}

/// A reader's choice.
pub(super) fn choice(row: &Row<'_>, column: usize) -> sql::Result<Choice> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse()
        .map_err(|_| impossible(column, Type::Text, "not a choice"))
}

/// A reader's choice; none is the choice of everything.
pub(super) fn choice_if_any(row: &Row<'_>, column: usize) -> sql::Result<Choice> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(Choice::default()),
        _ => choice(row, column),
    }
}

/// An article's id.
pub(super) fn article(row: &Row<'_>, column: usize) -> sql::Result<ArticleId> {
    ArticleId::new(row.get_ref(column)?.as_str()?)
        .ok_or_else(|| impossible(column, Type::Text, "not the id of an article"))
}

/// A subscriber's public id.
pub(super) fn subscriber(row: &Row<'_>, column: usize) -> sql::Result<SubscriberId> {
    row.get(column).map(SubscriberId)
}
