//! Lists of names in messages.
//!
//! Invariant: a message stays short however many names there are.

/// The first few names, and how many more there are.
pub(crate) fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let first = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_a_few_of_many_and_counts_the_rest() {
        let names: Vec<String> = (0..20).map(|index| format!("v0/{index}")).collect();
        assert_eq!(shortened(&names[..2]), "v0/0, v0/1");
        assert!(shortened(&names).ends_with("v0/7 and 12 more"));
    }
}
