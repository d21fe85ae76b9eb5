//! The page of planted bugs: what was planted, who caught it, after how many seeds.
//!
//! Invariant: the page is made of a run and names its commit; a bug that was not found stands there
//! with the reason that its file gives.

use std::collections::BTreeSet;

use super::catch::Catch;
use super::planted_bug::PlantedBug;

/// Where the page lies, from the top folder of the repository.
pub const PAGE: &str = "docs/planted-bugs.md";

const HEAD: &str = "\
# Planted bugs

A simulator that has never found a bug is decoration. So small mistakes are put into a copy of the
tree, one at a time: each changes at most ten lines, and many were real bugs of other engines. The
patched engine must pass 250 calm seeds, about fifty of every scenario, or it is too crude to count.
Then it runs with faults until a seed has a finding. The bugs are the files in `sim/planted/`: each
says what it breaks and which oracle of the judge must see it.
";
const WORLD: &str = "\
## Defects of the simulated world

These are mistakes of the simulator itself: a fault that is counted and not applied, an oracle that
looks at nothing. A batch must not pass with them: it ends as vacuous, or as a failure of the
harness, mostly before the first seed.
";

/// How many seeds the summary calls few.
const FEW: u64 = 100;

/// What a run of all planted bugs came to.
///
/// ```
/// use sameriver_sim::planted::Page;
/// let page = Page { commit: "c0ffee", seeds: 1_000, rows: &[] };
/// assert!(page.text().contains("c0ffee"));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The commit that was tried.
    pub commit: &'a str,
    /// How many seeds each bug got at most.
    pub seeds: u64,
    /// The bugs and what came of them.
    pub rows: &'a [(&'a PlantedBug, Catch)],
}

#[derive(Default)]
struct Counts {
    engine: usize,
    caught: usize,
    /// Within few seeds.
    soon: usize,
    expected: usize,
    world: usize,
    world_caught: usize,
}

type Row<'a> = &'a (&'a PlantedBug, Catch);

impl<'a> Page<'a> {
    /// The page, as Markdown.
    pub fn text(&self) -> String {
        let (commit, seeds) = (self.commit, self.seeds);
        let tables = [true, false].map(|engine| table(self.bugs(engine)));
        format!(
            "{HEAD}\nThis page was written at commit {commit} by\n\n\
             ```text\ncargo run --release -p sameriver-sim --bin planted -- --seeds {seeds} \
             --page\n```\n\n{}\n\n## Bugs of the engine\n\n{}\n{WORLD}\n{}{}",
            self.summary(),
            tables[0],
            tables[1],
            self.not_found(),
        )
    }

    fn not_found(&self) -> String {
        let rows = self.rows.iter();
        let missed = rows.filter(|(bug, catch)| !catch.is_caught(bug));
        let lines = missed.map(|(bug, catch)| {
            let why = bug.unfound.as_deref().unwrap_or("nobody knows why yet");
            let why = catch.too_crude.as_deref().unwrap_or(why);
            format!("- `{}`: {why}\n", bug.id)
        });
        let lines: String = lines.collect();
        if lines.is_empty() {
            return lines;
        }
        format!("\n## Not found\n\n{lines}")
    }

    /// The percentages of the engine's bugs, and how the world's defects ended.
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let engine: Vec<&PlantedBug> = self.bugs(true).map(|(bug, _)| *bug).collect();
        let rooms: BTreeSet<&str> = engine.iter().map(|bug| bug.room()).collect();
        let museum = engine.iter().filter(|bug| bug.museum).count();
        let share = |part: usize| part * 100 / counts.engine.max(1);
        format!(
            "**{} bugs in {} rooms of the engine, {museum} of them real ones of other engines: \
             {} % caught within {} seeds, {} % within {FEW}, {} % by the oracle that is \
             expected.** Of {} defects of the world {} were caught.",
            counts.engine,
            rooms.len(),
            share(counts.caught),
            self.seeds,
            share(counts.soon),
            share(counts.expected),
            counts.world,
            counts.world_caught,
        )
    }

    /// Whether 95 % of the engine's bugs were caught, 80 % soon, 80 % by the oracle that is
    /// expected, and all defects of the world.
    pub fn is_enough(&self) -> bool {
        let counts = self.counts();
        let reaches = |part: usize, percent: usize| part * 100 >= counts.engine * percent;
        reaches(counts.caught, 95)
            && reaches(counts.soon, 80)
            && reaches(counts.expected, 80)
            && counts.world_caught == counts.world
    }

    fn bugs(&self, of_the_engine: bool) -> impl Iterator<Item = Row<'a>> {
        let rows = self.rows.iter();
        rows.filter(move |(bug, _)| bug.is_of_the_engine() == of_the_engine)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (bug, catch) in self.bugs(true) {
            let is_soon = catch.seeds.is_some_and(|seeds| seeds <= FEW);
            counts.engine += 1;
            counts.caught += usize::from(catch.is_caught(bug));
            counts.soon += usize::from(catch.is_caught(bug) && is_soon);
            counts.expected += usize::from(catch.is_expected(bug));
        }
        for (bug, catch) in self.bugs(false) {
            counts.world += 1;
            counts.world_caught += usize::from(catch.is_caught(bug));
        }
        counts
    }

    /// The bugs that a page lists, each with the seeds that it took, if it was caught.
    pub fn listed(text: &str) -> Vec<(String, Option<u64>)> {
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.filter_map(|row| {
            let (id, rest) = row.split_once('`')?;
            let seeds = rest.trim_end_matches([' ', '|']).rsplit('|').next()?;
            Some((id.to_owned(), seeds.trim().parse().ok()))
        })
        .collect()
    }
}

