//! DKIM as the world sees it: other people's programs verify what we signed.

mod keys;
mod stored;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::press::Press;
use crate::tools::{program, python};

/// A press that signs with these keys, each made by `dkim generate`. The
/// clock is the machine's: a verifier refuses a signature from the future.
fn signing_press(algorithms: &[&str]) -> Press {
    let mut press = Press::new();
    press.real_clock();
    for (prefix, algorithm) in ["", "second_"].iter().zip(algorithms) {
        let key = format!("mail.dkim.{prefix}key_file");
        press.set(&key, format!("keys/{algorithm}.pem"));
        let selector = format!("mail.dkim.{prefix}selector");
        press.set(&selector, format!("lp-{algorithm}"));
    }
    for algorithm in algorithms {
        press
            .run(&["dkim", "generate", "--algorithm", algorithm])
            .succeeds();
    }
    press
}

/// Two verifiers that know the DNS records of one press.
struct Verifiers {
    folder: tempfile::TempDir,
}

impl Verifiers {
    fn knowing(press: &Press) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let printed = press.run(&["dkim", "record", "--format", "json"]).json();
        let zone: String = printed
            .as_array()
            .unwrap()
            .iter()
            .map(|record| {
                let text = |key: &str| record[key].as_str().unwrap().to_owned();
                format!("{} {}\n", text("name"), text("value"))
            })
            .collect();
        fs::write(folder.path().join("records.json"), printed.to_string()).unwrap();
        fs::write(folder.path().join("zone"), &zone).unwrap();
        let settings = format!(
            "Mode v\nTestPublicKeys {}\nSyslog no\nBackground no\nUserID root\n\
             Socket local:{}\n",
            folder.path().join("zone").display(),
            folder.path().join("socket").display(),
        );
        fs::write(folder.path().join("opendkim.conf"), settings).unwrap();
        Self { folder }
    }

    /// Keeps messages as files, in this order.
    fn files<'m>(&self, messages: impl IntoIterator<Item = &'m [u8]>) -> Vec<PathBuf> {
        let files = messages.into_iter().enumerate().map(|(number, message)| {
            let file = self.folder.path().join(format!("{number:04}.eml"));
            fs::write(&file, message).unwrap();
            file
        });
        files.collect()
    }

    /// What both say of each signature of each message.
    fn verdicts<'m>(&self, messages: impl IntoIterator<Item = &'m [u8]>) -> Vec<Verdicts> {
        let files = self.files(messages);
        let by_dkimpy = self.by_dkimpy(&files);
        let found = files.iter().map(|file| Verdicts {
            dkimpy: by_dkimpy[&file.display().to_string()].clone(),
            opendkim: self.by_opendkim(file),
        });
        found.collect()
    }

    fn by_dkimpy(&self, files: &[PathBuf]) -> BTreeMap<String, Vec<bool>> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/dkim/verify.py");
        let mut child = Command::new(python())
            .arg(script)
            .arg(self.folder.path().join("records.json"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let names: Vec<String> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(names.join("\n").as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "dkimpy (PyPI) failed; `tests/run` installs it"
        );
        let found: BTreeMap<String, Vec<String>> = serde_json::from_slice(&output.stdout).unwrap();
        found
            .into_iter()
            .map(|(file, said)| (file, said.iter().map(|one| one == "pass").collect()))
            .collect()
    }

    /// What OpenDKIM writes into `Authentication-Results`.
    fn by_opendkim(&self, file: &Path) -> Vec<bool> {
        let output = Command::new(program("opendkim"))
            .arg("-x")
            .arg(self.folder.path().join("opendkim.conf"))
            .args(["-vv", "-t"])
            .arg(file)
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout);
        let (_, results) = printed
            .split_once("hname='Authentication-Results'")
            .unwrap_or_else(|| panic!("OpenDKIM says nothing of {}: {output:?}", file.display()));
        results
            .split("dkim=")
            .skip(1)
            .map(|result| result.starts_with("pass"))
            .collect()
    }
}

/// One verdict per signature; true is a pass.
#[derive(Debug, PartialEq, Eq)]
struct Verdicts {
    dkimpy: Vec<bool>,
    opendkim: Vec<bool>,
}

impl Verdicts {
    fn all(pass: bool, signatures: usize) -> Self {
        Self {
            dkimpy: vec![pass; signatures],
            opendkim: vec![pass; signatures],
        }
    }
}

/// The text of a JSON value.
fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}
