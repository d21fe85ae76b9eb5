//! Turns values into bytes: `wire` for what travels, `ordered` for keys.
//!
//! Invariant: the bytes are fixed; `docs/formats.md` publishes them and a test decodes its
//! examples.

mod field;
pub mod ordered;
pub mod wire;
