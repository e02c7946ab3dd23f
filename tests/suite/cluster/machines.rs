//! Many machines with one ledger: whoever is first freezes, all deliver.

use super::{everybody_has_it_once, press_on};
use crate::postgres;
use crate::press::Press;

const READERS: usize = 120;

#[test]
fn runs_on_many_machines_at_once_freeze_each_issue_once_and_share_the_sending() {
    let (press, sink) = press_on(postgres::database(), READERS);
    let machines: Vec<Press> = (0..8).map(|_| press.copied()).collect();
    let runs: Vec<_> = machines.iter().map(|one| one.spawn(&["run"])).collect();
    for run in runs {
        run.wait().succeeds();
    }
    everybody_has_it_once(&press, &sink, READERS);
}
