//! Soon.
use super::figures::Figures;
/// Options
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {}
/// Runs the campaign.
pub(crate) fn campaign(_options: &Options, _seed: u64) -> Figures {
    Figures::default()
}
