//! Holds `docs/formats.md` against the code: every example in its tables is decoded and encoded.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::collections::BTreeMap;
use std::fmt::Debug;

use sameriver_model::codec::{ordered, wire};
use sameriver_model::{EventTime, KeyHash, MaxParallelism, Parallelism};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Order {
    Open,
    Paid { cents: u32 },
}

/// The rows of the first table under `heading` whose header starts with `first`.
fn table(heading: &str, first: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats.md");
    #[expect(
        clippy::disallowed_methods,
        reason = "the page is the input of this test"
    )]
    let page = std::fs::read_to_string(path).unwrap();
    let section = page.split("\n## ").find(|part| part.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("no heading {heading:?}"));
    let header = format!("| {first} |");
    let lines = section
        .lines()
        .skip_while(|line| !line.starts_with(&header));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "no table {first:?} under {heading:?}");
    rows
}

fn cells(row: &str) -> Vec<String> {
    let cells = row.trim_matches('|').split(" | ");
    cells.map(|cell| cell.trim().to_owned()).collect()
}

fn unquoted(cell: &str) -> String {
    cell.replace('`', "")
}

fn bytes(cell: &str) -> Vec<u8> {
    let digits = unquoted(cell).replace([' ', '_'], "");
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// A table of examples, taken out one by one.
struct Examples {
    rows: Vec<Vec<String>>,
}

impl Examples {
    fn of(heading: &str) -> Self {
        let rows = table(heading, "example");
        Self { rows }
    }

    /// Takes out the row of an example: its bytes.
    fn take(&mut self, example: &str, type_name: &str) -> Vec<u8> {
        let is_it = |row: &Vec<String>| {
            let type_cell = unquoted(&row[1]);
            unquoted(&row[0]) == example && type_cell == type_name
        };
        let at = self.rows.iter().position(is_it);
        let at = at.unwrap_or_else(|| panic!("no example {example} of {type_name}"));
        bytes(&self.rows.remove(at)[2])
    }

    fn ordered<T>(&mut self, example: &str, type_name: &str, value: &T)
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let bytes = self.take(example, type_name);
        assert_eq!(&ordered::decode::<T>(&bytes).unwrap(), value);
        assert_eq!(ordered::encode(value).unwrap(), bytes);
    }

    fn wire<T>(&mut self, example: &str, type_name: &str, value: &T)
    where
        T: Serialize + DeserializeOwned + PartialEq + Debug,
    {
        let bytes = self.take(example, type_name);
        assert_eq!(&wire::decode::<T>(&bytes).unwrap(), value);
        assert_eq!(wire::encode(value).unwrap(), bytes);
    }

    fn end(&self) {
        assert!(self.rows.is_empty(), "not checked: {:?}", self.rows);
    }
}

const PAID: &str = "Paid { cents: 5 } (second variant)";

#[test]
fn the_examples_of_ordered_are_what_the_code_writes_and_reads() {
    let mut examples = Examples::of("`ordered`");
    examples.ordered("258", "u16", &258_u16);
    examples.ordered("-1", "i64", &-1_i64);
    examples.ordered("1", "i64", &1_i64);
    examples.ordered("true", "bool", &true);
    examples.ordered("'a'", "char", &'a');
    examples.ordered("\"ab\"", "String", &"ab".to_owned());
    examples.ordered("\"a\\0b\"", "String", &"a\0b".to_owned());
    examples.ordered("None", "Option<u8>", &None::<u8>);
    examples.ordered("Some(7)", "Option<u8>", &Some(7_u8));
    examples.ordered("(7, \"ab\")", "(u16, String)", &(7_u16, "ab".to_owned()));
    examples.ordered("[1, 2]", "Vec<u8>", &vec![1_u8, 2]);
    let map = BTreeMap::from([("a".to_owned(), 1_u8)]);
    examples.ordered("{\"a\": 1}", "BTreeMap<String, u8>", &map);
    examples.ordered(PAID, "Order", &Order::Paid { cents: 5 });
    examples.end();
    assert_eq!(ordered::encode(&Order::Open).unwrap(), [0; 4]);
}

#[test]
fn the_examples_of_wire_are_what_the_code_writes_and_reads() {
    let mut examples = Examples::of("`wire`");
    examples.wire("258", "u16", &258_u16);
    examples.wire("-1", "i64", &-1_i64);
    examples.wire("1.5", "f64", &1.5_f64);
    examples.wire("\"ab\"", "String", &"ab".to_owned());
    examples.wire("Some(7)", "Option<u8>", &Some(7_u8));
    examples.wire("[1, 2]", "Vec<u8>", &vec![1_u8, 2]);
    examples.wire(PAID, "Order", &Order::Paid { cents: 5 });
    examples.end();
}

#[test]
fn the_examples_of_batches_are_wire_values() {
    type Parts = (Option<Vec<EventTime>>, Vec<u16>);
    let mut examples = Examples::of("Batches of an edge");
    let plain: Parts = (None, vec![7, 8]);
    examples.wire("records 7 and 8 without event times", "u16", &plain);
    let timed: Parts = (Some(vec![EventTime::from_millis(1_000)]), vec![7]);
    examples.wire("record 7 at 1000 ms", "u16", &timed);
    examples.end();
}

/// The `ordered` bytes of a key as the page spells it.
fn key_bytes(type_name: &str, key: &str) -> Vec<u8> {
    let text = |key: &str| key.trim_matches('"').replace("\\0", "\0");
    let encoded = match type_name {
        "u64" => ordered::encode(&key.parse::<u64>().unwrap()),
        "i64" => ordered::encode(&key.parse::<i64>().unwrap()),
        "String" => ordered::encode(&text(key)),
        "(u64, String)" => {
            let pair = key.trim_matches(['(', ')']).split_once(", ");
            let (number, word) = pair.unwrap();
            ordered::encode(&(number.parse::<u64>().unwrap(), text(word)))
        }
        other => panic!("no key type {other}"),
    };
    encoded.unwrap()
}

#[test]
fn the_published_vectors_are_what_the_code_computes() {
    let max = MaxParallelism::default();
    let four = Parallelism::new(4).unwrap();
    let rows = table("Key, hash", "type");
    let computed = rows.iter().map(|row| {
        let (type_name, key) = (unquoted(&row[0]), unquoted(&row[1]));
        let bytes = key_bytes(&type_name, &key);
        let hash = KeyHash::of_bytes(&bytes);
        let (group, hex) = (
            hash.group(max),
            bytes.iter().map(|byte| format!("{byte:02x}")),
        );
        let hex = hex.collect::<String>();
        let (hash, owner) = (hash.get(), group.owner(four, max).get());
        let group = group.get();
        format!("`{type_name}` | `{key}` | `{hex}` | `0x{hash:016x}` | {group} | {owner}")
    });
    let published = rows.iter().map(|row| row.join(" | "));
    let (computed, published): (Vec<_>, Vec<_>) = computed.zip(published).unzip();
    assert_eq!(published.join("\n"), computed.join("\n"));
    assert!(published.len() >= 10);
}
