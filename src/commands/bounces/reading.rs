//! Reads a mailbox in batches: what each mail is about, whose message that was,
//! its effect in the ledger, and only then out of the way with it.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::TimeDelta;

use super::{
    source::{Handle, Mailbox},
    told::Summary,
};
use crate::{
    commands::{Context, exit::Failure, workspace},
    config::Config,
    domain::{delivery::DeliveryId, report::Report},
    inbound::{Content, Incoming, Nothing, Whose, mail, marks_of},
    links::{DigestTag, Signer},
    store::{Departure, Effect, InboundMail, Leave, Store},
};

/// Mails that share a commit.
const BATCH: usize = 1000;
/// Reports about older issues need the token of an envelope sender: for each of
/// their readers a Message-ID would have to be made again.
const RECENT: TimeDelta = TimeDelta::days(90);

/// What reading needs.
pub(super) struct Reading<'r> {
    pub(super) context: &'r Context,
    pub(super) config: &'r Config,
    pub(super) store: &'r Store,
}

impl Reading<'_> {
    /// Reads up to `most` mails that were not read before. The summary has what
    /// was done, also when it fails in between.
    pub(super) async fn all(
        &self,
        mailbox: &mut Mailbox,
        most: u64,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        let signer = Signer::new(self.store.install_key());
        let mut is_more = true;
        while is_more && summary.news() < most {
            let mut handles = Vec::new();
            let mut batch = Vec::new();
            while batch.len() < BATCH {
                let Some((handle, bytes)) = mailbox.next().await? else {
                    is_more = false;
                    break;
                };
                handles.push(handle);
                batch.push(mail::read(&bytes, &signer));
            }
            if !batch.is_empty() {
                self.batch(&signer, mailbox, batch, handles, summary)
                    .await?;
            }
        }
        Ok(())
    }

    async fn batch(
        &self,
        signer: &Signer,
        mailbox: &mut Mailbox,
        mut batch: Vec<Incoming>,
        handles: Vec<Handle>,
        summary: &mut Summary,
    ) -> Result<(), Failure> {
        self.prove(signer, &mut batch).await?;
        let mails = batch.iter().map(|one| self.mail(one)).collect();
        let applied = self
            .store
            .apply_inbound(
                mails,
                mailbox.place()?,
                self.config.hard_limit,
                self.context.clock.now(),
            )
            .await
            .map_err(workspace::store_failure)?;
        summary.add(&batch, &applied);
        mailbox.settle(handles).await
    }

    /// Turns Message-IDs into the deliveries that they were made for; those that
    /// were made for none are not ours.
    async fn prove(&self, signer: &Signer, batch: &mut [Incoming]) -> Result<(), Failure> {
        let named: Vec<(u32, String)> = batch
            .iter()
            .filter_map(|one| match &one.content {
                Content::Report {
                    whose: Whose::Named { number, mark },
                    ..
                } => Some((*number, mark.clone())),
                _ => None,
            })
            .collect();
        if named.is_empty() {
            return Ok(());
        }
        let numbers: BTreeSet<u32> = named.iter().map(|(number, _)| *number).collect();
        let since = self.context.clock.now() - RECENT;
        let spans = self
            .store
            .delivery_spans(numbers.into_iter().collect(), since)
            .await
            .map_err(workspace::store_failure)?;
        let mut proven: HashMap<&str, DeliveryId> = HashMap::new();
        for span in spans {
            let of_span = named.iter().filter(|(number, _)| *number == span.number);
            let wanted: HashSet<&str> = of_span.map(|(_, mark)| mark.as_str()).collect();
            proven.extend(marks_of(
                signer,
                span.issue,
                span.number,
                span.deliveries,
                &wanted,
            ));
        }
        for one in batch {
            if let Content::Report { whose, .. } = &mut one.content
                && let Whose::Named { mark, .. } = whose
            {
                match proven.get(mark.as_str()) {
                    Some(delivery) => *whose = Whose::Delivery(*delivery),
                    None => one.content = Content::Nothing(Nothing::NotOurs),
                }
            }
        }
        Ok(())
    }

    /// What a token of a digest leaves; one of a digest that is no more, all.
    fn departure(&self, digest: DigestTag) -> Departure {
        let names = || self.config.digests.iter().map(|digest| &digest.name);
        let left = names().find(|name| DigestTag::of(name) == digest);
        Departure::of_digest(left, names())
    }

    fn mail(&self, incoming: &Incoming) -> InboundMail {
        let effect = match &incoming.content {
            Content::Report {
                whose: Whose::Delivery(delivery),
                finding,
            } => Some(Effect::Report(Report {
                delivery: *delivery,
                finding: finding.clone(),
            })),
            Content::Leaving { subscriber, digest } => Some(Effect::Leave(Leave {
                subscriber: *subscriber,
                departure: self.departure(*digest),
            })),
            Content::LeftAtRelay { delivery } => Some(Effect::LeftAtRelay(*delivery)),
            // A name that was not proven is nobody's.
            Content::Report { .. } | Content::Nothing(_) => None,
        };
        InboundMail {
            id: incoming.id,
            effect,
        }
    }
}
