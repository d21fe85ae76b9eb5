//! The page of planted bugs: what was planted, who caught it, after how many seeds.
//!
//! Invariant: the page is made of a run and names its commit; a bug that was not found stands there
//! with the reason that its file gives.

use std::collections::BTreeSet;
use std::fmt::Write as _;

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
looks at nothing. A batch must not pass with them; it ends as vacuous or as a failure of the harness.
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

type Row<'a> = &'a (&'a PlantedBug, Catch);

impl<'a> Page<'a> {
    /// The page, as Markdown.
    pub fn text(&self) -> String {
        let all = self.rows.iter();
        let (engine, world): (Vec<Row<'a>>, Vec<Row<'a>>) =
            all.partition(|(bug, _)| bug.is_of_the_engine());
        let (commit, seeds) = (self.commit, self.seeds);
        let tables = [table(&engine), table(&world)];
        let mut text = format!(
            "{HEAD}\nThis page was written at commit {commit} by\n\n\
             ```text\ncargo run --release -p sameriver-sim --bin planted -- --seeds {seeds} \
             --page\n```\n\n{}\n\n## Bugs of the engine\n\n{}\n{WORLD}\n{}",
            self.summary(),
            tables[0],
            tables[1],
        );
        let mut missed = self.rows.iter().filter(|(bug, c)| !c.is_caught(bug));
        if missed.clone().next().is_some() {
            text.push_str("\n## Not found\n\n");
            missed.try_for_each(|(bug, catch)| {
                let why = bug.unfound.as_deref().unwrap_or("nobody knows why yet");
                let why = catch.too_crude.as_deref().unwrap_or(why);
                writeln!(text, "- `{}`: {why}", bug.id)
            })
        } else {
            Ok(())
        }
        .expect("a text takes everything");
        text
    }

    /// The percentages of the engine's bugs, and how the world's defects ended.
    pub fn summary(&self) -> String {
        let of = |is: bool| move |row: &&Row<'_>| row.0.is_of_the_engine() == is;
        let rows: Vec<Row<'_>> = self.rows.iter().collect();
        let engine: Vec<Row<'_>> = rows.iter().filter(of(true)).copied().collect();
        let world: Vec<Row<'_>> = rows.iter().filter(of(false)).copied().collect();
        let rooms: BTreeSet<&str> = engine.iter().map(|(bug, _)| bug.room()).collect();
        let museum = count(&engine, |bug, _| bug.museum);
        let caught = |bug: &PlantedBug, catch: &Catch| catch.is_caught(bug);
        let soon = |bug: &PlantedBug, catch: &Catch| {
            catch.is_caught(bug) && catch.seeds.is_some_and(|seeds| seeds <= FEW)
        };
        let expected = |bug: &PlantedBug, catch: &Catch| catch.is_expected(bug);
        format!(
            "**{} bugs in {} rooms of the engine, {museum} of them real ones of other engines: \
             {} caught within {} seeds, {} within {FEW}, {} by the oracle that is expected.** \
             Of {} defects of the world {} were caught.",
            engine.len(),
            rooms.len(),
            share(count(&engine, caught), engine.len()),
            self.seeds,
            share(count(&engine, soon), engine.len()),
            share(count(&engine, expected), engine.len()),
            world.len(),
            count(&world, caught),
        )
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

fn count(rows: &[Row<'_>], is: impl Fn(&PlantedBug, &Catch) -> bool) -> usize {
    rows.iter().filter(|(bug, catch)| is(bug, catch)).count()
}

fn share(part: usize, all: usize) -> String {
    format!("{} %", part * 100 / all.max(1))
}

fn table(rows: &[Row<'_>]) -> String {
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
mod tests {
    use super::*;

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
    }
}
