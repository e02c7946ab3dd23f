//! What can be asked of the ledger about runs, the list, issues, and what became
//! of them; `sending` has the outbox, `publishing` what readers are shown.
//! Each answer is durable when it arrives. Every request fails with a
//! [`StoreError`] when the database cannot be read or written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::{
    domain::{
        address::EmailAddress,
        article::Slug,
        choice::Choice,
        consent::Evidence,
        delivery::{DeliveryId, IssueId},
        issue::History,
        schedule::Slot,
        subscriber::{AddOutcome, NewSubscriber, Status, Subscriber},
    },
    store::{
        Begun, ChangeOutcome, ChoiceId, Chosen, Counts, Cursor, EditionSummary, Freeze,
        FreezeOutcome, FrozenEdition, Guarded, IssueChange, IssueKey, IssueSummary, LateAccept,
        Month, Resent, Run, SlotFate, Store, StoreError, Story, SubscriberPage, SuppressionReason,
        UncertainDelivery, UnsubscribeOutcome, choices, deliveries, departures, digests, freeze,
        growth, guards, issues, joining, notices, reports, runs, sql::Access, subscribers, verify,
    },
};

/// Runs.
impl Store {
    /// Counts a run that begins and returns its number, unless the database is
    /// older than the last run here: then what it holds as queued becomes
    /// uncertain. Only for the holder of the [`crate::store::RunLock`].
    ///
    /// # Errors
    /// See the head of this module; also when the ledger is found damaged.
    pub async fn begin_run(&self, pid: u32, now: DateTime<Utc>) -> Result<Begun, StoreError> {
        let key = *self.install_key();
        self.session(move |session| runs::begin(session, &key, pid, now))
            .await
    }

    /// Accepts a database that was restored from a backup; false when it is not
    /// older than the last run here. Only for the holder of the
    /// [`crate::store::RunLock`].
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn accept_restored(&self, pid: u32, now: DateTime<Utc>) -> Result<bool, StoreError> {
        let key = *self.install_key();
        self.session(move |session| runs::accept(session, &key, pid, now))
            .await
    }

    /// Notes which issues a run sets out to deliver. An issue in which the last
    /// three runs died without settling a delivery is paused; says which.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn set_out(&self, run: i64) -> Result<Vec<Guarded>, StoreError> {
        self.write(move |tx| guards::set_out(tx, run)).await
    }

    /// Notes how a run ended. A run without this is one that died.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn end_run(
        &self,
        number: i64,
        exit_code: i32,
        summary: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let summary = summary.to_owned();
        self.session(move |session| runs::end(session, number, exit_code, &summary, now))
            .await
    }

    /// The newest runs, newest first.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn runs(&self, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.read(move |tx| runs::list(tx, limit)).await
    }

    /// The newest run that did not only post single mails, which `serve` counts as
    /// runs, too.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn last_run(&self) -> Result<Option<Run>, StoreError> {
        self.read(runs::last).await
    }
}

/// The list.
impl Store {
    /// Adds readers in one transaction; what became of each comes back in their
    /// order. A status only moves toward less mail, and nobody who is
    /// suppressed is added. A dry run does the same and undoes it.
    ///
    /// # Errors
    /// See the head of this module; then nobody was added.
    pub async fn add(
        &self,
        readers: Vec<NewSubscriber>,
        source: &str,
        now: DateTime<Utc>,
        is_dry_run: bool,
    ) -> Result<Vec<AddOutcome>, StoreError> {
        let (source, key) = (source.to_owned(), *self.install_key());
        self.session(move |session| {
            session.transact_unless(is_dry_run, Access::Write, |tx| {
                joining::add(tx, &key, &readers, &source, now)
            })
        })
        .await
    }

