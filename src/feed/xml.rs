//! One pass over what the typed XML writers wrote.
//!
//! They escape `&` and `<` by name (`&amp;`). In titles and other plain text
//! many readers, and the W3C validator, take a named reference for left-over
//! HTML; the RSS Best Practices Profile therefore asks for `&#x26;` and
//! `&#x3C;`, which mean the same to an XML parser. The writers leave no choice
//! and put all on one line, so both are done here, event by event: nothing is
//! added, dropped or moved.

use quick_xml::{
    Reader, Writer,
    events::{BytesDecl, BytesStart, BytesText, Event},
};

use crate::feed::WriterError;

/// `document` with numeric references, one element a line, and a last line feed.
pub(super) fn finish(document: &[u8]) -> Result<Vec<u8>, WriterError> {
    let mut reader = Reader::from_str(std::str::from_utf8(document)?);
    let mut writer = Writer::new_with_indent(Vec::with_capacity(document.len() * 5 / 4), b' ', 1);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    // The reader parts text at every reference; the indenting writer takes the
    // first and last part for places to break a line, so it gets them as one.
    let mut text = String::new();
    let mut in_html = false;
    loop {
        let event = match reader.read_event()? {
            Event::Eof => break,
            Event::Decl(_) => continue,
            Event::Text(part) => {
                text.push_str(&part.decode()?);
                continue;
            }
            Event::GeneralRef(name) => {
                push_reference(&mut text, &name.decode()?, in_html);
                continue;
            }
            Event::Start(element) => {
                in_html = element.name().as_ref() == b"content";
                Event::Start(with_plain_label(element)?)
            }
            Event::Empty(element) => Event::Empty(with_plain_label(element)?),
            other => other,
        };
        // Between elements only line ends stand; the writer makes its own.
        if !text.trim().is_empty() {
            writer.write_event(Event::Text(BytesText::from_escaped(text.as_str())))?;
        }
        text.clear();
        writer.write_event(event)?;
    }
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}

/// Quotes need no reference outside attributes. HTML is HTML: there the short
/// names stay.
fn push_reference(text: &mut String, name: &str, in_html: bool) {
    match name {
        "quot" => text.push('"'),
        "apos" => text.push('\''),
        "amp" if !in_html => text.push_str("&#x26;"),
        "lt" if !in_html => text.push_str("&#x3C;"),
        _ => {
            text.push('&');
            text.push_str(name);
            text.push(';');
        }
    }
}

/// The label of an Atom category is plain text that stands in an attribute.
fn with_plain_label(element: BytesStart<'_>) -> Result<BytesStart<'_>, WriterError> {
    if element.name().as_ref() != b"category" {
        return Ok(element);
    }
    let tag = std::str::from_utf8(&element)?
        .replace("&amp;", "&#x26;")
        .replace("&lt;", "&#x3C;");
    Ok(BytesStart::from_content(tag, "category".len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(document: &str) -> String {
        String::from_utf8(finish(document.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn plain_text_gets_numeric_references_and_one_line_an_element() {
        let out =
            finished("<?xml version=\"1.0\"?>\n<a><t>&lt;b&gt; 5&amp;10 &quot;x&apos;</t></a>");
        assert_eq!(
            out,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a>\n <t>&#x3C;b&gt; 5&#x26;10 \"x'</t>\n</a>\n"
        );
    }

    #[test]
    fn html_and_cdata_keep_what_they_say() {
        let out = finished(
            "<a><content>&lt;p&gt;</content><e><![CDATA[]]]]><![CDATA[>]]></e><d><![CDATA[<i>&amp;</i>]]></d></a>",
        );
        assert!(out.contains("<content>&lt;p&gt;</content>"), "{out}");
        assert!(out.contains("<e><![CDATA[]]]]><![CDATA[>]]></e>"), "{out}");
        assert!(out.contains("<d><![CDATA[<i>&amp;</i>]]></d>"), "{out}");
    }

    #[test]
    fn labels_of_categories_are_plain_text_too() {
        let out = finished("<a><category term=\"x\" label=\"R&amp;B\"/></a>");
        assert!(out.contains("label=\"R&#x26;B\"/>"), "{out}");
    }
}
