//! Who is alive: a node and one of its generations.
//!
//! Invariant: an object of a generation that has ended is stale for ever: its asynchronous
//! operations never complete, its synchronous ones and its `Drop` do nothing.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use sameriver_runtime::BoxFuture;

use crate::node_site::NodeSite;

/// The number of a node in its world, in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// How many times a node has started before: 0 for its first life.
///
/// ```
/// assert_eq!(sameriver_sim::Generation::FIRST.to_string(), "g0");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u64);

impl Generation {
    /// A node's first life.
    pub const FIRST: Self = Self(0);

    /// The number of earlier lives.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g{}", self.0)
    }
}

/// One generation of one node, carried by every object of the world.
#[derive(Clone)]
pub(crate) struct Life {
    site: Arc<NodeSite>,
    generation: Generation,
}

impl Life {
    pub(crate) fn current(site: &Arc<NodeSite>) -> Self {
        Self {
            site: Arc::clone(site),
            generation: site.generation(),
        }
    }

    pub(crate) fn is_stale(&self) -> bool {
        self.site.generation() != self.generation
    }

    pub(crate) fn site(&self) -> &Arc<NodeSite> {
        &self.site
    }

    pub(crate) fn node(&self) -> NodeId {
        self.site.id()
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    /// `work`, unless this life ends before: then it never completes.
    pub(crate) fn guard<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> BoxFuture<T> {
        let life = self.clone();
        let mut work = Box::pin(work);
        Box::pin(poll_fn(move |cx| {
            if life.is_stale() {
                return Poll::Pending;
            }
            work.as_mut().poll(cx)
        }))
    }
}
