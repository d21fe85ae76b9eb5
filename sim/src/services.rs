//! Which outside systems the world offers, by trait and URL scheme.
//!
//! Invariant: a service is made anew for each life that asks, so nothing of an earlier life is in
//! it; what must outlive a crash lies with the supervisor.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::Arc;

use sameriver_runtime::{ServiceError, World};

use crate::counters::lock;
use crate::ledger::Payload;
use crate::life::{Generation, Life};
use crate::sim_world::SimWorld;

/// Where a service is asked for: one life of one node.
///
/// ```no_run
/// # use sameriver_sim::{ServiceSite, SimWorld};
/// trait Mail: Send + Sync {}
/// struct Model(ServiceSite);
/// impl Mail for Model {}
/// # fn offer(sim: &SimWorld) {
/// sim.offer::<dyn Mail>("mail", |site| std::sync::Arc::new(Model(site)));
/// # }
/// ```
#[derive(Clone)]
pub struct ServiceSite {
    world: SimWorld,
    life: Life,
    url: String,
}

impl ServiceSite {
    /// The node that asks.
    pub fn node(&self) -> &str {
        self.life.site().name()
    }

    /// The life in which it asks.
    pub fn generation(&self) -> Generation {
        self.life.generation()
    }

    /// What was asked for.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The world of that life, for delays.
    pub fn world(&self) -> World {
        self.world.world_in(&self.life)
    }

    /// The life that asks.
    pub(crate) fn life(&self) -> &Life {
        &self.life
    }

    /// The whole simulated world.
    pub fn sim(&self) -> &SimWorld {
        &self.world
    }

    /// Lets something happen outside, now; a life that is over has no effect any more.
    pub fn effect(&self, payload: Payload) {
        if !self.life.is_stale() {
            self.world
                .ledger()
                .record(&self.world, &self.life, &self.url, payload);
        }
    }

    /// A future that never completes once this life is over.
    pub fn guard<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> sameriver_runtime::BoxFuture<T> {
        self.life.guard(work)
    }
}

type Made = Box<dyn Any + Send>;
type Make = dyn Fn(ServiceSite) -> Result<Made, String> + Send + Sync;

/// What is in the box when the scheme is there, but not as the trait that is wanted: the caller's
/// downcast says which one that was.
struct OtherTrait;

#[derive(Clone)]
pub(crate) struct Factory(Arc<Make>);

impl Factory {
    pub(crate) fn make(
        &self,
        world: &SimWorld,
        life: &Life,
        url: &str,
    ) -> Result<Made, ServiceError> {
        let made = (self.0)(ServiceSite {
            world: world.clone(),
            life: life.clone(),
            url: url.to_owned(),
        });
        made.map_err(|reason| ServiceError::Failed {
            url: url.to_owned(),
            reason,
        })
    }
}

#[derive(Default)]
pub(crate) struct Services {
    by_scheme: BTreeMap<String, Vec<(TypeId, Factory)>>,
}

impl Services {
    pub(crate) fn find(&self, wanted: TypeId, url: &str) -> Result<Factory, ServiceError> {
        let scheme = url.split(':').next().unwrap_or(url);
        let Some(offered) = self.by_scheme.get(scheme) else {
            let schemes: Vec<String> = self.by_scheme.keys().map(|s| format!("{s}:")).collect();
            return Err(ServiceError::UnknownScheme {
                url: url.to_owned(),
                offered: schemes.join(", "),
            });
        };
        let same = offered.iter().find(|(trait_id, _)| *trait_id == wanted);
        Ok(same.map_or_else(
            || Factory(Arc::new(|_| Ok(Box::new(OtherTrait)))),
            |(_, factory)| factory.clone(),
        ))
    }

    fn offer(&mut self, scheme: &str, trait_id: TypeId, factory: Factory) {
        let offered = self.by_scheme.entry(scheme.to_owned()).or_default();
        offered.retain(|(other, _)| *other != trait_id);
        offered.push((trait_id, factory));
    }
}

impl SimWorld {
    /// Offers a service under a URL scheme (without the colon), as the trait `T`; a later offer
    /// replaces an earlier one.
    pub fn offer<T: ?Sized + Send + Sync + 'static>(
        &self,
        scheme: &str,
        make: impl Fn(ServiceSite) -> Arc<T> + Send + Sync + 'static,
    ) {
        self.try_offer(scheme, move |site| Ok(make(site)));
    }

    /// As [`offer`](Self::offer), for a service that cannot be opened at every URL: the error says
    /// why.
    pub fn try_offer<T: ?Sized + Send + Sync + 'static>(
        &self,
        scheme: &str,
        make: impl Fn(ServiceSite) -> Result<Arc<T>, String> + Send + Sync + 'static,
    ) {
        let factory = Factory(Arc::new(move |site| Ok(Box::new(make(site)?) as Made)));
        lock(self.services()).offer(scheme, TypeId::of::<T>(), factory);
    }
}
