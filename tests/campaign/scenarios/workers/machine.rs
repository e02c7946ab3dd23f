//! One machine that works on a shared list: its folder, its line to the
//! database, and the worker on it, which may be dead, stopped or cut off.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::cutter::Cutter;
use crate::harness::press::Press;
use crate::harness::process::{Finished, Running};

/// A machine of the campaign.
pub(super) struct Machine {
    press: Press,
    pub(super) line: Cutter,
    worker: Option<Running>,
    /// When its worker is started again, continued, and heard again.
    back_at: Option<Instant>,
    wakes_at: Option<Instant>,
    heard_at: Option<Instant>,
    /// What all its workers have said.
    pub(super) said: String,
}

impl Machine {
    /// A machine with the settings of this press and a line of its own.
    pub(super) fn like(press: &Press) -> Self {
        let line = Cutter::to(press.server().port());
        let press = press.copied();
        press.set("store.url", press.server().url_by(line.port()));
        Self {
            press,
            line,
            worker: None,
            back_at: Some(Instant::now()),
            wakes_at: None,
            heard_at: None,
            said: String::new(),
        }
    }

    /// Whether its worker runs, is not stopped and not cut off.
    pub(super) fn is_well(&self) -> bool {
        self.worker.is_some() && !self.is_held_up()
    }

    /// Whether it is stopped or cut off: what it, or who was killed there, has locked
    /// on the server may stay locked.
    pub(super) fn is_held_up(&self) -> bool {
        self.wakes_at.is_some() || self.heard_at.is_some()
    }

    /// Kills its worker; another one starts after a while.
    pub(super) fn kill(&mut self, back_after: Duration) {
        if let Some(worker) = self.worker.take() {
            let end = worker.kill();
            self.hear(&end);
        }
        self.wakes_at = None;
        self.back_at = Some(Instant::now() + back_after);
    }

    /// Tells its worker to end in order, as soon as it has begun to listen; another
    /// one starts at once.
    #[track_caller]
    pub(super) fn drain(&mut self) -> Option<Finished> {
        let mut worker = self.worker.take()?;
        worker.wait_until_it_heeds(Signal::TERM);
        worker.signal(Signal::TERM);
        let end = worker.wait();
        self.hear(&end);
        self.back_at = Some(Instant::now());
        Some(end)
    }

    /// Stops its worker for so long.
    pub(super) fn stop(&mut self, span: Duration) {
        if let Some(worker) = &mut self.worker {
            worker.signal(Signal::STOP);
            self.wakes_at = Some(Instant::now() + span);
        }
    }

    /// Lets nothing pass between it and the database for so long.
    pub(super) fn silence(&mut self, span: Duration) {
        self.line.silence();
        self.heard_at = Some(Instant::now() + span);
    }

    /// Does what is due by now.
    #[track_caller]
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        let is_due = |moment: &mut Option<Instant>| moment.take_if(|at| *at <= now).is_some();
        if is_due(&mut self.heard_at) {
            self.line.resume();
        }
        if is_due(&mut self.wakes_at)
            && let Some(worker) = &mut self.worker
        {
            worker.signal(Signal::CONT);
        }
        if is_due(&mut self.back_at) {
            self.worker = Some(self.press.spawn(&["work"]));
        }
        if self.wakes_at.is_none()
            && let Some(worker) = self.worker.take_if(|worker| !worker.is_running())
        {
            let end = worker.wait();
            self.hear(&end);
            // One that begins while the server is away ends; it is started again,
            // as whatever keeps it up would do.
            assert_eq!(end.code(), Some(69), "nobody told it to end: {end}");
            self.back_at = Some(now + Duration::from_secs(1));
        }
    }

    /// Undoes whatever keeps it from working.
    pub(super) fn restore(&mut self) {
        let now = Some(Instant::now());
        for moment in [&mut self.heard_at, &mut self.wakes_at, &mut self.back_at] {
            if moment.is_some() {
                *moment = now;
            }
        }
        self.tick();
    }

    fn hear(&mut self, end: &Finished) {
        self.said.push_str(&end.stderr);
    }
}
