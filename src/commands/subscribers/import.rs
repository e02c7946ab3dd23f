//! `subscribers import`: a file to readers, with a report by line; the whole file
//! or nothing, unless `--partial`.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;

use super::{INTERNATIONAL, Joining, choosing, columns::Said, is_standard, lists};
use crate::{
    commands::{
        Context,
        exit::{Exit, Failure},
        talk::count,
        workspace,
    },
    config::Config,
    domain::{
        address::{AddressError, EmailAddress},
        choice::Choice,
        problem::Problem,
        subscriber::{AddOutcome, NewSubscriber, Status},
        text::{cut, one_line},
    },
    store::Store,
};

pub(super) const HELP: &str = "\
Examples:
  letterpress subscribers import readers.csv --dry-run
  letterpress subscribers import readers.csv
  cat readers.csv | letterpress subscribers import -

A file is CSV, its first line naming the columns, or JSON: a list of objects, or one
a line. `email` is needed; `name`, `status` and `choice` (what a new reader gets:
`sections=food,home`) are read, others are left alone. Exports of Mailchimp,
Buttondown, Substack, listmonk and Ghost are understood as they are: their
names of columns, their words for a status, and the columns that say that somebody left
or that an address is dead. A row without a status gets --status. Lines that
cannot be used are reported as file:line; then nothing is imported unless
--partial is given. Nobody who left, bounced or complained is brought back.";

/// More bytes than this is no subscriber list (about ten million rows).
const LARGEST_FILE: u64 = 1 << 30;
/// Rows per transaction of a dry run's and an import's report.
const MOST_REPORTED: usize = 50;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A CSV or JSON file, or `-` for standard input
    file: PathBuf,
    /// Say what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Import the good rows of a file that also has bad ones
    #[arg(long)]
    partial: bool,
    /// Also take addresses with letters beyond ASCII before the `@`; only some
    /// relays can deliver there (SMTPUTF8)
    #[arg(long)]
    international: bool,
    /// The status of rows that name none
    #[arg(long, value_enum, default_value_t = Joining::Active)]
    status: Joining,
}

/// Readers and what is wrong with the other rows.
struct Parsed {
    readers: Vec<NewSubscriber>,
    problems: Vec<Problem>,
    repeated: usize,
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    is_dry_run: bool,
    rows: usize,
    added: usize,
    unchanged: usize,
    lessened: usize,
    kept: usize,
    suppressed: usize,
    repeated: usize,
    faulty: usize,
    problems: &'a [Problem],
}

pub(super) async fn run(
    context: &Context,
    config: &Config,
    args: &Import,
) -> Result<Exit, Failure> {
    // 1. Every row, good or bad.
    let text = read(&args.file)?;
    let parsed = parse(&text, &args.file, args.status.into(), args.international)?;
    let choices = parsed.readers.iter().map(|reader| &reader.choice);
    choosing::refuse_unknown(context, config, choices).await?;
    // 2. All or nothing: a file with bad rows is mended first.
    let is_refused = !parsed.problems.is_empty() && !args.partial;
    let is_dry_run = args.dry_run || is_refused;
    let store = workspace::ledger(context, config).await?;
    let source = source_name(&args.file);
    let faulty = parsed.problems.len();
    let rows = parsed.readers.len() + faulty + parsed.repeated;
    let outcomes = store
        .add(parsed.readers, &source, context.clock.now(), is_dry_run)
        .await
        .map_err(workspace::store_failure)?;
    // 3. The report.
    let mut tally: BTreeMap<&'static str, usize> = BTreeMap::new();
    for outcome in &outcomes {
        *tally.entry(word(*outcome)).or_default() += 1;
    }
    let of = |word: &str| tally.get(word).copied().unwrap_or(0);
    let report = Report {
        file: &args.file,
        is_dry_run,
        rows,
        added: of("added"),
        unchanged: of("unchanged"),
        lessened: of("lessened"),
        kept: of("kept"),
        suppressed: of("suppressed"),
        repeated: parsed.repeated,
        faulty,
        problems: &parsed.problems,
    };
    context.talk.data(&report, || human(&report))?;
    if is_refused {
        return Err(Failure::new(
            Exit::Data,
            format!(
                "{} cannot be used, nothing was imported",
                count(faulty, "line")
            ),
        )
        .hint("mend them, or import the others with `--partial`"));
    }
    Ok(Exit::Done)
}

fn word(outcome: AddOutcome) -> &'static str {
    match outcome {
        AddOutcome::Added => "added",
        AddOutcome::Unchanged => "unchanged",
        AddOutcome::Lessened => "lessened",
        AddOutcome::Kept(_) => "kept",
        AddOutcome::Suppressed => "suppressed",
    }
}

