//! A proof: the publication as it was last read, with everything that is wrong
//! with it now. What cannot be read leaves the one before in sight.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use super::{
    super::{
        Context,
        check::{Sources, letter_problems},
        exit::{Exit, Failure},
    },
    press::{self, Press},
};
use crate::{config::Config, domain::problem::Problem};

/// What is looked at until the next save.
pub(super) struct Proof {
    /// Tells previews of different processes apart.
    series: i64,
    /// What forms of this preview's pages hold, and no other page knows.
    token: Arc<str>,
    number: u64,
    /// The publication as far as it could be read.
    pub(super) press: Arc<Press>,
    /// By file and line.
    pub(super) problems: Vec<Problem>,
    /// Since when the publication cannot be read any more; what is shown is
    /// from before.
    pub(super) stale_since: Option<DateTime<Utc>>,
    /// How long reading took.
    pub(super) took: Duration,
    /// What the lint says of the next issues; asked for when somebody looks.
    letters: OnceLock<Vec<Problem>>,
}

impl Proof {
    /// The first one, by settings that were read; `series` tells previews of
    /// different processes apart.
    pub(super) async fn first(
        context: &Context,
        (config, problems): (Config, Vec<Problem>),
        series: i64,
    ) -> Result<Self, Failure> {
        let since = Instant::now();
        let (press, problems) = press::first(context, config, problems).await?;
        Ok(Self {
            series,
            token: token()?,
            number: 1,
            press: Arc::new(press),
            problems,
            stale_since: None,
            took: since.elapsed(),
            letters: OnceLock::new(),
        })
    }

    /// The one after `before`.
    pub(super) async fn next(context: &Context, file: &Path, before: &Self) -> Self {
        let since = Instant::now();
        let (press, problems, stale_since) = match press::read(context, file, &before.press).await {
            Ok((press, problems)) => (Arc::new(press), problems, None),
            Err(problems) => {
                let since = before.stale_since.unwrap_or_else(|| context.clock.now());
                (Arc::clone(&before.press), problems, Some(since))
            }
        };
        Self {
            series: before.series,
            token: Arc::clone(&before.token),
            number: before.number + 1,
            press,
            problems,
            stale_since,
            took: since.elapsed(),
            letters: OnceLock::new(),
        }
    }

    /// Differs from that of every other proof, of earlier previews too.
    pub(super) fn version(&self) -> String {
        format!("{}-{}", self.series, self.number)
    }

    /// What forms hold, so that no other site can send one.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// How many problems stop publishing.
    pub(super) fn errors(&self) -> usize {
        self.problems.iter().filter(|p| p.is_error()).count()
    }

    /// What the lint says of one file, where it is that of a template, an
    /// article or the settings.
    pub(super) fn letter_problems_of(&self, file: &Path) -> Vec<&Problem> {
        let press = &self.press;
        let sources = Sources {
            config: &press.config,
            loaded: &press.loaded,
            templates: &press.templates,
        };
        let all = self.letters.get_or_init(|| {
            let digests = press.config.digests.iter();
            let known = digests.filter_map(|one| Some((one, press.known.get(&one.name)?)));
            let found =
                known.flat_map(|(one, known)| letter_problems(&sources, one, known, press.now));
            found.collect()
        });
        all.iter().filter(|problem| problem.file == file).collect()
    }

    /// The problems of one file, by line.
    pub(super) fn problems_of(&self, file: &Path) -> Vec<&Problem> {
        let of_file = self.problems.iter().filter(|problem| problem.file == file);
        of_file.collect()
    }
}

fn token() -> Result<Arc<str>, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Failure::of(Exit::Internal, &error))?;
    Ok(data_encoding::HEXLOWER.encode(&bytes).into())
}
