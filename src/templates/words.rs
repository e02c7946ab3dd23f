//! The fixed words of letters and pages in the reader's language: Fluent
//! catalogues, built in for five languages, and those of `templates/words/`
//! over them.
//!
//! A word that a catalogue lacks is taken from the English one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use chrono::{DateTime, Datelike, FixedOffset};
use fluent_bundle::{FluentArgs, FluentError, FluentResource, FluentValue, concurrent};
use unic_langid::LanguageIdentifier;

use crate::domain::problem::Problem;

type Bundle = concurrent::FluentBundle<FluentResource>;

/// The catalogue that has every word.
const ENGLISH: &str = "en";

/// Language and source of each built-in catalogue.
const BUILT_IN: [(&str, &str); 5] = [
    ("af", include_str!("default/words/af.ftl")),
    ("ar", include_str!("default/words/ar.ftl")),
    ("de", include_str!("default/words/de.ftl")),
    ("en", include_str!("default/words/en.ftl")),
    ("fr", include_str!("default/words/fr.ftl")),
];

/// Every word of ours, and what is put into it.
const WORDS: &[(&str, &[&str])] = &[
    ("weekday", &["weekday"]),
    ("month", &["month"]),
    ("date", &["day", "month", "year"]),
    ("date-with-weekday", &["weekday", "day", "month", "year"]),
    ("list-next", &["before", "next"]),
    ("list-last", &["before", "last"]),
    ("subject", &["title", "count"]),
    ("issue-number", &["number"]),
    ("view-in-browser", &[]),
    ("in-this-issue", &[]),
    ("more-in-this-issue", &["count"]),
    ("by", &["authors"]),
    ("read-whole-story", &[]),
    ("read-on", &[]),
    ("read-on-about", &["title"]),
    ("reader", &[]),
    ("why-issue", &["digest", "publication"]),
    ("why-notice", &["digest", "publication"]),
    ("sent-to", &["address"]),
    ("our-readers", &[]),
    ("picture-in-text", &[]),
    ("note-in-text", &[]),
    ("unsubscribe", &[]),
    ("preferences", &[]),
    ("confirm-subject", &["digest"]),
    ("confirm-preheader", &[]),
    ("confirm-heading", &[]),
    ("confirm-text", &["digest", "publication"]),
    ("confirm-button", &[]),
    ("confirm-valid", &["hours"]),
    ("confirm-ignore", &[]),
    ("confirm-never", &[]),
    ("welcome-subject", &["digest"]),
    ("welcome-preheader", &[]),
    ("welcome-heading", &[]),
    ("welcome-text", &["digest", "publication"]),
    ("welcome-leave", &[]),
    ("visit", &["publication"]),
    ("goodbye-subject", &["digest"]),
    ("goodbye-preheader", &[]),
    ("goodbye-heading", &[]),
    ("goodbye-text", &["digest", "publication"]),
    ("goodbye-again", &[]),
    ("button-address", &[]),
    ("page-of", &["number", "of"]),
    ("newer", &[]),
    ("older", &[]),
    ("updated", &["date"]),
    ("page-leave-heading", &[]),
    ("page-leave-text", &[]),
    ("page-leave-legend", &[]),
    ("page-leave-digest", &[]),
    ("page-leave-all", &["publication"]),
    ("page-leave-never", &[]),
    ("page-left-heading", &[]),
    ("page-left-text", &[]),
    ("page-left-under-way", &[]),
    ("page-busy-heading", &[]),
    ("page-busy-text", &[]),
    ("page-dead-link-heading", &[]),
    ("page-dead-link-text", &[]),
    ("page-leave-everything", &[]),
    ("page-preferences-heading", &[]),
    ("page-preferences-for", &["address"]),
    ("page-saved", &[]),
    ("page-no-digest", &[]),
    ("page-inactive", &[]),
    ("page-digests", &[]),
    ("page-sections", &[]),
    ("page-tags", &[]),
    ("page-topics-hint", &[]),
    ("page-content", &[]),
    ("page-content-usual", &[]),
    ("page-content-full", &[]),
    ("page-content-summary", &[]),
    ("page-language", &[]),
    ("page-language-any", &[]),
    ("page-language-name", &[]),
    ("page-pause", &[]),
    ("page-pause-none", &[]),
    ("page-pause-weeks", &["count"]),
    ("page-pause-until", &["date"]),
    ("page-name", &[]),
    ("page-save", &[]),
    ("page-subscribe-heading", &[]),
    ("page-subscribe-button", &[]),
    ("page-subscribe-consent", &["publication"]),
    ("page-subscribe-no-digest", &[]),
    ("page-email", &[]),
    ("page-no-address", &[]),
    ("page-again", &[]),
    ("page-trap", &[]),
    ("page-asked-heading", &[]),
    ("page-asked-text", &[]),
    ("page-closed-heading", &[]),
    ("page-closed-text", &[]),
    ("page-confirm-text", &[]),
    ("page-confirmed-heading", &[]),
    ("page-confirmed-text", &[]),
    ("page-own-data", &[]),
    ("page-export", &[]),
    ("page-erase-text", &[]),
    ("page-erase-sure", &[]),
    ("page-erase", &[]),
    ("page-erased-heading", &[]),
    ("page-erased-text", &[]),
];

