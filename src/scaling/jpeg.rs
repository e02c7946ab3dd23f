//! Whether a JPEG is all there (ITU-T T.81, annex B).

/// Start of image.
const SOI: u8 = 0xD8;
/// End of image.
const EOI: u8 = 0xD9;
/// Start of a scan: coded pixels follow its header.
const SOS: u8 = 0xDA;

/// Whether the image ends where it says that it does. What a camera puts into
/// its head, such as a small picture with an end of its own, is passed over,
/// and so is what follows the end.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            EOI => return true,
            SOI => {}
            _ => {
                let Some(length) = bytes.get(at..at + 2) else {
                    return false;
                };
                at += usize::from(u16::from_be_bytes([length[0], length[1]]));
                if marker == SOS {
                    pass_scan(bytes, &mut at);
                }
            }
        }
    }
    false
}

/// The marker at this place, which may be filled up with 0xFF before it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    if *bytes.get(*at)? != 0xFF {
        return None;
    }
    let rest = bytes.get(*at..)?;
    let marker = rest.iter().position(|byte| *byte != 0xFF)?;
    *at += marker + 1;
    Some(rest[marker])
}

/// Goes on to the marker that ends coded pixels: within them 0xFF stands before
/// 0, which is data, or before the number of a restart.
fn pass_scan(bytes: &[u8], at: &mut usize) {
    let rest = bytes.get(*at..).unwrap_or_default();
    let end = memchr::memchr_iter(0xFF, rest).find(|end| {
        let next = rest.get(end + 1);
        !matches!(next, Some(0 | 0xD0..=0xD7 | 0xFF))
    });
    *at += end.unwrap_or(rest.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A head with a small picture in it, two scans with a restart and a data
    /// byte 0xFF, then what some cameras put behind the end.
    const WHOLE: &[u8] = b"\xff\xd8\xff\xe1\0\x08\xff\xd8\xff\xd9..\xff\xc0\0\x04ab\
        \xff\xda\0\x04ab12\xff\0\x03\xff\xd3\x04\xff\xff\xc4\0\x03h\
        \xff\xda\0\x0378\xff\xd9behind";

    #[test]
    fn a_whole_jpeg_is_whole_and_any_part_of_it_is_not() {
        let end = WHOLE.len() - b"behind".len();
        assert!(is_whole(WHOLE) && is_whole(&WHOLE[..end]));
        for length in 0..end {
            assert!(!is_whole(&WHOLE[..length]), "{length}");
        }
    }

    #[test]
    fn a_length_that_leads_beyond_the_end_is_no_end() {
        assert!(!is_whole(b"\xff\xd8\xff\xe0\xff\xff\xff\xd9"));
        assert!(!is_whole(b"\xff\xd8\xff\xe0\0"));
        assert!(!is_whole(b"\xff\xd8garbage\xff\xd9"));
    }
}