fn table<'a>(rows: impl Iterator<Item = Row<'a>>) -> String {
    let mut text = "| bug | room | known from | what it does | expected | caught by | seeds |\n\
                    |---|---|---|---|---|---|---|\n"
        .to_owned();
    for (bug, catch) in rows {
        let by = match (catch.caught_by, &catch.too_crude) {
            (_, Some(_)) => "too crude".to_owned(),
            (Some(by), None) => by.to_string(),
            (None, None) => "-".to_owned(),
        };
        let seeds = catch
            .seeds
            .map_or("-".to_owned(), |seeds| seeds.to_string());
        let (room, expect) = (bug.room(), bug.expect);
        let cells = [&bug.source, &bug.title].map(|cell| cell.replace('|', "\\|"));
        let [source, title] = cells;
        let row = format!(
            "| `{}` | `{room}` | {source} | {title} | {expect} | {by} | {seeds} |",
            bug.id
        );
        text.push_str(&row);
        text.push('\n');
    }
    text
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "it reads a page of the repository, outside of any world"
)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::planted::Shelf;

    fn bug(id: &str, file: &str, expect: &str) -> PlantedBug {
        let text = format!(
            "id = '{id}'\ntitle = 'a | b'\nsource = 's'\nwhy = 'w'\nexpect = '{expect}'\n\
             unfound = 'too rare'\n[[edit]]\nfile = '{file}'\nfind = 'a'\nreplace = 'b'"
        );
        PlantedBug::parse(id, &text).unwrap()
    }

    fn catch(by: &str, seeds: u64) -> Catch {
        Catch {
            caught_by: by.parse().ok(),
            seeds: Some(seeds),
            ..Catch::default()
        }
    }

    #[test]
    fn the_summary_counts_the_bugs_of_the_engine_and_the_page_is_read_back() {
        let bugs = [
            bug("a", "engine/task/src/a.rs", "I1"),
            bug("b", "engine/state/src/b.rs", "I8"),
            bug("c", "engine/state/src/c.rs", "I8"),
            bug("d", "engine/state/src/d.rs", "I8"),
            bug("w", "sim/src/w.rs", "vacuous"),
        ];
        let catches = [
            catch("I1", 3),
            catch("L2", 101),
            catch("I8", 100),
            Catch::default(),
            catch("V4", 100),
        ];
        let rows: Vec<_> = bugs.iter().zip(catches).collect();
        let page = Page {
            commit: "c0ffee",
            seeds: 1_000,
            rows: &rows,
        };
        let text = page.text();
        let figures = "4 bugs in 2 rooms of the engine, 0 of them real ones of other engines: \
                       75 % caught within 1000 seeds, 50 % within 100, 50 % by";
        assert!(text.contains(figures), "{text}");
        assert!(
            text.ends_with("## Not found\n\n- `d`: too rare\n"),
            "{text}"
        );
        let seeds = [Some(3), Some(101), Some(100), None, Some(100)];
        let ids = ["a", "b", "c", "d", "w"].map(str::to_owned);
        let listed: Vec<_> = ids.into_iter().zip(seeds).collect();
        assert_eq!(Page::listed(&text), listed);
        assert!(!page.is_enough(), "one of four was not caught");
    }

    #[test]
    fn the_page_lists_exactly_the_planted_bugs() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let listed = Page::listed(&std::fs::read_to_string(top.join(PAGE)).unwrap());
        let listed: BTreeSet<_> = listed.into_iter().map(|(id, _)| id).collect();
        let shelf = Shelf::read(&top).unwrap();
        let planted: BTreeSet<_> = shelf.all().iter().map(|bug| bug.id.clone()).collect();
        assert_eq!(listed, planted, "write the page anew with `planted --page`");
    }
}