/// Of what is put into words, these are numbers.
const NUMBERS: [&str; 8] = [
    "weekday", "month", "day", "year", "count", "number", "hours", "of",
];

/// The catalogues by language, in lower case.
pub(super) struct Catalogues {
    bundles: BTreeMap<String, Bundle>,
}

/// The words of one language.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// Of the language itself; `None` where nobody wrote a catalogue.
    own: Option<&'a Bundle>,
    english: &'a Bundle,
}

/// Why a word cannot be said.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unsaid {
    /// No catalogue has it.
    Unknown,
    /// It is made of something that is not there.
    Lacks(String),
}

impl Catalogues {
    /// The built-in catalogues, and those of the user by file name, such as
    /// `words/pt-br.ftl`, over them: word by word.
    pub(super) fn load(
        own: &BTreeMap<String, String>,
        folder: &Path,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut bundles: BTreeMap<String, Bundle> = BUILT_IN
            .iter()
            .map(|(language, source)| (String::from(*language), built_in(language, source)))
            .collect();
        for (name, source) in own {
            let file = folder.join(name);
            let language = name
                .strip_prefix("words/")
                .and_then(|name| name.strip_suffix(".ftl"));
            let id: Option<LanguageIdentifier> = language.and_then(|name| name.parse().ok());
            let (Some(language), Some(id)) = (language, id) else {
                problems.push(Problem::error(
                    file,
                    None,
                    "is a catalogue of words for no language",
                    "name it after a language tag, such as `words/pt.ftl` or `words/pt-br.ftl`",
                ));
                continue;
            };
            let Some(resource) = parsed(source, &file, problems) else {
                continue;
            };
            let base = BUILT_IN.iter().find(|(known, _)| *known == language);
            let mut bundle = match base {
                Some((language, source)) => built_in(language, source),
                None => empty(id),
            };
            bundle.add_resource_overriding(resource);
            let found = check(&bundle, source, &file, base.is_none());
            // One with errors is left out, or every template that says such a
            // word would be at fault.
            if !found.iter().any(Problem::is_error) {
                bundles.insert(language.to_owned(), bundle);
            }
            problems.extend(found);
        }
        Self { bundles }
    }

    /// Whether any catalogue has such a word.
    pub(super) fn has(&self, key: &str) -> bool {
        self.bundles.values().any(|bundle| bundle.has_message(key))
    }

    /// Every language, by tag, and what it calls itself; one whose catalogue
    /// does not say goes by its tag.
    pub(super) fn languages(&self) -> Vec<(String, String)> {
        let named = self.bundles.iter().map(|(tag, bundle)| {
            let name = said(bundle, "page-language-name", &FluentArgs::new());
            (tag.clone(), name.unwrap_or_else(|_| tag.clone()))
        });
        named.collect()
    }

    /// The words of the language, else of its primary language, else English.
    pub(super) fn words(&self, language: &str) -> Words<'_> {
        let tag = language.to_ascii_lowercase().replace('_', "-");
        let mut tag = tag.as_str();
        let own = loop {
            if let Some(bundle) = self.bundles.get(tag) {
                break Some(bundle);
            }
            match tag.rsplit_once('-') {
                Some((shorter, _)) => tag = shorter,
                None => break None,
            }
        };
        Words {
            own,
            english: &self.bundles[ENGLISH],
        }
    }
}

