//! What two nodes do and how long it takes: whatever goes wrong shows in it.
//!
//! Invariant: without a fault it is the same in every world of one seed. Only the supervisor looks
//! on, so a node that is gone shows as something that was not answered in time.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_runtime::{Address, BlobStore, ByteStream, Lane, World};

use crate::fault::{FaultScript, Nemesis};
use crate::finding::Finding;
use crate::sim_world::SimWorld;

/// The crash point that `b` passes once.
pub(super) const PLACE: &str = "proof";

/// Each part may take so long.
const LIMIT: Duration = Duration::from_secs(5);
const MILLI: Duration = Duration::from_millis(1);
const URL: &str = "blob://proof";
const BODY: [u8; 4_096] = [7; 4_096];
const KEPT: &str = "kept";

/// What was seen, part by part.
pub(super) struct Seen {
    sim: SimWorld,
    lines: Vec<String>,
}

/// Lets `a` and `b` work while a script hurts them; gives what was seen.
pub(super) async fn exercise(sim: SimWorld, script: FaultScript) -> Result<Vec<String>, Finding> {
    sim.boot("b", |world| serve(&world));
    let kept = keep(&sim.node("b")).await;
    kept.map_err(|error| super::defect(format!("a disk without a fault fails: {error}")))?;
    sim.supervisor().sleep(MILLI).await;
    let mut seen = Seen {
        sim: sim.clone(),
        lines: Vec::new(),
    };
    let (a, b) = (sim.node("a"), sim.node("b"));
    let mut early = seen.part("before", a.connect(&server())).await;
    let nemesis = Nemesis::run(&sim, &script);
    let nemesis = nemesis.map_err(|error| super::defect(error.to_string()))?;
    sim.supervisor().sleep(MILLI).await;
    seen.clocks(&b).await;
    if let Some(stream) = &mut early {
        seen.part("echo on a connection", echo(stream.as_mut()))
            .await;
    }
    sim.pass("b", PLACE);
    let late = seen.part("connect", a.connect(&server())).await;
    if let Some(mut stream) = late {
        seen.part("echo", echo(stream.as_mut())).await;
    }
    seen.part("write", write(&a)).await;
    seen.store(&a).await;
    nemesis.heal();
    let kept = sim.files("b").read(KEPT).is_some();
    seen.lines.push(format!("kept: {kept}"));
    Ok(seen.lines)
}

impl Seen {
    /// Notes what came of something, and when.
    async fn part<T, E: Debug>(
        &mut self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        let start = self.sim.now();
        let done = self.sim.supervisor().timeout(LIMIT, work).await;
        let took = self.sim.now().since(start);
        let (how, done) = match done {
            Ok(Ok(done)) => ("done".to_owned(), Some(done)),
            Ok(Err(error)) => (format!("{error:?}"), None),
            Err(_) => ("not in time".to_owned(), None),
        };
        self.lines.push(format!("{what}: {how} after {took:?}"));
        done
    }

    async fn store(&mut self, world: &World) {
        let Ok(store) = world.service::<dyn BlobStore>(URL) else {
            self.lines.push("no store".to_owned());
            return;
        };
        let body = vec![Bytes::from_static(&BODY)];
        self.part("create", store.create("object", body)).await;
        self.part("read", store.read("object")).await;
    }

    async fn clocks(&mut self, world: &World) {
        let wall = world.wall().as_millis() / 1_000;
        let nap = world.sleep(1_000 * MILLI);
        self.lines.push(format!("wall: {wall}"));
        self.part("nap", async move {
            nap.await;
            Ok::<_, io::Error>(())
        })
        .await;
    }
}

fn server() -> Address {
    Address::new("b:1")
}

/// Says to everybody what they have said.
fn serve(world: &World) {
    let own = world.clone();
    let serving = async move {
        let Ok(mut listener) = own.listen(&server()).await else {
            return;
        };
        while let Ok(stream) = listener.accept().await {
            let answer = answer(stream);
            own.spawn(Lane::Control, "answer", answer).detach();
        }
    };
    world.spawn(Lane::Control, "server", serving).detach();
}

async fn answer(mut stream: Box<dyn ByteStream>) {
    let mut heard = vec![0; BODY.len()];
    if stream.read_exact(&mut heard).await.is_ok() {
        // Whoever has gone needs no answer.
        let _ = stream.write_all(&heard).await;
    }
}

async fn echo(stream: &mut dyn ByteStream) -> io::Result<()> {
    stream.write_all(&BODY).await?;
    let mut heard = vec![0; BODY.len()];
    stream.read_exact(&mut heard).await?;
    Ok(())
}

/// A durable file of `b`.
async fn keep(world: &World) -> io::Result<()> {
    let disk: Arc<dyn sameriver_runtime::Disk> = world.disk();
    let file = disk.create(Path::new(KEPT)).await?;
    file.append(Bytes::from_static(&BODY)).await?;
    file.sync().await?;
    disk.sync_directory(Path::new("")).await
}

async fn write(world: &World) -> io::Result<()> {
    let file = world.disk().create(Path::new("file")).await?;
    for _ in 0..4 {
        file.append(Bytes::from_static(&BODY)).await?;
    }
    file.sync().await
}
