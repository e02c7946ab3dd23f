//! The style block of a mail, made fit to stand on a page with other things.

/// The rules of `css`, each only for elements below the class. Of at-rules
/// only `@media` and `@supports` are kept; what only mail programs understand
/// is dropped.
pub(super) fn scoped(css: &str, class: &str) -> String {
    rules(&without_comments(css), class)
}

fn rules(css: &str, class: &str) -> String {
    let mut out = String::new();
    let mut rest = css;
    while let Some((prelude, block, after)) = block(rest) {
        rest = after;
        // A statement without a block, such as `@import x;`, goes.
        let prelude = prelude.rsplit(';').next().unwrap_or(prelude).trim();
        if prelude.starts_with("@media") || prelude.starts_with("@supports") {
            let inner = rules(block, class);
            if !inner.is_empty() {
                out.push_str(&format!("{prelude} {{\n{inner}}}\n"));
            }
        } else if !prelude.starts_with('@') && !prelude.is_empty() {
            let kept = declarations(block);
            if !kept.is_empty() {
                let selectors: Vec<String> = prelude
                    .split(',')
                    .map(|one| below(one.trim(), class))
                    .collect();
                out.push_str(&format!("{} {{ {kept} }}\n", selectors.join(", ")));
            }
        }
    }
    out
}

/// What stands before the first `{`, what it encloses, and what follows.
fn block(css: &str) -> Option<(&str, &str, &str)> {
    let open = css.find('{')?;
    let mut depth = 0usize;
    for (at, c) in css[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let close = open + at;
            return Some((&css[..open], &css[open + 1..close], &css[close + 1..]));
        }
    }
    None
}

/// `td.x` as `.letter td.letter-x`; the document itself is the letter.
fn below(selector: &str, class: &str) -> String {
    let selector = &renamed(selector, class);
    let first = selector.split(' ').next().unwrap_or(selector);
    let is_document = ["html", "body", ":root"].iter().any(|name| {
        first
            .strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '.', ':']))
    });
    match selector.split_once(' ') {
        Some((_, rest)) if is_document => format!(".{class} {rest}"),
        None if is_document => format!(".{class}"),
        _ => format!(".{class} {selector}"),
    }
}

/// Every class in the selector with its new name, which is the old one after
/// the letter's: the page around it has classes of its own.
fn renamed(selector: &str, class: &str) -> String {
    let mut out = String::with_capacity(selector.len() + 16);
    let mut chars = selector.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        let starts_name = |next: &char| next.is_alphabetic() || matches!(next, '_' | '-');
        if c == '.' && chars.peek().is_some_and(starts_name) {
            out.push_str(class);
            out.push('-');
        }
    }
    out
}

/// Declarations that browsers know.
pub(super) fn declarations(block: &str) -> String {
    let kept: Vec<&str> = block
        .split(';')
        .map(str::trim)
        .filter(|one| !one.is_empty() && !one.starts_with("mso-") && !one.starts_with('-'))
        .collect();
    kept.join("; ")
}

fn without_comments(css: &str) -> String {
    let mut out = String::with_capacity(css.len());
    let mut rest = css;
    while let Some((before, after)) = rest.split_once("/*") {
        out.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_apply_to_the_letter_alone() {
        assert_eq!(
            scoped(
                "@import 'x';/* c } */@media (max-width:480px){.a,html[dir=rtl] .b{mso-hide:all;color:red!important}body{margin:0}.c{mso-x:y}}@font-face{src:x}p{}",
                "letter"
            ),
            "@media (max-width:480px) {\n.letter .letter-a, .letter .letter-b { color:red!important }\n.letter { margin:0 }\n}\n"
        );
    }
}