    /// The reader with this address.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn subscriber(
        &self,
        address: &EmailAddress,
    ) -> Result<Option<Subscriber>, StoreError> {
        let address = address.clone();
        self.read(move |tx| Ok(subscribers::find(tx, &address)?.map(|(_, reader)| reader)))
            .await
    }

    /// The next `limit` readers after a cursor, of one status or all but the
    /// erased. Readers that join meanwhile come last.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn subscribers(
        &self,
        status: Option<Status>,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<SubscriberPage, StoreError> {
        self.read(move |tx| subscribers::page(tx, status, after, limit))
            .await
    }

    /// How many readers have each status; statuses without any are absent.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn counts_by_status(&self) -> Result<BTreeMap<Status, u64>, StoreError> {
        self.read(subscribers::counts).await
    }

    /// How many readers came and went in each month (`2026-11`) of a time zone.
    /// Reads the whole record of consent.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn growth(&self, zone: Tz) -> Result<BTreeMap<String, Month>, StoreError> {
        self.read(move |tx| growth::by_month(tx, zone)).await
    }

    /// Takes a reader off the list and cancels what is queued for them. Doing
    /// it again changes nothing. While the
    /// database stays busy for longer than a moment, it is noted beside it.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn unsubscribe(
        &self,
        address: &EmailAddress,
        evidence: impl Into<Evidence>,
        now: DateTime<Utc>,
    ) -> Result<UnsubscribeOutcome, StoreError> {
        let (address, evidence) = (address.clone(), evidence.into());
        self.session(move |session| departures::unsubscribe(session, &address, &evidence, now))
            .await
    }

    /// Sees to it that an address, known or not, is never written to again.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn suppress(
        &self,
        address: &EmailAddress,
        reason: SuppressionReason,
        source: &str,
        now: DateTime<Utc>,
    ) -> Result<UnsubscribeOutcome, StoreError> {
        let (address, key) = (address.clone(), *self.install_key());
        let evidence = Evidence::of(source);
        self.write(move |tx| subscribers::suppress(tx, &key, &address, reason, &evidence, now))
            .await
    }
}

/// Digests and their issues.
impl Store {
    /// What earlier issues of a digest did, for planning the next.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn history(&self, digest: &Slug) -> Result<History, StoreError> {
        let digest = digest.clone();
        self.read(move |tx| digests::history(tx, digest.as_str()))
            .await
    }

    /// Notes slots that get no issue, and moves the digest's cursor past them.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn record_slots(
        &self,
        digest: &Slug,
        slots: Vec<Slot>,
        fate: SlotFate,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (digest, reason) = (digest.clone(), reason.to_owned());
        self.write(move |tx| digests::record_slots(tx, digest.as_str(), &slots, fate, &reason, now))
            .await
    }

    /// How many articles the issues of a digest usually carry; `None` while
    /// there are too few of them to say.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn usual_articles(&self, digest: &Slug) -> Result<Option<usize>, StoreError> {
        let digest = digest.clone();
        self.read(move |tx| issues::usual_articles(tx, digest.as_str()))
            .await
    }

    /// Freezes an issue with one delivery per active reader, in one transaction.
    ///
    /// # Errors
    /// See the head of this module; then nothing of the issue is there.
    pub async fn freeze(
        &self,
        issue: Freeze,
        now: DateTime<Utc>,
    ) -> Result<FreezeOutcome, StoreError> {
        self.write(move |tx| freeze::freeze(tx, &issue, now)).await
    }

    /// The newest issues of all digests, newest first.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn issues(&self, limit: usize) -> Result<Vec<IssueSummary>, StoreError> {
        self.read(move |tx| issues::list(tx, limit)).await
    }

    /// One issue.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn issue(&self, key: IssueKey) -> Result<Option<IssueSummary>, StoreError> {
        self.read(move |tx| issues::find(tx, &key)).await
    }

    /// An edition of an issue (from 1; the first is the whole issue), with what
    /// its messages need besides.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn edition(
        &self,
        issue: IssueId,
        number: u32,
    ) -> Result<Option<FrozenEdition>, StoreError> {
        self.read(move |tx| issues::edition(tx, issue, number))
            .await
    }

    /// The number of the edition of an issue that readers of one of these choices
    /// got; 1, the whole issue, where nobody did.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn edition_of_choices(
        &self,
        issue: IssueId,
        choices: Vec<ChoiceId>,
    ) -> Result<u32, StoreError> {
        self.read(move |tx| notices::edition_of(tx, issue, &choices))
            .await
    }

    /// Bytes that the largest edition of an issue has in the ledger.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn largest_edition(&self, issue: IssueId) -> Result<u64, StoreError> {
        self.read(move |tx| issues::largest_edition(tx, issue))
            .await
    }

    /// The editions of an issue, in order.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn editions(&self, issue: IssueId) -> Result<Vec<EditionSummary>, StoreError> {
        self.read(move |tx| issues::editions(tx, issue)).await
    }

    /// What active readers chose, the choices of most readers first.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn choices(&self) -> Result<Vec<Chosen>, StoreError> {
        self.read(choices::of_active_readers).await
    }

    /// How many readers an issue would go to at this moment, by what they chose.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn reached(&self, now: DateTime<Utc>) -> Result<Vec<(ChoiceId, u64)>, StoreError> {
        self.read(move |tx| choices::of_reached_readers(tx, now))
            .await
    }

    /// Sets what a reader gets from the next issue on; `false` when it was so
    /// before, or nobody has this address.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn choose(
        &self,
        address: &EmailAddress,
        choice: Choice,
        evidence: impl Into<Evidence>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (address, evidence) = (address.clone(), evidence.into());
        self.write(move |tx| subscribers::choose(tx, &address, &choice, &evidence, now))
            .await
    }

    /// Pauses, resumes or cancels an issue.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn change_issue(
        &self,
        issue: IssueId,
        change: IssueChange,
        now: DateTime<Utc>,
    ) -> Result<ChangeOutcome, StoreError> {
        self.write(move |tx| issues::change(tx, issue, &change, now))
            .await
    }

    /// Marks issues done that have no open delivery left; says which.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn finish_issues(&self, now: DateTime<Utc>) -> Result<Vec<IssueId>, StoreError> {
        self.write(move |tx| issues::finish(tx, now)).await
    }

    /// Deliveries of an issue by state, at a cost that does not grow with the list.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn progress(&self, issue: IssueId) -> Result<Counts, StoreError> {
        self.read(move |tx| issues::counts(tx, issue)).await
    }
}

