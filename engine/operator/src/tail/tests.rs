//! Every tail against recorded channels.

use serde::{Deserialize, Serialize};

use super::*;
use crate::edge_codec::WireEdge;
use crate::key_selector::ByValue;
use crate::testing::{Channels, Sent, args, context, failure_of, run, timed, untimed};
use sameriver_model::{KeyHash, MaxParallelism, Parallelism};

fn codec<T: Element>() -> Arc<dyn EdgeCodec> {
    Arc::new(WireEdge::<T>::new())
}

fn batch(records: &[u64]) -> Sent<u64> {
    Sent::Batch(records.to_vec())
}

#[test]
fn a_batch_is_sent_when_it_is_full_and_not_before() {
    let (outputs, sent) = Channels::<u64>::new(1);
    let mut tail = forward::<u64>("tail", &args(2), codec::<u64>(), outputs);
    run(&mut *tail, untimed([1, 2, 3]), None);
    assert_eq!(sent.take(0), [batch(&[1, 2])]);
}

#[test]
fn flush_sends_what_is_held() {
    let (outputs, sent) = Channels::<u64>::new(1);
    let mut tail = forward::<u64>("tail", &args(9), codec::<u64>(), outputs);
    run(&mut *tail, untimed([1, 2, 3]), None);
    tail.flush(&mut context()).expect("flushes");
    assert_eq!(sent.take(0), [batch(&[1, 2, 3])]);
}

#[test]
fn watermark_idle_and_end_never_overtake_records() {
    let (outputs, sent) = Channels::<u64>::new(2);
    let mut tail = broadcast::<u64>("tail", &args(9), codec::<u64>(), outputs);
    let cx = &mut context();
    run(&mut *tail, timed([(1, 10)]), Some(5));
    run(&mut *tail, timed([(2, 20)]), None);
    tail.idle(true, cx).expect("works");
    run(&mut *tail, timed([(3, 30)]), None);
    assert_eq!(tail.finish(cx).expect("ends"), Progress::Done);
    let expected = [
        batch(&[1]),
        Sent::Watermark(5),
        batch(&[2]),
        Sent::Idle(true),
        batch(&[3]),
        Sent::End,
    ];
    assert_eq!(
        (sent.take(0), sent.take(1)),
        (expected.to_vec(), expected.to_vec())
    );
}

#[test]
fn records_with_and_without_event_time_never_share_a_batch() {
    let (outputs, sent) = Channels::<u64>::new(2);
    let mut tail = rebalance::<u64>("tail", &args(9), codec::<u64>(), outputs);
    run(&mut *tail, untimed([1, 2]), None);
    run(&mut *tail, timed([(3, 30), (4, 40)]), Some(1));
    assert_eq!(sent.take(0), [batch(&[1]), batch(&[3]), Sent::Watermark(1)]);
}

#[test]
fn a_full_slice_moves_on_without_a_copy() {
    let (outputs, sent) = Channels::<u64>::new(1);
    let mut tail = forward::<u64>("tail", &args(3), codec::<u64>(), outputs);
    run(&mut *tail, untimed([0]), None);
    tail.flush(&mut context()).expect("flushes");
    let mut slice = untimed([1, 2, 3]);
    let before = slice.records().as_ptr();
    tail.slice(&mut slice, &mut context()).expect("sends");
    assert_eq!(sent.last_pointer(0), Some(before as usize));
}

#[test]
fn rebalanced_shares_differ_by_one_at_most() {
    for (records, receivers) in [(10, 3), (1, 4), (8, 2), (0, 3)] {
        let (outputs, sent) = Channels::<u64>::new(receivers);
        let mut tail = rebalance::<u64>("tail", &args(2), codec::<u64>(), outputs);
        run(&mut *tail, untimed(0..records), Some(0));
        let shares: Vec<_> = (0..receivers)
            .map(|lane| sent.records(lane).len())
            .collect();
        let (least, most) = (shares.iter().min(), shares.iter().max());
        assert!(most.unwrap() - least.unwrap() <= 1, "{shares:?}");
        assert_eq!(shares.iter().sum::<usize>() as u64, records);
    }
}

#[test]
fn a_hash_tail_sends_every_key_to_the_owner_of_its_group() {
    let max = MaxParallelism::default();
    for receivers in 1..=5 {
        let (outputs, sent) = Channels::<u64>::new(receivers);
        let selector = ByValue::new(|n: &u64| format!("key {n}"));
        let mut tail = hash("tail", selector, &args(7), codec::<u64>(), outputs);
        run(&mut *tail, untimed(0..500), Some(0));
        let parallelism = Parallelism::new(receivers as u32).expect("small");
        let mut scratch = Vec::new();
        let mut expected = vec![Vec::new(); receivers];
        for n in 0..500_u64 {
            let key = format!("key {n}");
            let hash = KeyHash::of(&key, &mut scratch).expect("a string");
            let owner = hash.group(max).owner(parallelism, max);
            expected[owner.position()].push(n);
        }
        let seen: Vec<_> = (0..receivers).map(|lane| sent.records(lane)).collect();
        assert_eq!(seen, expected, "{receivers} receivers");
    }
}

/// Reads back as another value than it was.
#[derive(Clone, Debug, Serialize)]
struct Forgetful {
    count: u64,
}

impl<'de> Deserialize<'de> for Forgetful {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let count = u64::deserialize(from)?.saturating_sub(1);
        Ok(Self { count })
    }
}

#[test]
fn a_type_that_does_not_survive_a_round_trip_fails_at_its_first_record() {
    let (outputs, _sent) = Channels::<Forgetful>::new(1);
    let mut tail = forward::<Forgetful>("tail", &args(9), codec::<Forgetful>(), outputs);
    let records = vec![Forgetful { count: 3 }];
    let batch = Batch::from_parts(records, None);
    let error = failure_of(&mut *tail, batch, &mut context()).to_string();
    assert!(
        error.contains("operator tail at words.txt, bytes 100..200"),
        "{error}"
    );
    assert!(error.contains("Forgetful"), "{error}");
    assert!(
        error.contains("derive Serialize and Deserialize"),
        "{error}"
    );
}

#[test]
#[expect(
    clippy::disallowed_types,
    reason = "records of users may hold such a map"
)]
fn a_record_may_hold_a_map_without_an_order() {
    type Counts = std::collections::HashMap<u32, u64>;
    let (outputs, sent) = Channels::<Counts>::new(1);
    let mut tail = forward::<Counts>("tail", &args(9), codec::<Counts>(), outputs);
    let counts: Counts = (0..100).map(|n| (n, u64::from(n))).collect();
    run(&mut *tail, untimed([counts.clone()]), Some(0));
    assert_eq!(
        sent.take(0),
        [Sent::Batch(vec![counts]), Sent::Watermark(0)]
    );
}

#[test]
fn the_checked_first_record_keeps_its_place() {
    let (outputs, sent) = Channels::<u64>::new(1);
    let mut tail = forward::<u64>("tail", &args(4), codec::<u64>(), outputs);
    run(&mut *tail, timed([(1, 10), (2, 20), (3, 30)]), Some(0));
    assert_eq!(sent.take(0), [batch(&[1, 2, 3]), Sent::Watermark(0)]);
}
