//! Holds answers back until a test lets them go.

use std::sync::{Condvar, Mutex};

/// Open unless closed; who arrives while it is closed waits.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    waiting: usize,
    openings: usize,
}

impl Gate {
    /// Holds everyone who arrives from now on.
    pub(super) fn close(&self) {
        self.state.lock().unwrap().closed = true;
    }

    /// Lets everyone go who waits, and everyone who arrives later.
    pub(super) fn open(&self) {
        let mut state = self.state.lock().unwrap();
        state.closed = false;
        state.openings += 1;
        // They go now, whenever their threads get to it.
        state.waiting = 0;
        self.changed.notify_all();
    }

    /// Passes an open gate at once.
    pub(super) fn pass(&self) {
        if self.state.lock().unwrap().closed {
            self.wait();
        }
    }

    /// Waits for the next opening even if the gate is open.
    pub(super) fn wait(&self) {
        let mut state = self.state.lock().unwrap();
        let seen = state.openings;
        state.waiting += 1;
        while state.openings == seen {
            state = self.changed.wait(state).unwrap();
        }
    }

    /// How many wait now.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().unwrap().waiting
    }
}
