//! Every small damage of a file, for tests.

/// Flips a bit of every byte, flips every byte whole, cuts the file at every length, and adds a
/// byte; asserts that each is refused.
pub(crate) fn everywhere(whole: &[u8], is_refused: impl Fn(&[u8]) -> bool) {
    assert!(!is_refused(whole), "the file is whole");
    for at in 0..whole.len() {
        for mask in [1, 0x80, 0xff] {
            let mut flipped = whole.to_vec();
            flipped[at] ^= mask;
            assert!(is_refused(&flipped), "byte {at} is flipped by {mask:02x}");
        }
        assert!(is_refused(&whole[..at]), "the file ends at {at}");
    }
    let mut longer = whole.to_vec();
    longer.push(0);
    assert!(is_refused(&longer), "a byte follows the file");
}
