//! A form for a page of somebody else, to be copied into it: plain HTML without
//! a script, whose looks are those of the page around it.

use url::Url;

use crate::{
    domain::{digest::Digest, publication::Publication},
    templates::Templates,
};

/// The form that signs up for `digest`. What it sends is shown once more on our
/// own page, since a copy of it cannot tell when it was shown.
#[must_use]
pub fn snippet(
    publication: &Publication,
    digest: &Digest,
    templates: &Templates,
    public_url: &Url,
) -> String {
    let language = digest.language(publication);
    let words = templates.words(language);
    let say = |key: &str| words.say(key, &[]);
    let consent = words.say(
        "page-subscribe-consent",
        &[("publication", publication.title.as_str().into())],
    );
    let escaped = |text: &str| quick_xml::escape::escape(text).into_owned();
    format!(
        "<form action=\"{public_url}subscribe\" method=\"post\" lang=\"{language}\">\n\
         <p><label>{email} <input type=\"email\" name=\"email\" required maxlength=\"254\" \
         autocomplete=\"email\"></label></p>\n\
         <input type=\"hidden\" name=\"digest\" value=\"{digest}\">\n\
         <p><small>{consent}</small></p>\n\
         <p><button>{button}</button></p>\n\
         </form>\n",
        public_url = escaped(public_url.as_str()),
        language = escaped(language),
        email = escaped(&say("page-email")),
        digest = digest.name,
        consent = escaped(&consent),
        button = escaped(&say("page-subscribe-button")),
    )
}
