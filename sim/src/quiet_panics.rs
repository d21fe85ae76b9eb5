//! Keeps the panics of simulated tasks off the terminal, and remembers where they happened.
//!
//! Invariant: only panics inside [`watched`] are kept back; all others reach the hook that was
//! there before.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::Once;

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs the hook, once per process.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if WATCHING.get() {
                let place = panic.location().map(ToString::to_string);
                LAST.with_borrow_mut(|last| *last = place);
            } else {
                before(panic);
            }
        }));
    });
}

/// Runs code that catches its own panics, without a message on the terminal.
pub(crate) fn watched<R>(run: impl FnOnce() -> R) -> R {
    let before = WATCHING.replace(true);
    let result = run();
    WATCHING.set(before);
    result
}

/// Where the last watched panic of this thread happened.
pub(crate) fn take_place() -> Option<String> {
    LAST.with_borrow_mut(Option::take)
}
