//! What every store promises, as cases that run on any of them.
//!
//! Invariant: a case touches nothing but the store that it is given; its verdict does not depend on
//! how fast that is. Does not know which store it is.

use std::sync::Arc;

use bytes::Bytes;
use sameriver_runtime::{BlobError, BlobStore, BoxFuture, Created};

/// A store, as the cases get it.
pub type Store = Arc<dyn BlobStore>;

/// A promise about a store that begins empty.
///
/// ```
/// use sameriver_storage::{MemoryBlobs, testing};
/// use std::sync::Arc;
/// # use std::task::{Context, Poll, Waker};
/// # fn block_on(mut work: sameriver_runtime::BoxFuture<()>) {
/// #     let done = work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
/// #     assert_eq!(done, Poll::Ready(()));
/// # }
/// for case in testing::cases() {
///     block_on((case.run)(Arc::new(MemoryBlobs::new("memory:"))));
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Case {
    /// The promise as a sentence in snake case.
    pub name: &'static str,
    /// Holds the store to it; panics if it does not keep it.
    pub run: fn(Store) -> BoxFuture<()>,
}

/// A promise about a store whose node loses power: `before` runs to its end, then the power is cut
/// (what was not synced is kept, dropped or torn), then `after` runs in a new life of the node.
#[derive(Clone, Copy)]
pub struct PowerCut {
    /// The promise as a sentence in snake case.
    pub name: &'static str,
    /// What happens before.
    pub before: fn(Store) -> BoxFuture<()>,
    /// What must hold afterwards; panics if it does not.
    pub after: fn(Store) -> BoxFuture<()>,
}

macro_rules! cases {
    ($kind:ident: $($name:ident),* $(,)?) => {
        vec![$($kind { name: stringify!($name), run: |store| Box::pin($name(store)) }),*]
    };
}

/// Every promise that needs no power cut.
pub fn cases() -> Vec<Case> {
    cases![Case:
        an_object_is_read_as_it_was_created,
        a_second_create_changes_nothing,
        an_upload_is_not_seen_before_it_is_finished,
        an_upload_that_is_dropped_leaves_nothing,
        an_upload_onto_a_taken_path_changes_nothing,
        a_large_upload_arrives_whole,
        a_range_ends_with_the_object,
        a_listing_shows_what_begins_with_the_prefix_in_order,
        what_is_not_there_is_not_found_and_its_removal_succeeds,
        a_removed_path_is_free_again,
        a_path_that_leaves_the_store_is_refused,
        of_two_creates_one_counts,
        an_effect_does_not_need_its_answer,
    ]
}

/// Every promise about a power cut, for stores that outlive one.
pub fn power_cuts() -> Vec<PowerCut> {
    vec![
        PowerCut {
            name: "what_was_answered_created_is_whole_after_a_power_cut",
            before: |store| Box::pin(create_many(store)),
            after: |store| Box::pin(all_are_whole(store)),
        },
        PowerCut {
            name: "what_was_not_finished_is_absent_after_a_power_cut",
            before: |store| Box::pin(leave_unfinished(store)),
            after: |store| Box::pin(nothing_is_there(store)),
        },
        PowerCut {
            name: "what_was_found_to_exist_is_whole_after_a_power_cut",
            before: |store| Box::pin(create_twice(store)),
            after: |store| Box::pin(all_are_whole(store)),
        },
    ]
}

const NOTHING: [&str; 0] = [];
const MANY: u64 = 9;
const LARGE_BYTES: usize = 300_000;

fn place(number: u64) -> String {
    format!("job/{}/deep/{number}", number % 3)
}

fn content(number: u64) -> Bytes {
    let bytes = (0..LARGE_BYTES / MANY as usize).map(|at| (at as u64 * 31 + number) as u8);
    bytes.collect::<Vec<u8>>().into()
}

async fn create(store: &Store, path: &str, bytes: &'static str) -> Created {
    let created = store.create(path, vec![bytes.into()]).await;
    created.expect("the store takes it")
}

async fn read(store: &Store, path: &str) -> Bytes {
    store.read(path).await.expect("the object is there")
}

async fn paths(store: &Store, prefix: &str) -> Vec<String> {
    let listed = store.list(prefix).await.expect("the store can be listed");
    listed.into_iter().map(|entry| entry.path).collect()
}

async fn an_object_is_read_as_it_was_created(store: Store) {
    let parts = vec!["one ".into(), Bytes::new(), "two".into()];
    let created = store.create("a/b/c", parts).await;
    assert_eq!(created, Ok(Created::Created));
    assert_eq!(read(&store, "a/b/c").await, "one two");
    assert_eq!(create(&store, "empty", "").await, Created::Created);
    assert!(read(&store, "empty").await.is_empty());
}

async fn a_second_create_changes_nothing(store: Store) {
    assert_eq!(create(&store, "a", "first").await, Created::Created);
    assert_eq!(create(&store, "a", "second").await, Created::Exists);
    assert_eq!(read(&store, "a").await, "first");
}

async fn an_upload_is_not_seen_before_it_is_finished(store: Store) {
    let mut upload = store.upload("a/b").await.expect("the store takes it");
    upload.write("whole".into()).await.expect("it takes bytes");
    assert_eq!(paths(&store, "").await, NOTHING);
    assert!(matches!(
        store.read("a/b").await,
        Err(BlobError::NotFound { .. })
    ));
    assert_eq!(upload.finish().await, Ok(Created::Created));
    assert_eq!(read(&store, "a/b").await, "whole");
}

async fn an_upload_that_is_dropped_leaves_nothing(store: Store) {
    let mut upload = store.upload("a").await.expect("the store takes it");
    upload.write("half".into()).await.expect("it takes bytes");
    drop(upload);
    assert_eq!(paths(&store, "").await, NOTHING);
    assert_eq!(create(&store, "a", "other").await, Created::Created);
}