impl fmt::Debug for Catalogues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.bundles.keys()).finish()
    }
}

impl fmt::Debug for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Words")
            .field("is_known", &self.is_known())
            .finish_non_exhaustive()
    }
}

impl Words<'_> {
    /// Whether there is a catalogue of this language; else words are English.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.own.is_some()
    }

    /// A word of ours.
    #[must_use]
    pub fn say(&self, key: &str, args: &[(&str, FluentValue<'_>)]) -> String {
        let args: FluentArgs<'_> = args
            .iter()
            .map(|(name, value)| (*name, value.clone()))
            .collect();
        self.find(key, &args)
            .or_else(|_| said(self.english, key, &args))
            .unwrap_or_default()
    }

    /// A word of anybody's.
    pub(super) fn find(&self, key: &str, args: &FluentArgs<'_>) -> Result<String, Unsaid> {
        match self.own.map(|own| said(own, key, args)) {
            None | Some(Err(Unsaid::Unknown)) => said(self.english, key, args),
            Some(found) => found,
        }
    }

    /// `27 November 2026`; ISO 8601 where nobody wrote a catalogue.
    #[must_use]
    pub fn day(&self, date: DateTime<FixedOffset>) -> String {
        self.date("date", date)
    }

    /// `Friday, 27 November 2026`; ISO 8601 where nobody wrote a catalogue.
    #[must_use]
    pub fn weekday_and_day(&self, date: DateTime<FixedOffset>) -> String {
        self.date("date-with-weekday", date)
    }

    fn date(&self, key: &str, date: DateTime<FixedOffset>) -> String {
        if !self.is_known() {
            return date.format("%Y-%m-%d").to_string();
        }
        let args = [
            ("weekday", date.weekday().number_from_monday().into()),
            ("day", date.day().into()),
            ("month", date.month().into()),
            ("year", date.year().into()),
        ];
        self.say(key, &args)
    }

    /// `A`, `A and B`, `A, B and C`.
    #[must_use]
    pub fn list(&self, names: &[String]) -> String {
        let Some((first, rest)) = names.split_first() else {
            return String::new();
        };
        let mut all = first.clone();
        for (at, name) in rest.iter().enumerate() {
            let (key, arg) = match at + 1 == rest.len() {
                true => ("list-last", "last"),
                false => ("list-next", "next"),
            };
            all = self.say(key, &[("before", all.into()), (arg, name.as_str().into())]);
        }
        all
    }
}

/// Every key a template can ask for, for suggestions.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(key, _)| *key)
}

fn said(bundle: &Bundle, key: &str, args: &FluentArgs<'_>) -> Result<String, Unsaid> {
    let pattern = bundle
        .get_message(key)
        .and_then(|message| message.value())
        .ok_or(Unsaid::Unknown)?;
    let mut errors = Vec::new();
    let text = bundle.format_pattern(pattern, Some(args), &mut errors);
    match errors.first() {
        None => Ok(text.into_owned()),
        Some(FluentError::ResolverError(error)) => Err(Unsaid::Lacks(error.to_string())),
        Some(error) => Err(Unsaid::Lacks(error.to_string())),
    }
}

fn empty(id: LanguageIdentifier) -> Bundle {
    let mut bundle = Bundle::new_concurrent(vec![id]);
    // Invisible marks around names would be counted as text by every filter
    // for junk mail; direction is set by `dir`.
    bundle.set_use_isolating(false);
    bundle
}

fn built_in(language: &str, source: &str) -> Bundle {
    let id = language.parse().expect("a language tag as written above");
    let mut bundle = empty(id);
    let resource = FluentResource::try_new(source.to_owned())
        .expect("the built-in catalogues parse: a test reads them");
    bundle.add_resource_overriding(resource);
    bundle
}

/// The catalogue, if every line of it can be read.
fn parsed(source: &str, file: &Path, problems: &mut Vec<Problem>) -> Option<FluentResource> {
    // Fluent knows no CR at line ends in every place.
    match FluentResource::try_new(source.replace("\r\n", "\n")) {
        Ok(resource) => Some(resource),
        Err((_, errors)) => {
            for error in errors {
                let line = source
                    .get(..error.pos.start)
                    .map(|before| before.matches('\n').count() + 1)
                    .and_then(|line| u32::try_from(line).ok());
                problems.push(Problem::error(
                    file,
                    line,
                    format!("cannot be read: {}", error.kind.to_string().to_lowercase()),
                    "write `name = text`, and further lines of it after spaces (projectfluent.org)",
                ));
            }
            None
        }
    }
}

