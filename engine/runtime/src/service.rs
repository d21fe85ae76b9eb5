//! Outside systems that connectors reach through the world.
//!
//! A service's trait lives with its connector. The front door offers the real one per URL scheme,
//! the simulator its model, so a connector runs unchanged in both worlds.
//!
//! Invariant: what a URL opens depends on its scheme and on the trait that was asked for, nothing
//! else. Knows no service itself.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::World;

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
    /// The scheme is offered, but this URL could not be opened.
    #[error("the service {url} cannot be opened: {reason}")]
    Failed {
        /// What was asked for.
        url: String,
        /// What the service said.
        reason: String,
    },
}

type Opened = Box<dyn Any + Send>;
type Factory = Arc<dyn Fn(&str, &World) -> Result<Opened, String> + Send + Sync>;

/// The outside systems that a world offers, by URL scheme and trait.
///
/// The scheme of a URL is what stands before its first colon.
///
/// ```
/// use sameriver_runtime::Services;
/// use std::sync::Arc;
///
/// trait Greeter: Send + Sync {
///     fn greet(&self) -> String;
/// }
/// struct Hello(String);
/// impl Greeter for Hello {
///     fn greet(&self) -> String {
///         format!("hello from {}", self.0)
///     }
/// }
/// let services = Services::default()
///     .offer::<dyn Greeter>("hello", |_url, world| Ok(Arc::new(Hello(world.node().to_owned()))));
/// assert_eq!(services.schemes().collect::<Vec<_>>(), ["hello"]);
/// ```
#[derive(Clone, Default)]
pub struct Services {
    offers: BTreeMap<String, BTreeMap<TypeId, Factory>>,
}

/// What a known scheme answers to an unknown trait: [`World::service`] knows the trait's name and
/// makes the error of it.
struct OtherTrait;

impl Services {
    /// Offers the trait `T` under a scheme; replaces an earlier offer of the same two.
    ///
    /// The factory gets the whole URL and the world that asks; its error says why the URL cannot
    /// be opened.
    #[must_use = "the offer is in the returned services"]
    pub fn offer<T: ?Sized + Send + Sync + 'static>(
        mut self,
        scheme: &str,
        factory: impl Fn(&str, &World) -> Result<Arc<T>, String> + Send + Sync + 'static,
    ) -> Self {
        let erased: Factory =
            Arc::new(move |url, world| Ok(Box::new(factory(url, world)?) as Opened));
        let offers = self.offers.entry(scheme.to_owned()).or_default();
        offers.insert(TypeId::of::<T>(), erased);
        self
    }

    /// The schemes on offer, in ascending order.
    pub fn schemes(&self) -> impl Iterator<Item = &str> {
        self.offers.keys().map(String::as_str)
    }

    /// Opens what [`WorldApi::service`](crate::WorldApi::service) was asked for, on behalf of
    /// `world`.
    ///
    /// # Errors
    /// [`ServiceError::UnknownScheme`] and [`ServiceError::Failed`]; a known scheme with another
    /// trait becomes [`ServiceError::OtherTrait`] in [`World::service`].
    pub fn open(&self, wanted: TypeId, url: &str, world: &World) -> Result<Opened, ServiceError> {
        let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
        let Some(offers) = self.offers.get(scheme) else {
            return Err(ServiceError::UnknownScheme {
                url: url.to_owned(),
                offered: self.offered(),
            });
        };
        let Some(factory) = offers.get(&wanted) else {
            return Ok(Box::new(OtherTrait));
        };
        factory(url, world).map_err(|reason| ServiceError::Failed {
            url: url.to_owned(),
            reason,
        })
    }

    fn offered(&self) -> String {
        if self.offers.is_empty() {
            return "nothing".to_owned();
        }
        self.schemes().collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.schemes()).finish()
    }
}
