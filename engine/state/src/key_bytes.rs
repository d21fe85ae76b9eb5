//! The `ordered` bytes of a key, without an allocation when they are few.
//!
//! Invariant: compares as the bytes do.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// How many bytes fit inside: a time, a number and a window.
const INLINE: usize = 30;

/// Owned bytes that sort and are searched for as a slice.
pub(crate) enum KeyBytes {
    Inline { len: u8, bytes: [u8; INLINE] },
    Boxed(Box<[u8]>),
}

impl KeyBytes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if bytes.len() > INLINE {
            return Self::Boxed(bytes.into());
        }
        let mut inline = [0; INLINE];
        inline[..bytes.len()].copy_from_slice(bytes);
        Self::Inline {
            len: bytes.len() as u8,
            bytes: inline,
        }
    }

    #[inline]
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Self::Boxed(bytes) => bytes,
        }
    }
}

impl Borrow<[u8]> for KeyBytes {
    #[inline]
    fn borrow(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialEq for KeyBytes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for KeyBytes {}

impl PartialOrd for KeyBytes {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KeyBytes {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_bytes_sort_as_slices() {
        let slices: Vec<Vec<u8>> = (0..64).map(|len| vec![7; len]).collect();
        for left in &slices {
            for right in &slices {
                let order = KeyBytes::of(left).cmp(&KeyBytes::of(right));
                assert_eq!(order, left.cmp(right));
            }
        }
    }
}
