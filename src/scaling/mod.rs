//! Scales pictures for mail: the bytes of an original in, the bytes of a copy
//! out. Copies have the size they are shown at, stand upright, and carry
//! nothing of what the camera noted: no place, no owner, no thumbnail.

mod gif;
mod jpeg;
mod read;
mod write;

use sha2::{Digest as _, Sha256};

use self::read::Head;
pub use self::read::{Decoded, upright};
use crate::domain::article::is_too_large;

/// Changes whenever copies of the same original come out differently, so that
/// their names do.
const RECIPE: u8 = 1;
/// An animation of at most so many bytes travels as it is.
const SMALL_ANIMATION: usize = 512 * 1024;

/// The kinds of picture that every mail client shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Photographs.
    Jpeg,
    /// Transparency and flat colours.
    Png,
    /// Small animations.
    Gif,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jpeg, Self::Png, Self::Gif];

    /// The end of a file's name, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Gif => "gif",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
        }
    }
}

/// Why there can be no copy.
#[derive(Debug, thiserror::Error)]
pub enum ScaleError {
    /// Neither JPEG, PNG, WebP nor GIF.
    #[error("is not a JPEG, PNG, WebP or GIF picture")]
    Kind,
    /// The file is damaged or cut short.
    #[error("is a broken picture")]
    Broken(#[source] image::ImageError),
    /// Its end is missing, and with it a part of what it shows.
    #[error("is cut short: its end is missing")]
    CutShort,
    /// Decoding it would take too much memory.
    #[error("has {width} × {height} pixels, which is too large for mail")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// The copy cannot be encoded.
    #[error("cannot be written as a copy for mail")]
    Write(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What is known of an original without its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Original {
    /// Pixels, as it stands upright.
    pub width: u32,
    /// Pixels, as it stands upright.
    pub height: u32,
    /// What its copies are written as.
    pub format: Format,
    /// Whether it moves.
    pub is_animated: bool,
    /// Whether it is an animation small enough to travel as it is.
    pub is_kept_whole: bool,
    key: [u8; 16],
}

impl Original {
    /// Looks at the bytes of an original. What its copies are written as
    /// depends on its pixels; `known` may say so from an earlier time, by
    /// [`Original::key_of`].
    ///
    /// # Errors
    /// When it is no picture, damaged, or too large.
    pub fn read(bytes: &[u8], known: Option<Format>) -> Result<Self, ScaleError> {
        let head = Head::read(bytes)?;
        let is_small = bytes.len() <= SMALL_ANIMATION;
        let format = match known.or(head.format()) {
            Some(format) => format,
            None => read::decode(bytes)?.format(),
        };
        Ok(Self {
            width: head.width,
            height: head.height,
            format,
            is_animated: head.is_animated,
            is_kept_whole: head.is_animated && head.is_gif() && is_small,
            key: key(bytes),
        })
    }

    /// What the names of its copies begin with: made of its bytes and of the
    /// way copies are made, so that equal names are equal pictures.
    #[must_use]
    pub fn key(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.key)
    }

    /// [`Original::key`] of these bytes.
    #[must_use]
    pub fn key_of(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(&key(bytes))
    }
}

fn key(bytes: &[u8]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update([RECIPE]);
    hash.update(bytes);
    let hash: [u8; 32] = hash.finalize().into();
    let mut key = [0; 16];
    key.copy_from_slice(&hash[..16]);
    key
}

/// The pixels of an original, upright. Of large ones there is one at a time:
/// another thread that asks for one waits until this one is dropped.
///
/// # Errors
/// When it is damaged or too large.
pub fn decode(bytes: &[u8]) -> Result<Decoded, ScaleError> {
    read::decode(bytes)
}

/// A small animation as it is, without remarks and foreign blocks.
///
/// # Errors
/// When it is damaged.
pub fn whole_animation(bytes: &[u8]) -> Result<Vec<u8>, ScaleError> {
    gif::without_remarks(bytes).ok_or(ScaleError::Kind)
}

fn check_size(width: u32, height: u32) -> Result<(), ScaleError> {
    match is_too_large(width, height) {
        true => Err(ScaleError::TooLarge { width, height }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
