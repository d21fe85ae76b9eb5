//! The compiler's messages for typical mistakes stay readable.

#[test]
fn typical_mistakes_are_refused_with_readable_messages() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
