//! The right to write into an output folder: one build of a publication at a
//! time.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::unwritable;
use crate::{
    commands::{
        Clock, Context,
        exit::{Exit, Failure},
        workspace,
    },
    config::Config,
    store::BuildLock,
};

/// How long a build waits for another to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The right to write into an output folder, taken before the articles are
/// loaded so that of two builds the later one publishes what it has read.
pub struct Destination {
    pub(super) out: PathBuf,
    pub(super) may_overwrite: bool,
    pub(super) clock: Clock,
    _lock: BuildLock,
}

impl Destination {
    /// Waits for other builds of this publication; `out` is `public/` unless
    /// given. `may_overwrite` allows to replace files of others.
    ///
    /// # Errors
    /// When another build does not end, or the folder cannot be made.
    pub async fn take(
        context: &Context,
        config: &Config,
        out: Option<&Path>,
        may_overwrite: bool,
    ) -> Result<Self, Failure> {
        let lock = wait_for_lock(context, config).await?;
        let out = out.map_or_else(|| config.root.join(workspace::PUBLIC), Path::to_owned);
        let made = fs::create_dir_all(&out).and_then(|()| fs::canonicalize(&out));
        Ok(Self {
            out: made.map_err(|source| unwritable(&out, source))?,
            may_overwrite,
            clock: context.clock,
            _lock: lock,
        })
    }

    /// The folder.
    pub(in crate::commands) fn folder(&self) -> &Path {
        &self.out
    }

    /// What the folder is called in the ledger: relative to the publication
    /// where it lies in it, so that a publication can move.
    pub(super) fn name(&self, config: &Config) -> String {
        let root = fs::canonicalize(&config.root).unwrap_or_else(|_| config.root.clone());
        let name = self.out.strip_prefix(root).unwrap_or(&self.out);
        name.to_string_lossy().into_owned()
    }
}

async fn wait_for_lock(context: &Context, config: &Config) -> Result<BuildLock, Failure> {
    let since = Instant::now();
    let mut is_told = false;
    loop {
        let lock = BuildLock::acquire(&config.store.path).map_err(workspace::store_failure)?;
        if let Some(lock) = lock {
            return Ok(lock);
        }
        if since.elapsed() >= PATIENCE {
            let what = format!(
                "another build has been at work for more than {} seconds",
                PATIENCE.as_secs()
            );
            return Err(Failure::new(Exit::Temporary, what).hint("run the same command again"));
        }
        if !is_told {
            context.talk.say("waiting for another build to end");
            is_told = true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
