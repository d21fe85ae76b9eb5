//! A node loses its power at some instant of a create, an upload or a removal.
//!
//! Invariant: whatever was answered stays; whatever was not is there whole, or not at all.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sameriver_runtime::{BlobError, BlobStore, Created, Lane};
use sameriver_sim::{FILE_CHECKPOINTS, Finding, Limits, SimWorld, run_seed};

const SEEDS: u64 = 300;
const PATH: &str = "jobs/j/log/1";
/// The longest that a create takes, in steps of the instants at which the power goes.
const STEPS: u64 = 120;
const STEP: Duration = Duration::from_micros(250);

pub(crate) fn store(sim: &SimWorld, node: &str) -> Arc<dyn BlobStore> {
    let store = sim.node(node).service::<dyn BlobStore>(FILE_CHECKPOINTS);
    store.unwrap()
}

/// More than a sector, so that it can be torn.
pub(crate) fn content(of: &str) -> Bytes {
    of.repeat(700).into()
}

/// What a reader finds, and what the writer was told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    Nothing,
    Unanswered,
    Answered,
}

async fn found(sim: &SimWorld, node: &str, whole: &[Bytes], told: bool) -> Found {
    match store(sim, node).read(PATH).await {
        Ok(bytes) => {
            assert!(whole.contains(&bytes), "{} bytes", bytes.len());
            if told {
                Found::Answered
            } else {
                Found::Unanswered
            }
        }
        Err(BlobError::NotFound { .. }) => {
            assert!(!told, "what was answered is gone");
            Found::Nothing
        }
        Err(error) => panic!("{error}"),
    }
}

/// Everything that was found over many seeds.
fn over_seeds<F>(scenario: impl Fn(SimWorld) -> F + Copy + Send + 'static) -> BTreeSet<Found>
where
    F: Future<Output = Result<Found, Finding>> + Send + 'static,
{
    let ran = (0..SEEDS).map(|seed| {
        let ran = run_seed(seed, &Limits::default(), scenario);
        ran.verdict
            .unwrap_or_else(|finding| panic!("seed {seed}: {finding}"))
    });
    ran.collect()
}

/// Starts `work` on a node and says later whether it was answered.
fn start(
    sim: &SimWorld,
    node: &str,
    work: impl Future<Output = Result<Created, BlobError>> + Send + 'static,
) -> Arc<Mutex<Option<Created>>> {
    let told = Arc::new(Mutex::new(None));
    let answer = Arc::clone(&told);
    let task = sim.node(node).spawn(Lane::Control, "writer", async move {
        *answer.lock().unwrap() = work.await.ok();
    });
    task.detach();
    told
}

async fn wait_for_the_moment(sim: &SimWorld) {
    let moment = sim.random("moment").below(STEPS);
    let moment = STEP.saturating_mul(u32::try_from(moment).unwrap());
    sim.supervisor().sleep(moment).await;
}

#[test]
fn a_create_that_meets_a_power_cut_is_there_whole_or_not_at_all() {
    let found = over_seeds(|sim| async move {
        let work = store(&sim, "a").create(PATH, vec![content("a")]);
        let told = start(&sim, "a", work);
        wait_for_the_moment(&sim).await;
        sim.crash("a");
        let told = told.lock().unwrap().is_some();
        let first = found(&sim, "b", &[content("a")], told).await;
        // What somebody has read of it, whoever it was, may vanish only with its writer's power.
        sim.restart("b");
        let then = found(&sim, "a", &[content("a")], told).await;
        assert_eq!(first, then);
        Ok(then)
    });
    let all = [Found::Nothing, Found::Unanswered, Found::Answered];
    assert_eq!(
        found,
        BTreeSet::from(all),
        "every outcome is shown by some seed"
    );
}

#[test]
fn an_upload_that_meets_a_power_cut_is_there_whole_or_not_at_all() {
    let found = over_seeds(|sim| async move {
        let files = store(&sim, "a");
        let told = start(&sim, "a", async move {
            let mut upload = files.upload(PATH).await?;
            upload.write(content("a")).await?;
            upload.write(content("b")).await?;
            upload.finish().await
        });
        wait_for_the_moment(&sim).await;
        sim.crash("a");
        let told = told.lock().unwrap().is_some();
        let whole = [content("a"), content("b")].concat();
        Ok(found(&sim, "b", &[whole.into()], told).await)
    });
    assert_eq!(
        found.len(),
        3,
        "every outcome is shown by some seed: {found:?}"
    );
}

#[test]
fn of_two_writers_that_race_and_lose_their_power_one_counts_for_ever() {
    let found = over_seeds(|sim| async move {
        let race = |node: &'static str| {
            let work = store(&sim, node).create(PATH, vec![content(node)]);
            start(&sim, node, work)
        };
        let (a, b) = (race("a"), race("b"));
        wait_for_the_moment(&sim).await;
        let first = ["a", "b"][usize::from(sim.random("first").chance(500))];
        sim.crash(first);
        wait_for_the_moment(&sim).await;
        sim.restart("b");
        sim.restart("a");
        let (a, b) = (*a.lock().unwrap(), *b.lock().unwrap());
        let both = (Some(Created::Created), Some(Created::Created));
        assert_ne!((a, b), both, "one name, two winners");
        let whole = match (a, b) {
            (Some(Created::Created), _) => vec![content("a")],
            (_, Some(Created::Created)) => vec![content("b")],
            (Some(Created::Exists) | None, Some(Created::Exists) | None) => {
                vec![content("a"), content("b")]
            }
        };
        let told = a.is_some() || b.is_some();
        Ok(found(&sim, "c", &whole, told).await)
    });
    assert!(found.contains(&Found::Answered) && found.contains(&Found::Nothing));
}

#[test]
fn a_removed_object_is_gone_or_back_whole_after_a_power_cut() {
    let found = over_seeds(|sim| async move {
        let files = store(&sim, "a");
        files.create(PATH, vec![content("a")]).await.unwrap();
        files.remove(PATH).await.unwrap();
        sim.restart("a");
        Ok(found(&sim, "a", &[content("a")], false).await)
    });
    assert_eq!(found, BTreeSet::from([Found::Nothing, Found::Unanswered]));
}
