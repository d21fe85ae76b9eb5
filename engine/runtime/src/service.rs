//! Outside systems that connectors reach through the world.
//!
//! A service's trait lives with its connector. The front door offers the real one per URL scheme,
//! the simulator its model, so a connector runs unchanged in both worlds.

use thiserror::Error;

/// No such outside system in this world.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ServiceError {
    /// The URL's scheme is not offered.
    #[error("no service for {url}: this world offers {offered}")]
    UnknownScheme {
        /// What was asked for.
        url: String,
        /// The schemes that are there, joined by commas.
        offered: String,
    },
    /// The scheme is offered, but not as this trait.
    #[error("the service {url} is not a {expected}")]
    OtherTrait {
        /// What was asked for.
        url: String,
        /// The name of the trait.
        expected: &'static str,
    },
}
