//! The `sameriver` binary as a shell sees it: words in, text and an exit code out.
//!
//! Reading order: `program` → `command_line` → `bad_input` → `checkpoints` → `nodes` → `documents`.

mod bad_input;
mod checkpoints;
mod command_line;
mod documents;
mod nodes;
mod program;
