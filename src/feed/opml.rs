//! A list of all feeds (OPML 2.0), for readers that subscribe to several at once.

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use url::Url;

use crate::{
    domain::{collection::Collection, publication::Publication},
    feed::{
        FeedError, File, WriterError, atom, entry,
        entry::{address, below},
        podcast,
        stream::Stream,
    },
};

/// Where the list stands below `public/`.
pub const FILE: &str = "feeds.opml";

/// One feed of the list.
struct Outline {
    text: String,
    feed: String,
    page: String,
    language: String,
}

/// The list of the feeds of `streams`, in their order, each section followed by
/// its podcast if it has one. A stream is listed once, by its Atom feed, which
/// tells the most.
///
/// # Errors
/// When the writer fails.
pub fn opml(
    publication: &Publication,
    collection: &Collection,
    streams: &[Stream],
) -> Result<File, FeedError> {
    let outlines: Vec<Outline> = streams
        .iter()
        .flat_map(|stream| outlines(publication, collection, stream))
        .collect();
    let bytes = write(publication, &outlines).map_err(|source| FeedError::Write {
        format: "OPML",
        path: FILE.to_owned(),
        source,
    })?;
    Ok(File {
        path: FILE.to_owned(),
        media_type: "text/x-opml",
        bytes,
    })
}

fn outlines(
    publication: &Publication,
    collection: &Collection,
    stream: &Stream,
) -> impl Iterator<Item = Outline> {
    let base = &publication.base_url;
    let title = entry::line(&stream.title(publication, collection));
    let outline = |file: &str, text: String| Outline {
        text,
        feed: address(&below(&folder(base, stream), file)),
        page: address(&stream.home_page(base)),
        language: stream.language(publication, collection).to_owned(),
    };
    let own = outline(atom::FORMAT.file, title.clone());
    let spoken = podcast::of(stream, collection)
        .map(|_| outline(podcast::FORMAT.file, format!("{title} (podcast)")));
    std::iter::once(own).chain(spoken)
}

fn folder(base: &Url, stream: &Stream) -> Url {
    below(base, &stream.path())
}

fn write(publication: &Publication, outlines: &[Outline]) -> Result<Vec<u8>, WriterError> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 1);
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)))?;
    let root = BytesStart::new("opml").with_attributes([("version", "2.0")]);
    writer.write_event(Event::Start(root))?;
    writer.write_event(Event::Start(BytesStart::new("head")))?;
    let title = entry::line(&publication.title);
    writer
        .create_element("title")
        .write_text_content(BytesText::new(&title))?;
    let home = address(&publication.base_url);
    writer
        .create_element("ownerId")
        .write_text_content(BytesText::new(&home))?;
    writer.write_event(Event::End(BytesEnd::new("head")))?;
    writer.write_event(Event::Start(BytesStart::new("body")))?;
    for outline in outlines {
        // `rss` is the type of every feed, Atom included.
        writer
            .create_element("outline")
            .with_attributes([
                ("type", "rss"),
                ("text", outline.text.as_str()),
                ("title", outline.text.as_str()),
                ("xmlUrl", outline.feed.as_str()),
                ("htmlUrl", outline.page.as_str()),
                ("language", outline.language.as_str()),
            ])
            .write_empty()?;
    }
    writer.write_event(Event::End(BytesEnd::new("body")))?;
    writer.write_event(Event::End(BytesEnd::new("opml")))?;
    let mut bytes = writer.into_inner();
    bytes.push(b'\n');
    Ok(bytes)
}
