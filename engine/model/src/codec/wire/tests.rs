//! The promises of the `wire` encoding: bincode's bytes, round trips, refusals.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Options, decode, decode_front, encode, options};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Event {
    Tick,
    Seen(String),
    Moved(i32, f64),
    Noted { at: i64, tags: Vec<Option<char>> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapper(u16);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    flag: bool,
    numbers: (u8, u32, u64, u128, i8, i16, i128, f32),
    wrapper: Wrapper,
    unit: (),
    map: BTreeMap<String, Event>,
    events: Vec<Event>,
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        Just(Event::Tick),
        any::<String>().prop_map(Event::Seen),
        (any::<i32>(), -1e9..1e9_f64).prop_map(|(x, y)| Event::Moved(x, y)),
        (any::<i64>(), any::<Vec<Option<char>>>()).prop_map(|(at, tags)| Event::Noted { at, tags }),
    ]
}

prop_compose! {
    fn everything()(
        flag: bool,
        head: (u8, u32, u64, u128),
        tail: (i8, i16, i128),
        float in -1e9..1e9_f32,
        wrapped: u16,
        map in prop::collection::btree_map(any::<String>(), events(), 0..3),
        events in prop::collection::vec(events(), 0..4),
    ) -> Everything {
        let numbers = (head.0, head.1, head.2, head.3, tail.0, tail.1, tail.2, float);
        Everything { flag, numbers, wrapper: Wrapper(wrapped), unit: (), map, events }
    }
}

proptest! {
    #[test]
    fn the_bytes_are_those_of_bincode_and_come_back(value in everything()) {
        let bytes = encode(&value).unwrap();
        prop_assert_eq!(&bytes, &options().serialize(&value).unwrap());
        prop_assert_eq!(decode::<Everything>(&bytes).unwrap(), value);
    }

    #[test]
    fn other_bytes_are_an_error_and_never_a_panic(
        bytes in prop::collection::vec(prop_oneof![0..3_u8, any::<u8>()], 0..40),
    ) {
        if let Ok(event) = decode::<Event>(&bytes) {
            prop_assert_eq!(encode(&event).unwrap(), bytes);
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Visit {
    user: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<u8>,
}

#[test]
fn a_skipped_field_is_refused_with_its_name() {
    let visits = vec![Visit {
        user: 1,
        page: None,
    }];
    let expected = "field `page` of `Visit` is skipped, so it cannot travel: remove \
                    `skip_serializing_if`";
    assert_eq!(encode(&visits).unwrap_err().to_string(), expected);
}

#[test]
fn a_field_that_is_not_skipped_travels() {
    let page = Some(2);
    let visit = Visit { user: 1, page };
    assert!(decode::<Visit>(&encode(&visit).unwrap()).is_ok());
}

#[test]
fn a_flattened_field_is_refused_with_the_field_that_holds_it() {
    #[derive(Serialize)]
    struct Inner {
        #[serde(flatten)]
        labels: BTreeMap<String, String>,
    }
    #[derive(Serialize)]
    struct Outer {
        inner: Inner,
    }
    let labels = BTreeMap::new();
    let inner = Inner { labels };
    let message = encode(&Outer { inner }).unwrap_err().to_string();
    assert!(message.starts_with("field `inner` of `Outer` has a part of unknown length"));
    assert!(message.contains("use no `flatten`"));
}

#[test]
fn an_untagged_enum_is_refused_when_it_is_read() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
    }
    let bytes = encode(&Either::Number(1)).unwrap();
    let message = decode::<Either>(&bytes).unwrap_err().to_string();
    assert!(message.contains("Either` asks its bytes for their type"));
    assert!(message.ends_with("use no `untagged`, `tag` or `flatten`"));
}

#[test]
fn an_internally_tagged_enum_is_refused_when_it_is_read() {
    #[derive(Debug, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Click { user: u64 },
    }
    let bytes = encode(&Tagged::Click { user: 1 }).unwrap();
    let message = decode::<Tagged>(&bytes).unwrap_err().to_string();
    assert!(message.ends_with("use no `untagged`, `tag` or `flatten`"));
}

#[test]
fn bytes_that_are_cut_short_or_too_long_are_refused() {
    let short = decode::<String>(&[9, 0, 0, 0, 0, 0, 0, 0, b'a']).unwrap_err();
    assert!(short.to_string().ends_with("are cut short"));
    let long = decode::<u8>(&[1, 2, 3]).unwrap_err();
    assert_eq!(long.to_string(), "2 bytes are left behind `u8`");
}

#[test]
fn values_are_read_one_after_the_other() {
    let bytes = [encode(&1_u16).unwrap(), encode("ab").unwrap()].concat();
    let mut rest = bytes.as_slice();
    let number = decode_front::<u16>(&mut rest).unwrap();
    let text = decode_front::<String>(&mut rest).unwrap();
    assert_eq!((number, text.as_str(), rest), (1, "ab", &[][..]));
}
