//! The `sameriver` binary as a shell sees it: words in, text and an exit code out.
//!
//! Reading order: `program` → `command_line` → `bad_input` → `documents`.

mod bad_input;
mod command_line;
mod documents;
mod program;
