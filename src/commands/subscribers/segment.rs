//! A part of the list: what readers of it have in common.

use chrono::NaiveDate;
use clap::Args;

use crate::{
    config::Config,
    domain::{
        article::Slug,
        language::primary,
        subscriber::{Status, Subscriber},
    },
};

/// Which readers are meant. Every condition that is given must hold.
#[derive(Debug, Args, Default)]
pub(super) struct Segment {
    /// Only this status
    #[arg(long)]
    pub(super) status: Option<Status>,
    /// Only who gets this digest
    #[arg(long, value_name = "NAME")]
    digest: Option<Slug>,
    /// Only who gets articles of this section
    #[arg(long, value_name = "SECTION")]
    section: Option<Slug>,
    /// Only who gets articles with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<Slug>,
    /// Only who reads in this language; who chose none reads in the publication's
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// Only who joined on this day or later
    #[arg(long, value_name = "YYYY-MM-DD")]
    joined_from: Option<NaiveDate>,
    /// Only who joined on this day or before
    #[arg(long, value_name = "YYYY-MM-DD")]
    joined_until: Option<NaiveDate>,
    /// Only addresses at this domain, or below it
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
}

impl Segment {
    /// Whether a reader belongs to it.
    pub(super) fn has(&self, reader: &Subscriber, config: &Config) -> bool {
        let publication = &config.publication;
        let choice = &reader.choice;
        let gets_all = choice.sections.is_empty() && choice.tags.is_empty();
        let joined = reader
            .created
            .with_timezone(&publication.timezone)
            .date_naive();
        let language = choice.language.as_deref().unwrap_or(&publication.language);
        let is =
            |wanted: &Option<Slug>, has: &dyn Fn(&Slug) -> bool| wanted.as_ref().is_none_or(has);
        self.status.is_none_or(|status| reader.status == status)
            && is(&self.digest, &|digest| choice.takes(digest))
            && is(&self.section, &|section| {
                gets_all || choice.sections.contains(section)
            })
            && is(&self.tag, &|tag| gets_all || choice.tags.contains(tag))
            && self
                .language
                .as_ref()
                .is_none_or(|wanted| primary(wanted) == primary(language))
            && self.joined_from.is_none_or(|day| joined >= day)
            && self.joined_until.is_none_or(|day| joined <= day)
            && self
                .domain
                .as_ref()
                .is_none_or(|domain| is_within(reader.address.domain(), domain))
    }
}

fn is_within(domain: &str, wanted: &str) -> bool {
    let wanted = wanted.trim_start_matches(['@', '.']).to_ascii_lowercase();
    let rest = domain.strip_suffix(wanted.as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_holds_what_lies_below_it() {
        assert!(is_within("example.org", "Example.org"));
        assert!(is_within("mail.example.org", "@example.org"));
        assert!(!is_within("notexample.org", "example.org"));
    }
}
