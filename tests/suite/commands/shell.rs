//! The command line itself: help, completions, manual, clock, usage.

use std::fs;
use std::process::Command;
use std::time::Duration;

use crate::press::Press;
use crate::process::Running;
use crate::tools::program;

const COMMANDS: [&str; 16] = [
    "init",
    "new",
    "check",
    "build",
    "plan",
    "render",
    "send",
    "run",
    "work",
    "issues",
    "status",
    "why",
    "uncertain",
    "subscribers",
    "completions",
    "man",
];

#[test]
fn the_help_of_every_command_has_examples() {
    let press = Press::empty();
    let all = press.run(&["--help"]);
    all.succeeds().prints("Exit codes:");
    for command in COMMANDS {
        all.prints(&format!("\n  {command} "));
        press
            .run(&[command, "--help"])
            .succeeds()
            .prints("Examples:\n")
            .prints(&format!("  letterpress {command}"));
    }
}

#[test]
fn what_cannot_be_understood_exits_2() {
    let press = Press::new();
    for arguments in [
        &["rum"][..],
        &[],
        &["build", "--fast"],
        &["plan", "--count", "many"],
        &["--at", "yesterday", "plan"],
        &["send", "weekly", "--dry-run", "--test", "a@example.org"],
        &["-q", "-v", "run"],
    ] {
        press.run(arguments).exits(2);
    }
    press.run(&["rum"]).says("'run'");
}

#[test]
fn at_is_the_clock_of_every_command() {
    let mut press = Press::new();
    press.real_clock().subscribers(1);
    let due = press.run(&["--at", "2026-12-04T07:00:00+02:00", "plan"]);
    due.prints("due since Friday 4 December 2026, 07:00");
    let due = press.run(&["plan", "--at", "2026-12-04T06:59:59+02:00"]);
    due.prints("not before Friday 4 December 2026, 07:00");
}

#[test]
fn completions_are_scripts_their_shells_accept() {
    let press = Press::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = press.run(&["completions", shell]);
        script
            .succeeds()
            .prints("letterpress")
            .prints("subscribers");
        if shell == "bash" {
            press.write("completions.bash", &script.stdout);
        }
    }
    let mut bash = Command::new(program("bash"));
    bash.arg("-n").arg(press.path("completions.bash"));
    Running::start(bash, b"", Duration::from_secs(10))
        .wait()
        .succeeds()
        .is_silent();
}

#[test]
fn the_manual_page_is_sound_and_has_every_command() {
    let press = Press::empty();
    let page = press.run(&["man"]);
    page.succeeds();
    press.write("letterpress.1", &page.stdout);
    let mut groff = Command::new(program("groff"));
    groff
        .args(["-man", "-Tutf8", "-ww", "-P-cbou"])
        .arg(press.path("letterpress.1"));
    let shown = Running::start(groff, b"", Duration::from_secs(20)).wait();
    shown.succeeds();
    assert_eq!(shown.stderr, "", "groff warns\n{shown}");
    for command in COMMANDS {
        shown.prints(&format!("\n   letterpress {command}\n"));
    }
    shown
        .prints("   letterpress subscribers import\n")
        .prints("EXIT CODES");
}

#[test]
fn quiet_says_only_what_a_person_must_know() {
    let press = Press::new();
    press.subscribers(1);
    press.run(&["-q", "build"]).succeeds();
    press.run(&["-q", "run"]).succeeds().is_silent();
    press.run(&["-v", "run"]).succeeds().says("nothing to do");
    fs::remove_dir_all(press.path("content")).unwrap();
    press.run(&["-q", "run"]).exits(66).says("error: ");
}
