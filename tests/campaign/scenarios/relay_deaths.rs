//! The relay dies in the middle of things and comes back: Debian's `smtp-sink`
//! by its own `-M`, the scripted one by cutting every connection, a real
//! Postfix by SIGKILL. Several at once, since each death costs the run a pause.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use super::figures::{Figures, thousands};
use crate::harness::chaos::ChaosSink;
use crate::harness::chaos::behaviour::Behaviour;
use crate::harness::dice::Dice;
use crate::harness::net::{answers, clients_of, holds_within};
use crate::harness::oracle::{Policy, assert_reconciled, every_uncertain_one_is_listed};
use crate::harness::postfix::{self, Postfix};
use crate::harness::press::Press;
use crate::harness::process::Running;
use crate::harness::receipt::Receipt;
use crate::harness::sink::SmtpSink;

/// When deferred deliveries are due again.
const LATER: &str = "2026-11-27T08:20:00+02:00";

/// How often a relay dies
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// How many deaths, all relays together
    #[arg(long, default_value_t = 500)]
    pub(crate) deaths: usize,
    /// How many relays die side by side; every third is a Postfix
    #[arg(long, default_value_t = 6)]
    pub(crate) relays: usize,
    /// Messages between two deaths, about
    #[arg(long, default_value_t = 60)]
    pub(crate) between: usize,
    /// `mail.connections`
    #[arg(long, default_value_t = 8)]
    pub(crate) sessions: usize,
}

/// A relay that can die and come back.
enum Relay {
    /// Dies by itself after some messages.
    Sink(SmtpSink),
    /// Cuts every connection and takes no new one.
    Chaos(ChaosSink),
    /// Is killed, all its processes at once.
    Postfix(Postfix),
}

#[derive(Default)]
struct Found {
    deaths: usize,
    by_kind: [usize; 3],
    uncertain: usize,
    /// The most that one death left uncertain.
    most: usize,
    messages: usize,
}

/// Runs the campaign.
pub(crate) fn campaign(options: &Options, seed: u64) -> Figures {
    let found = Mutex::new(Found::default());
    let mut dice = Dice::of(seed);
    thread::scope(|scope| {
        for number in 0..options.relays {
            let (found, dice) = (&found, dice.split());
            let share = options.deaths / options.relays
                + usize::from(number < options.deaths % options.relays);
            scope.spawn(move || World::new(options, number, share, dice).live(found));
        }
    });
    let found = found.into_inner().unwrap();
    assert_eq!(found.deaths, options.deaths);
    let mut figures = Figures::default();
    figures
        .add("deaths", found.deaths)
        .add("of smtp-sink", found.by_kind[0])
        .add("of the scripted sink", found.by_kind[1])
        .add("of Postfix (SIGKILL)", found.by_kind[2])
        .add("sessions", options.sessions)
        .add("messages", thousands(found.messages))
        .add("lost", 0)
        .add("duplicates", 0)
        .add("uncertain", found.uncertain)
        .add("most by one death", found.most);
    figures
}

struct World {
    options: Options,
    kind: usize,
    deaths: usize,
    readers: usize,
    dice: Dice,
    relay: Relay,
    press: Press,
}

impl World {
    fn new(options: &Options, number: usize, deaths: usize, dice: Dice) -> Self {
        let kind = number % 3;
        let relay = match kind {
            0 => Relay::Sink(SmtpSink::start(&[])),
            1 => Relay::Chaos(ChaosSink::start(Behaviour::for_volume())),
            _ => Relay::Postfix(Postfix::start(&postfix::Options::default())),
        };
        let readers = deaths * options.between * 2 + 200;
        let mut press = Press::new();
        press.limit(Duration::from_secs(3_600));
        press
            .subscribers(readers)
            .relay(&relay.url())
            .set("mail.connections", options.sessions as i64);
        Self {
            options: options.clone(),
            kind,
            deaths,
            readers,
            dice,
            relay,
            press,
        }
    }

    fn live(mut self, found: &Mutex<Found>) {
        let mut messages = self.messages();
        self.relay.revive(messages);
        let mut run = self.press.spawn(&["run"]);
        let (mut uncertain, mut unjudged) = (0, 0);
        for death in 1..=self.deaths {
            self.wait_for_death(messages, &mut run);
            unjudged += 1;
            let is_last = death == self.deaths;
            // Now and then it is back before every session knows that it went.
            if is_last || self.dice.below(4) > 0 {
                self.wait_until_noticed(&mut run);
                let now = self.press.ledger().count("uncertain");
                self.judge(now - uncertain, unjudged, found);
                (uncertain, unjudged) = (now, 0);
                thread::sleep(Duration::from_millis(self.dice.below(200)));
            }
            // After its last death it lives on.
            messages = self.messages();
            self.relay.revive(if is_last { 0 } else { messages });
        }
        let end = run.wait();
        assert!(matches!(end.code(), Some(0 | 3)), "{end}");
        self.finish(found);
    }

