//! Numbers that can be summed up with a check.
//!
//! Invariant: an integer sum never wraps around.

/// A number that streams can be summed up over.
///
/// ```
/// use sameriver_operator::keyed::Number;
/// assert_eq!(250_u8.plus(5), Some(255));
/// assert_eq!(250_u8.plus(6), None);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be summed up",
    label = "not a number",
    note = "`sum` takes the integers and floats of Rust; use `reduce` for other types"
)]
pub trait Number: Copy {
    /// The sum, or `None` when it is out of range.
    fn plus(self, other: Self) -> Option<Self>;
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Number for $integer {
            #[inline]
            fn plus(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }
        }
    )*};
}

integers!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

macro_rules! floats {
    ($($float:ty),*) => {$(
        impl Number for $float {
            #[inline]
            fn plus(self, other: Self) -> Option<Self> {
                Some(self + other)
            }
        }
    )*};
}

floats!(f32, f64);
