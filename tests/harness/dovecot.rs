//! A real Dovecot with its own configuration and one mailbox in a temporary
//! directory; it listens on loopback only, with and without TLS.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::net::{answers, free_port, holds_within};
use crate::harness::tools::program;

/// The account the mailbox belongs to (`nobody`).
const OWNER: u32 = 65_534;

/// The password of its only user, `bounces`.
pub(crate) const PASSWORD: &str = "open sesame";

/// A running Dovecot; stopped when dropped.
pub(crate) struct Dovecot {
    world: TempDir,
    /// Where TLS begins with the first byte.
    pub(crate) tls_port: u16,
    /// Where it begins with STARTTLS.
    pub(crate) port: u16,
    process: Child,
}

impl Dovecot {
    /// Writes a configuration on free ports, starts it, waits until it answers.
    pub(crate) fn start() -> Self {
        let world = tempfile::tempdir().unwrap();
        let (tls_port, port) = (free_port(), free_port());
        write_files(world.path(), tls_port, port);
        let process = Command::new(program("dovecot"))
            .arg("-F")
            .arg("-c")
            .arg(world.path().join("dovecot.conf"))
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(world.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let dovecot = Self {
            world,
            tls_port,
            port,
            process,
        };
        let is_up = || answers(tls_port) && answers(port);
        let up = holds_within(Duration::from_secs(20), is_up);
        assert!(up, "Dovecot did not start:\n{}", dovecot.log());
        dovecot
    }

    /// The file of the certificate that it shows, for `localhost`.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.world.path().join("certificate.pem")
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.world.path().join(name));
        ["stderr", "log"]
            .map(|name| read(name).unwrap_or_default())
            .concat()
    }

    /// Puts a mail into the inbox, as a delivery agent does.
    pub(crate) fn deliver(&self, name: &str, mail: &str) {
        let path = self.mails("new").join(name);
        fs::write(&path, mail).unwrap();
        chown(&path, Some(OWNER), Some(OWNER)).unwrap();
    }

    /// The names of mails that are marked as seen.
    pub(crate) fn seen(&self) -> usize {
        let names = fs::read_dir(self.mails("cur")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| {
                name.split_once(":2,")
                    .is_some_and(|(_, flags)| flags.contains('S'))
            })
            .count()
    }

    fn mails(&self, folder: &str) -> PathBuf {
        self.world.path().join("mail").join(folder)
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its own child that was not waited for: the id is no stranger's. Told
        // to end, the master ends its helpers, too.
        let pid = i32::try_from(self.process.id()).unwrap();
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let gone = holds_within(Duration::from_secs(5), || {
            self.process.try_wait().is_ok_and(|ended| ended.is_some())
        });
        if !gone {
            drop(self.process.kill());
            drop(self.process.wait());
        }
    }
}

fn write_files(world: &Path, tls_port: u16, port: u16) {
    fs::set_permissions(world, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["mail", "mail/new", "mail/cur", "mail/tmp"] {
        fs::create_dir(world.join(name)).unwrap();
        chown(world.join(name), Some(OWNER), Some(OWNER)).unwrap();
    }
    let key = KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    fs::write(world.join("certificate.pem"), certificate.pem()).unwrap();
    fs::write(world.join("key.pem"), key.serialize_pem()).unwrap();
    let text = CONFIGURATION
        .replace("@world@", &world.to_string_lossy())
        .replace("@tls_port@", &tls_port.to_string())
        .replace("@port@", &port.to_string())
        .replace("@password@", PASSWORD)
        .replace("@owner@", &OWNER.to_string());
    fs::write(world.join("dovecot.conf"), text).unwrap();
    fs::write(
        world.join("users"),
        format!("bounces:{{PLAIN}}{PASSWORD}\n"),
    )
    .unwrap();
}

const CONFIGURATION: &str = "\
base_dir = @world@/run
state_dir = @world@/state
log_path = @world@/log
instance_name = letterpress-test-@port@
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <@world@/certificate.pem
ssl_key = <@world@/key.pem
auth_mechanisms = plain login
passdb {
  driver = passwd-file
  args = @world@/users
}
userdb {
  driver = static
  args = uid=@owner@ gid=@owner@ home=@world@/mail
}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:@world@/mail
service imap-login {
  inet_listener imap {
    port = @port@
  }
  inet_listener imaps {
    port = @tls_port@
    ssl = yes
  }
}
";
