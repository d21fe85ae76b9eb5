//! Whose code runs on this thread just now.
//!
//! Invariant: inside [`of`] it is the given life, outside it is whoever it was before, also when
//! the code panics.

use std::cell::RefCell;

use crate::life::Life;

thread_local! {
    static LIVES: RefCell<Vec<Life>> = const { RefCell::new(Vec::new()) };
}

/// Takes the life away again.
struct Leave;

impl Drop for Leave {
    fn drop(&mut self) {
        let life = LIVES.with_borrow_mut(Vec::pop);
        drop(life);
    }
}

/// Runs code that belongs to a life.
pub(crate) fn of<R>(life: &Life, run: impl FnOnce() -> R) -> R {
    LIVES.with_borrow_mut(|lives| lives.push(life.clone()));
    let _leave = Leave;
    run()
}

/// The life whose code runs.
pub(crate) fn life() -> Option<Life> {
    LIVES.with_borrow(|lives| lives.last().cloned())
}

/// Whether the code of this life runs.
pub(crate) fn is(life: &Life) -> bool {
    let same = |now: &Life| now.node() == life.node() && now.generation() == life.generation();
    LIVES.with_borrow(|lives| lives.last().is_some_and(same))
}
