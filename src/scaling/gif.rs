//! The blocks of a GIF (GIF89a), without looking into them: how many frames
//! there are, and the file without remarks.

/// How many frames follow each other; up to what is damaged.
pub(super) fn frames(bytes: &[u8]) -> usize {
    let mut frames = 0;
    walk(bytes, |_, kind| frames += usize::from(kind == Kind::Frame));
    frames
}

/// The file without comments, plain text and what applications note for
/// themselves (XMP among it), but with how often it repeats. `None` when it is
/// damaged.
pub(super) fn without_remarks(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut kept = bytes.get(..head_length(bytes)?)?.to_vec();
    let is_whole = walk(bytes, |block, kind| {
        if kind != Kind::Remark {
            kept.extend_from_slice(block);
        }
    });
    is_whole.then_some(())?;
    kept.push(TRAILER);
    Some(kept)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Frame,
    /// Times, transparency, repeats.
    Control,
    Remark,
}

const TRAILER: u8 = 0x3B;

/// Header, screen and colours (17 to 19).
fn head_length(bytes: &[u8]) -> Option<usize> {
    let is_gif = bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a");
    let packed = *bytes.get(10).filter(|_| is_gif)?;
    Some(13 + colours(packed))
}

/// Bytes of a table of colours, if the flag says that there is one.
fn colours(packed: u8) -> usize {
    if packed & 0x80 == 0 {
        return 0;
    }
    3 << ((packed & 7) + 1)
}

/// Shows every block after the head; whether the file ended as it should.
fn walk(bytes: &[u8], mut show: impl FnMut(&[u8], Kind)) -> bool {
    let Some(mut at) = head_length(bytes) else {
        return false;
    };
    loop {
        let Some(&first) = bytes.get(at) else {
            return false;
        };
        let (start, kind) = match first {
            TRAILER => return true,
            // An image (20): descriptor, colours, and the size of its codes.
            0x2C => match bytes.get(at + 9) {
                Some(&packed) => (at + 10 + colours(packed) + 1, Kind::Frame),
                None => return false,
            },
            0x21 => (at + 2, extension(&bytes[at..])),
            _ => return false,
        };
        let Some(end) = after_blocks(bytes, start) else {
            return false;
        };
        show(&bytes[at..end], kind);
        at = end;
    }
}

fn extension(bytes: &[u8]) -> Kind {
    match bytes.get(1) {
        Some(0xF9) => Kind::Control,
        Some(0xFF) if bytes.get(3..14).is_some_and(|name| name == b"NETSCAPE2.0") => Kind::Control,
        _ => Kind::Remark,
    }
}

/// Where the data that begins here ends (15): blocks of up to 255 bytes and an
/// empty one.
fn after_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}
