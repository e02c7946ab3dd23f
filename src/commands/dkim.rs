//! `dkim`: makes signing keys, and says what to publish in the DNS.

use std::{
    io,
    path::{Path, PathBuf},
};

use aws_lc_rs::rsa::KeySize;
use chrono::Datelike;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::{
    Context,
    exit::{Exit, Failure},
    workspace,
};
use crate::{
    config::{
        Config, parse_domain, parse_selector,
        settings::{DkimKey, DkimSettings},
    },
    files::{self, Readers},
    mail::dkim::{Algorithm, Key, Keys, Record},
};

/// Make signing keys and print the DNS records to publish
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  letterpress dkim generate
  letterpress dkim generate --algorithm ed25519
  letterpress dkim generate --domain example.org --selector lp2027 --key-file lp2027.pem
  letterpress dkim record                    the records of the configured keys

Publish the record first and configure the key when the DNS shows it: mail that
is signed before that fails the check. docs/dkim.md tells the whole story.")]
pub struct Dkim {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key file and print its DNS record
    Generate(Generate),
    /// Print the DNS records of keys that exist
    Record(Existing),
}

/// Make a key file that only you can read; an existing one is never overwritten
#[derive(Debug, Args)]
struct Generate {
    /// The domain that signs [default: that of letterpress.toml]
    #[arg(long)]
    domain: Option<String>,
    /// The name of the record [default: as configured, else lpYYYYMM]
    #[arg(long, value_parser = parse_selector)]
    selector: Option<String>,
    /// The file to make [default: as configured, else dkim-SELECTOR.pem]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The kind of key [default: rsa, which every receiver can check]
    #[arg(long, value_enum)]
    algorithm: Option<Kind>,
    /// The bits of an RSA key
    #[arg(long, value_enum, default_value_t = Bits::B2048)]
    bits: Bits,
}

