//! Templates of readers' pages tried before anybody asks for them: `check`
//! finds a misspelt name, `serve` does not start with one.

use super::page::{Page, Pages};
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
    let mut all = vec![page("left.html", "page-left-heading")];
    for yes in [true, false] {
        all.push(page("leave.html", "page-leave-heading").with("has_several", yes));
        all.push(page("trouble.html", "page-busy-heading").with("is_busy", yes));
    }
    all
}
