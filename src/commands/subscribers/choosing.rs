//! `subscribers choose`, and what a choice may name.

use std::collections::BTreeSet;

use crate::{
    commands::{
        Context,
        exit::{Exit, Failure},
        workspace,
    },
    config::Config,
    domain::{address::EmailAddress, article::Slug, choice::Choice},
};

/// Sets what a reader gets from the next issue on.
///
/// # Errors
/// When the choice names what is not there (65), or nobody has this address (66).
pub(super) async fn run(
    context: &Context,
    config: &Config,
    address: &EmailAddress,
    choice: Choice,
) -> Result<Exit, Failure> {
    refuse_unknown(context, config, [&choice]).await?;
    let store = workspace::ledger(context, config).await?;
    let reader = store
        .subscriber(address)
        .await
        .map_err(workspace::store_failure)?;
    if reader.is_none() {
        return Err(super::nobody(address));
    }
    let words = choice.in_words();
    let is_new = store
        .choose(address, choice, "command line", context.clock.now())
        .await
        .map_err(workspace::store_failure)?;
    context.talk.say(match is_new {
        true => format!("gets {words} from the next issue on"),
        false => format!("gets {words} already"),
    });
    Ok(Exit::Done)
}

/// Refuses choices that name a digest, section or tag that the publication does
/// not have: their readers would get nothing, and nobody would know why.
///
/// # Errors
/// Exit 65 with what there is.
pub(super) async fn refuse_unknown<'c>(
    context: &Context,
    config: &Config,
    choices: impl IntoIterator<Item = &'c Choice>,
) -> Result<(), Failure> {
    let choices: BTreeSet<&Choice> = choices.into_iter().collect();
    let named = |of: fn(&Choice) -> &BTreeSet<Slug>| -> BTreeSet<Slug> {
        choices
            .iter()
            .flat_map(|choice| of(choice))
            .cloned()
            .collect()
    };
    let (sections, tags) = (named(|c| &c.sections), named(|c| &c.tags));
    let digests = config.digests.iter().map(|digest| digest.name.clone());
    refuse("digest", &named(|c| &c.digests), &digests.collect())?;
    if sections.is_empty() && tags.is_empty() {
        return Ok(());
    }
    let store = workspace::existing_ledger(context, config).await?;
    let remembered = workspace::remembered(store.as_ref()).await?;
    let loaded = workspace::articles(context, config, &remembered)?;
    let articles = loaded.collection.articles();
    let of_articles = articles
        .iter()
        .filter_map(|article| article.section.clone());
    let known = of_articles.chain(loaded.collection.sections().keys().cloned());
    refuse("section", &sections, &known.collect())?;
    let known = articles.iter().flat_map(|article| &article.tags);
    refuse("tag", &tags, &known.map(|tag| tag.slug.clone()).collect())
}

fn refuse(noun: &str, named: &BTreeSet<Slug>, known: &BTreeSet<Slug>) -> Result<(), Failure> {
    let Some(unknown) = named.difference(known).next() else {
        return Ok(());
    };
    let known: Vec<&str> = known.iter().map(Slug::as_str).collect();
    Err(
        Failure::new(Exit::Data, format!("there is no {noun} `{unknown}`")).hint(
            match known.as_slice() {
                [] => format!("the publication has no {noun} yet"),
                known => format!("there are: {}", known.join(", ")),
            },
        ),
    )
}
