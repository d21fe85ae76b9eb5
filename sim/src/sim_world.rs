//! What a scenario holds: nodes, links, disks, outside effects, and the switches that break them.
//!
//! Invariant: everything here happens at one instant of virtual time, in one synchronous step.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use sameriver_runtime::{
    Address, BoxFuture, Lane, Monotonic, Panicked, RandomStream, TaskHandle, World,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::counters::{Counters, lock};
use crate::disk::{NodeFiles, VOLUME};
use crate::fault::Board;
use crate::ledger::Ledger;
use crate::life::{Generation, Life, NodeId};
use crate::models::Blobs;
use crate::models::file_store::{self, Cause};
use crate::net::Net;
use crate::node_site::{NodeClock, NodeSite};
use crate::node_world::NodeWorld;
use crate::services::Services;
use crate::supervisor::{Limits, PanicReport};
use crate::timers::{Due, Sleep, Timer, TimerKey, Timers};
use crate::trace::{Event, Trace};
use crate::virtual_clock::VirtualClock;
use crate::{current, node_task, observer, quiet_panics};

/// The node on which the scenario itself runs; it never crashes.
pub(crate) const SUPERVISOR: &str = "supervisor";

#[derive(Default)]
struct Nodes {
    by_name: BTreeMap<String, Arc<NodeSite>>,
    in_order: Vec<Arc<NodeSite>>,
}

/// What a node does each time it starts.
type Boot = Arc<dyn Fn(World) + Send + Sync>;

struct Shared {
    seed: u64,
    limits: Limits,
    clock: VirtualClock,
    counters: Arc<Counters>,
    timers: Mutex<Timers>,
    nodes: Mutex<Nodes>,
    net: Mutex<Net>,
    services: Mutex<Services>,
    ledger: Ledger,
    blobs: Mutex<Blobs>,
    board: Mutex<Board>,
    boots: Mutex<BTreeMap<String, Boot>>,
    trace: Mutex<Trace>,
    graveyard: Mutex<Vec<BoxFuture<()>>>,
    panics: Mutex<Vec<PanicReport>>,
    tolerates_panics: Mutex<bool>,
}

/// A seeded world; a cheap handle, made by [`run_seed`](crate::run_seed).
///
/// ```
/// use sameriver_sim::{Limits, run_seed};
/// let outcome = run_seed(7, &Limits::default(), |sim| async move {
///     let node = sim.node("worker");
///     node.sleep(std::time::Duration::from_secs(5)).await;
///     Ok(node.now().elapsed().as_secs())
/// });
/// assert_eq!(outcome.verdict, Ok(5));
/// ```
#[derive(Clone)]
pub struct SimWorld(Arc<Shared>);

impl SimWorld {
    /// A world without nodes, on the thread of its executor.
    pub(crate) fn new(seed: u64, limits: Limits) -> Self {
        let world = Self(Arc::new(Shared {
            seed,
            clock: VirtualClock::current(),
            counters: Arc::default(),
            timers: Mutex::default(),
            nodes: Mutex::default(),
            net: Mutex::new(Net::new(seed)),
            services: Mutex::default(),
            ledger: Ledger::default(),
            blobs: Mutex::default(),
            board: Mutex::default(),
            boots: Mutex::default(),
            trace: Mutex::new(Trace::new(limits.capture)),
            graveyard: Mutex::default(),
            panics: Mutex::default(),
            tolerates_panics: Mutex::default(),
            limits,
        }));
        let supervisor = world.site(SUPERVISOR);
        world.trace(supervisor.id(), Event::Start, seed, String::new);
        crate::models::offer_standard(&world);
        observer::install(&world);
        world
    }

    /// The number that fixes this run.
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The random stream `name` of the scenario; no node draws from it.
    pub fn random(&self, name: &str) -> RandomStream {
        RandomStream::named(self.0.seed, &format!("scenario {name}"))
    }

    /// The world's own time since the start of the run.
    pub fn now(&self) -> Monotonic {
        Monotonic::from_origin(std::time::Duration::from_nanos(self.now_nanos()))
    }