async fn an_upload_onto_a_taken_path_changes_nothing(store: Store) {
    let mut upload = store.upload("a").await.expect("the store takes it");
    upload.write("late".into()).await.expect("it takes bytes");
    assert_eq!(create(&store, "a", "early").await, Created::Created);
    assert_eq!(upload.finish().await, Ok(Created::Exists));
    assert_eq!(read(&store, "a").await, "early");
}

async fn a_large_upload_arrives_whole(store: Store) {
    let mut upload = store.upload("large").await.expect("the store takes it");
    let mut expected = Vec::new();
    for number in 0..MANY {
        expected.extend_from_slice(&content(number));
        upload.write(content(number)).await.expect("it takes bytes");
    }
    assert_eq!(upload.finish().await, Ok(Created::Created));
    assert!(read(&store, "large").await == expected);
}

async fn a_range_ends_with_the_object(store: Store) {
    create(&store, "a", "0123456789").await;
    let range = async |offset, length| store.read_range("a", offset, length).await;
    assert_eq!(range(2, 3).await, Ok("234".into()));
    assert_eq!(range(8, 5).await, Ok("89".into()));
    assert_eq!(range(10, 1).await, Ok(Bytes::new()));
    assert_eq!(range(u64::MAX, u64::MAX).await, Ok(Bytes::new()));
}

async fn a_listing_shows_what_begins_with_the_prefix_in_order(store: Store) {
    for path in ["b/2", "a/10", "a/1/x", "ab", "a/1/w", "c"] {
        create(&store, path, "four").await;
    }
    assert_eq!(
        paths(&store, "").await,
        ["a/1/w", "a/1/x", "a/10", "ab", "b/2", "c"]
    );
    assert_eq!(paths(&store, "a").await, ["a/1/w", "a/1/x", "a/10", "ab"]);
    assert_eq!(paths(&store, "a/").await, ["a/1/w", "a/1/x", "a/10"]);
    assert_eq!(paths(&store, "a/1").await, ["a/1/w", "a/1/x", "a/10"]);
    assert_eq!(paths(&store, "a/1/").await, ["a/1/w", "a/1/x"]);
    assert_eq!(paths(&store, "nothing/").await, NOTHING);
    let listed = store.list("c").await.expect("the store can be listed");
    assert_eq!(listed[0].length, 4);
}

async fn what_is_not_there_is_not_found_and_its_removal_succeeds(store: Store) {
    create(&store, "a", "file").await;
    for path in ["nothing", "no/thing", "a/below"] {
        let read = store.read(path).await;
        assert!(
            matches!(read, Err(BlobError::NotFound { .. })),
            "{path}: {read:?}"
        );
        assert_eq!(store.remove(path).await, Ok(()), "{path}");
    }
}

async fn a_removed_path_is_free_again(store: Store) {
    create(&store, "a", "first").await;
    assert_eq!(store.remove("a").await, Ok(()));
    assert_eq!(create(&store, "a", "second").await, Created::Created);
    assert_eq!(read(&store, "a").await, "second");
}

async fn a_path_that_leaves_the_store_is_refused(store: Store) {
    for path in ["", "/a", "../a", "a/../../b", "a//b", "a/"] {
        let created = store.create(path, Vec::new()).await;
        assert!(matches!(created, Err(BlobError::Refused { .. })), "{path}");
        assert!(store.upload(path).await.is_err(), "{path}");
        assert!(store.read(path).await.is_err(), "{path}");
        assert!(store.remove(path).await.is_err(), "{path}");
    }
}

async fn of_two_creates_one_counts(store: Store) {
    let (one, other) = ("one".into(), "other".into());
    // Both start before either is awaited.
    let (one, other) = (store.create("a", vec![one]), store.create("a", vec![other]));
    let answers = (other.await, one.await);
    let kept = read(&store, "a").await;
    match answers {
        (Ok(Created::Created), Ok(Created::Exists)) => assert_eq!(kept, "other"),
        (Ok(Created::Exists), Ok(Created::Created)) => assert_eq!(kept, "one"),
        strange => panic!("{strange:?}"),
    }
}

async fn an_effect_does_not_need_its_answer(store: Store) {
    drop(store.create("a", vec!["abandoned".into()]));
    let again = store.create("a", vec!["abandoned".into()]).await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(read(&store, "a").await, "abandoned");
}

async fn create_many(store: Store) {
    for number in 0..MANY {
        let created = store.create(&place(number), vec![content(number)]).await;
        assert_eq!(created, Ok(Created::Created));
    }
}

async fn create_twice(store: Store) {
    for number in 0..MANY {
        let abandoned = store.create(&place(number), vec![content(number)]);
        let answered = store.create(&place(number), vec![content(number)]).await;
        assert!(answered.is_ok(), "{answered:?}");
        drop(abandoned);
    }
}

async fn all_are_whole(store: Store) {
    for number in 0..MANY {
        assert!(
            read(&store, &place(number)).await == content(number),
            "{number}"
        );
    }
    assert_eq!(paths(&store, "job/").await.len() as u64, MANY);
}

async fn leave_unfinished(store: Store) {
    for number in 0..MANY {
        let mut upload = store
            .upload(&place(number))
            .await
            .expect("the store takes it");
        upload.write(content(number)).await.expect("it takes bytes");
        // Whoever loses power runs no destructor.
        std::mem::forget(upload);
    }
}

async fn nothing_is_there(store: Store) {
    assert_eq!(paths(&store, "").await, NOTHING);
}

#[cfg(test)]
mod tests;
