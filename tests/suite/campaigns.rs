//! Short selections of the campaigns (`tests/campaign/`, `docs/proof.md`): the
//! same code, for seconds instead of hours, with new chances every time.

use crate::scenarios::{
    disk, kills, one_click, order, overlap, power, relay_deaths, stops, syscalls, workers,
};

/// A seed that is printed, and can be given again.
fn seed() -> u64 {
    crate::dice::Dice::thrown().below(u64::MAX)
}

#[test]
fn killed_at_random_moments_nobody_is_lost_and_nobody_has_two_messages() {
    let options = kills::Options {
        count: 12,
        readers: 1_500,
        sessions: 8,
        unsigned: false,
    };
    eprintln!("{}", kills::campaign(&options, seed()));
}

#[test]
fn killed_before_any_of_its_system_calls_a_run_loses_nobody() {
    let options = syscalls::Options {
        readers: 20,
        sample: Some(24),
        workers: 2,
        sessions: vec![8],
    };
    eprintln!("{}", syscalls::campaign(&options, seed()));
}

#[test]
fn no_dot_leaves_before_its_intent_is_on_the_disk() {
    let options = order::Options {
        messages: 200,
        sessions: 8,
    };
    eprintln!("{}", order::campaign(&options, seed()));
}

#[test]
fn when_the_power_fails_nobody_is_lost_and_nobody_has_two_messages() {
    let options = power::Options {
        cuts: 12,
        readers: 80,
        sessions: 8,
    };
    eprintln!("{}", power::campaign(&options, seed()));
}

#[test]
fn when_relays_die_and_come_back_nobody_is_lost_and_nobody_has_two_messages() {
    let options = relay_deaths::Options {
        deaths: 6,
        relays: 3,
        between: 20,
        sessions: 8,
    };
    eprintln!("{}", relay_deaths::campaign(&options, seed()));
}

#[test]
fn of_fifty_runs_at_once_one_freezes_and_sends_and_the_others_say_so() {
    let options = overlap::Options {
        runs: 50,
        rounds: 1,
        readers: 40,
    };
    eprintln!("{}", overlap::campaign(&options, seed()));
}

#[test]
fn stopped_continued_and_told_to_end_a_run_loses_nobody() {
    let options = stops::Options {
        count: 8,
        readers: 800,
        sessions: 8,
    };
    eprintln!("{}", stops::campaign(&options, seed()));
}

#[test]
fn wherever_the_disk_is_full_nobody_is_lost_and_nobody_has_two_messages() {
    let options = disk::Options {
        levels: 2,
        readers: 150,
        sessions: 8,
    };
    eprintln!("{}", disk::campaign(&options, seed()));
}

#[test]
fn who_leaves_by_one_click_while_the_letter_goes_out_gets_nothing_that_was_not_under_way() {
    let options = one_click::Options {
        readers: 4_000,
        clicks: 400,
        clients: 8,
        sessions: 8,
    };
    eprintln!("{}", one_click::campaign(&options, seed()));
}

#[test]
fn whatever_happens_to_many_workers_nobody_is_lost_and_nobody_has_two_messages() {
    let options = workers::Options {
        readers: 1_500,
        workers: 6,
        minutes: 0.25,
        lease: 3,
        every: 200,
    };
    eprintln!("{}", workers::campaign(&options, seed()));
}