/// Questions afterwards.
impl Store {
    /// Every uncertain delivery, oldest first.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn uncertain(&self) -> Result<Vec<UncertainDelivery>, StoreError> {
        self.read(deliveries::uncertain).await
    }

    /// Counts uncertain deliveries as sent; says how many were uncertain.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn mark_sent(&self, deliveries: Vec<DeliveryId>) -> Result<u64, StoreError> {
        self.write(move |tx| deliveries::mark_sent(tx, &deliveries))
            .await
    }

    /// Queues uncertain deliveries again; their attempts stay on record.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn resend(
        &self,
        deliveries: Vec<DeliveryId>,
        now: DateTime<Utc>,
    ) -> Result<Resent, StoreError> {
        self.write(move |tx| deliveries::resend(tx, &deliveries, now))
            .await
    }

    /// The whole story of an address, of one issue or all.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn why(
        &self,
        address: &EmailAddress,
        issue: Option<IssueId>,
    ) -> Result<Story, StoreError> {
        let (address, key) = (address.clone(), *self.install_key());
        self.read(move |tx| reports::why(tx, &key, &address, issue))
            .await
    }

    /// Attempts that the relay took although a newer one had been made, since
    /// this was last asked: their readers may have a message twice.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn late_accepts(&self) -> Result<Vec<LateAccept>, StoreError> {
        self.session(|session| {
            let late = session.take_late();
            if late.is_empty() {
                return Ok(Vec::new());
            }
            session.transact(Access::Read, |tx| reports::late_accepts(tx, &late))
        })
        .await
    }

    /// Attempts that the relay took after all, when their delivery had become
    /// uncertain, since this was last asked.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn late_confirmations(&self) -> Result<Vec<LateAccept>, StoreError> {
        self.session(|session| {
            let confirmed = session.take_confirmed();
            if confirmed.is_empty() {
                return Ok(Vec::new());
            }
            session.transact(Access::Read, |tx| reports::late_accepts(tx, &confirmed))
        })
        .await
    }

    /// Deliveries that the relay accepted more than once.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn duplicates(&self) -> Result<Vec<DeliveryId>, StoreError> {
        self.read(reports::duplicates).await
    }

    /// Everything that does not add up: the file's integrity, and for each
    /// issue candidates = deliveries in all states + exclusions. Reads it all.
    ///
    /// # Errors
    /// See the head of this module.
    pub async fn verify(&self) -> Result<Vec<String>, StoreError> {
        self.read(verify::verify).await
    }
}
