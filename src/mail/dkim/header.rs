//! Which header fields are signed, and their relaxed form: what all messages of
//! an edition share is relaxed once, and only fields with a slot for each.

use super::canonical::{fields, name_of, relaxed_field};
use crate::mail::edition::{Edition, Piece};

/// Signed once more than they occur, so that nobody can add one: what readers
/// see, what replies and unsubscribing go by, and how the body is read
/// (RFC 6376 8.15).
const OVERSIGNED: [&str; 12] = [
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// Signed where they occur.
const SIGNED: [&str; 5] = [
    "List-Archive",
    "Feedback-ID",
    "Precedence",
    "Auto-Submitted",
    "Content-Language",
];

/// The signed fields of an edition's messages, in the order of `h=`.
pub(super) struct Header {
    chosen: Vec<Chosen>,
}

enum Chosen {
    /// Fields without a slot in relaxed form, each with its line end.
    Fixed(Vec<u8>),
    /// One field as written, without its line end.
    Slotted(Vec<Part>),
}

enum Part {
    Fixed(Vec<u8>),
    Slot(usize),
}

/// A header block without the values of its slots.
struct Outline {
    bytes: Vec<u8>,
    /// Where in `bytes` which slot stands, in order.
    slots: Vec<(usize, usize)>,
}

impl Header {
    /// The header before `body`, a piece and a place in it, and the names
    /// that `h=` has.
    pub(super) fn new(edition: &Edition, body: (usize, usize)) -> (Self, Vec<&'static str>) {
        let outline = Outline::new(edition, body);
        let fields = fields(&outline.bytes);
        let names: Vec<&[u8]> = fields
            .iter()
            .map(|field| name_of(&outline.bytes[field.clone()]))
            .collect();
        let (listed, indexes) = choose(&names);
        let mut chosen = Vec::new();
        for index in indexes {
            let field = fields[index].clone();
            match (outline.parts(field.start, field.end), chosen.last_mut()) {
                (Some(parts), _) => chosen.push(Chosen::Slotted(parts)),
                (None, Some(Chosen::Fixed(before))) => {
                    relaxed_line(&outline.bytes[field], before);
                }
                (None, _) => {
                    let mut relaxed = Vec::with_capacity(field.len());
                    relaxed_line(&outline.bytes[field], &mut relaxed);
                    chosen.push(Chosen::Fixed(relaxed));
                }
            }
        }
        (Self { chosen }, listed)
    }

    /// Passes on the fields of a message with these slot values, relaxed.
    pub(super) fn relaxed(&self, values: &[String], mut pass: impl FnMut(&[u8])) {
        let (mut field, mut relaxed) = (Vec::with_capacity(512), Vec::with_capacity(512));
        for chosen in &self.chosen {
            match chosen {
                Chosen::Fixed(bytes) => pass(bytes),
                Chosen::Slotted(parts) => {
                    field.clear();
                    for part in parts {
                        field.extend_from_slice(match part {
                            Part::Fixed(bytes) => bytes,
                            Part::Slot(index) => values[*index].as_bytes(),
                        });
                    }
                    // Names are cleaned, the rest is ours.
                    debug_assert_eq!(fields(&field).len(), 1, "a slot added a header field");
                    relaxed.clear();
                    relaxed_line(&field, &mut relaxed);
                    pass(&relaxed);
                }
            }
        }
    }
}

impl Outline {
    /// The header fields, the line end of the last one included.
    fn new(edition: &Edition, body: (usize, usize)) -> Self {
        let mut outline = Self {
            bytes: Vec::with_capacity(2048),
            slots: Vec::new(),
        };
        for piece in &edition.pieces[..body.0] {
            match piece {
                Piece::Fixed(range) => {
                    let bytes = &edition.fixed[range.clone()];
                    outline.bytes.extend_from_slice(bytes);
                }
                Piece::Slot(index) => outline.slots.push((outline.bytes.len(), *index)),
            }
        }
        if let Some(Piece::Fixed(range)) = edition.pieces.get(body.0) {
            let bytes = &edition.fixed[range.clone()];
            outline.bytes.extend_from_slice(&bytes[..body.1 - 2]);
        }
        outline
    }

    /// The field from `start` to `end` cut at its slots, if it has any.
    fn parts(&self, start: usize, end: usize) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        let mut done = start;
        // A slot at the very end is still before the line end.
        for (at, slot) in self
            .slots
            .iter()
            .filter(|(at, _)| (start..=end).contains(at))
        {
            parts.push(Part::Fixed(self.bytes[done..*at].to_owned()));
            parts.push(Part::Slot(*slot));
            done = *at;
        }
        if parts.is_empty() {
            return None;
        }
        parts.push(Part::Fixed(self.bytes[done..end].to_owned()));
        Some(parts)
    }
}

