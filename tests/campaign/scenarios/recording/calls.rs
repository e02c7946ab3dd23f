//! The lines of a trace as events: each call is entered once and returns once,
//! in the order in which `strace` stopped the threads.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// A thread enters a system call or returns from it.
#[derive(Debug)]
pub(crate) struct Event<'t> {
    /// The thread.
    pub(crate) thread: &'t str,
    /// The name of the call.
    pub(crate) call: &'t str,
    /// Its arguments as `strace` writes them; those that come back are there
    /// only when it has returned.
    pub(crate) arguments: &'t str,
    /// Which of the two it is.
    pub(crate) moment: Moment,
}

/// Before or after the kernel did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Nothing of it has happened yet.
    Enters,
    /// It is done, with this result.
    Returns(i64),
    /// It looks done to the program, but `strace` answered in the kernel's
    /// place and nothing happened.
    Faked,
}

/// Calls `on` for every event of a trace, in order.
pub(crate) fn events(trace: &Path, mut on: impl FnMut(&Event<'_>)) {
    let file = File::open(trace).unwrap();
    let mut unfinished: HashMap<String, String> = HashMap::new();
    for line in BufReader::with_capacity(1 << 20, file).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let begun = unfinished.remove(thread);
            if let (Some((call, tail)), Some(begun)) = (resumed.split_once(" resumed>"), begun) {
                returns(thread, call, &format!("{begun}{tail}"), &mut on);
            }
        } else if let Some((call, arguments)) = rest.split_once('(') {
            if let Some(begun) = arguments.strip_suffix(" <unfinished ...>") {
                enters(thread, call, begun, &mut on);
                unfinished.insert(thread.to_owned(), begun.to_owned());
            } else if let Some((whole, _)) = arguments.rsplit_once(" = ")
                && let Some(whole) = whole.trim_end().strip_suffix(')')
            {
                enters(thread, call, whole, &mut on);
                returns(thread, call, arguments, &mut on);
            }
        }
    }
}

fn enters(thread: &str, call: &str, arguments: &str, on: &mut impl FnMut(&Event<'_>)) {
    on(&Event {
        thread,
        call,
        arguments,
        moment: Moment::Enters,
    });
}

/// `arguments) = 17`, `arguments) = -1 EAGAIN (…)`, `arguments) = 0 (INJECTED)`.
fn returns(thread: &str, call: &str, text: &str, on: &mut impl FnMut(&Event<'_>)) {
    let Some((arguments, result)) = text.rsplit_once(" = ") else {
        return;
    };
    let moment = if result.contains("(INJECTED)") {
        Moment::Faked
    } else {
        let number = result.split_whitespace().next().unwrap_or_default();
        // `?`: the thread died in it.
        let Ok(number) = number.parse() else { return };
        Moment::Returns(number)
    };
    on(&Event {
        thread,
        call,
        arguments: arguments.trim_end().trim_end_matches(')'),
        moment,
    });
}

impl Event<'_> {
    /// The n-th argument that is a number; strings count as one argument.
    pub(crate) fn number(&self, place: usize) -> Option<i64> {
        arguments(self.arguments).get(place)?.trim().parse().ok()
    }

    /// Everything between quotes, one after another, as the bytes it stands for.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        strings(self.arguments).concat()
    }

    /// Each text between quotes as a path.
    pub(crate) fn paths(&self) -> Vec<String> {
        strings(self.arguments)
            .into_iter()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect()
    }
}

/// Cuts at commas outside quotes and brackets.
fn arguments(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_u32);
    let (mut quoted, mut escaped) = (false, false);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' | b'(' => depth += 1,
            b']' | b'}' | b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The C strings in a text.
fn strings(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let (mut found, mut place) = (Vec::new(), 0);
    while let Some(start) = bytes[place..].iter().position(|byte| *byte == b'"') {
        let (string, end) = unescape(&bytes[place + start + 1..]);
        found.push(string);
        place += start + 1 + end + 1;
        if place >= bytes.len() {
            break;
        }
    }
    found
}

/// The bytes up to the closing quote, and where that stands.
fn unescape(bytes: &[u8]) -> (Vec<u8>, usize) {
    let mut string = Vec::new();
    let mut place = 0;
    while place < bytes.len() && bytes[place] != b'"' {
        if bytes[place] != b'\\' {
            string.push(bytes[place]);
            place += 1;
            continue;
        }
        place += 1;
        let octal = bytes[place..]
            .iter()
            .take(3)
            .take_while(|byte| (b'0'..=b'7').contains(*byte))
            .count();
        if octal > 0 {
            let digits = &bytes[place..place + octal];
            let value = digits
                .iter()
                .fold(0_u32, |sum, d| sum * 8 + u32::from(d - b'0'));
            string.push(u8::try_from(value & 0xFF).unwrap());
            place += octal;
            continue;
        }
        string.push(match bytes[place] {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'v' => 0x0B,
            b'f' => 0x0C,
            other => other,
        });
        place += 1;
    }
    (string, place)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_trace_is_read_call_by_call_even_where_threads_cut_in() {
        use super::{Moment, events};

        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("trace");
        let lines = [
            r#"7 pwrite64(5, "a\0b\"\\\r\n\1779", 9, 24) = 9"#,
            r"8 fsync(5 <unfinished ...>",
            r#"7 sendto(9, "x, y", 4, MSG_NOSIGNAL, NULL, 0) = 4"#,
            r"8 <... fsync resumed>)            = 0",
            r"7 fsync(5)                        = 0 (INJECTED)",
            r"7 exit_group(0)                   = ?",
        ];
        std::fs::write(&trace, lines.join("\n")).unwrap();
        let mut seen = Vec::new();
        events(&trace, |event| {
            seen.push((event.call.to_owned(), event.moment));
            if event.call == "fsync" {
                assert_eq!(event.number(0), Some(5), "{event:?}");
            }
            if event.call == "pwrite64" {
                assert_eq!(event.bytes(), b"a\0b\"\\\r\n\x7f9");
                assert_eq!(event.number(0), Some(5));
                if event.moment != Moment::Enters {
                    assert_eq!(event.number(3), Some(24));
                }
            }
        });
        let expected = [
            ("pwrite64", Moment::Enters),
            ("pwrite64", Moment::Returns(9)),
            ("fsync", Moment::Enters),
            ("sendto", Moment::Enters),
            ("sendto", Moment::Returns(4)),
            ("fsync", Moment::Returns(0)),
            ("fsync", Moment::Enters),
            ("fsync", Moment::Faked),
            ("exit_group", Moment::Enters),
        ];
        let expected = expected.map(|(call, moment)| (call.to_owned(), moment));
        assert_eq!(seen, expected);
    }
}
