//! What becomes of rendered templates before they are cut at their slots:
//! styles go where mail programs look for them, text loses stray blanks.

use css_inline::{CSSInliner, InlineOptions};

use super::render::RenderError;

/// Most bytes of the style block that Gmail keeps.
const LARGEST_STYLE_BLOCK: usize = 8192;

/// Writes the style sheet into `style` attributes; what depends on the screen
/// stays in one block.
pub(super) fn inlined(html: &str, kind: &str) -> Result<String, RenderError> {
    let inliner = CSSInliner::new(InlineOptions {
        keep_style_tags: false,
        keep_at_rules: true,
        load_remote_stylesheets: false,
        minify_css: true,
        ..InlineOptions::default()
    });
    let html = inliner.inline(html).map_err(|source| RenderError::Style {
        kind: kind.to_owned(),
        source,
    })?;
    let mut html = style_after_charset(&html);
    html.push('\n');
    let bytes = style_block_bytes(&html);
    if bytes > LARGEST_STYLE_BLOCK {
        return Err(RenderError::StyleBlock {
            kind: kind.to_owned(),
            bytes,
        });
    }
    Ok(html)
}

/// The inliner puts what is left of the style sheet first into the head; a
/// browser looks for the character set in the first 1,024 bytes only.
fn style_after_charset(html: &str) -> String {
    let moved = html.split_once("<head><style>").and_then(|(before, rest)| {
        let (style, rest) = rest.split_once("</style>")?;
        let (head, body) = rest.split_once("</head>")?;
        let head = head.trim();
        Some(format!(
            "{before}<head>\n{head}\n<style>{style}</style>\n</head>{body}"
        ))
    });
    moved.unwrap_or_else(|| html.to_owned())
}

fn style_block_bytes(html: &str) -> usize {
    html.split("<style")
        .skip(1)
        .filter_map(|block| block.split("</style>").next())
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// Text as its template meant it: no space at the end of lines, never more
/// than one blank line, one line end at the end.
pub(super) fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut blank = true;
    for line in text.lines().map(str::trim_end) {
        if !(blank && line.is_empty()) {
            tidy.push_str(line);
            tidy.push('\n');
        }
        blank = line.is_empty();
    }
    tidy.truncate(tidy.trim_end().len());
    tidy.push('\n');
    tidy
}
