//! Statements of the store in PostgreSQL's words. They are written so that both
//! engines understand them; what is left is here, all of it.

/// Turns a statement into PostgreSQL's words: parameters, names of temporary
/// tables, SQLite's hints and its `OR FAIL`, one function.
pub(super) fn of(sql: &str) -> String {
    let mut words = String::with_capacity(sql.len() + 16);
    let mut rest = sql;
    while let Some(at) = rest.find(['?', 'I', 'O', 'C', 't', 'i']) {
        words.push_str(&rest[..at]);
        rest = &rest[at..];
        let (put, taken) = next(
            rest,
            words.ends_with(|c: char| c.is_alphanumeric() || c == '_'),
        );
        words.push_str(put);
        rest = &rest[taken..];
    }
    words.push_str(rest);
    words
}

/// What stands for the beginning of `rest`, and how much of it that replaces.
fn next(rest: &str, is_inside_word: bool) -> (&str, usize) {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    if is_inside_word {
        return (&rest[..first], first);
    }
    // The planner knows the sizes of tables, and needs no hints.
    if let Some(hint) = rest.strip_prefix("INDEXED BY ") {
        let name = hint.find(|c: char| !c.is_alphanumeric() && c != '_');
        return ("", rest.len() - hint.len() + name.unwrap_or(hint.len()));
    }
    for (ours, theirs) in [
        ("?", "$"),
        // A statement that fails has done nothing there.
        ("OR FAIL ", ""),
        ("CROSS JOIN temp.", "JOIN pg_temp."),
        ("temp.", "pg_temp."),
        ("instr(", "strpos("),
    ] {
        if rest.starts_with(ours) {
            return (theirs, ours.len());
        }
    }
    (&rest[..first], first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_hints_and_temporary_tables_are_put_differently() {
        assert_eq!(
            of("UPDATE deliveries INDEXED BY deliveries_inflight SET a = ?1 WHERE b = ?12"),
            "UPDATE deliveries  SET a = $1 WHERE b = $12"
        );
        assert_eq!(
            of(
                "SELECT 1 FROM s CROSS JOIN temp.shares c ON c.x = s.x WHERE instr(lower(t), ?1) > 0"
            ),
            "SELECT 1 FROM s JOIN pg_temp.shares c ON c.x = s.x WHERE strpos(lower(t), $1) > 0"
        );
        assert_eq!(
            of("UPDATE OR FAIL d SET a = 1 WHERE b = 1 OR c = 2"),
            "UPDATE d SET a = 1 WHERE b = 1 OR c = 2"
        );
        assert_eq!(of("DELETE FROM temp.shares"), "DELETE FROM pg_temp.shares");
        assert_eq!(
            of("SELECT attempt.id, \u{e9}tat FROM x"),
            "SELECT attempt.id, \u{e9}tat FROM x"
        );
    }
}
