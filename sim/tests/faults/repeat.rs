//! A run is repeated from its script; a script without episodes is as good as none.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use sameriver_model::probe::crash_point;
use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_runtime::{Address, BlobStore, Lane, World};
use sameriver_sim::{
    Class, Effects, FaultFamily, FaultScript, Limits, Nemesis, Outcome, SimWorld, Targets, VOLUME,
    Window, run_seed,
};

const NODES: [&str; 3] = ["a", "b", "c"];

/// A node that talks to its neighbour, writes files and asks the store, whatever becomes of it.
fn work(world: &World, next: &'static str) {
    let (listener, talker) = (world.clone(), world.clone());
    let listen = async move {
        let at = Address::new(format!("{}:7000", listener.node()));
        let mut doors = listener.listen(&at).await.unwrap();
        while let Ok(mut stream) = doors.accept().await {
            let swallow = async move {
                let mut buffer = [0; 512];
                while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {}
            };
            listener.spawn(Lane::Control, "swallow", swallow).detach();
        }
    };
    world.spawn(Lane::Control, "listen", listen).detach();
    let talk = async move {
        for round in 0_u64.. {
            talker.sleep(Duration::from_millis(50)).await;
            let to = Address::new(format!("{next}:7000"));
            let words = async {
                if let Ok(mut stream) = talker.connect(&to).await {
                    let _ = stream.write_all(&[7; 2_000]).await;
                    talker.sleep(Duration::from_millis(300)).await;
                }
            };
            let _ = talker.timeout(Duration::from_secs(3), words).await;
            crash_point("test.round");
            touch(&talker, round).await;
            let _ = talker.wall();
        }
    };
    world.spawn(Lane::Control, "talk", talk).detach();
}

async fn touch(world: &World, round: u64) {
    for folder in ["data", "."] {
        let path = format!("{folder}/{}-{round}", world.node());
        if let Ok(file) = world.disk().create(Path::new(&path)).await {
            let _ = file.append(Bytes::from(vec![1; 9_000])).await;
            let _ = file.sync().await;
        }
    }
    let store = world
        .service::<dyn BlobStore>("blob://checkpoints")
        .unwrap();
    let path = format!("{}/{round}", world.node());
    let _ = store
        .create(&path, vec![Bytes::from_static(b"object")])
        .await;
}

fn targets() -> Targets {
    Targets {
        nodes: NODES.map(str::to_owned).to_vec(),
        wipeable: NODES.map(str::to_owned).to_vec(),
        read_disks: vec!["b".to_owned()],
        disks: vec!["a".to_owned(), VOLUME.to_owned()],
        store: true,
        crash_points: vec!["test.round".to_owned()],
        timeouts: vec![Duration::from_secs(3)],
    }
}

fn run(seed: u64, script: Option<FaultScript>) -> Outcome<Effects> {
    run_seed(seed, &Limits::default(), |sim: SimWorld| async move {
        let nemesis = script.map(|script| Nemesis::run(&sim, &script).unwrap());
        for (at, name) in NODES.into_iter().enumerate() {
            let next = NODES[(at + 1) % NODES.len()];
            sim.boot(name, move |world| work(&world, next));
        }
        sim.supervisor().sleep(Duration::from_mins(1)).await;
        if let Some(nemesis) = nemesis {
            nemesis.heal();
        }
        assert!(NODES.into_iter().all(|name| sim.is_up(name)), "healed");
        Ok(sim.effects())
    })
}

fn script(seed: u64, class: Class) -> FaultScript {
    let window = Window {
        start_nanos: 1_000_000_000,
        end_nanos: 50_000_000_000,
    };
    FaultScript::draw(seed, class, &targets(), window)
}

#[test]
fn the_same_script_twice_leaves_the_same_trace() {
    for seed in 0..6 {
        let (first, second) = (
            run(seed, Some(script(seed, Class::Storm))),
            run(seed, Some(script(seed, Class::Storm))),
        );
        assert_eq!(first.verdict, second.verdict);
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
    }
}

#[test]
fn another_script_leaves_another_trace() {
    let hash = |of| run(1, Some(script(of, Class::Storm))).trace_hash;
    assert_ne!(hash(1), hash(2));
}

#[test]
fn an_empty_script_changes_nothing() {
    for seed in 0..3 {
        let (with, without) = (run(seed, Some(FaultScript::default())), run(seed, None));
        assert_eq!(with.trace_hash, without.trace_hash);
        assert_eq!(with.verdict, Ok(Effects::default()));
    }
}

#[test]
fn a_script_that_was_written_down_does_what_the_drawn_one_did() {
    let drawn = script(4, Class::Storm);
    let text = toml::to_string(&Written {
        script: drawn.clone(),
    })
    .unwrap();
    let read: Written = toml::from_str(&text).unwrap();
    let (drawn, read) = (run(9, Some(drawn)), run(9, Some(read.script)));
    assert_eq!(drawn.trace_hash, read.trace_hash);
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Written {
    script: FaultScript,
}

#[test]
fn every_family_takes_effect_in_a_busy_world() {
    let mut seen = BTreeSet::new();
    for seed in 0..30 {
        let effects = run(seed, Some(script(seed, Class::Storm))).verdict.unwrap();
        seen.extend(effects.iter().map(|(family, _)| family));
    }
    let missing: Vec<_> = FaultFamily::ALL
        .into_iter()
        .filter(|family| !seen.contains(family))
        .collect();
    assert_eq!(missing, [], "no effect");
}