#[derive(Debug, Args)]
struct Existing {
    /// A key file instead of those of letterpress.toml
    #[arg(long, value_name = "FILE", requires = "domain", requires = "selector")]
    key_file: Option<PathBuf>,
    /// The domain it signs for
    #[arg(long, requires = "key_file")]
    domain: Option<String>,
    /// The name of its record
    #[arg(long, requires = "key_file", value_parser = parse_selector)]
    selector: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Rsa,
    Ed25519,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bits {
    #[value(name = "2048")]
    B2048,
    #[value(name = "3072")]
    B3072,
    #[value(name = "4096")]
    B4096,
}

impl Bits {
    fn size(self) -> KeySize {
        match self {
            Self::B2048 => KeySize::Rsa2048,
            Self::B3072 => KeySize::Rsa3072,
            Self::B4096 => KeySize::Rsa4096,
        }
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Published {
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
    #[serde(flatten)]
    record: Record,
    zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    toml: Option<String>,
}

/// # Errors
/// When a key cannot be made, read or written.
pub fn run(context: &Context, args: &Dkim) -> Result<Exit, Failure> {
    match &args.what {
        What::Generate(args) => generate(context, args),
        What::Record(args) => record(context, args),
    }
}

/// Where a new key belongs.
struct Plan {
    domain: String,
    selector: String,
    file: PathBuf,
    algorithm: Kind,
    /// The lines that letterpress.toml still lacks.
    toml: Option<String>,
}

fn generate(context: &Context, args: &Generate) -> Result<Exit, Failure> {
    // 1. Which key, for whom.
    let plan = plan(context, args)?;
    if plan.file.exists() {
        return Err(exists(&plan.file));
    }
    // 2. The key, in a file of its own.
    let made = match plan.algorithm {
        Kind::Rsa => Key::new_rsa(args.bits.size()),
        Kind::Ed25519 => Key::new_ed25519(),
    };
    let (key, pem) = made.map_err(|error| Failure::of(Exit::Internal, &error))?;
    files::write_new(&plan.file, pem.as_bytes(), Readers::Owner).map_err(|error| {
        match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&plan.file),
            _ => Failure::of(Exit::Io, &error)
                .hint(format!("{} could not be made", plan.file.display())),
        }
    })?;
    // 3. What to publish and to write down.
    let record = Record::new(&plan.domain, &plan.selector, &key);
    let published = Published {
        zone: record.zone_line(),
        toml: plan.toml,
        key_file: Some(plan.file),
        record,
    };
    context.talk.data(&published, || described(&published))?;
    context
        .talk
        .say("the key file is secret: keep a copy in a safe place, and out of version control");
    Ok(Exit::Done)
}

fn exists(file: &Path) -> Failure {
    Failure::new(Exit::Data, format!("{} exists already", file.display())).hint(
        "a key is never overwritten: `letterpress dkim record` prints its record, and another \
         `--selector` makes another key",
    )
}

fn plan(context: &Context, args: &Generate) -> Result<Plan, Failure> {
    let (root, domain, planned, configured) = match &args.domain {
        Some(domain) => (PathBuf::new(), domain_name(domain)?, None, None),
        None => {
            let (config, _) = workspace::configuration(context).map_err(|failure| {
                failure.hint("without a letterpress.toml, say `--domain` and `--key-file`")
            })?;
            let domain = signing_domain(&config)?;
            let planned = planned_key(&config);
            let configured = config.mail.and_then(|mail| mail.dkim);
            (config.root, domain, planned, configured)
        }
    };
    // A name of one's own asks for a key of one's own.
    let planned = planned.filter(|(_, key)| {
        args.selector
            .as_ref()
            .is_none_or(|wanted| *wanted == key.selector)
    });
    let is_second = planned.as_ref().is_some_and(|(index, _)| *index > 0);
    let algorithm = args.algorithm.unwrap_or(match is_second {
        true => Kind::Ed25519,
        false => Kind::Rsa,
    });
    let selector = match (&args.selector, &planned) {
        (Some(selector), _) => selector.clone(),
        (None, Some((_, key))) => key.selector.clone(),
        (None, None) => by_date(context, algorithm),
    };
    let file = match (&args.key_file, &planned) {
        (Some(file), _) => file.clone(),
        (None, Some((_, key))) => key.file.clone(),
        (None, None) => root.join(format!("dkim-{selector}.pem")),
    };
    let toml = planned.is_none().then(|| {
        let named = file.strip_prefix(&root).unwrap_or(&file);
        lines_for_toml(
            &domain,
            &selector,
            named,
            is_other_kind(configured, algorithm),
        )
    });
    Ok(Plan {
        domain,
        selector,
        file,
        algorithm,
        toml,
    })
}

/// Whether this kind of key would make the second of two signatures.
fn is_other_kind(configured: Option<DkimSettings>, kind: Kind) -> bool {
    let keys = configured.map(|dkim| dkim.keys).unwrap_or_default();
    let [only] = keys.as_slice() else {
        return false;
    };
    let of_kind = match kind {
        Kind::Rsa => Algorithm::Rsa,
        Kind::Ed25519 => Algorithm::Ed25519,
    };
    Key::load(&only.file).is_ok_and(|key| key.algorithm() != of_kind)
}

/// A selector that says when the key was made, for the day it is replaced.
fn by_date(context: &Context, algorithm: Kind) -> String {
    let today = context.clock.start();
    let end = match algorithm {
        Kind::Rsa => "",
        Kind::Ed25519 => "e",
    };
    format!("lp{}{:02}{end}", today.year(), today.month())
}

/// The first configured key whose file is still to be made.
fn planned_key(config: &Config) -> Option<(usize, DkimKey)> {
    let keys = &config.mail.as_ref()?.dkim.as_ref()?.keys;
    let missing = keys.iter().enumerate().find(|(_, key)| !key.file.exists());
    missing.map(|(index, key)| (index, key.clone()))
}

fn signing_domain(config: &Config) -> Result<String, Failure> {
    let mail = config.mail.as_ref().ok_or_else(|| {
        Failure::new(Exit::Config, "letterpress.toml has no [mail]")
            .hint("say which domain signs: `--domain magazine.example.org`")
    })?;
    Ok(match &mail.dkim {
        Some(dkim) => dkim.domain.clone(),
        None => mail.from.address.domain().to_owned(),
    })
}

fn domain_name(raw: &str) -> Result<String, Failure> {
    parse_domain(raw).map_err(|error| Failure::new(Exit::Usage, format!("`--domain`: {error}")))
}

fn record(context: &Context, args: &Existing) -> Result<Exit, Failure> {
    let failed = |error| Failure::of(Exit::Config, &error);
    let records: Vec<Record> = match (&args.key_file, &args.domain, &args.selector) {
        (Some(file), Some(domain), Some(selector)) => {
            let key = Key::load(file).map_err(failed)?;
            vec![Record::new(&domain_name(domain)?, selector, &key)]
        }
        _ => {
            let (config, _) = workspace::configuration(context)?;
            let settings = config.mail.as_ref().and_then(|mail| mail.dkim.as_ref());
            let settings = settings.ok_or_else(|| {
                Failure::new(Exit::Config, "letterpress.toml has no [mail.dkim]")
                    .hint("`letterpress dkim generate` makes a key and says what to write there")
            })?;
            Keys::load(settings).map_err(failed)?.records().collect()
        }
    };
    let published: Vec<Published> = records
        .into_iter()
        .map(|record| Published {
            key_file: None,
            zone: record.zone_line(),
            toml: None,
            record,
        })
        .collect();
    context.talk.data(&published, || {
        let texts: Vec<String> = published.iter().map(described).collect();
        texts.join("\n\n")
    })?;
    Ok(Exit::Done)
}

fn described(published: &Published) -> String {
    let Published {
        key_file,
        record,
        zone,
        toml,
    } = published;
    let mut parts = Vec::new();
    if let Some(file) = key_file {
        parts.push(format!(
            "key file  {} ({}, {} bits; only you can read it)",
            file.display(),
            record.algorithm,
            record.bits
        ));
    }
    parts.push(format!(
        "DNS record to publish:\n  name   {}\n  type   TXT\n  value  {}",
        record.name, record.value
    ));
    parts.push(format!("the same for a zone file:\n{zone}"));
    if let Some(toml) = toml {
        parts.push(format!("then, in letterpress.toml:\n{toml}"));
    }
    parts.join("\n\n")
}

fn lines_for_toml(domain: &str, selector: &str, file: &Path, is_second: bool) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let second = if is_second { "second_" } else { "" };
    format!(
        "[mail.dkim]\ndomain = {}\n{second}selector = {}\n{second}key_file = {}",
        quoted(domain),
        quoted(selector),
        quoted(&file.to_string_lossy())
    )
}
