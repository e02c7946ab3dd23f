//! One pass over what the typed XML writers wrote.
//!
//! They escape `&` and `<` by name (`&amp;`). In titles and other plain text
//! many readers, and the W3C validator, take a named reference for left-over
//! HTML; the RSS Best Practices Profile therefore asks for `&#x26;` and
//! `&#x3C;`, which mean the same to an XML parser. The writers leave no choice,
//! put all on one line, write empty elements as two tags, and the one for Atom
//! writes extensions of the feed after its entries, where the grammar of RFC
//! 4287 has none. All this is mended here, event by event.

use std::io;

use quick_xml::{
    Reader, Writer,
    events::{BytesDecl, BytesStart, BytesText, Event},
};

use crate::feed::WriterError;

/// `document` with numeric references, one element a line, entries last, and a
/// last line feed.
pub(super) fn finish(document: &[u8]) -> Result<Vec<u8>, WriterError> {
    let mut reader = Reader::from_str(std::str::from_utf8(document)?);
    let mut pass = Pass::new(document.len());
    pass.write(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    loop {
        match reader.read_event()? {
            Event::Eof => break,
            Event::Decl(_) => {}
            Event::Text(part) => pass.text.push_str(&part.decode()?),
            Event::GeneralRef(name) => {
                push_reference(&mut pass.text, &name.decode()?, pass.in_html);
            }
            Event::Start(element) => {
                pass.flush()?;
                pass.in_html = element.name().as_ref() == b"content";
                pass.open = Some(with_plain_label(element.into_owned())?);
            }
            Event::End(element) => pass.end(Event::End(element))?,
            Event::Empty(element) => {
                pass.flush()?;
                pass.place(element.name().as_ref());
                pass.write(Event::Empty(with_plain_label(element)?))?;
            }
            other => {
                pass.flush()?;
                pass.write(other)?;
            }
        }
    }
    Ok(pass.finish())
}

/// The state of one pass.
struct Pass {
    writer: Writer<Halves>,
    /// The reader parts text at every reference; the indenting writer takes the
    /// first and last part for places to break a line, so it gets them as one.
    text: String,
    /// A start tag that may turn out to be an empty element.
    open: Option<BytesStart<'static>>,
    in_html: bool,
    depth: usize,
}

impl Pass {
    fn new(length: usize) -> Self {
        let halves = Halves {
            head: Vec::with_capacity(length * 5 / 4),
            entries: Vec::new(),
            is_in_entries: false,
        };
        Self {
            writer: Writer::new_with_indent(halves, b' ', 1),
            text: String::new(),
            open: None,
            in_html: false,
            depth: 0,
        }
    }

    fn write(&mut self, event: Event<'_>) -> io::Result<()> {
        self.writer.write_event(event)
    }

    /// Writes what waited for the next event.
    fn flush(&mut self) -> io::Result<()> {
        if let Some(element) = self.open.take() {
            self.place(element.name().as_ref());
            self.depth += 1;
            self.write(Event::Start(element))?;
        }
        // Between elements only line ends stand; the writer makes its own.
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            self.write(Event::Text(BytesText::from_escaped(text)))?;
        }
        Ok(())
    }

    fn end(&mut self, end: Event<'_>) -> io::Result<()> {
        if self.text.is_empty()
            && let Some(element) = self.open.take()
        {
            self.place(element.name().as_ref());
            return self.write(Event::Empty(element));
        }
        self.flush()?;
        self.depth -= 1;
        if self.depth == 0 {
            self.writer.get_mut().is_in_entries = true;
        }
        self.write(end)
    }

    /// Decides where a child of the root goes.
    fn place(&mut self, name: &[u8]) {
        if self.depth == 1 {
            self.writer.get_mut().is_in_entries = name == b"entry";
        }
    }

    fn finish(self) -> Vec<u8> {
        let halves = self.writer.into_inner();
        let mut bytes = halves.head;
        bytes.extend(halves.entries);
        bytes.push(b'\n');
        bytes
    }
}

/// What stands before the entries, and the entries with the end of the root.
struct Halves {
    head: Vec<u8>,
    entries: Vec<u8>,
    is_in_entries: bool,
}

impl io::Write for Halves {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_in_entries {
            self.entries.write(bytes)
        } else {
            self.head.write(bytes)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

    #[test]
    fn what_stands_behind_the_entries_of_a_feed_comes_before_them() {
        let out = finished(
            "<feed><id>a</id><entry><id>b</id></entry><fh:x></fh:x><at:y r=\"1\"></at:y></feed>",
        );
        assert_eq!(
            out,
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed>\n <id>a</id>\n <fh:x/>\n \
             <at:y r=\"1\"/>\n <entry>\n  <id>b</id>\n </entry>\n</feed>\n"
        );
    }

    #[test]
    fn an_element_without_content_is_one_tag() {
        let out = finished("<rss><a></a><b> </b><c/></rss>");
        assert!(out.contains("<a/>"), "{out}");
        assert!(out.ends_with("<c/>\n</rss>\n"), "{out}");
    }
}