fn relaxed_line(field: &[u8], into: &mut Vec<u8>) {
    relaxed_field(field, into);
    into.extend_from_slice(b"\r\n");
}

/// The names for `h=`, and the fields they stand for, in the same order. Of
/// several fields of one name the last comes first (RFC 6376 5.4.2).
fn choose(names: &[&[u8]]) -> (Vec<&'static str>, Vec<usize>) {
    let mut listed = Vec::new();
    let mut chosen = Vec::new();
    for name in OVERSIGNED.iter().chain(&SIGNED) {
        let found = (0..names.len())
            .rev()
            .filter(|index| names[*index].eq_ignore_ascii_case(name.as_bytes()));
        for index in found {
            listed.push(*name);
            chosen.push(index);
        }
        if OVERSIGNED.contains(name) {
            listed.push(*name);
        }
    }
    (listed, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::{
        edition::{Assembly, Facts},
        slot::Slot,
    };

    /// Numbers that look random and are the same in every run.
    struct Dice(u64);

    impl Dice {
        fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            choices[usize::try_from(self.0 % (choices.len() as u64)).unwrap()]
        }
    }

    const NAMES: [&str; 9] = [
        "From",
        "to",
        "Message-ID",
        "Subject",
        "X-Own",
        "List-Unsubscribe",
        "Precedence",
        "DATE ",
        "Subject",
    ];
    const TEXTS: [&str; 7] = [" ", "  a", "b\t c ", "\r\n  d", ":", "", "\t\r\n e"];
    const VALUES: [&str; 5] = [
        "",
        "<anna@example.org>",
        " x ",
        "=?utf-8?q?A?=\r\n  b",
        "\t",
    ];

    /// A header of some fields, and the same as text with marks for its slots.
    fn random(dice: &mut Dice) -> (Edition, String) {
        let slots = [Slot::To, Slot::MessageId, Slot::UnsubscribeToken];
        let mut assembly = Assembly::default();
        let mut text = String::new();
        for slot in &slots {
            // Slots are numbered as they come first.
            assembly.fixed("X-Slot: ");
            assembly.header_slot(slot.clone());
            assembly.fixed("\r\n");
        }
        for _ in 0..dice.one_of(&[1, 3, 6]) {
            text.push_str(dice.one_of(&NAMES));
            text.push(':');
            for _ in 0..dice.one_of(&[0, 1, 2, 5]) {
                text.push_str(dice.one_of(&TEXTS));
                text.push_str(dice.one_of(&["", "", "{0}", "{1}", "{2}"]));
            }
            // A field of blanks alone would be a line of its own.
            text.push_str("z\r\n");
        }
        let mut rest = text.as_str();
        while let Some(mark) = rest.find('{') {
            assembly.fixed(&rest[..mark]);
            let index: usize = rest[mark + 1..mark + 2].parse().unwrap();
            assembly.header_slot(slots[index].clone());
            rest = &rest[mark + 3..];
        }
        assembly.fixed(rest);
        assembly.fixed("\r\nbody\r\n");
        (assembly.finish(Facts::sample()), text)
    }

    /// RFC 6376 3.4.2, over the whole header of one message.
    fn naive(header: &str) -> String {
        let unfolded = header.replace("\r\n ", " ").replace("\r\n\t", "\t");
        let lines: Vec<&str> = unfolded.split_terminator("\r\n").collect();
        let relaxed = |line: &&str| {
            let (name, value) = line.split_once(':').unwrap();
            let name = name.trim_end().to_ascii_lowercase();
            let words: Vec<&str> = value.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
            (name.clone(), format!("{name}:{}\r\n", words.join(" ")))
        };
        let relaxed: Vec<(String, String)> = lines.iter().map(relaxed).collect();
        let named = |name: &str| {
            let of_name = relaxed
                .iter()
                .rev()
                .filter(|(own, _)| own.eq_ignore_ascii_case(name));
            of_name.map(|(_, line)| line.as_str()).collect::<String>()
        };
        OVERSIGNED
            .iter()
            .chain(&SIGNED)
            .map(|name| named(name))
            .collect()
    }

    #[test]
    fn fields_relaxed_ahead_are_those_of_the_whole_message() {
        let mut dice = Dice(0x5EED_0005);
        for round in 0..5_000 {
            let (edition, text) = random(&mut dice);
            let values = [(); 3].map(|()| dice.one_of(&VALUES).to_owned());
            let mut message = text.clone();
            for (index, value) in values.iter().enumerate() {
                message = message.replace(&format!("{{{index}}}"), value);
            }
            let (header, _) = Header::new(&edition, super::super::signing::body_of(&edition));
            let mut found = Vec::new();
            header.relaxed(&values, |bytes| found.extend_from_slice(bytes));
            let found = String::from_utf8(found).unwrap();
            assert_eq!(found, naive(&message), "round {round}: {message:?}");
        }
    }
}
