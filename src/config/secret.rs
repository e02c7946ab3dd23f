//! Secrets come from a file, the environment or a systemd credential; never
//! from the command line or from `letterpress.toml`.

use std::{
    fs::{File, Metadata},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use secrecy::{SecretSlice, SecretString, zeroize::Zeroizing};

/// The environment variable that may hold the relay's password.
pub const PASSWORD_VARIABLE: &str = "LETTERPRESS_SMTP_PASSWORD";
/// The systemd credential that may hold it.
pub const PASSWORD_CREDENTIAL: &str = "letterpress-smtp-password";
/// The environment variable that may hold the password of the bounce mailbox.
pub const MAILBOX_VARIABLE: &str = "LETTERPRESS_IMAP_PASSWORD";
/// The systemd credential that may hold that one.
pub const MAILBOX_CREDENTIAL: &str = "letterpress-imap-password";

/// The environment variable that may hold the password of the database server.
pub const STORE_VARIABLE: &str = "LETTERPRESS_STORE_PASSWORD";
/// The systemd credential that may hold that one.
pub const STORE_CREDENTIAL: &str = "letterpress-store-password";

/// No private key is larger; what is read of a file that is.
const LARGEST_SECRET: usize = 64 * 1024;

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("the secret file {} cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others can read or change the file.
    #[error("the secret file {} is open to others (mode {mode:o}); `chmod 600` it", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file belongs to somebody else.
    #[error("the secret file {} belongs to neither this account nor root", path.display())]
    Owner {
        /// Which.
        path: PathBuf,
    },
    /// The file is empty.
    #[error("the secret file {} is empty", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// None of the three places has it.
    #[error(
        "the {server} wants a login, but there is no password: set `{key}`, the variable {variable}, \
         or the systemd credential {credential}"
    )]
    Absent {
        /// Who wants it.
        server: &'static str,
        /// The key that names a file.
        key: &'static str,
        /// The environment variable.
        variable: &'static str,
        /// The systemd credential.
        credential: &'static str,
    },
}

/// The relay's password: from `file`, else the environment, else a credential.
///
/// # Errors
/// When the file is unreadable, empty or open to others (mode beyond 0640), or
/// when there is no password anywhere.
pub fn relay_password(file: Option<&Path>) -> Result<SecretString, SecretError> {
    let absent = || SecretError::Absent {
        server: "relay",
        key: "mail.password_file",
        variable: PASSWORD_VARIABLE,
        credential: PASSWORD_CREDENTIAL,
    };
    password_from(file, PASSWORD_VARIABLE, PASSWORD_CREDENTIAL)?.ok_or_else(absent)
}

/// The password of the bounce mailbox: from `file`, else the environment, else a
/// credential.
///
/// # Errors
/// As [`relay_password`].
pub fn mailbox_password(file: Option<&Path>) -> Result<SecretString, SecretError> {
    let absent = || SecretError::Absent {
        server: "bounce mailbox",
        key: "bounces.password_file",
        variable: MAILBOX_VARIABLE,
        credential: MAILBOX_CREDENTIAL,
    };
    password_from(file, MAILBOX_VARIABLE, MAILBOX_CREDENTIAL)?.ok_or_else(absent)
}

/// The password of the database server: from `file`, else the environment, else a
/// credential; `None` where the server asks for none.
///
/// # Errors
/// When the file is unreadable, empty or open to others (mode beyond 0640).
pub fn store_password(file: Option<&Path>) -> Result<Option<SecretString>, SecretError> {
    password_from(file, STORE_VARIABLE, STORE_CREDENTIAL)
}

/// The one line of a file that only this account and root can read or change.
///
/// # Errors
/// When the file is unreadable, empty or open to others (mode beyond 0640).
pub fn password_file(path: &Path) -> Result<SecretString, SecretError> {
    password(path, &checked(path)?)
}

/// `None` when none of the three places has it.
fn password_from(
    file: Option<&Path>,
    variable: &str,
    credential: &str,
) -> Result<Option<SecretString>, SecretError> {
    if let Some(path) = file {
        return password(path, &checked(path)?).map(Some);
    }
    if let Ok(password) = std::env::var(variable)
        && !password.is_empty()
    {
        return Ok(Some(SecretString::from(password)));
    }
    let Some(dir) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
        return Ok(None);
    };
    let path = PathBuf::from(dir).join(credential);
    // systemd has seen to who may read it.
    match File::open(&path) {
        Ok(file) => password(&path, &contents(&path, file)?).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(SecretError::Read { path, source }),
    }
}

/// The bytes of a file that only this account and root can read or change:
/// a private key.
///
/// # Errors
/// When the file is unreadable, empty or open to others (mode beyond 0640).
pub fn private_file(path: &Path) -> Result<SecretSlice<u8>, SecretError> {
    Ok(SecretSlice::from(checked(path)?.to_vec()))
}

/// What is in a file that others cannot read or change. The handle is looked
/// at, not the name: between a look and a read that may lead elsewhere.
fn checked(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let failed = |source| SecretError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    check_access(path, &file.metadata().map_err(failed)?)?;
    contents(path, file)
}

fn contents(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    // Room for all of it: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST_SECRET));
    file.take(LARGEST_SECRET as u64)
        .read_to_end(&mut bytes)
        .map_err(|source| SecretError::Read {
            path: path.to_owned(),
            source,
        })?;
    if bytes.is_empty() {
        return Err(SecretError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(bytes)
}

fn password(path: &Path, bytes: &[u8]) -> Result<SecretString, SecretError> {
    let text = std::str::from_utf8(bytes).map_err(|error| SecretError::Read {
        path: path.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, error),
    })?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(SecretError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(SecretString::from(password))
}

#[cfg(unix)]
fn check_access(path: &Path, about: &Metadata) -> Result<(), SecretError> {
    use std::os::unix::fs::MetadataExt;
    let mode = about.mode() & 0o777;
    if mode & !0o640 != 0 {
        return Err(SecretError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let own = rustix::process::geteuid().as_raw();
    if about.uid() != own && about.uid() != 0 {
        return Err(SecretError::Owner {
            path: path.to_owned(),
        });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_access(_path: &Path, _about: &Metadata) -> Result<(), SecretError> {
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use secrecy::ExposeSecret;

    use super::*;

    fn secret_file(mode: u32, text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn a_private_file_is_read_without_its_line_end() {
        let file = secret_file(0o600, "s3cret\n");
        let password = relay_password(Some(file.path())).unwrap();
        assert_eq!(password.expose_secret(), "s3cret");
        assert!(!format!("{password:?}").contains("s3cret"));
    }

    #[test]
    fn a_file_open_to_others_is_refused() {
        let file = secret_file(0o644, "s3cret\n");
        let error = relay_password(Some(file.path())).unwrap_err();
        assert!(matches!(error, SecretError::Open { mode: 0o644, .. }));
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn an_empty_or_missing_file_is_named() {
        let file = secret_file(0o600, "\n");
        assert!(matches!(
            relay_password(Some(file.path())),
            Err(SecretError::Empty { .. })
        ));
        assert!(matches!(
            relay_password(Some(Path::new("no-such-file"))),
            Err(SecretError::Read { .. })
        ));
    }
}
