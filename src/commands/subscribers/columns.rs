//! How other programs write a list: which of their columns hold what we read,
//! and what their words for a status mean here.

use std::borrow::Cow;

use crate::domain::{
    subscriber::Status,
    text::{cut, one_line},
};

/// What a row of a list may say of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Email,
    Name,
    FirstName,
    LastName,
    Status,
    Choice,
    /// A moment: where there is one, the reader left (Mailchimp, Buttondown, Ghost).
    LeftAt,
    /// A moment: where there is one, the address was found dead (Mailchimp,
    /// Buttondown).
    DeadAt,
    /// `true` where the reader switched mail off (Substack).
    Off,
    /// `false` where the reader switched mail off (Ghost).
    On,
}

/// The names of columns, in lower case with `_` for spaces and signs. From
/// exports of Mailchimp, Buttondown, Substack, listmonk and Ghost, and from the
/// answers of their interfaces.
const NAMES: [(Field, &[&str]); 10] = [
    (
        Field::Email,
        &["email", "e_mail", "email_address", "address", "mail"],
    ),
    (
        Field::Name,
        &["name", "full_name", "display_name", "user_name"],
    ),
    (Field::FirstName, &["first_name", "fname", "given_name"]),
    (Field::LastName, &["last_name", "lname", "family_name"]),
    (
        Field::Status,
        &["status", "state", "type", "subscriber_type"],
    ),
    (Field::Choice, &["choice"]),
    (
        Field::LeftAt,
        &[
            "unsub_time",
            "unsubscription_date",
            "unsubscribed_at",
            "deleted_at",
        ],
    ),
    (Field::DeadAt, &["clean_time", "undeliverability_date"]),
    (Field::Off, &["email_disabled"]),
    (Field::On, &["subscribed_to_emails", "subscribed"]),
];

/// The words of other programs for a status, besides our own.
const WORDS: [(&str, Status); 27] = [
    ("subscribed", Status::Active),
    ("enabled", Status::Active),
    ("confirmed", Status::Active),
    ("regular", Status::Active),
    ("premium", Status::Active),
    ("paid", Status::Active),
    ("gifted", Status::Active),
    ("trialed", Status::Active),
    ("churning", Status::Active),
    ("unpaid", Status::Active),
    ("free", Status::Active),
    ("comped", Status::Active),
    ("unactivated", Status::Pending),
    ("unconfirmed", Status::Pending),
    ("cleaned", Status::Bounced),
    ("undeliverable", Status::Bounced),
    ("disabled", Status::Unsubscribed),
    ("blocklisted", Status::Unsubscribed),
    ("blacklisted", Status::Unsubscribed),
    ("removed", Status::Unsubscribed),
    ("archived", Status::Unsubscribed),
    ("blocked", Status::Unsubscribed),
    ("spammy", Status::Unsubscribed),
    ("non-subscribed", Status::Unsubscribed),
    ("transactional", Status::Unsubscribed),
    ("complaint", Status::Complained),
    ("abuse", Status::Complained),
];

/// Where a list has what we read.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    places: Vec<(Field, usize)>,
}

/// What one row says, as it stands there.
#[derive(Debug)]
pub(super) struct Said<'a> {
    pub(super) email: Cow<'a, str>,
    pub(super) name: Option<String>,
    pub(super) choice: Cow<'a, str>,
    /// The word for the status.
    status: Cow<'a, str>,
    /// What the other columns say of it: less mail counts.
    least: Option<Status>,
}

impl Columns {
    /// Finds them by name; `None` where nothing is an address.
    pub(super) fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Option<Self> {
        let names: Vec<String> = names.into_iter().map(folded).collect();
        let place = |(field, known): &(Field, &[&str])| {
            // The first name that we know is the best one.
            let found = known
                .iter()
                .find_map(|known| names.iter().position(|name| name == known));
            found.map(|at| (*field, at))
        };
        let places: Vec<(Field, usize)> = NAMES.iter().filter_map(place).collect();
        let has_email = places.iter().any(|(field, _)| *field == Field::Email);
        has_email.then_some(Self { places })
    }

    /// Reads a row; `cell` gives the text at a place.
    pub(super) fn read<'a>(&self, cell: impl Fn(usize) -> Cow<'a, str>) -> Said<'a> {
        let text = |wanted: Field| -> Cow<'a, str> {
            let place = self.places.iter().find(|(field, _)| *field == wanted);
            place.map_or(Cow::Borrowed(""), |(_, at)| cell(*at))
        };
        let says = |field: Field, word: &str| text(field).trim().eq_ignore_ascii_case(word);
        let is_set = |field: Field| !matches!(text(field).trim(), "" | "null" | "None");
        let least = if is_set(Field::LeftAt) || says(Field::Off, "true") || says(Field::On, "false")
        {
            Some(Status::Unsubscribed)
        } else {
            is_set(Field::DeadAt).then_some(Status::Bounced)
        };
        Said {
            email: unguarded(text(Field::Email)),
            name: name(
                &text(Field::Name),
                &text(Field::FirstName),
                &text(Field::LastName),
            ),
            choice: text(Field::Choice),
            status: text(Field::Status),
            least,
        }
    }
}

