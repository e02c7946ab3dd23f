//! The HTML in a feed: it parses without an error, has only what readers keep,
//! and every address in it is whole.

use super::Judge;
use crate::html::{Element, Html};

/// What feed readers and mail programs keep. No style, script, frame or form.
const ALLOWED: &str = "a abbr b bdi bdo blockquote br caption cite code col colgroup dd del \
    details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre \
    q rt ruby s samp small span strong sub summary sup table tbody td tfoot th thead time tr u ul \
    var wbr";

impl Judge<'_> {
    /// Checks the content of one article.
    pub(super) fn content(&mut self, html: &str) {
        if !self.judged.insert(html.to_owned()) {
            return;
        }
        let page = format!(
            "<!DOCTYPE html><html lang=\"en\"><head><title>x</title></head><body>{html}</body></html>"
        );
        let page = Html::read(&page);
        for error in page.errors {
            self.complain(format!("content does not parse: {error}"));
        }
        let content = page.elements.iter().skip(4);
        for element in content {
            self.element(element);
        }
    }

    fn element(&mut self, element: &Element) {
        let name = element.name.as_str();
        if !ALLOWED.split_whitespace().any(|allowed| allowed == name) {
            self.complain(format!("content has <{name}>"));
        }
        for (key, value) in &element.attributes {
            match key.as_str() {
                "href" if value.starts_with("mailto:") => {}
                "href" | "src" | "cite" => self.address(value, &format!("{key} in content")),
                "srcset" => {
                    for candidate in value.split(", ") {
                        let address = candidate.split(' ').next().unwrap_or_default();
                        self.address(address, "srcset in content");
                    }
                }
                "style" | "class" | "id" => self.complain(format!("content has {key}")),
                _ if key.starts_with("on") => self.complain(format!("content has {key}")),
                _ => {}
            }
        }
        if name == "img" {
            for needed in ["src", "alt"] {
                let has = element.attribute(needed).is_some();
                self.expect(has, format!("content has a picture without {needed}"));
            }
        }
    }
}