    /// The node `name` in its current life; it is created, or started after a crash, if need be.
    pub fn node(&self, name: &str) -> World {
        let site = self.site(name);
        if !site.is_up() {
            self.start(&site);
        }
        self.world_of(&site)
    }

    /// Starts the node and says what runs on it: `start` is called now and at each later start,
    /// with the world of that life. It spawns and returns.
    pub fn boot(&self, name: &str, start: impl Fn(World) + Send + Sync + 'static) {
        let world = self.node(name);
        let start: Boot = Arc::new(start);
        lock(&self.0.boots).insert(name.to_owned(), Arc::clone(&start));
        current::of(&Life::current(&self.site(name)), || start(world));
    }

    /// The node that the scenario itself runs on.
    pub fn supervisor(&self) -> World {
        self.node(SUPERVISOR)
    }

    /// Whether the node exists and runs (paused or not).
    pub fn is_up(&self, name: &str) -> bool {
        let nodes = lock(&self.0.nodes);
        nodes.by_name.get(name).is_some_and(|site| site.is_up())
    }

    /// The life that the node is in.
    pub fn generation(&self, name: &str) -> Generation {
        self.site(name).generation()
    }

    /// The files of a node, to put inputs in and to read outputs.
    pub fn files(&self, name: &str) -> NodeFiles {
        NodeFiles::new(self.clone(), self.site(name))
    }

    /// Sets a node's clocks apart from the world's.
    pub fn set_clock(&self, name: &str, clock: NodeClock) {
        self.site(name).set_clock(self.now_nanos(), clock);
    }

    /// Says what a record costs on a node, instead of what was drawn: slow nodes make a small
    /// input last.
    pub fn set_record_cost(&self, name: &str, cost: std::time::Duration) {
        let nanos = crate::virtual_clock::nanos(cost);
        self.site(name).set_record_nanos(nanos);
    }

    /// What came out of the world so far, and what was collected.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Puts something of the scenario into the trace.
    pub fn mark(&self, what: &str) {
        let node = self.site(SUPERVISOR).id();
        self.trace(node, Event::Mark, xxh3_64(what.as_bytes()), || {
            what.to_owned()
        });
    }

    /// Accepts that tasks panic; otherwise a panic fails the run.
    pub fn tolerate_panics(&self) {
        *lock(&self.0.tolerates_panics) = true;
    }

    /// Crashes a node in one step: its power goes, what was not synced is kept, dropped or torn,
    /// its connections fall silent, its timers and tasks are never heard of again.
    ///
    /// # Panics
    /// If `name` is the supervisor.
    pub fn crash(&self, name: &str) {
        assert_ne!(name, SUPERVISOR, "the supervisor does not crash");
        let site = self.site(name);
        self.trace(site.id(), Event::Crash, site.generation().get(), || {
            name.to_owned()
        });
        let life = Life::current(&site);
        site.end_generation();
        site.set_up(false);
        site.set_paused(false);
        lock(&site.disk).cut_power();
        if let Some(volume) = self.find_site(VOLUME) {
            let changed = {
                let mut disk = lock(&volume.disk);
                disk.cut_power_of(site.id());
                disk.take_changed()
            };
            file_store::note_changes(self, &life, Cause::PowerCut, changed);
        }
        let tasks = std::mem::take(&mut *lock(&site.tasks));
        let futures: Vec<_> = tasks
            .cells
            .values()
            .filter_map(|cell| cell.bury())
            .collect();
        lock(&self.0.graveyard).extend(futures);
        let timers = lock(&self.0.timers).take_node(site.id());
        let silenced = lock(&self.0.net).crash(self.now_nanos(), site.id());
        // Dropped with no lock held: stale objects do nothing, but their wakers may take locks.
        drop((tasks, timers, silenced));
    }

    /// Puts an empty disk into a crashed node: only what the scenario has put in is on it.
    ///
    /// # Panics
    /// If the node is up.
    pub fn wipe(&self, name: &str) {
        assert!(
            !self.is_up(name),
            "a disk is changed while the power is off"
        );
        lock(&self.site(name).disk).wipe();
    }

    /// Starts a crashed node again (or crashes and starts a running one) and gives its new life.
    pub fn restart(&self, name: &str) -> World {
        if self.is_up(name) {
            self.crash(name);
        }
        self.node(name)
    }

