//! Which modules of the crate a file names: `use crate::…`, inline
//! `crate::…` and `super::…` paths, and groups in braces.

use crate::source::Token;

/// The top-level module each path leads to, with its line. `path` is the
/// file's own module path. Names of the crate root itself are left out.
pub(crate) fn imports(tokens: &[Token], path: &[String]) -> Vec<(usize, String)> {
    let mut walk = Walk {
        tokens,
        path: path.to_vec(),
        open: Vec::new(),
        depth: 0,
        found: Vec::new(),
    };
    let mut at = 0;
    while at < tokens.len() {
        at = walk.step(at);
    }
    walk.found
}

struct Walk<'a> {
    tokens: &'a [Token],
    /// Module path at this place, inline modules included.
    path: Vec<String>,
    /// Brace depth at which each inline module began.
    open: Vec<usize>,
    depth: usize,
    found: Vec<(usize, String)>,
}

impl Walk<'_> {
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    /// Reads one token or path and says where the next one begins.
    fn step(&mut self, at: usize) -> usize {
        let starts_path = at == 0 || self.text(at - 1) != "::";
        match self.text(at) {
            "mod" if self.text(at + 2) == "{" => {
                self.path.push(self.text(at + 1).to_owned());
                self.open.push(self.depth);
                self.depth += 1;
                return at + 3;
            }
            "{" => self.depth += 1,
            "}" => {
                self.depth = self.depth.saturating_sub(1);
                if self.open.last() == Some(&self.depth) {
                    self.open.pop();
                    self.path.pop();
                }
            }
            "crate" | "letterpress" if starts_path && self.text(at + 1) == "::" => {
                return self.tree(at + 2, &[]);
            }
            "super" if starts_path && self.text(at + 1) == "::" => {
                let above = self.path[..self.path.len().saturating_sub(1)].to_vec();
                return self.tree(at + 2, &above);
            }
            _ => {}
        }
        at + 1
    }

    /// Follows a path that begins at `base`, through groups; says where the
    /// next token stands.
    fn tree(&mut self, at: usize, base: &[String]) -> usize {
        match self.text(at) {
            "super" => {
                let above = &base[..base.len().saturating_sub(1)];
                let next = if self.text(at + 1) == "::" {
                    at + 2
                } else {
                    at + 1
                };
                self.tree(next, above)
            }
            "{" if base.is_empty() => {
                let mut at = at + 1;
                while at < self.tokens.len() && self.text(at) != "}" {
                    at = match self.text(at) {
                        "," => at + 1,
                        _ => self.tree(at, base),
                    };
                }
                at + 1
            }
            // Below a module, a name or a whole group belongs to it.
            "{" => {
                self.note(at, base);
                self.past_group(at)
            }
            _ if base.is_empty() => {
                let name = self.text(at).to_owned();
                // A macro or an item of the crate root is no module.
                let is_module = name.chars().all(|mark| mark.is_lowercase() || mark == '_')
                    && self.text(at + 1) != "!";
                if is_module {
                    self.note(at, &[name]);
                }
                self.past_leaf(at)
            }
            _ => {
                self.note(at, base);
                at + 1
            }
        }
    }

    fn note(&mut self, at: usize, path: &[String]) {
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        self.found.push((line, path[0].clone()));
    }

    /// Past the rest of one path: `a::b as c`, `a::{b, c}`.
    fn past_leaf(&self, mut at: usize) -> usize {
        at += 1;
        while self.text(at) == "::" {
            at = if self.text(at + 1) == "{" {
                self.past_group(at + 1)
            } else {
                at + 2
            };
        }
        if self.text(at) == "as" { at + 2 } else { at }
    }

    fn past_group(&self, mut at: usize) -> usize {
        let mut depth = 0;
        while at < self.tokens.len() {
            match self.text(at) {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 {
                break;
            }
        }
        at
    }
}
