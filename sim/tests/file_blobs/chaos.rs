//! Several nodes create, upload, read, list and remove objects of one store, while nodes lose
//! their power and the disk fails.
//!
//! Invariant: the judge of stores sees every operation, and finds nothing wrong.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sameriver_runtime::{BlobError, BlobStore, Created, Lane, RandomStream, World};
use sameriver_sim::{
    Class, Effects, FILE_CHECKPOINTS, FaultFamily, FaultScript, Finding, Limits, Nemesis, SimWorld,
    StoreEvent, Targets, VOLUME, Window, judge, run_seed,
};

use crate::cuts::{content, store};

const SEEDS: u64 = 200;
const NODES: [&str; 3] = ["a", "b", "c"];
const OPERATIONS: u64 = 60;
const LASTING: Duration = Duration::from_secs(20);

/// What was answered to whoever asked: the path, and whether it was created by it.
type Told = Arc<Mutex<BTreeSet<(String, String)>>>;

/// One life of a node: operations with pauses between them.
async fn live(world: World, files: Arc<dyn BlobStore>, mut draws: RandomStream, told: Told) {
    for _ in 0..OPERATIONS {
        let pause = draws.between(1, 400);
        world.sleep(Duration::from_millis(pause)).await;
        let path = format!("job/{}/{}", draws.below(3), draws.below(5));
        let name = format!("{}-{:x}", world.node(), draws.next_u64());
        // Errors are the disk's: the judge looks at what was answered.
        let _answer = match draws.below(10) {
            0..4 => files
                .create(&path, vec![content(&name)])
                .await
                .map(|created| {
                    if created == Created::Created {
                        told.lock().unwrap().insert((path, name));
                    }
                }),
            4..6 => upload(&*files, &path, &name).await,
            6..8 => files.read(&path).await.map(drop),
            8 => files.list("job/").await.map(drop),
            _ => files.remove(&path).await,
        };
    }
}

async fn upload(files: &dyn BlobStore, path: &str, name: &str) -> Result<(), BlobError> {
    let mut upload = files.upload(path).await?;
    for _ in 0..3 {
        upload.write(Bytes::from(name.to_owned())).await?;
    }
    upload.finish().await.map(drop)
}

fn script(seed: u64) -> FaultScript {
    let targets = Targets {
        nodes: NODES.map(str::to_owned).to_vec(),
        disks: vec![VOLUME.to_owned()],
        ..Targets::default()
    };
    let window = Window {
        start_nanos: 0,
        end_nanos: 20_000_000_000,
    };
    FaultScript::draw(seed, Class::Storm, &targets, window)
}

async fn all_goes_wrong(sim: SimWorld) -> Result<(u64, usize, Effects), Finding> {
    let told = Told::default();
    for node in NODES {
        let (own, told) = (sim.clone(), Arc::clone(&told));
        sim.boot(node, move |world| {
            let files = world.service::<dyn BlobStore>(FILE_CHECKPOINTS).unwrap();
            let draws = own.random(&format!(
                "{} {}",
                world.node(),
                own.generation(world.node())
            ));
            let living = live(world.clone(), files, draws, Arc::clone(&told));
            world.spawn(Lane::Control, "life", living).detach();
        });
    }
    let nemesis = Nemesis::run(&sim, &script(sim.seed()));
    let nemesis = nemesis.map_err(|error| Finding::harness(error.to_string()))?;
    sim.supervisor().sleep(LASTING).await;
    nemesis.heal();
    for node in NODES {
        sim.restart(node);
        sim.crash(node);
    }
    let events = StoreEvent::of(sim.blobs(FILE_CHECKPOINTS).history());
    let judged = judge::storage(&events)?;
    // What the watcher believes to be there is what a node finds, byte by byte.
    let files = store(&sim, "reader");
    let listed = files.list("").await.unwrap();
    let objects = sim.blobs(FILE_CHECKPOINTS).objects();
    assert!(listed.iter().map(|entry| &entry.path).eq(objects.keys()));
    for (path, bytes) in &objects {
        assert!(files.read(path).await.unwrap() == bytes, "{path}");
    }
    let created = told.lock().unwrap().len();
    Ok((judged.items, created, sim.effects()))
}

#[test]
fn what_many_nodes_do_to_a_store_while_all_goes_wrong_is_what_it_promises() {
    let (mut reads, mut creates, mut hurt) = (0, 0, BTreeSet::new());
    for seed in 0..SEEDS {
        let ran = run_seed(seed, &Limits::default(), all_goes_wrong);
        let ran = ran
            .verdict
            .unwrap_or_else(|finding| panic!("seed {seed}: {finding}"));
        reads += ran.0;
        creates += ran.1;
        hurt.extend(ran.2.iter().map(|(family, _)| family));
    }
    let disks = [
        FaultFamily::Crash,
        FaultFamily::DiskEio,
        FaultFamily::DiskEnospc,
        FaultFamily::DiskFsyncLost,
        FaultFamily::DiskSlow,
    ];
    assert!(disks.iter().all(|family| hurt.contains(family)), "{hurt:?}");
    assert!(
        reads > 1_000 && creates > 1_000,
        "{reads} reads, {creates} creates"
    );
}
