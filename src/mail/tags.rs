//! The tags of HTML that a serialiser wrote: attributes in double quotes, no
//! bare `<` in text. Enough to change a tag where it stands without touching
//! anything else.

use std::borrow::Cow;

/// Every tag of the HTML, brackets included.
pub(super) fn tags(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        let (_, tag, after) = next_tag(rest)?;
        rest = after;
        Some(tag)
    })
}

/// The HTML with other tags where `change` gives one.
pub(super) fn rewritten(html: &str, mut change: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, tag, after)) = next_tag(rest) {
        out.push_str(before);
        match change(tag) {
            Some(changed) => out.push_str(&changed),
            None => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What stands before the next tag, the tag, and what follows. A comment is
/// text, but what Outlook reads of a conditional one are tags as well.
fn next_tag(html: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let start = from + html[from..].find('<')?;
        let is_conditional = html[start..].starts_with("<!--[if");
        if let Some(comment) = html[start..].strip_prefix("<!--")
            && !is_conditional
        {
            // `<!-->` is over where it begins.
            if comment.starts_with('>') {
                from = start + "<!-->".len();
                continue;
            }
            let end = comment.find("-->")?;
            from = start + "<!--".len() + end + "-->".len();
            continue;
        }
        let end = start + tag_length(&html[start..])?;
        return Some((&html[..start], &html[start..end], &html[end..]));
    }
}

/// Bytes up to the `>` that is in no attribute.
fn tag_length(html: &str) -> Option<usize> {
    let mut is_quoted = false;
    for (at, byte) in html.bytes().enumerate() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'>' if !is_quoted => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// The attributes of one tag.
pub(super) struct Attributes<'a>(&'a str);

impl<'a> Attributes<'a> {
    /// Those of an opening tag of this name.
    pub(super) fn of(tag: &'a str, name: &str) -> Option<Self> {
        let rest = tag.strip_prefix('<')?.strip_prefix(name)?;
        let rest = rest.strip_suffix('>')?;
        rest.starts_with([' ', '\n']).then_some(Self(rest))
    }

    /// An attribute's value, decoded.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let (_, value) = self.span(name)?;
        Some(decoded(value).into_owned())
    }

    /// Where an attribute's value begins after the tag's name, and the value as
    /// it is written.
    fn span(&self, name: &str) -> Option<(usize, &'a str)> {
        let mut rest = self.0;
        loop {
            rest = rest.trim_start();
            let end = rest.find(['=', ' ', '\n'])?;
            let (key, after) = rest.split_at(end);
            let Some(value) = after.strip_prefix("=\"") else {
                rest = after.trim_start_matches('=');
                continue;
            };
            let close = value.find('"')?;
            if key == name {
                let at = self.0.len() - value.len();
                return Some((at, &value[..close]));
            }
            rest = &value[close + 1..];
        }
    }
}

/// The tag with another value for an attribute that it has.
pub(super) fn with_value(tag: &str, name: &str, attribute: &str, value: &str) -> Option<String> {
    let (at, old) = Attributes::of(tag, name)?.span(attribute)?;
    let at = at + 1 + name.len();
    Some(format!(
        "{}{}{}",
        &tag[..at],
        escaped(value),
        &tag[at + old.len()..]
    ))
}

/// As serialisers escape: the four that matter, and the space that looks like one.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let text = text
        .replace("&nbsp;", "\u{a0}")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    Cow::Owned(text.replace("&amp;", "&"))
}

/// Escaped for an attribute in double quotes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_changed_where_it_stands_and_nothing_else() {
        let html = "a &lt; b <!-- <a href=\"x\"> --><a class=\"href=\" href=\"x?a&amp;b\" title=\"<a href=&quot;x&quot;>\">x</a><br><abbr href=\"x\">";
        let seen: Vec<&str> = tags(html).collect();
        assert_eq!(seen.len(), 4, "{seen:?}");
        let changed = rewritten(html, |tag| {
            let href = Attributes::of(tag, "a")?.value("href")?;
            with_value(tag, "a", "href", &format!("{href}&c"))
        });
        assert_eq!(changed, html.replace("x?a&amp;b", "x?a&amp;b&amp;c"));
        assert!(
            Attributes::of("<a disabled href=\"y\">", "a")
                .unwrap()
                .value("href")
                .is_some()
        );
        assert!(
            Attributes::of("<a disabled>", "a")
                .unwrap()
                .value("href")
                .is_none()
        );
        assert!(Attributes::of("<abbr href=\"x\">", "a").is_none());
    }
}
