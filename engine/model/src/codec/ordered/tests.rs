//! The promises of the `ordered` encoding: order, round trips, refusals.
#![expect(
    clippy::disallowed_types,
    reason = "the refusal of a hash map is tested with one"
)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::{decode, decode_front, encode};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Number(i32),
    Pair(String, Option<u8>),
    Named { name: String, sizes: Vec<u16> },
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        Just(Shape::Nothing),
        any::<i32>().prop_map(Shape::Number),
        (text(), any::<Option<u8>>()).prop_map(|(text, byte)| Shape::Pair(text, byte)),
        (text(), prop::collection::vec(0..3_u16, 0..4))
            .prop_map(|(name, sizes)| Shape::Named { name, sizes }),
    ]
}

/// Strings with many zero bytes and common beginnings.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[\\x00\\x01a\u{ff}]{0,5}", any::<String>(),]
}

/// Byte order is value order, and each value comes back.
fn check<T>(left: &T, right: &T) -> Result<(), TestCaseError>
where
    T: Ord + Debug + Serialize + for<'de> Deserialize<'de>,
{
    let (left_bytes, right_bytes) = (encode(left).unwrap(), encode(right).unwrap());
    prop_assert_eq!(left_bytes.cmp(&right_bytes), left.cmp(right));
    prop_assert_eq!(&decode::<T>(&left_bytes).unwrap(), left);
    let joined = [left_bytes, right_bytes].concat();
    let mut rest = joined.as_slice();
    prop_assert_eq!(&decode_front::<T>(&mut rest).unwrap(), left);
    prop_assert_eq!(&decode_front::<T>(&mut rest).unwrap(), right);
    prop_assert!(rest.is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn unsigned_numbers_sort_as_their_bytes(left: u64, right: u64) {
        check(&left, &right)?;
        check(&u128::from(left), &(u128::from(right) << 64))?;
    }

    #[test]
    fn signed_numbers_sort_as_their_bytes(left: i64, right: i64) {
        check(&left, &right)?;
        check(&(left as i8), &(right as i8))?;
        check(&i128::from(left), &(i128::from(right) << 64))?;
    }

    #[test]
    fn strings_sort_as_their_bytes(left in text(), right in text()) {
        check(&left, &right)?;
        prop_assert_eq!(encode(left.as_str()), encode(&left));
    }

    #[test]
    fn pairs_sort_as_their_bytes(left in (0..2_u8, text()), right in (0..2_u8, text())) {
        check(&left, &right)?;
        check(&(left.1, left.0), &(right.1, right.0))?;
    }

    #[test]
    fn options_sort_as_their_bytes(left: Option<i32>, right: Option<i32>) {
        check(&left, &right)?;
        check(&Some(left), &Some(right))?;
    }

    #[test]
    fn lists_sort_as_their_bytes(
        left in prop::collection::vec(0..3_u16, 0..4),
        right in prop::collection::vec(0..3_u16, 0..4),
    ) {
        check(&left, &right)?;
        check(&(left, 1_u8), &(right, 0_u8))?;
    }

    #[test]
    fn ordered_maps_sort_as_their_bytes(
        left in prop::collection::btree_map(text(), 0..2_i8, 0..3),
        right in prop::collection::btree_map(text(), 0..2_i8, 0..3),
    ) {
        check(&left, &right)?;
    }

    #[test]
    fn enums_sort_as_their_bytes(left in shapes(), right in shapes()) {
        check(&left, &right)?;
    }

    #[test]
    fn chars_and_bools_sort_as_their_bytes(left: (char, bool), right: (char, bool)) {
        check(&left, &right)?;
    }

    #[test]
    fn other_bytes_are_an_error_and_never_a_panic(
        bytes in prop::collection::vec(prop_oneof![0..3_u8, any::<u8>()], 0..12),
    ) {
        if let Ok(shape) = decode::<Shape>(&bytes) {
            prop_assert_eq!(encode(&shape).unwrap(), bytes);
        }
    }
}

fn refusal<T: Serialize>(value: &T) -> String {
    encode(value).unwrap_err().to_string()
}

#[derive(Serialize)]
struct Quote {
    symbol: &'static str,
    price: f64,
}

const QUOTE: Quote = Quote {
    symbol: "X",
    price: 1.0,
};

#[test]
fn a_float_is_refused_with_its_field_and_type() {
    let expected = "a float in field `price` of `Quote` cannot be part of a key: use an integer";
    assert_eq!(refusal(&QUOTE), expected);
    assert_eq!(refusal(&(1_u8, vec![Some(QUOTE)])), expected);
}

#[test]
fn a_float_outside_a_struct_is_refused_with_the_whole_type() {
    let expected = "a float in `(u8, f32)` cannot be part of a key: use an integer";
    assert_eq!(refusal(&(1_u8, 1.0_f32)), expected);
}

#[test]
fn a_float_in_a_variant_is_refused_with_the_variant() {
    #[derive(Serialize)]
    enum Order {
        Limit(u8, f64),
    }
    let expected = "a float in field `1` of `Order::Limit` cannot be part of a key: use an integer";
    assert_eq!(refusal(&Order::Limit(1, 1.0)), expected);
}

#[test]
fn a_hash_map_inside_a_wrapper_is_refused_with_its_field() {
    #[derive(Serialize)]
    struct Labels {
        by_name: HashMap<u32, u32>,
    }
    // A thousand entries in hash order are not in ascending order.
    let by_name = (0..1_000).map(|n| (n, n)).collect();
    let message = refusal(&Labels { by_name });
    let expected = "a map in field `by_name` of `Labels` does not give its keys in ascending byte \
                    order, so it cannot be part of a key: use a `BTreeMap` instead of a hash map, \
                    with integers or strings as its keys";
    assert_eq!(message, expected);
}

#[test]
fn a_skipped_field_is_refused_with_its_name() {
    #[derive(Serialize)]
    struct Visit {
        user: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        page: Option<u8>,
    }
    let page = None;
    let expected = "field `page` of `Visit` is skipped, but every field is part of a key: remove \
                    `skip_serializing_if`";
    assert_eq!(refusal(&Visit { user: 1, page }), expected);
}

#[test]
fn a_type_that_asks_the_bytes_for_their_shape_is_refused() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Either {
        #[expect(dead_code, reason = "only its refusal is of interest")]
        Number(u64),
    }
    let message = decode::<Either>(&[0; 8]).unwrap_err().to_string();
    assert!(message.ends_with("use no `untagged`, `tag` or `flatten` in a key"));
}

#[test]
fn bytes_that_are_cut_short_or_too_long_are_refused() {
    let short = decode::<u64>(&[0; 7]).unwrap_err().to_string();
    assert_eq!(short, "the bytes of `u64` are cut short");
    let long = decode::<u64>(&[0; 9]).unwrap_err().to_string();
    assert_eq!(long, "1 bytes are left behind `u64`");
}

#[test]
fn a_map_in_order_is_a_key() {
    let map: BTreeMap<&str, u8> = [("a", 1), ("b", 2)].into();
    let bytes = [1, b'a', 0, 0, 1, 1, b'b', 0, 0, 2, 0];
    assert_eq!(encode(&map).unwrap(), bytes);
}
