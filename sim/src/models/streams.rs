//! Models of the standard streams and of collections.
//!
//! Invariant: a request takes time there and back; between the two the effect happens, once, or
//! never if the life that asked is over.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sameriver_connectors::{COLLECT_SCHEME, CollectKey, Collector, STDIN, STDOUT, TextIn, TextOut};
use sameriver_runtime::{BoxFuture, RandomStream, World};

use crate::counters::lock;
use crate::ledger::Payload;
use crate::node_site::log_between;
use crate::services::ServiceSite;
use crate::sim_world::SimWorld;

/// Offers the standard streams and collections.
pub(super) fn offer(world: &SimWorld) {
    world.offer::<dyn TextOut>(scheme(STDOUT), |site| Arc::new(Outside::new(site)));
    world.offer::<dyn Collector>(COLLECT_SCHEME, |site| {
        // A collection that stays empty is there all the same.
        drop(
            site.sim()
                .ledger()
                .collected()
                .collector(collection(site.url())),
        );
        Arc::new(Outside::new(site))
    });
    world.offer_input(BTreeMap::new());
}

fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or(url)
}

fn collection(url: &str) -> &str {
    url.split_once(':').map_or("", |(_, name)| name)
}

impl SimWorld {
    /// Gives each named node its standard input; the others have an empty one. What a life has
    /// read is gone for the next.
    pub fn offer_input(&self, texts: BTreeMap<String, Bytes>) {
        let texts = Arc::new(Mutex::new(texts));
        self.offer::<dyn TextIn>(scheme(STDIN), move |site| {
            Arc::new(Input {
                outside: Outside::new(site),
                texts: Arc::clone(&texts),
            })
        });
    }
}

/// An outside system with a drawn distance.
#[derive(Clone)]
struct Outside {
    site: ServiceSite,
    world: World,
    draws: Arc<Mutex<RandomStream>>,
}

impl Outside {
    fn new(site: ServiceSite) -> Self {
        let world = site.world();
        let draws = world.random(&format!("outside {}", site.url()));
        Self {
            world,
            draws: Arc::new(Mutex::new(draws)),
            site,
        }
    }

    fn draw(&self, low: u64, high: u64) -> u64 {
        log_between(&mut lock(&self.draws), low, high)
    }

    fn travel(&self) -> BoxFuture<()> {
        let nanos = self.draw(10_000, 1_000_000);
        self.world.sleep(Duration::from_nanos(nanos))
    }

    fn effect(
        &self,
        happen: impl FnOnce(&ServiceSite) + Send + 'static,
    ) -> BoxFuture<io::Result<()>> {
        let outside = self.clone();
        self.site.guard(async move {
            outside.travel().await;
            happen(&outside.site);
            outside.travel().await;
            Ok(())
        })
    }
}

impl TextOut for Outside {
    fn write(&self, text: Bytes) -> BoxFuture<io::Result<()>> {
        self.effect(move |site| site.effect(Payload::Text(text)))
    }
}

impl Collector for Outside {
    fn commit(&self, key: CollectKey, records: Vec<Vec<u8>>) -> BoxFuture<io::Result<()>> {
        self.effect(move |site| {
            let collected = site.sim().ledger().collected();
            let name = collection(site.url());
            // What is kept already has no effect any more.
            if collected.keep(name, key, records.clone()) {
                let subtask = key.subtask;
                site.effect(Payload::Records { subtask, records });
            }
        })
    }
}

struct Input {
    outside: Outside,
    texts: Arc<Mutex<BTreeMap<String, Bytes>>>,
}

impl TextIn for Input {
    fn read(&self, max: usize) -> BoxFuture<io::Result<Bytes>> {
        let (outside, texts) = (self.outside.clone(), Arc::clone(&self.texts));
        self.outside.site.guard(async move {
            outside.travel().await;
            let mut texts = lock(&texts);
            let Some(text) = texts.get_mut(outside.site.node()) else {
                return Ok(Bytes::new());
            };
            let most = max.min(text.len());
            if most == 0 {
                return Ok(Bytes::new());
            }
            let count = usize::try_from(outside.draw(1, most as u64)).unwrap_or(most);
            Ok(text.split_to(count.min(most)))
        })
    }
}