fn human(report: &Report<'_>) -> String {
    let mut lines: Vec<String> = report
        .problems
        .iter()
        .take(MOST_REPORTED)
        .map(ToString::to_string)
        .collect();
    if report.problems.len() > MOST_REPORTED {
        lines.push(format!(
            "… and {} more (`--format json` lists all)",
            report.problems.len() - MOST_REPORTED
        ));
    }
    let verb = if report.is_dry_run { "would be " } else { "" };
    lines.push(format!("{}:", count(report.rows, "row")));
    for (number, what) in [
        (report.added, format!("{verb}added")),
        (report.lessened, format!("{verb}moved toward less mail")),
        (report.unchanged, "already there".to_owned()),
        (
            report.kept,
            "stay as they are: they left, bounced or have not confirmed".to_owned(),
        ),
        (report.suppressed, "stay suppressed".to_owned()),
        (report.repeated, "repeated in the file".to_owned()),
        (report.faulty, "cannot be used".to_owned()),
    ] {
        if number > 0 {
            lines.push(format!("{number:>8} {what}"));
        }
    }
    lines.join("\n")
}

fn source_name(file: &Path) -> String {
    let name = file
        .file_name()
        .map_or_else(|| "standard input".into(), |name| name.to_string_lossy());
    format!("import {}", cut(&one_line(&name), 100))
}

