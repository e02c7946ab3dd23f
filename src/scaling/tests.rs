//! Promises of the copies of pictures.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

/// A picture with as many colours as a photograph has.
fn photograph(width: u32, height: u32) -> RgbImage {
    let mut noise = 1_u32;
    RgbImage::from_fn(width, height, |x, y| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = (noise >> 28) as u8;
        let shade = |n: u32| ((n * 160 / width.max(height)) as u8).saturating_add(grain);
        Rgb([shade(x), shade(y), shade(x / 2 + y / 2)])
    })
}

fn encoded(pixels: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    pixels.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG as a telephone writes it: lying on its side, with the place noted.
fn from_a_telephone(width: u32, height: u32) -> Vec<u8> {
    // TIFF header, one entry: orientation (0x112) is 6, turn to the right.
    let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    exif.extend_from_slice(b"GPS 33.9249 S 18.4241 E");
    let pixels = RgbImage::from_fn(width, height, |x, _| {
        // What is left in the file is up when it stands.
        if x < width / 2 {
            Rgb([250, 0, 0])
        } else {
            Rgb([0, 0, 250])
        }
    });
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
    encoder.add_exif_metadata(&exif).unwrap();
    let side = |n: u32| u16::try_from(n).unwrap();
    encoder
        .encode(
            pixels.as_raw(),
            side(width),
            side(height),
            jpeg_encoder::ColorType::Rgb,
        )
        .unwrap();
    bytes
}

/// A GIF of so many frames, with a remark and a note of an application.
fn animation(frames: u8) -> Vec<u8> {
    let mut bytes = b"GIF89a\x02\0\x02\0\x80\0\0\xff\0\0\0\0\xff".to_vec();
    bytes.extend_from_slice(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0");
    bytes.extend_from_slice(b"\x21\xfe\x06secret\0");
    bytes.extend_from_slice(b"\x21\xff\x0bXMP DataXMP\x05place\0");
    for _ in 0..frames {
        bytes.extend_from_slice(b"\x21\xf9\x04\0\x0a\0\0\0");
        bytes.extend_from_slice(b"\x2c\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0");
    }
    bytes.push(0x3b);
    bytes
}

fn copy(bytes: &[u8], width: u32, height: u32) -> (Original, Vec<u8>) {
    let original = Original::read(bytes, None).unwrap();
    let copy = decode(bytes)
        .unwrap()
        .copy(width, height, original.format)
        .unwrap();
    (original, copy)
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn content_decides_what_a_copy_is_written_as() {
    let mut transparent = RgbaImage::from_pixel(40, 40, Rgba([9, 9, 9, 255]));
    transparent.put_pixel(3, 3, Rgba([9, 9, 9, 0]));
    let flat = RgbImage::from_fn(64, 64, |x, _| Rgb([(x / 8 * 30) as u8, 0, 90]));
    for (bytes, format) in [
        (encoded(photograph(64, 64), ImageFormat::Png), Format::Jpeg),
        (encoded(photograph(64, 64), ImageFormat::WebP), Format::Jpeg),
        (encoded(photograph(64, 64), ImageFormat::Jpeg), Format::Jpeg),
        (encoded(flat.clone(), ImageFormat::Png), Format::Png),
        (encoded(flat, ImageFormat::WebP), Format::Png),
        (encoded(transparent, ImageFormat::WebP), Format::Png),
        (
            encoded(
                RgbaImage::from_fn(64, 64, |x, y| {
                    let Rgb([r, g, b]) = *photograph(64, 64).get_pixel(x, y);
                    Rgba([r, g, b, 255])
                }),
                ImageFormat::WebP,
            ),
            Format::Jpeg,
        ),
        (animation(1), Format::Png),
    ] {
        let (original, copy) = copy(&bytes, 20, 20);
        assert_eq!(original.format, format);
        let kind = image::guess_format(&copy).unwrap();
        assert_eq!(kind.extensions_str()[0], format.extension());
        assert_eq!(kind.to_mime_type(), format.media_type());
        let seen = image::load_from_memory(&copy).unwrap();
        assert_eq!((seen.width(), seen.height()), (20, 20));
    }
}

#[test]
fn a_copy_stands_upright_and_tells_nothing_of_where_it_was_taken() {
    let bytes = from_a_telephone(64, 48);
    assert!(contains(&bytes, b"GPS 33.9249"));
    let (original, copy) = copy(&bytes, 24, 32);
    assert_eq!((original.width, original.height), (48, 64));
    for remark in [&b"GPS"[..], b"Exif", b"MM\0*"] {
        assert!(!contains(&copy, remark));
    }
    let seen = image::load_from_memory(&copy).unwrap().into_rgb8();
    assert!(seen.get_pixel(12, 3)[0] > 200, "red is up");
    assert!(seen.get_pixel(12, 28)[2] > 200, "blue is down");
}

#[test]
fn the_same_original_gives_the_same_bytes_and_another_one_another_name() {
    let bytes = encoded(photograph(300, 200), ImageFormat::Png);
    assert_eq!(copy(&bytes, 164, 109), copy(&bytes, 164, 109));
    let mut other = bytes.clone();
    other.push(0);
    assert_ne!(Original::key_of(&bytes), Original::key_of(&other));
    let original = Original::read(&bytes, None).unwrap();
    assert_eq!(original.key(), Original::key_of(&bytes));
    // What was known from an earlier time is not found out again.
    let known = Original::read(&bytes, Some(Format::Png)).unwrap();
    assert_eq!(known.format, Format::Png);
}

#[test]
fn transparency_keeps_its_colours_clean() {
    let pixels = RgbaImage::from_fn(200, 200, |x, _| match x < 100 {
        true => Rgba([255, 255, 255, 255]),
        false => Rgba([0, 0, 0, 0]),
    });
    let (_, copy) = copy(&encoded(pixels, ImageFormat::Png), 50, 50);
    let seen = image::load_from_memory(&copy).unwrap().into_rgba8();
    for pixel in seen.pixels().filter(|pixel| pixel[3] > 16) {
        assert!(pixel[0] > 240, "{pixel:?} is grey");
    }
}

#[test]
fn grey_stays_grey_and_a_profile_of_colours_is_kept() {
    let grey = GrayImage::from_fn(100, 80, |x, y| image::Luma([(x + y) as u8]));
    let (_, written) = copy(&encoded(grey, ImageFormat::Jpeg), 50, 40);
    assert_eq!(
        image::load_from_memory(&written).unwrap().color(),
        image::ColorType::L8
    );
    let with_profile = |name: &[u8]| {
        let mut profile = vec![0; 400];
        profile[16..20].copy_from_slice(b"RGB ");
        profile.extend_from_slice(name);
        let mut bytes = Vec::new();
        let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 90);
        encoder.add_icc_profile(&profile).unwrap();
        let kind = jpeg_encoder::ColorType::Rgb;
        encoder
            .encode(photograph(32, 32).as_raw(), 32, 32, kind)
            .unwrap();
        copy(&bytes, 16, 16).1
    };
    assert!(contains(&with_profile(b"Display P3"), b"Display P3"));
    assert!(!contains(&with_profile(b"sRGB"), b"ICC_PROFILE"));
}

#[test]
fn a_small_animation_goes_whole_but_without_remarks() {
    let bytes = animation(3);
    let original = Original::read(&bytes, None).unwrap();
    assert!(original.is_animated && original.is_kept_whole);
    let kept = whole_animation(&bytes).unwrap();
    assert!(contains(&kept, b"NETSCAPE2.0"));
    for remark in [&b"secret"[..], b"XMP", b"place"] {
        assert!(!contains(&kept, remark));
    }
    assert_eq!(gif::frames(&kept), 3);
    let still = Original::read(&animation(1), None).unwrap();
    assert!(!still.is_animated && !still.is_kept_whole);
    assert!(whole_animation(&bytes[..bytes.len() - 4]).is_err());
    let mut large = bytes;
    large.splice(
        19..19,
        b"\x21\xfe\xff"
            .iter()
            .copied()
            .chain([b'x'; 255])
            .chain([0]),
    );
    for _ in 0..2_500 {
        large.splice(
            19..19,
            b"\x21\xfe\xff"
                .iter()
                .copied()
                .chain([b'x'; 255])
                .chain([0]),
        );
    }
    let large = Original::read(&large, None).unwrap();
    assert!(large.is_animated && !large.is_kept_whole);
}

#[test]
fn what_is_no_picture_or_too_large_is_refused_before_it_takes_memory() {
    assert!(matches!(
        Original::read(b"<svg/>", None),
        Err(ScaleError::Kind)
    ));
    let png = encoded(photograph(40, 40), ImageFormat::Png);
    assert!(matches!(
        Original::read(&png[..png.len() / 2], None),
        Err(ScaleError::Broken(_))
    ));
    let jpeg = from_a_telephone(400, 300);
    for length in [jpeg.len() / 2, jpeg.len() - 2] {
        let error = Original::read(&jpeg[..length], None).unwrap_err();
        assert_eq!(error.to_string(), "is cut short: its end is missing");
        assert!(decode(&jpeg[..length]).is_err());
    }
    // A few bytes that promise 20,000 times 20,000 pixels.
    let mut bomb = encoded(GrayImage::new(8, 8), ImageFormat::Png);
    bomb[16..20].copy_from_slice(&20_000_u32.to_be_bytes());
    bomb[20..24].copy_from_slice(&20_000_u32.to_be_bytes());
    let sum = crc32fast::hash(&bomb[12..29]).to_be_bytes();
    bomb[29..33].copy_from_slice(&sum);
    let error = Original::read(&bomb, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "has 20000 × 20000 pixels, which is too large for mail"
    );
    assert!(decode(&bomb).is_err());
}