    /// Stops a node between two polls; its timers and connections wait.
    pub fn pause(&self, name: &str) {
        let site = self.site(name);
        self.trace(site.id(), Event::Pause, 0, || name.to_owned());
        site.set_paused(true);
    }

    /// Lets a paused node go on.
    pub fn resume(&self, name: &str) {
        self.go_on(name);
    }

    /// Lets a paused node go on and answers how many tasks had to wait for that.
    pub(crate) fn go_on(&self, name: &str) -> u64 {
        let site = self.site(name);
        self.trace(site.id(), Event::Resume, 0, || name.to_owned());
        site.set_paused(false);
        let parked = std::mem::take(&mut lock(&site.tasks).parked);
        let delayed = parked.len() as u64;
        for waker in parked {
            waker.wake();
        }
        delayed
    }

    /// Cuts the link from one node to another, in this direction only: nothing arrives any more.
    pub fn cut(&self, from: &str, to: &str) {
        self.switch_link(Event::Cut, from, to);
    }

    /// Mends the link from one node to another; what waited is sent again.
    pub fn heal(&self, from: &str, to: &str) {
        self.switch_link(Event::Heal, from, to);
    }

    fn switch_link(&self, event: Event, from: &str, to: &str) {
        let (source, target) = (self.site(from).id(), self.site(to).id());
        self.trace(source, event, u64::from(target.0), || {
            format!("{from} -> {to}")
        });
        let mut net = lock(&self.0.net);
        if event == Event::Cut {
            net.cut(self.now_nanos(), source, target);
        } else {
            let mended = net.heal(self.now_nanos(), source, target);
            drop(net);
            for connection in mended {
                connection.arm(self);
            }
        }
    }

    fn start(&self, site: &Arc<NodeSite>) {
        self.trace(site.id(), Event::Restart, site.generation().get(), || {
            site.name().to_owned()
        });
        site.set_up(true);
        let answered = lock(&self.0.net).answer_strangers(self.now_nanos(), site.id());
        for connection in answered {
            connection.arm(self);
        }
        lock(&self.0.board).came_up(site.name());
        let boot = lock(&self.0.boots).get(site.name()).cloned();
        if let Some(boot) = boot {
            let world = self.world_of(site);
            current::of(&Life::current(site), || boot(world));
        }
    }

    fn world_of(&self, site: &Arc<NodeSite>) -> World {
        World::new(Arc::new(NodeWorld::new(self.clone(), Life::current(site))))
    }

    /// The world of a life that may be over.
    pub(crate) fn world_in(&self, life: &Life) -> World {
        World::new(Arc::new(NodeWorld::new(self.clone(), life.clone())))
    }

    pub(crate) fn site(&self, name: &str) -> Arc<NodeSite> {
        let mut nodes = lock(&self.0.nodes);
        if let Some(site) = nodes.by_name.get(name) {
            return Arc::clone(site);
        }
        let id = u32::try_from(nodes.in_order.len()).expect("a world has few nodes");
        let site = Arc::new(NodeSite::new(self.0.seed, NodeId(id), name));
        nodes.by_name.insert(name.to_owned(), Arc::clone(&site));
        nodes.in_order.push(Arc::clone(&site));
        site
    }

    /// The node of an address, if there is one.
    pub(crate) fn find_site(&self, name: &str) -> Option<Arc<NodeSite>> {
        lock(&self.0.nodes).by_name.get(name).cloned()
    }

    pub(crate) fn spawn_supervised(&self, future: BoxFuture<()>) -> TaskHandle {
        let life = Life::current(&self.site(SUPERVISOR));
        node_task::spawn(self, &life, Lane::Control, "scenario", future)
    }

    pub(crate) fn now_nanos(&self) -> u64 {
        self.0.clock.now()
    }

    pub(crate) fn clock(&self) -> &VirtualClock {
        &self.0.clock
    }