fn read(file: &Path) -> Result<String, Failure> {
    let unreadable = |error: io::Error| {
        Failure::of(Exit::NoInput, &error).hint(format!("{} cannot be read", file.display()))
    };
    let mut bytes = Vec::new();
    let count = if is_standard(file) {
        io::stdin()
            .lock()
            .take(LARGEST_FILE)
            .read_to_end(&mut bytes)
    } else {
        File::open(file)
            .map_err(unreadable)?
            .take(LARGEST_FILE)
            .read_to_end(&mut bytes)
    }
    .map_err(unreadable)?;
    if count as u64 >= LARGEST_FILE {
        return Err(Failure::new(Exit::Data, "the file is larger than 1 GiB")
            .hint("split it; an import may be repeated without harm"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        Failure::new(
            Exit::Data,
            format!("{}:{line}: error: not UTF-8", file.display()),
        )
        .hint("save the list as UTF-8 (`iconv -f WINDOWS-1252 -t UTF-8`)")
    })?;
    Ok(text)
}

fn parse(
    text: &str,
    file: &Path,
    default: Status,
    is_international: bool,
) -> Result<Parsed, Failure> {
    let mut readers = Vec::new();
    let mut repeated = 0;
    let mut known: HashSet<String> = HashSet::new();
    let problems = lists::each_row(text, file, |line, said, problems| {
        match reader(said, default, is_international) {
            Ok(reader) if !known.insert(reader.address.key()) => repeated += 1,
            Ok(reader) => readers.push(reader),
            Err((what, remedy)) => problems.push(Problem::error(file, line, what, remedy)),
        }
    })?;
    Ok(Parsed {
        readers,
        problems,
        repeated,
    })
}

/// The reader of a row, or what is wrong with it and what to do.
fn reader(
    said: &Said<'_>,
    default: Status,
    is_international: bool,
) -> Result<NewSubscriber, (String, String)> {
    let raw = said.email.as_ref();
    let address = if is_international {
        EmailAddress::international(raw)
    } else {
        raw.parse()
    };
    let address = address.map_err(|error| {
        let remedy = match error {
            AddressError::International => INTERNATIONAL,
            _ => "mend or remove the row",
        };
        let what = format!("`{}`: {error}", cut(&one_line(raw), 80));
        (what, remedy.to_owned())
    })?;
    let status = said.status().map_err(|what| {
        let remedy = "use one of these words, or leave the cell empty";
        (what, remedy.to_owned())
    })?;
    if status == Some(Status::Erased) {
        return Err((
            "a row cannot have the status `erased`".to_owned(),
            "remove the row".to_owned(),
        ));
    }
    let choice = said.choice.parse::<Choice>().map_err(|error| {
        let what = cut(&one_line(&error.to_string()), 300);
        let remedy = "write `sections=food,home; tags=soup`, or leave it empty";
        (what, remedy.to_owned())
    })?;
    Ok(NewSubscriber {
        address,
        name: said.name.clone(),
        status: status.unwrap_or(default),
        choice,
    })
}

/// Loads `subscribers.seed_file` into a ledger that has never had a subscriber.
///
/// # Errors
/// When the file cannot be read or has a faulty row.
pub async fn seed(context: &Context, config: &Config, store: &Store) -> Result<usize, Failure> {
    let Some(file) = &config.seed_file else {
        return Ok(0);
    };
    let counts = store
        .counts_by_status()
        .await
        .map_err(workspace::store_failure)?;
    if !counts.is_empty() {
        return Ok(0);
    }
    let parsed = parse(&read(file)?, file, Status::Active, false)?;
    workspace::refuse_errors(context, &parsed.problems)?;
    let number = parsed.readers.len();
    store
        .add(
            parsed.readers,
            &source_name(file),
            context.clock.now(),
            false,
        )
        .await
        .map_err(workspace::store_failure)?;
    context.talk.say(format!(
        "{} from {}",
        count(number, "first reader"),
        source_name(file).trim_start_matches("import ")
    ));
    Ok(number)
}

/// How many active readers [`seed`] would bring; 0 without a seed file.
///
/// # Errors
/// When the file cannot be read. Faulty rows are left to [`seed`].
pub fn active_in_seed(config: &Config) -> Result<u64, Failure> {
    let Some(file) = &config.seed_file else {
        return Ok(0);
    };
    let parsed = parse(&read(file)?, file, Status::Active, false)?;
    let active = parsed
        .readers
        .iter()
        .filter(|reader| reader.status == Status::Active);
    Ok(active.count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Parsed {
        parse(text, Path::new("list.csv"), Status::Active, false).unwrap()
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_and_with_a_byte_order_mark() {
        let list = parsed("\u{feff}Name,Notes,E-mail\n\"Nkosi, Anna\",x,anna@example.org\n");
        assert_eq!(list.readers.len(), 1);
        assert_eq!(list.readers[0].name.as_deref(), Some("Nkosi, Anna"));
        assert_eq!(list.readers[0].address.expose(), "anna@example.org");
    }

    #[test]
    fn faulty_rows_are_named_by_line_and_the_others_are_kept() {
        let list = parsed(
            "email,status\nanna@example.org,active\nnobody,active\n\
             \"x@example.org\r\nBcc: y@example.org\",active\nben@example.org,inactive\n",
        );
        assert_eq!(list.readers.len(), 1);
        let lines: Vec<_> = list.problems.iter().map(|p| p.line).collect();
        assert_eq!(lines, [Some(3), Some(4), Some(6)]);
        assert!(list.problems[1].what.contains("control character"));
        assert!(!list.problems[1].what.contains('\n'));
        assert!(list.problems[2].what.contains("inactive"));
    }

    #[test]
    fn one_address_in_other_letters_is_one_reader() {
        let list = parsed("email\nAnna@example.org\n anna@EXAMPLE.org \n");
        assert_eq!((list.readers.len(), list.repeated), (1, 1));
    }

    #[test]
    fn json_is_read_as_a_list_by_the_line_and_as_other_programs_answer() {
        for text in [
            r#"[{"email": "anna@example.org", "name": "Anna"}, {"email": "nobody"}]"#,
            "{\"email\": \"anna@example.org\", \"name\": \"Anna\"}\n{\"email\": \"nobody\"}\n",
            r#"{"data": {"results": [{"id": 1, "email": "anna@example.org", "name": "Anna",
                "status": "enabled"}, {"email": "nobody"}], "total": 2}}"#,
            r#"{"members": [{"email_address": "anna@example.org", "status": "subscribed",
                "merge_fields": {"FNAME": "Anna", "LNAME": ""}}, {"email_address": "nobody"}]}"#,
        ] {
            let list = parsed(text);
            assert_eq!(list.readers.len(), 1, "{text}");
            assert_eq!(list.readers[0].name.as_deref(), Some("Anna"), "{text}");
            assert_eq!(list.readers[0].status, Status::Active);
            assert_eq!(list.problems.len(), 1);
            assert_eq!(list.problems[0].line, Some(2));
        }
        let error = parse("[{\"email\": ", Path::new("l.json"), Status::Active, false);
        assert!(error.err().unwrap().to_string().contains("l.json:1"));
    }

    #[test]
    fn semicolons_and_tabs_part_columns_too() {
        for text in [
            "email;name\nanna@example.org;Nkosi, Anna\n",
            "email\tname\nanna@example.org\tNkosi, Anna\n",
        ] {
            assert_eq!(parsed(text).readers[0].name.as_deref(), Some("Nkosi, Anna"));
        }
    }

    #[test]
    fn a_file_without_a_column_for_addresses_is_refused() {
        let error = parse("a,b\n1,2\n", Path::new("list.csv"), Status::Active, false)
            .err()
            .unwrap();
        assert!(error.to_string().contains("no column `email`"), "{error}");
    }
}
