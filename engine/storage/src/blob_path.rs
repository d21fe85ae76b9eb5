//! Which paths a store takes.
//!
//! Invariant: a path that passes here stays inside the store's folder on every file system.

use sameriver_runtime::BlobError;

/// The longest part of a path, in bytes: what every file system takes as a name.
const PART_BYTES_MAX: usize = 255;

const REMEDY: &str = "use parts of 1 to 255 bytes joined by `/`, none of them `.` or `..`, and no \
                      control characters";

/// Refuses a path that is empty, leaves the store, or cannot be a name of a file.
pub(crate) fn check(store: &str, path: &str) -> Result<(), BlobError> {
    let is_bad = |part: &str| {
        let is_special = matches!(part, "" | "." | "..");
        is_special || part.len() > PART_BYTES_MAX || part.contains(|c: char| c.is_control())
    };
    match path.split('/').find(|part| is_bad(part)) {
        None => Ok(()),
        Some(part) => Err(BlobError::Refused {
            store: store.to_owned(),
            path: path.to_owned(),
            cause: format!("{part:?} is no part of a path"),
            remedy: REMEDY,
        }),
    }
}

/// Refuses a prefix that no accepted path can begin with; its last part may be cut short.
pub(crate) fn check_prefix(store: &str, prefix: &str) -> Result<(), BlobError> {
    match prefix.rsplit_once('/') {
        None => Ok(()),
        Some((folder, _)) => check(store, folder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_leaves_the_store_is_refused() {
        let long = "x".repeat(PART_BYTES_MAX + 1);
        for bad in [
            "", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b", "a\nb", &long,
        ] {
            assert!(check("memory:", bad).is_err(), "{bad:?}");
        }
        for good in ["a", "a/b", "job 1/log/00000000000000000001", "..a", "größe"] {
            assert_eq!(check("memory:", good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn a_prefix_may_end_anywhere_in_a_part() {
        for good in ["", "a", "a/", "a/b", "job/log/0"] {
            assert_eq!(check_prefix("memory:", good), Ok(()), "{good:?}");
        }
        for bad in ["/", "../a", "a//"] {
            assert!(check_prefix("memory:", bad).is_err(), "{bad:?}");
        }
    }
}
