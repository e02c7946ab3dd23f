//! Templates of readers' pages tried before anybody asks for them: `check`
//! finds a misspelt name, `serve` does not start with one.

use super::page::{Page, Pages, map};
use crate::templates::TemplateError;

/// Renders every page in the publication's language.
///
/// # Errors
/// The first template that does not work out.
pub(in crate::web) fn try_all(pages: &Pages) -> Result<(), TemplateError> {
    for page in all(pages) {
        page.html()?;
    }
    Ok(())
}

fn all(pages: &Pages) -> Vec<Page<'_>> {
    let page = |template, title| {
        let language = pages.publication().language.clone();
        pages.page(template, language, title)
    };
    let some = map([
        ("value", "one".into()),
        ("title", "One".into()),
        ("is_chosen", true.into()),
    ]);
    let mut all = vec![
        page("left.html", "page-left-heading"),
        page("confirm.html", "confirm-heading"),
        page("told.html", "page-busy-heading").with("text", "A few words"),
    ];
    for yes in [true, false] {
        all.push(page("leave.html", "page-leave-heading").with("has_several", yes));
        let wrong = if yes { "no-address" } else { "again" };
        let form = page("subscribe.html", "page-subscribe-heading")
            .with("wrong", wrong)
            .with("email", "")
            .with("name", "")
            .with("form", "");
        let digests = vec![some.clone(); if yes { 2 } else { 0 }];
        all.push(form.with("digests", digests));
        let options = || vec![some.clone(); if yes { 2 } else { 0 }];
        let page = page("preferences.html", "page-preferences-heading")
            .with("note", if yes { "saved" } else { "no-digest" })
            .with("address", "a…@e….org")
            .with("is_active", yes)
            .with("name", "")
            .with("has_many_tags", yes)
            .with("content", yes.then_some("full"))
            .with("paused_until", yes.then_some("1 January 2027"))
            .with("pauses", vec![tera::Value::from(1_u8)]);
        let lists = ["digests", "sections", "tags", "languages"];
        all.push(
            lists
                .into_iter()
                .fold(page, |page, name| page.with(name, options())),
        );
    }
    all
}
