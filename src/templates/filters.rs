//! The filters we add to Tera's, the one we take away, and the function for
//! fixed words.

use std::sync::Arc;

use fluent_bundle::{FluentArgs, FluentValue};
use tera::{Error, Kwargs, State, StringInput, Tera, TeraResult, Value};

use super::words::{self, Catalogues, Unsaid};
use crate::domain::wrap::wrap_words;

/// What the mark of a slot begins with; [`fallback`] must know one when it
/// sees one. The rest of a mark is secret.
const SLOT_MARK: &str = "lpslot";

/// Adds our filters and functions.
pub(super) fn register(tera: &mut Tera, catalogues: &Arc<Catalogues>) {
    let catalogues = Arc::clone(catalogues);
    tera.register_function("words", move |args: Kwargs, state: &State<'_>| {
        say(&catalogues, &args, state)
    });
    tera.register_filter("wrap", wrap);
    tera.register_filter("underline", underline);
    tera.register_filter("fallback", fallback);
    tera.register_filter("safe", safe);
}

/// `{{ words(key="by", authors=article.authors_line) }}`: a fixed word in the
/// publication's language.
fn say(catalogues: &Catalogues, args: &Kwargs, state: &State<'_>) -> TeraResult<String> {
    let key = args.must_get::<&str>("key")?;
    let publication = state.get::<Value>("publication")?;
    let language = publication
        .as_ref()
        .and_then(|publication| publication.get_from_path("language")?.as_str())
        .unwrap_or_default();
    let mut given = FluentArgs::new();
    for (name, value) in args.iter() {
        let name = name.to_string();
        if name == "key" {
            continue;
        }
        if value.is_none() {
            let what = format!("word `{key}`: `{name}` is none");
            return Err(Error::message(what));
        }
        match i64::try_from(value.clone()) {
            Ok(number) => given.set(name, number),
            Err(_) => given.set(name, FluentValue::from(value.to_string())),
        }
    }
    let said = catalogues.words(language).find(key, &given);
    said.map_err(|unsaid| {
        // As Tera puts it, so that the nearest one is suggested.
        let known: Vec<&str> = words::keys().collect();
        Error::message(match unsaid {
            Unsaid::Unknown => {
                let known = known.join(", ");
                format!("word `{key}` is not defined. Available fields: {known}")
            }
            Unsaid::Lacks(what) => format!("word `{key}` lacks something: {what}"),
        })
    })
}

/// `{{ text | wrap(width=76, indent="  ") }}`: lines of at most `width`
/// columns by display width; a long word such as a URL stays whole.
fn wrap(text: &str, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let width = kwargs.get::<usize>("width")?.unwrap_or(76).clamp(20, 998);
    let indent = kwargs.get::<&str>("indent")?.unwrap_or("");
    let first = kwargs.get::<&str>("first")?.unwrap_or(indent);
    Ok(wrap_words(text, width, first, indent))
}

/// A line of `mark`s as wide as the widest line of the text: `Title` gives `=====`.
fn underline(text: &str, kwargs: Kwargs, _: &State) -> TeraResult<String> {
    let mark = kwargs.get::<&str>("mark")?.unwrap_or("=");
    let width = text
        .lines()
        .map(unicode_width::UnicodeWidthStr::width)
        .max()
        .unwrap_or(0);
    Ok(mark.repeat(width.min(76)))
}

/// `{{ reader.name | fallback(value="reader") }}`: the value, or this where
/// there is none. For a slot the choice is made when it is filled, so the
/// mark takes the fallback along.
fn fallback(value: Value, kwargs: Kwargs, _: &State) -> TeraResult<Value> {
    let instead = kwargs.must_get::<&str>("value")?;
    match value.as_str() {
        Some(mark) if mark.starts_with(SLOT_MARK) && mark.ends_with('z') => {
            let hex = data_encoding::HEXLOWER.encode(instead.as_bytes());
            let open = &mark[..mark.len() - 1];
            Ok(Value::normal_string(&format!("{open}{hex}z")))
        }
        Some("") => Ok(Value::normal_string(instead)),
        None if value.is_none() => Ok(Value::normal_string(instead)),
        _ => Ok(value),
    }
}

/// Only what the sanitiser let through is printed without escaping, and that
/// needs no filter; anything else stays escaped.
fn safe(text: StringInput<'_>, _: Kwargs, _: &State) -> TeraResult<Value> {
    if text.is_safe() {
        Ok(text.into_value())
    } else {
        Err(Error::message(
            "`safe` is not for text: only an article's `html` and `opening_html` are HTML, and they need no filter",
        ))
    }
}
