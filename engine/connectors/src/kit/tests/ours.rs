//! Our own connectors keep what the kit checks.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use sameriver_model::Element;
use sameriver_runtime::{Disk, World};
use sameriver_runtime_tokio::TokioWorld;

use crate::kit::{KitFailure, SinkKit, SinkTrial, SourceKit};
use crate::{
    COLLECT_SCHEME, Collect, CollectedResults, Collector, Elements, FileSink, FileSource, Generator,
};

/// A real world, and a folder that is removed at the end of the test.
struct Site {
    tokio: TokioWorld,
    world: World,
    folder: PathBuf,
}

impl Site {
    fn new(test: &str) -> Self {
        let tokio = TokioWorld::builder().build().expect("a world");
        let name = format!("sameriver-kit-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let world = tokio.world();
        let made = tokio.block_on(world.disk().create_directories(&folder));
        made.expect("a folder for temporary files");
        Self {
            tokio,
            world,
            folder,
        }
    }

    fn file(&self, text: &str) -> PathBuf {
        let path = self.folder.join("input");
        self.tokio.block_on(async {
            let file = self.world.disk().create(&path).await.expect("a new file");
            let bytes = Bytes::copy_from_slice(text.as_bytes());
            file.append(bytes).await.expect("space on the disk");
        });
        path
    }
}

impl Drop for Site {
    #[expect(
        clippy::disallowed_methods,
        reason = "the folder of the test, outside of any world"
    )]
    fn drop(&mut self) {
        // Left-over files of a failed test are better than a second panic.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The names in a folder that may not be there yet.
async fn names(disk: &dyn Disk, folder: &Path) -> Vec<String> {
    disk.list(folder).await.unwrap_or_default()
}

/// The lines of all files that are not hidden.
async fn lines(world: World, folder: PathBuf) -> Vec<String> {
    let disk = world.disk();
    let mut lines = Vec::new();
    for name in names(&*disk, &folder).await {
        if name.starts_with('.') {
            continue;
        }
        let file = disk.open(&folder.join(name)).await.expect("it was listed");
        let length = file.length().await.expect("it is open");
        let bytes = file.read_at(0, length as usize).await.expect("it is open");
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        assert!(!text.is_empty(), "no file is empty");
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

async fn hidden(world: World, folder: PathBuf) -> Vec<String> {
    let names = names(&*world.disk(), &folder).await;
    names
        .into_iter()
        .filter(|name| name.starts_with('.'))
        .collect()
}

fn passes(result: Result<(), KitFailure>) {
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

fn file_sink_passes(test: &str, sink: impl Fn(PathBuf) -> FileSink<crate::file_sink::Text>) {
    let site = Site::new(test);
    let kit = SinkKit::of(|case| {
        let folder = site.folder.join(case.to_string());
        let (world, seen, left) = (site.world.clone(), folder.clone(), folder.clone());
        let (look, sweep) = (world.clone(), world.clone());
        SinkTrial::<String>::new(
            sink(folder),
            move || world.clone(),
            move || Box::pin(lines(look.clone(), seen.clone())),
        )
        .left_over(move || Box::pin(hidden(sweep.clone(), left.clone())))
    });
    passes(site.tokio.block_on(kit.run(|n| format!("line {n}"))));
}

#[test]
fn the_file_sink_conforms() {
    file_sink_passes("file-sink", FileSink::lines);
}

#[test]
fn the_file_sink_conforms_when_a_checkpoint_has_several_files() {
    file_sink_passes("rolling-file-sink", |folder| {
        FileSink::lines(folder).roll_bytes(13)
    });
}

#[test]
fn the_collecting_sink_conforms() {
    let kit = SinkKit::of(|_case| {
        let results = CollectedResults::new();
        let there = results.clone();
        let tokio = TokioWorld::builder()
            .service::<dyn Collector>(COLLECT_SCHEME, move |_, _| Ok(there.collector("numbers")))
            .build()
            .expect("a world");
        SinkTrial::<u64>::new(
            Collect::named("numbers"),
            move || tokio.world(),
            move || {
                let visible = results.read("numbers");
                Box::pin(async { visible.expect("the writer has made it") })
            },
        )
    });
    let tokio = TokioWorld::builder().build().expect("a world");
    passes(tokio.block_on(kit.run(|number| number)));
}

fn source_passes<S>(site: &Site, source: S)
where
    S: sameriver_operator::source::Source,
    S::Out: Element + Ord + Clone + std::fmt::Debug,
{
    let kit = SourceKit::of(source);
    passes(site.tokio.block_on(kit.run(|| site.world.clone())));
}

#[test]
fn the_file_source_conforms() {
    let site = Site::new("file-source");
    let path = site.file("a\nbb\n\nccc\r\nd\neeeeeeeeeeeeeeeeeeee\nf\ng\nthe last has no end");
    for split_bytes in [1, 7, 1000] {
        source_passes(&site, FileSource::lines(&path).split_bytes(split_bytes));
    }
}

#[test]
fn the_source_of_elements_conforms() {
    source_passes(&Site::new("elements"), Elements::of(0..20_u64));
    source_passes(&Site::new("no-elements"), Elements::<u64>::of([]));
}

#[test]
fn generators_conform() {
    let site = Site::new("generators");
    let drawn = Generator::new("clicks", 3, 5, |partition, offset, draws| {
        (partition, offset, draws.next_u64())
    });
    source_passes(&site, drawn.clone().seed(7));
    source_passes(&site, drawn.rate_per_second(1_000_000));
    source_passes(&site, Generator::sequence(11, |k: u64| k));
}
