//! The reference points: plain single-thread loops over the same records, nothing durable.

use std::hint::black_box;
use std::io::BufRead;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::row::Checksum;
use crate::spec;

/// What to do with a row: hash it, or only keep the compiler from dropping it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Every row is hashed into the checksum.
    Hashed,
    /// Every row is passed to `black_box` and counted.
    Timed,
}

/// The keyed counter over `records` records.
pub fn keyed_counter(records: u64, rows: Rows) -> Checksum {
    let mut counts: HashMap<u64, u64, FixedState> = HashMap::default();
    let mut out = Checksum::default();
    for k in 0..records {
        let key = spec::key(k);
        let count = counts.entry(key).or_insert(0);
        *count += 1;
        let count = *count;
        match rows {
            Rows::Hashed => out.add(&key, count),
            Rows::Timed => {
                black_box((key, count));
                out.rows += 1;
            }
        }
    }
    out
}

/// Word count over a text file's lines.
///
/// # Errors
/// When the text cannot be read.
pub fn word_count(mut text: impl BufRead, rows: Rows) -> std::io::Result<Checksum> {
    let mut counts: HashMap<Box<str>, u64, FixedState> = HashMap::default();
    let mut out = Checksum::default();
    let mut line = String::new();
    loop {
        line.clear();
        if text.read_line(&mut line)? == 0 {
            return Ok(out);
        }
        line.make_ascii_lowercase();
        for word in line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
            if word.is_empty() {
                continue;
            }
            let count = if let Some(count) = counts.get_mut(word) {
                *count += 1;
                *count
            } else {
                counts.insert(word.into(), 1);
                1
            };
            match rows {
                Rows::Hashed => out.add(word, count),
                Rows::Timed => {
                    black_box((word, count));
                    out.rows += 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loops_give_the_specified_checksums() {
        let counter = keyed_counter(1_000_000, Rows::Hashed);
        assert_eq!(counter.to_string(), "1000000 / 318b41a6ec9e86d3");
        let text = spec::text(1_000_000);
        let words = word_count(text.as_slice(), Rows::Hashed).expect("a slice can be read");
        assert_eq!(words.to_string(), "10000000 / bf052279a3321c96");
    }
}
