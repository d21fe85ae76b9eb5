//! Byte streams between nodes.
//!
//! Invariant: bytes arrive in order or not at all; a stream is bounded, so a peer that never reads
//! stops its writer.

use std::fmt;
use std::io;
use std::pin::Pin;

use crate::io::{AsyncRead, AsyncWrite};

/// Where a node can be reached: `host:port`.
///
/// ```
/// assert_eq!(sameriver_runtime::Address::new("127.0.0.1:9999").to_string(), "127.0.0.1:9999");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

impl Address {
    /// Wraps `host:port`.
    pub fn new(address: impl Into<String>) -> Self {
        Self(address.into())
    }

    /// `host:port`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A connection: reads and writes bytes, and can be shut down in one direction.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// A future that gives the next connection of a listener.
pub type Accept<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send + 'a>>;

/// Accepts connections.
pub trait Listener: Send {
    /// The bound address, with the port that was given for port 0.
    fn address(&self) -> Address;

    /// Waits for the next connection. Cancel safe: a connection that was not returned is kept.
    fn accept(&mut self) -> Accept<'_>;
}