impl Said<'_> {
    /// The status, where the row says one in a word that is known.
    ///
    /// # Errors
    /// What is wrong with the word.
    pub(super) fn status(&self) -> Result<Option<Status>, String> {
        let said = match self.status.trim() {
            "" => None,
            word => Some(meant(word)?),
        };
        Ok(said.max(self.least))
    }
}

fn meant(word: &str) -> Result<Status, String> {
    let lower = word.to_ascii_lowercase();
    match WORDS.iter().find(|(known, _)| *known == lower) {
        Some((_, status)) => Ok(*status),
        None => word
            .parse::<Status>()
            .map_err(|error| cut(&one_line(&error.to_string()), 200)),
    }
}

/// `Email Address`, `EMAIL_ADDRESS` and `email-address` are one name.
fn folded(name: &str) -> String {
    let name = name.trim().trim_start_matches('\u{feff}').to_lowercase();
    let signs = |c: char| match c.is_alphanumeric() {
        true => c,
        false => '_',
    };
    name.chars().map(signs).collect()
}

fn name(full: &str, first: &str, last: &str) -> Option<String> {
    let name = match full.trim() {
        "" => format!("{} {}", first.trim(), last.trim()),
        full => full.to_owned(),
    };
    let name = cut(&one_line(&unguarded(name.into())), 100);
    (!name.is_empty()).then_some(name)
}

/// Takes away the apostrophe that `export` puts before what a spreadsheet would
/// run as a formula.
fn unguarded(cell: Cow<'_, str>) -> Cow<'_, str> {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@', '\t', '\r']) => rest.to_owned().into(),
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Address, name and status of the only row of a file.
    fn row(head: &str, row: &str) -> (String, Option<String>, Option<Status>) {
        let columns = Columns::of(head.split(',')).unwrap();
        let cells: Vec<&str> = row.split(',').collect();
        let said = columns.read(|at| cells.get(at).copied().unwrap_or("").into());
        let status = said.status().unwrap();
        (said.email.into_owned(), said.name, status)
    }

    #[test]
    fn the_exports_of_other_programs_are_understood() {
        let anna = "anna@example.org";
        for (head, line, name, status) in [
            // Mailchimp: who subscribes, who left, whose address is dead.
            (
                "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,CONFIRM_TIME,TAGS",
                "anna@example.org,Anna,Nkosi,2,2020-01-01 00:00:00,2020-01-01 00:00:00,vip",
                Some("Anna Nkosi"),
                None,
            ),
            (
                "Email Address,First Name,Last Name,MEMBER_RATING,UNSUB_TIME,UNSUB_REASON",
                "anna@example.org,Anna,,2,2021-01-01 00:00:00,NORMAL",
                Some("Anna"),
                Some(Status::Unsubscribed),
            ),
            (
                "Email Address,FNAME,LNAME,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE",
                "anna@example.org,,,2021-01-01 00:00:00,x",
                None,
                Some(Status::Bounced),
            ),
            // Buttondown, older and newer.
            (
                "email,notes,tags,subscriber_type,unsubscription_date",
                "anna@example.org,,,regular,",
                None,
                Some(Status::Active),
            ),
            (
                "email_address,type,undeliverability_date",
                "anna@example.org,undeliverable,2024-01-01",
                None,
                Some(Status::Bounced),
            ),
            (
                "email_address,type",
                "anna@example.org,unactivated",
                None,
                Some(Status::Pending),
            ),
            // Substack: the subscription that is active or not is a paid one.
            (
                "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at",
                "anna@example.org,false,,other,false,2025-01-01,",
                None,
                None,
            ),
            (
                "email,active_subscription,expiry,email_disabled,created_at",
                "anna@example.org,true,,true,2025-01-01",
                None,
                Some(Status::Unsubscribed),
            ),
            // listmonk.
            (
                "uuid,email,name,attributes,status,created_at,updated_at",
                "1-2,anna@example.org,Anna,{},blocklisted,2024,2024",
                Some("Anna"),
                Some(Status::Unsubscribed),
            ),
            // Ghost.
            (
                "id,email,name,note,subscribed_to_emails,complimentary_plan,created_at,deleted_at,labels",
                "1,anna@example.org,Anna,,false,,2024,,",
                Some("Anna"),
                Some(Status::Unsubscribed),
            ),
            (
                "id,email,name,note,subscribed_to_emails,complimentary_plan,created_at,deleted_at,labels",
                "1,anna@example.org,Anna,,true,,2024,,",
                Some("Anna"),
                None,
            ),
        ] {
            let found = row(head, line);
            let expected = (anna.to_owned(), name.map(str::to_owned), status);
            assert_eq!(found, expected, "{head}");
        }
    }

    #[test]
    fn of_two_columns_the_one_that_means_less_mail_counts() {
        let found = row("email,status,deleted_at", "a@example.org,active,2024-01-01");
        assert_eq!(found.2, Some(Status::Unsubscribed));
        let found = row("email,status,unsub_time", "a@example.org,complained,2024");
        assert_eq!(found.2, Some(Status::Complained));
    }

    #[test]
    fn what_export_guards_is_read_as_it_was() {
        let found = row("email,name", "'+a@example.org,'=cmd()");
        assert_eq!(
            (found.0.as_str(), found.1.as_deref()),
            ("+a@example.org", Some("=cmd()"))
        );
        let found = row("email,name", "o@example.org,'t Hooft");
        assert_eq!(found.1.as_deref(), Some("'t Hooft"));
    }
}