    pub(crate) fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.0.counters)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(crate) fn timers(&self) -> &Mutex<Timers> {
        &self.0.timers
    }

    pub(crate) fn net(&self) -> &Mutex<Net> {
        &self.0.net
    }

    pub(crate) fn board(&self) -> &Mutex<Board> {
        &self.0.board
    }

    pub(crate) fn blobs_of_all(&self) -> &Mutex<Blobs> {
        &self.0.blobs
    }

    pub(crate) fn services(&self) -> &Mutex<Services> {
        &self.0.services
    }

    /// Ends at an instant of the world, in the life of a node.
    pub(crate) fn sleep_until(&self, life: &Life, at: u64) -> Sleep {
        Sleep::until(self, life, at)
    }

    /// Lets the world do something at an instant, whoever is alive then.
    pub(crate) fn act_at(&self, at: u64, act: impl FnOnce(&Self) + Send + 'static) -> TimerKey {
        let due = Due::Act(Box::new(act));
        lock(&self.0.timers).insert(at, Timer { life: None, due })
    }

    pub(crate) fn trace(
        &self,
        node: NodeId,
        event: Event,
        digest: u64,
        detail: impl FnOnce() -> String,
    ) {
        if event.is_progress() {
            self.0.counters.progressed();
        }
        lock(&self.0.trace).record(self.now_nanos(), node, event, digest, detail);
    }

    pub(crate) fn trace_parts(&self) -> &Mutex<Trace> {
        &self.0.trace
    }

    /// Lays a future where nobody polls or drops it before the end.
    pub(crate) fn bury(&self, future: BoxFuture<()>) {
        lock(&self.0.graveyard).push(future);
    }

    pub(crate) fn note_panic(&self, life: &Life, panicked: &Panicked) {
        let place = quiet_panics::take_place().unwrap_or_else(|| "an unknown place".to_owned());
        let digest = xxh3_64(panicked.message.as_bytes());
        let report = PanicReport {
            node: life.site().name().to_owned(),
            task: panicked.task.clone(),
            message: panicked.message.clone(),
            place,
            at: self.now(),
        };
        self.trace(life.node(), Event::Panic, digest, || report.to_string());
        lock(&self.0.panics).push(report);
    }

    pub(crate) fn take_panics(&self) -> (Vec<PanicReport>, bool) {
        let panics = std::mem::take(&mut *lock(&self.0.panics));
        (panics, *lock(&self.0.tolerates_panics))
    }

    /// The names of the tasks that have not ended, by node.
    pub(crate) fn unfinished_tasks(&self) -> String {
        let nodes = lock(&self.0.nodes);
        let mut names = Vec::new();
        for site in &nodes.in_order {
            for cell in lock(&site.tasks).cells.values() {
                names.push(format!("{}/{}", site.name(), cell.name()));
            }
        }
        names.join(", ")
    }

    /// Ends all lives and drops all that is left, dead or alive.
    pub(crate) fn dissolve(&self) {
        observer::uninstall();
        let sites = std::mem::take(&mut *lock(&self.0.nodes)).in_order;
        let mut left = Vec::new();
        for site in &sites {
            site.end_generation();
            let tasks = std::mem::take(&mut *lock(&site.tasks));
            left.extend(tasks.cells.values().map(|cell| cell.dissolve()));
        }
        let graveyard = std::mem::take(&mut *lock(&self.0.graveyard));
        let timers = lock(&self.0.timers).take_all();
        let net = std::mem::replace(&mut *lock(&self.0.net), Net::new(self.0.seed));
        let services = std::mem::take(&mut *lock(&self.0.services));
        let boots = std::mem::take(&mut *lock(&self.0.boots));
        self.0.counters.forget_driver();
        // A destructor of a task may panic: nobody is left to be told.
        let _ = quiet_panics::watched(|| {
            catch_unwind(AssertUnwindSafe(|| {
                drop((left, graveyard, timers, net, services, boots));
            }))
        });
    }
}

/// The node and the port of an address; the loopback names mean the node that asks.
pub(crate) fn parse(address: &Address, asking: &NodeSite) -> Option<(String, u16)> {
    let (host, port) = address.as_str().rsplit_once(':')?;
    let port = port.parse().ok()?;
    let loopback = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
    let host = if loopback { asking.name() } else { host };
    Some((host.to_owned(), port))
}