    /// A death costs each session one delivery at most.
    fn judge(&self, more: usize, deaths: usize, found: &Mutex<Found>) {
        let sessions = self.options.sessions;
        assert!(
            more <= sessions * deaths,
            "deaths: {deaths}; they left {more} uncertain"
        );
        let mut found = found.lock().unwrap();
        found.uncertain += more;
        found.deaths += deaths;
        found.by_kind[self.kind] += deaths;
        if deaths == 1 {
            found.most = found.most.max(more);
        }
    }

    /// Waits until no session of the run has a connection to the dead relay any
    /// more, and the ledger knows what became of every message.
    fn wait_until_noticed(&self, run: &mut Running) {
        let port = self.relay.port();
        let noticed = holds_within(Duration::from_secs(120), || {
            assert!(run.is_running(), "the run ended: too few readers");
            clients_of(port) == 0 && self.press.ledger().count("inflight") == 0
        });
        assert!(noticed, "the run does not notice that its relay is dead");
    }

    /// How many messages the relay lives.
    fn messages(&mut self) -> usize {
        let between = self.options.between;
        2 + (self.dice.around(between as f64) as usize).min(between * 4)
    }

    /// Whoever lost too many sessions with its reader waits for a later run.
    fn finish(mut self, found: &Mutex<Found>) {
        self.press.at(LATER);
        let end = self.press.run(&["run"]);
        let ledger = self.press.ledger();
        let uncertain = ledger.sums_hold().count("uncertain");
        end.exits(if uncertain > 0 { 3 } else { 0 });
        assert_eq!(ledger.count("sent") + uncertain, self.readers);
        let rows = ledger.rows();
        assert_reconciled(&rows, &self.relay.receipts(), Policy::Once);
        every_uncertain_one_is_listed(&rows, |list| self.press.run(list));
        found.lock().unwrap().messages += self.readers;
    }

    fn wait_for_death(&mut self, messages: usize, run: &mut Running) {
        if let Relay::Sink(sink) = &mut self.relay {
            let died = holds_within(Duration::from_secs(600), || !sink.is_running());
            assert!(died, "smtp-sink took no {messages} messages");
            return;
        }
        self.wait_for_sent(messages, run);
        thread::sleep(Duration::from_micros(self.dice.below(20_000)));
        match &self.relay {
            Relay::Chaos(sink) => sink.die(),
            Relay::Postfix(postfix) => postfix.kill(),
            Relay::Sink(_) => {}
        }
    }

    fn wait_for_sent(&self, more: usize, run: &mut Running) {
        let target = self.press.ledger().count("sent") + more;
        let reached = holds_within(Duration::from_secs(600), || {
            assert!(run.is_running(), "the run ended: too few readers");
            self.press.ledger().count("sent") >= target
        });
        assert!(reached, "the run does not go on");
    }
}

impl Relay {
    fn url(&self) -> String {
        match self {
            Self::Sink(sink) => sink.url(),
            Self::Chaos(sink) => sink.url(),
            Self::Postfix(postfix) => postfix.url(),
        }
    }

    fn port(&self) -> u16 {
        match self {
            Self::Sink(sink) => sink.port(),
            Self::Chaos(sink) => sink.port(),
            Self::Postfix(postfix) => postfix.port(),
        }
    }

    /// Lives again, or for the first time; `smtp-sink` is told beforehand how
    /// many messages it lives, 0 for ever.
    fn revive(&mut self, messages: usize) {
        match self {
            Self::Sink(sink) if messages > 0 => {
                sink.restart(Some(&["-M", &messages.to_string()]));
            }
            Self::Sink(sink) => sink.restart(Some(&[])),
            Self::Chaos(sink) => sink.revive(),
            Self::Postfix(postfix) if !answers(postfix.port()) => postfix.restart(),
            Self::Postfix(_) => {}
        }
    }

    fn receipts(&self) -> Vec<Receipt> {
        match self {
            Self::Sink(sink) => sink.receipts(),
            Self::Chaos(sink) => sink.receipts(),
            Self::Postfix(postfix) => postfix.receipts(),
        }
    }
}
