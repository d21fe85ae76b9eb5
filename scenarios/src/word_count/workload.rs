//! Texts to count: few or many lines, all kinds of ends of line, letters beyond ASCII.

use std::path::PathBuf;

use sameriver::runtime::RandomStream;
use sameriver_cli::JobArguments;

use crate::story::Workload;

const WORDS: &[&str] = &[
    "river", "Same", "twice", "step", "you", "cannot", "INTO", "the", "a_b", "x1", "naïve", "été",
    "99", "_", "don't", "e-mail", "of", "and", "water", "flow", "–",
];

/// Draws one or two files.
pub(super) fn draw(random: &mut RandomStream) -> Workload {
    let files: Vec<(PathBuf, Vec<u8>)> = (0..random.between(1, 2))
        .map(|number| (PathBuf::from(format!("input-{number}.txt")), text(random)))
        .collect();
    let output = random.chance(500).then(|| PathBuf::from("totals"));
    let input = files.iter().map(|(path, _)| path.clone()).collect();
    let split_bytes = random.chance(700).then(|| random.between(1, 400));
    let arguments = JobArguments {
        input,
        output,
        split_bytes,
        ..JobArguments::default()
    };
    Workload { arguments, files }
}

fn text(random: &mut RandomStream) -> Vec<u8> {
    let lines = match random.below(400) {
        0 => 0,
        1..=8 => 1,
        _ => random.between(2, 120),
    };
    let mut text = String::new();
    for line in 0..lines {
        for _ in 0..random.below(12) {
            text += WORDS[random.below(WORDS.len() as u64) as usize];
            text += ["", " ", ", ", ". ", "\t"][random.below(5) as usize];
        }
        let is_last = line + 1 == lines;
        if !is_last || random.chance(500) {
            text += if random.chance(200) { "\r\n" } else { "\n" };
        }
    }
    text.into_bytes()
}
