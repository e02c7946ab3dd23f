//! Signing keys: read from a PEM file, made anew, and what the world may know
//! of them.

use std::{fmt, path::Path};

use aws_lc_rs::{
    digest::{self, Digest, SHA256},
    encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der},
    error::{KeyRejected, Unspecified},
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use data_encoding::{BASE64, BASE64_NOPAD};
use rustls::pki_types::{PrivateKeyDer, pem::PemObject};
use secrecy::{ExposeSecret, zeroize::Zeroizing};
use serde::{Deserialize, Serialize};

use crate::config::secret::{self, SecretError};

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 6376 3.3.1): every verifier knows it.
    Rsa,
    /// Ed25519 with SHA-256 (RFC 8463): small and quick, and not yet known to
    /// every verifier.
    Ed25519,
}

impl Algorithm {
    /// The value of `a=` in a signature.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Rsa => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }
}

/// The name of the key type, as in `k=` of a DNS record.
impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        })
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read, or others can.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Not what it should be. The reader's own words may quote the key.
    #[error(
        "{file} has no private key that can be read; it wants PEM without a passphrase, that begins \
         with `-----BEGIN PRIVATE KEY-----` or `-----BEGIN RSA PRIVATE KEY-----`"
    )]
    Pem {
        /// The file.
        file: String,
    },
    /// Below what RFC 8301 3.2 asks for, and what receivers accept.
    #[error(
        "{file} has an RSA key of fewer than 2048 bits; make one with `letterpress dkim generate`"
    )]
    Short {
        /// The file.
        file: String,
    },
    /// Another kind of key, or a broken one.
    #[error(
        "{file} has neither a sound RSA key nor an Ed25519 one; make one with `letterpress dkim generate`"
    )]
    Unfit {
        /// The file.
        file: String,
        /// What the cryptography says.
        #[source]
        source: KeyRejected,
    },
    /// Two keys of one kind say the same thing twice.
    #[error(
        "both keys of [mail.dkim] are {0}; a second signature is of use only with the other kind"
    )]
    SameKind(Algorithm),
    /// The cryptography does not say what its trouble is.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// The cryptography did not sign or make a key; it does not say why.
#[derive(Debug, thiserror::Error)]
#[error("the cryptographic library failed")]
pub struct CryptoError;

impl From<Unspecified> for CryptoError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Pair {
    fn from_der(der: &PrivateKeyDer<'_>) -> Result<Self, KeyRejected> {
        let rsa = match der {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
            other => {
                if let Ok(pair) = Ed25519KeyPair::from_pkcs8(other.secret_der()) {
                    return Ok(Self::Ed25519(Box::new(pair)));
                }
                RsaKeyPair::from_pkcs8(other.secret_der())
            }
        };
        Ok(Self::Rsa(Box::new(rsa?)))
    }
}

/// A private key, ready to sign on any thread. It is wiped when dropped, and
/// printing it shows its fingerprint only.
pub struct Key {
    pair: Pair,
    /// What `p=` of the DNS record holds, decoded.
    public: Vec<u8>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.algorithm(), self.fingerprint())
    }
}

impl Key {
    /// Reads a private key: PKCS#8 or, for RSA, PKCS#1, as PEM.
    ///
    /// # Errors
    /// When the file is open to others, is no such key, or the key is too weak.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let pem = secret::private_file(path)?;
        let file = path.display().to_string();
        let der = Zeroizing::new(
            PrivateKeyDer::from_pem_slice(pem.expose_secret())
                .map_err(|_| KeyError::Pem { file: file.clone() })?,
        );
        let pair = Pair::from_der(&der).map_err(|source| {
            // The library has no other way to tell the two apart.
            if source.to_string() == "TooSmall" {
                KeyError::Short { file }
            } else {
                KeyError::Unfit { file, source }
            }
        })?;
        Ok(Self::of(pair)?)
    }

    fn of(pair: Pair) -> Result<Self, CryptoError> {
        let public = match &pair {
            // The form that RFC 6376 3.6.1 means and every verifier takes.
            Pair::Rsa(rsa) => {
                let der: PublicKeyX509Der<'_> = rsa.public_key().as_der()?;
                der.as_ref().to_vec()
            }
            // RFC 8463 4: the 32 bytes themselves.
            Pair::Ed25519(ed25519) => ed25519.public_key().as_ref().to_vec(),
        };
        Ok(Self { pair, public })
    }

    /// A new RSA key of 2048, 3072 or 4096 bits, and its PEM file (PKCS#8).
    ///
    /// # Errors
    /// When the library fails.
    pub fn new_rsa(size: KeySize) -> Result<(Self, Zeroizing<String>), CryptoError> {
        let pair = RsaKeyPair::generate(size)?;
        let der: Pkcs8V1Der<'_> = pair.as_der()?;
        let pem = pem(der.as_ref());
        Ok((Self::of(Pair::Rsa(Box::new(pair)))?, pem))
    }

    /// A new Ed25519 key, and its PEM file (PKCS#8).
    ///
    /// # Errors
    /// When the library fails.
    pub fn new_ed25519() -> Result<(Self, Zeroizing<String>), CryptoError> {
        let pair = Ed25519KeyPair::generate()?;
        let der: Pkcs8V1Der<'_> = pair.as_der()?;
        let pem = pem(der.as_ref());
        Ok((Self::of(Pair::Ed25519(Box::new(pair)))?, pem))
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::Rsa,
            Pair::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// Its strength as people name it: the bits of its modulus, or of its curve.
    #[must_use]
    pub fn bits(&self) -> usize {
        match &self.pair {
            Pair::Rsa(pair) => pair.public_modulus_len() * 8,
            Pair::Ed25519(_) => 256,
        }
    }

    /// The public key, as `p=` of the DNS record holds it.
    #[must_use]
    pub fn public(&self) -> String {
        BASE64.encode(&self.public)
    }

    /// What tells public keys apart, in few characters.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = digest::digest(&SHA256, &self.public);
        format!("SHA256:{}", BASE64_NOPAD.encode(digest.as_ref()))
    }

    /// Signs a hash of header fields.
    pub(super) fn sign(&self, hash: &Digest) -> Result<Vec<u8>, CryptoError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, hash, &mut signature)?;
                Ok(signature)
            }
            // RFC 8463 3: what is signed is the hash, as a message of 32 bytes.
            Pair::Ed25519(pair) => Ok(pair.try_sign(hash.as_ref())?.as_ref().to_vec()),
        }
    }
}

/// The text form of a private key (RFC 7468 10).
fn pem(der: &[u8]) -> Zeroizing<String> {
    let encoded = Zeroizing::new(BASE64.encode(der));
    // Room for all of it, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() * 2 + 80));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END PRIVATE KEY-----\n");
    text
}
