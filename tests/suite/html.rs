//! An HTML page read strictly: every error that the HTML5 parser names, and
//! the elements in order.

use std::borrow::Cow;
use std::cell::{Ref, RefCell};

use html5ever::interface::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tokenizer::TokenizerOpts;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{Attribute, ParseOpts, QualName, parse_document};

/// A page.
#[derive(Debug, Default)]
pub(crate) struct Html {
    /// What the parser had to forgive.
    pub(crate) errors: Vec<String>,
    pub(crate) elements: Vec<Element>,
}

/// An element with the text directly in it.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) attributes: Vec<(String, String)>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl Html {
    pub(crate) fn read(text: &str) -> Self {
        let options = ParseOpts {
            tokenizer: TokenizerOpts {
                exact_errors: true,
                ..TokenizerOpts::default()
            },
            tree_builder: TreeBuilderOpts {
                exact_errors: true,
                ..TreeBuilderOpts::default()
            },
        };
        let sink = parse_document(Sink::default(), options).one(text);
        Self {
            errors: sink.errors.into_inner(),
            elements: sink.elements.into_inner(),
        }
    }

    /// Elements of this name, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |one| one.name == name)
    }

    /// Whether something has this id.
    pub(crate) fn has_id(&self, id: &str) -> bool {
        let mut ids = self.elements.iter().filter_map(|one| one.attribute("id"));
        ids.any(|found| found == id)
    }
}

/// Keeps elements in the order made; handle 0 is the document and all else
/// that is no element.
#[derive(Default)]
struct Sink {
    errors: RefCell<Vec<String>>,
    names: RefCell<Vec<QualName>>,
    elements: RefCell<Vec<Element>>,
}

impl TreeSink for Sink {
    type Handle = usize;
    type Output = Self;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Self {
        self
    }

    fn parse_error(&self, what: Cow<'static, str>) {
        self.errors.borrow_mut().push(what.into_owned());
    }

    fn get_document(&self) -> usize {
        0
    }

    fn elem_name<'a>(&'a self, target: &'a usize) -> Self::ElemName<'a> {
        Ref::map(self.names.borrow(), |names| &names[target - 1])
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, _: ElementFlags) -> usize {
        let attribute = |one: Attribute| (one.name.local.to_string(), one.value.to_string());
        self.elements.borrow_mut().push(Element {
            name: name.local.to_string(),
            text: String::new(),
            attributes: attrs.into_iter().map(attribute).collect(),
        });
        self.names.borrow_mut().push(name);
        self.names.borrow().len()
    }

    fn append(&self, parent: &usize, child: NodeOrText<usize>) {
        if let (NodeOrText::AppendText(text), Some(at)) = (child, parent.checked_sub(1)) {
            self.elements.borrow_mut()[at].text.push_str(&text);
        }
    }

    fn append_based_on_parent_node(&self, parent: &usize, _: &usize, child: NodeOrText<usize>) {
        self.append(parent, child);
    }

    fn same_node(&self, x: &usize, y: &usize) -> bool {
        x == y
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        if mode != QuirksMode::NoQuirks {
            self.errors.borrow_mut().push("quirks mode".to_owned());
        }
    }

    fn create_comment(&self, _: StrTendril) -> usize {
        0
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> usize {
        0
    }

    fn get_template_contents(&self, target: &usize) -> usize {
        *target
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {}
    fn append_before_sibling(&self, _: &usize, _: NodeOrText<usize>) {}
    fn add_attrs_if_missing(&self, _: &usize, _: Vec<Attribute>) {}
    fn remove_from_parent(&self, _: &usize) {}
    fn reparent_children(&self, _: &usize, _: &usize) {}
}
