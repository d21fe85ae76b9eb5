//! The records of `SPECIFICATION.md`: keys of the keyed counter, lines of the word-count text.

/// The seed of all streams.
pub const SEED: u64 = 42;
/// The increment of the generator.
pub const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// How many keys the keyed counter has.
pub const KEYS: u64 = 1_000_000;

/// The finaliser of splitmix64.
#[inline]
pub const fn mix64(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[inline]
const fn state(number: u64) -> u64 {
    mix64(SEED.wrapping_add(number.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// Record `k` of the keyed counter: a key below [`KEYS`].
///
/// ```
/// assert!(sameriver_benches::spec::key(0) < sameriver_benches::spec::KEYS);
/// ```
#[inline]
pub const fn key(k: u64) -> u64 {
    ((state(k) >> 32) * KEYS) >> 32
}

/// Appends line `number` of the word-count text, with its newline.
pub fn push_line(number: u64, text: &mut Vec<u8>) {
    let mut state = state(number);
    let mut below = |bound: u64| {
        state = state.wrapping_add(GOLDEN);
        ((mix64(state) >> 32) * bound) >> 32
    };
    for word in 0..10 {
        if word > 0 {
            text.push(b' ');
        }
        let bits = 4 + below(13);
        push_word(below(1 << bits), text);
    }
    text.push(b'\n');
}

fn push_word(index: u64, text: &mut Vec<u8>) {
    let mut rest = index + 676;
    while rest > 0 {
        text.push(b'a' + (rest % 26) as u8);
        rest /= 26;
    }
}

/// The word-count text of `lines` lines.
pub fn text(lines: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines as usize * 41);
    for line in 0..lines {
        push_line(line, &mut text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_million_lines_has_the_specified_length() {
        assert_eq!(text(1_000_000).len(), 40_941_661);
    }
}