/// Says every word of a user's catalogue with what it is given.
fn check(bundle: &Bundle, source: &str, file: &Path, is_new: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut lacking = Vec::new();
    for (key, names) in WORDS {
        for number in [0, 1, 2, 3, 11, 100] {
            match said(bundle, key, &sample(names, number)) {
                Ok(_) => {}
                Err(Unsaid::Unknown) => {
                    lacking.push(*key);
                    break;
                }
                Err(Unsaid::Lacks(what)) => {
                    problems.push(Problem::error(
                        file,
                        line_of(source, key),
                        format!("`{key}` cannot be said: {}", what.to_lowercase()),
                        match names {
                            [] => "nothing is put into it".to_owned(),
                            names => format!("it can use ${}", names.join(", $")),
                        },
                    ));
                    break;
                }
            }
        }
    }
    if is_new && !lacking.is_empty() {
        problems.push(Problem::warning(
            file,
            None,
            format!("lacks {} of {} words", lacking.len(), WORDS.len()),
            format!("until then these are English: {}", lacking.join(", ")),
        ));
    }
    for key in message_names(source) {
        let slip = keys()
            .find(|known| *known != key && strsim::damerau_levenshtein(known, key) == 1)
            .filter(|_| !keys().any(|known| known == key));
        if let Some(known) = slip {
            problems.push(Problem::warning(
                file,
                line_of(source, key),
                format!("no template of ours says `{key}`"),
                format!("did you mean `{known}`?"),
            ));
        }
    }
    problems
}

fn sample(names: &[&'static str], number: i64) -> FluentArgs<'static> {
    names
        .iter()
        .map(|name| {
            let value: FluentValue<'static> = match NUMBERS.contains(name) {
                true => number.into(),
                false => "text".into(),
            };
            (*name, value)
        })
        .collect()
}

/// The names at the beginning of lines.
fn message_names(source: &str) -> BTreeSet<&str> {
    source
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim())
        .collect()
}

