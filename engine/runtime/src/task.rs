//! Spawned tasks and how they end.
//!
//! Invariant: a task that panics ends itself only; whoever joins it is told.

use std::sync::{Mutex, PoisonError};

use thiserror::Error;

use crate::BoxFuture;

/// A task or a blocking call panicked; the others go on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("task {task} panicked: {message}")]
pub struct Panicked {
    /// The name that the task was spawned with.
    pub task: String,
    /// What the panic said, as far as it was text.
    pub message: String,
}

impl Panicked {
    /// Reads the message out of a caught panic.
    pub fn new(task: &str, payload: &(dyn std::any::Any + Send)) -> Self {
        let text = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned());
        let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
        let message = message.unwrap_or_else(|| "(no text)".to_owned());
        Self {
            task: task.to_owned(),
            message,
        }
    }
}

/// The handle of a spawned task; dropping it lets the task go on alone.
#[must_use = "join the task, or call `detach` to let it go on alone"]
pub struct TaskHandle {
    // Never locked: it only makes the handle `Sync`, so that whoever holds one may be borrowed
    // across an await.
    join: Mutex<BoxFuture<Result<(), Panicked>>>,
}

impl TaskHandle {
    /// Wraps the future that ends when the task ends.
    pub fn new(join: BoxFuture<Result<(), Panicked>>) -> Self {
        let join = Mutex::new(join);
        Self { join }
    }

    /// Waits for the task to end.
    ///
    /// # Errors
    /// [`Panicked`] when it did.
    pub async fn join(self) -> Result<(), Panicked> {
        let join = self.join.into_inner();
        join.unwrap_or_else(PoisonError::into_inner).await
    }

    /// Lets the task go on alone.
    pub fn detach(self) {}
}

#[cfg(test)]
mod tests {
    use super::Panicked;

    #[test]
    fn the_message_of_a_panic_is_kept_as_far_as_it_is_text() {
        let message =
            |payload: Box<dyn std::any::Any + Send>| Panicked::new("t", &*payload).message;
        assert_eq!(message(Box::new("borrowed")), "borrowed");
        assert_eq!(message(Box::new("owned".to_owned())), "owned");
        assert_eq!(message(Box::new(7)), "(no text)");
    }

    #[test]
    fn a_panicked_task_is_named_in_the_error() {
        let error = Panicked::new("tm0-slot-3", &"divided by zero");
        assert_eq!(
            error.to_string(),
            "task tm0-slot-3 panicked: divided by zero"
        );
    }
}
