//! An XML document as a tree: just enough to look into feeds.

use std::collections::BTreeMap;

use quick_xml::{Reader, events::BytesStart, events::Event};

/// An element with all the text directly in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) text: String,
    pub(crate) children: Vec<Node>,
}

impl Node {
    /// Parses a document; a second root or an open element is a failure.
    pub(crate) fn root(document: &[u8]) -> Self {
        let mut reader = Reader::from_str(std::str::from_utf8(document).unwrap());
        reader.config_mut().expand_empty_elements = true;
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => open.push(Self::started(&start)),
                Event::End(_) => {
                    let done = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(done);
                }
                Event::Text(text) => open.last_mut().unwrap().text += &text.decode().unwrap(),
                Event::CData(text) => open.last_mut().unwrap().text += &text.decode().unwrap(),
                Event::GeneralRef(name) => {
                    let escaped = format!("&{};", name.decode().unwrap());
                    open.last_mut().unwrap().text +=
                        &quick_xml::escape::unescape(&escaped).unwrap();
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!(open.len(), 1, "every element is closed");
        let mut document = open.pop().unwrap();
        assert_eq!(document.children.len(), 1, "one root");
        document.children.pop().unwrap()
    }

    fn started(start: &BytesStart<'_>) -> Self {
        let attributes = start
            .attributes()
            .map(|attribute| {
                let attribute = attribute.unwrap();
                let raw = std::str::from_utf8(&attribute.value).unwrap();
                (
                    String::from_utf8(attribute.key.as_ref().to_vec()).unwrap(),
                    quick_xml::escape::unescape(raw).unwrap().into_owned(),
                )
            })
            .collect();
        Self {
            name: String::from_utf8(start.name().as_ref().to_vec()).unwrap(),
            attributes,
            ..Self::default()
        }
    }

    /// The children of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The only child of this name.
    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> &Self {
        let found: Vec<_> = self.children.iter().filter(|c| c.name == name).collect();
        assert_eq!(found.len(), 1, "one <{name}> in {self:?}");
        found[0]
    }

    /// The text of the only child of this name.
    #[track_caller]
    pub(crate) fn text_of(&self, name: &str) -> &str {
        &self.one(name).text
    }

    /// The texts of all children of this name.
    pub(crate) fn texts_of(&self, name: &str) -> Vec<String> {
        self.children
            .iter()
            .filter(|child| child.name == name)
            .map(|child| child.text.clone())
            .collect()
    }

    /// An attribute that must be there.
    #[track_caller]
    pub(crate) fn attribute(&self, name: &str) -> &str {
        self.attributes
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}