fn line_of(source: &str, key: &str) -> Option<u32> {
    let at = source.lines().position(|line| {
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start().starts_with('='))
    });
    u32::try_from(at? + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(own: &[(&str, &str)]) -> (Catalogues, Vec<String>) {
        let own = own
            .iter()
            .map(|(name, source)| ((*name).to_owned(), (*source).to_owned()))
            .collect();
        let mut problems = Vec::new();
        let catalogues = Catalogues::load(&own, Path::new("templates"), &mut problems);
        (
            catalogues,
            problems.iter().map(ToString::to_string).collect(),
        )
    }

    fn friday() -> DateTime<FixedOffset> {
        "2026-11-27T07:00:00+02:00".parse().unwrap()
    }

    #[test]
    fn every_built_in_catalogue_has_every_word_and_says_it_with_what_it_is_given() {
        let (catalogues, _) = load(&[]);
        for (language, source) in BUILT_IN {
            for (key, names) in WORDS {
                for number in [0, 1, 2, 3, 7, 11, 100] {
                    let said = said(&catalogues.bundles[language], key, &sample(names, number));
                    let text = said.unwrap_or_else(|error| panic!("{language} {key}: {error:?}"));
                    assert!(!text.trim().is_empty(), "{language}: {key}");
                }
            }
            // No word that nothing of ours says: French writes its days in two ways.
            for name in message_names(source) {
                let is_known = keys().any(|key| key == name) || (language, name) == ("fr", "day");
                assert!(is_known, "{language}: {name}");
            }
        }
    }

    #[test]
    fn the_documentation_lists_every_word_and_what_it_is_made_of() {
        let documentation = include_str!("../../docs/templates.md");
        for (key, names) in WORDS {
            let made_of = match names {
                [] => "nothing".to_owned(),
                names => format!("`{}`", names.join("`, `")),
            };
            let row = format!("| `{key}` | {made_of} |\n");
            assert!(documentation.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_date_is_written_as_its_language_does() {
        let (catalogues, _) = load(&[]);
        let both = |language: &str| {
            let words = catalogues.words(language);
            (words.weekday_and_day(friday()), words.day(friday()))
        };
        let texts = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            both("en-ZA"),
            texts("Friday, 27 November 2026", "27 November 2026")
        );
        assert_eq!(
            both("af"),
            texts("Vrydag 27 November 2026", "27 November 2026")
        );
        assert_eq!(
            both("de-AT"),
            texts("Freitag, 27. November 2026", "27. November 2026")
        );
        assert_eq!(
            both("fr"),
            texts("vendredi 27 novembre 2026", "27 novembre 2026")
        );
        assert_eq!(
            both("ar-EG"),
            texts("الجمعة، 27 نوفمبر 2026", "27 نوفمبر 2026")
        );
        // Nobody wrote these words: no English month in a Xhosa letter.
        assert_eq!(both("xh"), texts("2026-11-27", "2026-11-27"));
        let first = "2026-05-01T07:00:00+02:00".parse().unwrap();
        assert_eq!(catalogues.words("fr").day(first), "1er mai 2026");
    }

    #[test]
    fn a_list_of_names_and_a_number_of_things_follow_the_rules_of_the_language() {
        let (catalogues, _) = load(&[]);
        let names = ["A", "B", "C"].map(str::to_owned);
        let list = |language: &str, count: usize| catalogues.words(language).list(&names[..count]);
        assert_eq!(list("en", 0), "");
        assert_eq!(list("en", 1), "A");
        assert_eq!(list("en", 2), "A and B");
        assert_eq!(list("en", 3), "A, B and C");
        assert_eq!(list("de", 3), "A, B und C");
        assert_eq!(list("ar", 3), "A، B وC");
        let more = |language: &str, count: i64| {
            catalogues
                .words(language)
                .say("more-in-this-issue", &[("count", count.into())])
        };
        assert_eq!(more("en", 1), "One more story");
        // French counts nought as one; Arabic has six forms.
        assert_eq!(more("fr", 0), "Un autre article");
        assert_eq!(more("ar", 2), "مقالتان أخريان");
        assert_eq!(more("ar", 5), "5 مقالات أخرى");
        assert_eq!(more("ar", 11), "11 مقالة أخرى");
    }

    #[test]
    fn a_catalogue_of_the_user_replaces_word_by_word_and_adds_languages() {
        let (catalogues, problems) = load(&[
            ("words/en.ftl", "read-on = Go on\nours = Our own word\n"),
            ("words/xh.ftl", "unsubscribe = Yeka\n"),
        ]);
        let say = |language: &str, key: &str| catalogues.words(language).say(key, &[]);
        assert_eq!(say("en-GB", "read-on"), "Go on");
        assert_eq!(say("en", "ours"), "Our own word");
        assert_eq!(say("en", "unsubscribe"), "Unsubscribe");
        assert_eq!(say("xh", "unsubscribe"), "Yeka");
        assert_eq!(say("xh", "read-on"), "Go on");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with(&format!(
                "templates/words/xh.ftl: warning: lacks {} of {} words;",
                WORDS.len() - 1,
                WORDS.len()
            )),
            "{problems:?}"
        );
    }

    #[test]
    fn a_faulty_catalogue_is_reported_with_its_line() {
        let (_, problems) = load(&[
            (
                "words/de.ftl",
                "read-on = Weiter\n\nsent-to = An { $adresse }.\nunsubscibe = Weg\n",
            ),
            ("words/fr.ftl", "read-on = Suite\nbroken\n"),
            ("words/not a tag.ftl", "read-on = x\n"),
        ]);
        let all = problems.join("\n");
        assert_eq!(problems.len(), 4, "{all}");
        assert!(
            all.contains("templates/words/de.ftl:3: error: `sent-to` cannot be said: unknown variable: $adresse; it can use $address"),
            "{all}"
        );
        assert!(
            all.contains("templates/words/de.ftl:4: warning: no template of ours says `unsubscibe`; did you mean `unsubscribe`?"),
            "{all}"
        );
        assert!(all.contains("templates/words/fr.ftl:"), "{all}");
        assert!(all.contains("for no language; name it after"), "{all}");
    }
}
