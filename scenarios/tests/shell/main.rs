//! The `sameriver` binary as a shell sees it: words in, text and an exit code out.
//!
//! Reading order: `program` → `command_line` → `bad_input` → `checkpoints` → `one_job` → `nodes` →
//! `evidence` → `documents`.

mod bad_input;
mod checkpoints;
mod command_line;
mod documents;
mod evidence;
mod nodes;
mod one_job;
mod program;
