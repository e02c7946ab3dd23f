//! The trail from the home page to a page: shown at its top, and told to
//! machines.

use tera::Value;
use url::Url;

use super::context::map;

/// One step of the trail.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) title: String,
    /// Below the base URL, encoded; empty for the home page.
    pub(super) path: String,
}

impl Step {
    pub(super) fn new(title: &str, path: impl Into<String>) -> Self {
        Self {
            title: title.to_owned(),
            path: path.into(),
        }
    }
}

/// The steps as templates see them; the last is where the reader is.
pub(super) fn describe(steps: &[Step], base: &Url) -> Value {
    let steps = steps.iter().map(|step| {
        let url = format!("{}{}", base.path(), step.path);
        map([("title", step.title.as_str().into()), ("url", url.into())])
    });
    steps.collect::<Vec<_>>().into()
}
