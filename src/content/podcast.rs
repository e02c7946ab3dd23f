//! The podcast of a section: every fact that directories ask for, or a problem
//! for each that is missing.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{
    content::{
        file::fields::PodcastFields,
        pictures,
        site::{Lead, Origin, Site},
        urls,
    },
    domain::{
        address::EmailAddress,
        article::PictureType,
        podcast::{Category, Podcast},
        problem::Problem,
    },
};

/// Width and height that directories accept for a cover, in pixels.
const COVER: std::ops::RangeInclusive<u32> = 1400..=3000;

/// What an `_index.md` says about a podcast.
#[derive(Debug)]
pub(super) struct Said {
    /// By path in the content folder.
    pub(super) file: String,
    /// Relative to the publication's root.
    pub(super) source: PathBuf,
    pub(super) fields: PodcastFields,
}

/// A checked podcast and the file of its cover, if that is ours.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) podcast: Option<Podcast>,
    pub(super) file: Option<String>,
}

/// Checks what was said; `None` and problems when something is missing.
pub(super) fn check(said: &Said, site: &Site, folder: &Path, problems: &mut Vec<Problem>) -> Made {
    let before = problems.len();
    let mut check = Check {
        said,
        site,
        folder,
        problems,
    };
    let owner = check.owner();
    let category = check.category();
    let is_explicit = check.is_explicit();
    let image = check.image();
    let guid = check.guid();
    let is_sound = problems.len() == before;
    let (url, file) = image.map_or((None, None), |(url, file)| (Some(url), file));
    let podcast = owner.zip(category).zip(is_explicit).zip(url).zip(guid);
    Made {
        podcast: podcast.filter(|_| is_sound).map(
            |(((((owner_name, owner_email), category), is_explicit), image), guid)| Podcast {
                owner_name,
                owner_email,
                category,
                is_explicit,
                image,
                guid,
                is_locked: said.fields.is_locked,
            },
        ),
        file,
    }
}

struct Check<'a> {
    said: &'a Said,
    site: &'a Site,
    folder: &'a Path,
    problems: &'a mut Vec<Problem>,
}

impl Check<'_> {
    /// A problem at a key, or at `podcast = true` where the key is missing.
    fn error(&mut self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let fields = &self.said.fields;
        let line = fields.lines.get(key).copied().unwrap_or(fields.line);
        self.problems
            .push(Problem::error(&self.said.source, line, what, remedy));
    }

    fn owner(&mut self) -> Option<(String, String)> {
        let fields = &self.said.fields;
        let sendable = |raw: &String| raw.parse::<EmailAddress>().is_ok();
        let email = fields.owner_email.clone().filter(sendable);
        let owner = fields.owner_name.clone().zip(email);
        if owner.is_none() {
            self.error(
                "owner",
                "the podcast has no owner with name and email",
                "add `owner = { name = \"…\", email = \"…\" }`; directories write to it",
            );
        }
        owner
    }

    fn category(&mut self) -> Option<Category> {
        let text = self.said.fields.category.clone().unwrap_or_default();
        let category = Category::parse(&text);
        if category.is_none() {
            let what = if text.is_empty() {
                "the podcast has no category".to_owned()
            } else {
                format!("`{text}` is no podcast category")
            };
            let remedy = match Category::nearest(&text) {
                Some(near) if !text.is_empty() => format!("did you mean `{near}`?"),
                _ => "add `category = \"Arts / Food\"` or another of Apple's categories".to_owned(),
            };
            self.error("category", what, remedy);
        }
        category
    }

    fn is_explicit(&mut self) -> Option<bool> {
        let flag = self.said.fields.is_explicit;
        if flag.is_none() {
            self.error(
                "explicit",
                "the podcast does not say whether it is explicit",
                "add `explicit = false`, or `true` if it is not for children",
            );
        }
        flag
    }

    fn image(&mut self) -> Option<(url::Url, Option<String>)> {
        const REMEDY: &str =
            "add `image = \"cover.jpg\"`: a square JPEG or PNG, 1400 to 3000 pixels wide";
        let Some(src) = self.said.fields.image.clone() else {
            self.error("image", "the podcast has no cover", REMEDY);
            return None;
        };
        let base = self.site.base.clone();
        let origin = Origin {
            file: &self.said.file,
            url: &base,
        };
        let followed = self.site.follow(origin, &src);
        match followed.lead {
            Lead::Away => return Some((followed.url?, None)),
            Lead::File(file) => {
                let fits = pictures::measure(&self.folder.join(&file)).is_ok_and(|measure| {
                    let is_kind = matches!(measure.kind, PictureType::Jpeg | PictureType::Png);
                    is_kind && measure.width == measure.height && COVER.contains(&measure.width)
                });
                if fits {
                    return Some((followed.url?, Some(file)));
                }
                let what = format!("the cover `{src}` is not what directories accept");
                self.error("image", what, REMEDY);
            }
            _ => self.error("image", format!("there is no picture `{src}`"), REMEDY),
        }
        None
    }

    fn guid(&mut self) -> Option<String> {
        let guid = self.said.fields.guid.clone().unwrap_or_default();
        if is_uuid(&guid) {
            return Some(guid.to_ascii_lowercase());
        }
        let what = if guid.is_empty() {
            "the podcast has no guid".to_owned()
        } else {
            format!("the podcast's guid `{guid}` is no UUID")
        };
        let folder = self.said.file.trim_end_matches("_index.md");
        let feed = urls::below(&self.site.base, folder);
        let remedy = format!(
            "add `guid = \"{}\"` and never change it: it stays when the feed moves",
            uuid_of(feed.as_str())
        );
        self.error("guid", what, remedy);
        None
    }
}

/// 8-4-4-4-12 hexadecimal digits (RFC 9562, 4).
fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let is_hex = |c: char| c == '-' || c.is_ascii_hexdigit();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(is_hex)
}

/// A UUID of version 8, made of a name by SHA-256 (RFC 9562, B.2).
fn uuid_of(name: &str) -> String {
    let mut bytes = Sha256::digest(name.as_bytes());
    bytes[6] = (bytes[6] & 0x0F) | 0x80;
    bytes[8] = (bytes[8] & 0x3F) | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes[..16]);
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposed_guid_is_one_that_is_accepted() {
        let guid = uuid_of("https://example.org/talks/");
        assert!(is_uuid(&guid), "{guid}");
        assert_eq!(&guid[14..15], "8");
        for text in [
            "",
            "x",
            "12345678-1234-1234-1234-12345678901",
            "g2345678-1234-1234-1234-123456789012",
        ] {
            assert!(!is_uuid(text), "{text}");
        }
    }
}
