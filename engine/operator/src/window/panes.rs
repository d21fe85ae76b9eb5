//! The open windows of one key.
//!
//! Invariant: at most one accumulator a window. The first window is held inline, since most keys
//! have no other one open.

use serde::{Deserialize, Serialize};

use super::TimeWindow;

#[derive(Serialize, Deserialize)]
pub(super) struct Panes<A> {
    first: Option<(TimeWindow, A)>,
    others: Vec<(TimeWindow, A)>,
}

impl<A> Panes<A> {
    pub(super) fn new() -> Self {
        Self {
            first: None,
            others: Vec::new(),
        }
    }

    /// The accumulator of `window`, made by `create` if the window is new; says whether it is.
    #[inline]
    pub(super) fn open(
        &mut self,
        window: TimeWindow,
        create: impl FnOnce() -> A,
    ) -> (&mut A, bool) {
        let is_first = self.first.as_ref().is_none_or(|(held, _)| *held == window);
        if is_first && self.others.is_empty() {
            let new = self.first.is_none();
            let (_, acc) = self.first.get_or_insert_with(|| (window, create()));
            return (acc, new);
        }
        self.open_other(window, create)
    }

    fn open_other(&mut self, window: TimeWindow, create: impl FnOnce() -> A) -> (&mut A, bool) {
        if let Some((held, acc)) = &mut self.first
            && *held == window
        {
            return (acc, false);
        }
        let position = self.others.iter().position(|(held, _)| *held == window);
        let new = position.is_none();
        let position = position.unwrap_or(self.others.len());
        if new {
            self.others.push((window, create()));
        }
        (&mut self.others[position].1, new)
    }

    /// Takes the accumulator of a window that closes.
    pub(super) fn close(&mut self, window: TimeWindow) -> Option<A> {
        if let Some((_, acc)) = self.first.take_if(|(held, _)| *held == window) {
            return Some(acc);
        }
        let position = self.others.iter().position(|(held, _)| *held == window)?;
        Some(self.others.swap_remove(position).1)
    }

    /// Whether no window is open.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64) -> TimeWindow {
        let (start, end) = (start.into(), (start + 10).into());
        TimeWindow { start, end }
    }

    #[test]
    fn each_window_has_one_accumulator_whatever_closes_first() {
        let mut panes = Panes::new();
        for start in [0, 10, 20, 0, 10, 20] {
            let (count, _) = panes.open(window(start), || 0);
            *count += 1;
        }
        for start in [10, 0] {
            assert_eq!(panes.close(window(start)), Some(2));
            assert_eq!(panes.close(window(start)), None);
        }
        let (count, new) = panes.open(window(20), || 0);
        assert_eq!((*count, new), (2, false));
        assert!(panes.open(window(0), || 0).1);
        assert_eq!(panes.close(window(20)), Some(2));
        assert_eq!(panes.close(window(0)), Some(0));
        assert!(panes.is_empty());
    }
}
