//! Facts as bytes and back, for caches: lengths before texts, no gaps,
//! little-endian. Reading checks every length, so that no bytes can do harm.

use std::{ops::Range, path::PathBuf};

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Timelike, Utc};
use url::Url;

use super::Stamp;

/// Something the cache can hold.
pub trait Record: Sized {
    /// Appends it to `out`.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes it from the front of `bytes`; `None` when they do not begin with one.
    fn take(bytes: &mut &[u8]) -> Option<Self>;
}

/// Takes `length` bytes from the front; `None` when there are fewer.
#[must_use]
pub fn split<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(front)
}

/// Puts what a cache holds into the bytes of its file: `head` says what it is
/// and who can read it, a checksum whether it is whole.
#[must_use]
pub fn seal(head: &[u8], size: usize, put: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + size_of::<u32>() + size);
    out.extend_from_slice(head);
    let body = out.len() + size_of::<u32>();
    0u32.put(&mut out);
    put(&mut out);
    let checksum = crc32fast::hash(&out[body..]);
    out[head.len()..body].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// What [`seal`] put into a file with this head; `None` when it is another
/// one, or damaged.
#[must_use]
pub fn unseal<'a>(head: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let mut bytes = bytes.strip_prefix(head)?;
    let checksum = u32::take(&mut bytes)?;
    (crc32fast::hash(bytes) == checksum).then_some(bytes)
}

/// Implements [`Record`] for a struct: its fields, in the order given.
macro_rules! record {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::files::record::Record for $name {
            fn put(&self, out: &mut Vec<u8>) {
                // Taken apart, so that a field that is new cannot be forgotten.
                let Self { $($field),* } = self;
                $($field.put(out);)*
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::files::record::Record::take(bytes)?),* })
            }
        }
    };
}
pub(crate) use record;

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Record for $number {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }

            fn take(bytes: &mut &[u8]) -> Option<Self> {
                let front = split(bytes, size_of::<Self>())?;
                Some(Self::from_le_bytes(front.try_into().ok()?))
            }
        }
    )*};
}

numbers!(u8, u32, u64, i32, i64);

impl Record for usize {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        u64::take(bytes)?.try_into().ok()
    }
}

impl Record for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match u8::take(bytes)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<const N: usize> Record for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        split(bytes, N)?.try_into().ok()
    }
}

/// A length: everything here is shorter than 4 GB.
pub fn put_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).unwrap_or(u32::MAX).put(out);
}

/// Reads what [`put_length`] wrote.
#[must_use]
pub fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(u32::take(bytes)?).ok()
}

/// Appends bytes or text after their length.
pub fn put_bytes(bytes: impl AsRef<[u8]>, out: &mut Vec<u8>) {
    put_length(bytes.as_ref().len(), out);
    out.extend_from_slice(bytes.as_ref());
}

/// The place in `all` of what stands at the front of its end `bytes`, after its
/// length.
#[must_use]
pub fn take_range(all: &[u8], bytes: &mut &[u8]) -> Option<Range<usize>> {
    let length = take_length(bytes)?;
    let start = all.len() - bytes.len();
    split(bytes, length)?;
    Some(start..start + length)
}

impl Record for Url {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_str(), out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::parse(&String::take(bytes)?).ok()
    }
}

impl Record for String {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self, out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let length = take_length(bytes)?;
        let text = std::str::from_utf8(split(bytes, length)?).ok()?;
        Some(text.to_owned())
    }
}

impl<T: Record> Record for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        match bool::take(bytes)? {
            true => Some(Some(T::take(bytes)?)),
            false => Some(None),
        }
    }
}

impl<T: Record> Record for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        self.iter().for_each(|one| one.put(out));
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let length = take_length(bytes)?;
        // What is not there must not be made room for.
        let mut all = Self::with_capacity(length.min(bytes.len()));
        for _ in 0..length {
            all.push(T::take(bytes)?);
        }
        Some(all)
    }
}

impl<T: Record> Record for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_ref().put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        T::take(bytes).map(Self::new)
    }
}

/// A path of the content folder: those are UTF-8.
impl Record for PathBuf {
    fn put(&self, out: &mut Vec<u8>) {
        put_bytes(self.to_string_lossy().as_bytes(), out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        String::take(bytes).map(Self::from)
    }
}

impl<A: Record, B: Record> Record for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some((A::take(bytes)?, B::take(bytes)?))
    }
}

impl Record for NaiveDate {
    fn put(&self, out: &mut Vec<u8>) {
        self.num_days_from_ce().put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::from_num_days_from_ce_opt(i32::take(bytes)?)
    }
}

impl Record for NaiveDateTime {
    fn put(&self, out: &mut Vec<u8>) {
        self.date().put(out);
        self.num_seconds_from_midnight().put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let day = NaiveDate::take(bytes)?;
        let seconds = u32::take(bytes)?;
        day.and_hms_opt(seconds / 3600, seconds / 60 % 60, seconds % 60)
    }
}

impl Record for DateTime<FixedOffset> {
    fn put(&self, out: &mut Vec<u8>) {
        self.timestamp().put(out);
        self.offset().local_minus_utc().put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        let at = DateTime::from_timestamp(i64::take(bytes)?, 0)?;
        let offset = FixedOffset::east_opt(i32::take(bytes)?)?;
        Some(at.with_timezone(&offset))
    }
}

impl Record for DateTime<Utc> {
    fn put(&self, out: &mut Vec<u8>) {
        self.timestamp().put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Self::from_timestamp(i64::take(bytes)?, 0)
    }
}

impl Record for Stamp {
    fn put(&self, out: &mut Vec<u8>) {
        let Self {
            size,
            modified,
            changed,
            inode,
        } = self;
        size.put(out);
        modified.put(out);
        changed.put(out);
        inode.put(out);
    }

    fn take(bytes: &mut &[u8]) -> Option<Self> {
        Some(Self {
            size: Record::take(bytes)?,
            modified: Record::take(bytes)?,
            changed: Record::take(bytes)?,
            inode: Record::take(bytes)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_read_only_whole_and_under_its_own_head() {
        let facts = vec![("soup".to_owned(), Some(7u64)), (String::new(), None)];
        let sealed = seal(b"head 1\n", 0, |out| facts.put(out));
        let read = |head: &[u8], bytes: &[u8]| {
            let mut bytes = unseal(head, bytes)?;
            Vec::<(String, Option<u64>)>::take(&mut bytes).filter(|_| bytes.is_empty())
        };
        assert_eq!(read(b"head 1\n", &sealed), Some(facts));
        assert_eq!(read(b"head 2\n", &sealed), None);
        for length in 0..sealed.len() {
            assert_eq!(read(b"head 1\n", &sealed[..length]), None, "{length}");
        }
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(b"head 1\n", &damaged), None, "{bit}");
        }
    }

    #[test]
    fn a_length_beyond_the_end_makes_no_room_for_it() {
        for bytes in [&[0xFF; 4][..], &[0xFF, 0xFF, 0xFF, 0x7F, 1]] {
            assert_eq!(Vec::<u8>::take(&mut &bytes[..]), None);
            assert_eq!(String::take(&mut &bytes[..]), None);
        }
    }
}
