//! What the seeds of a campaign came to, as it is printed.
//!
//! Invariant: figures are those of passed seeds; a seed that showed nothing is counted apart.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use sameriver_cli::summary::grouped;
use sameriver_sim::{
    BatchSummary, CRASH_POINTS, Finding, FindingKind, FindingList, Outcome, Tally, TraceHash,
};

use crate::simulate::Played;

/// One in so many seeds may be vacuous, and a few more, lest a small batch hangs on one draw.
const VACUOUS_ONE_IN: u64 = 50;
const VACUOUS_MORE: u64 = 2;
/// So many findings are described; the others are counted.
const DESCRIBED: usize = 5;

/// From so many seeds on a batch needs no such allowance.
const LARGE_BATCH_SEEDS: u64 = 3_000;

/// How many seeds of a batch may have compared nothing: of a large one under 2 %.
const fn vacuous_allowed(seeds: u64) -> u64 {
    if seeds < LARGE_BATCH_SEEDS {
        VACUOUS_MORE + seeds / VACUOUS_ONE_IN
    } else {
        (seeds - 1) / VACUOUS_ONE_IN
    }
}

/// What the seeds came to.
#[derive(Default)]
pub(super) struct Report {
    findings: BTreeMap<u64, (Finding, TraceHash)>,
    vacuous: BTreeMap<u64, (Finding, TraceHash)>,
    played: BTreeMap<&'static str, u64>,
    rows: u64,
    tally: Tally,
    trace: Vec<String>,
}

impl Report {
    pub(super) fn take(&mut self, outcome: Outcome<Played>) {
        self.trace.extend(outcome.trace.into_iter().flatten());
        match outcome.verdict {
            Ok(played) => {
                *self.played.entry(played.story).or_default() += 1;
                self.rows += played.rows;
                self.tally.take(&played.figures);
            }
            Err(finding) => {
                let kept = if finding.kind == FindingKind::Vacuous {
                    self.tally.take_vacuous();
                    &mut self.vacuous
                } else {
                    &mut self.findings
                };
                kept.insert(outcome.seed, (finding, outcome.trace_hash));
            }
        }
    }

    /// The lines of the seed that was captured.
    pub(super) fn trace(&self) -> &[String] {
        &self.trace
    }

    /// The lowest seeds with a finding.
    pub(super) fn failures(&self) -> impl Iterator<Item = (u64, &Finding, TraceHash)> {
        let findings = self.findings.iter().take(DESCRIBED);
        findings.map(|(seed, (finding, hash))| (*seed, finding, *hash))
    }

    /// Whether a seed has a finding.
    pub(super) fn has_finding(&self) -> bool {
        !self.findings.is_empty()
    }

    /// Adds what the batch as a whole is guilty of.
    pub(super) fn put_batch(&self, list: &mut FindingList, summary: &BatchSummary) {
        if self.too_vacuous(summary)
            && let Some((seed, (finding, _))) = self.vacuous.first_key_value()
        {
            list.add(Some(*seed), finding);
        }
        for missing in self.tally.missing() {
            list.add(None, &Finding::vacuous(missing));
        }
    }

    /// What the batch as a whole is guilty of, in words; `repeat` tells how to repeat a seed.
    pub(super) fn batch_errors(
        &self,
        summary: &BatchSummary,
        repeat: impl Fn(u64) -> String,
    ) -> Vec<String> {
        let mut errors = self.tally.missing();
        if self.too_vacuous(summary)
            && let Some((seed, (finding, _))) = self.vacuous.first_key_value()
        {
            let (vacuous, seeds) = (self.vacuous.len(), grouped(summary.seeds));
            errors.push(format!(
                "seed {seed}: {finding}\n  {vacuous} of {seeds} seeds showed nothing\n  \
                 repeat: {}",
                repeat(*seed)
            ));
        }
        errors
    }

    fn too_vacuous(&self, summary: &BatchSummary) -> bool {
        let vacuous = self.vacuous.len() as u64;
        vacuous > 0 && self.played.is_empty() || vacuous > vacuous_allowed(summary.seeds)
    }

    /// The exit code, where `first` is the kind of the lowest seed with a finding.
    pub(super) fn exit(&self, first: Option<FindingKind>, summary: &BatchSummary) -> ExitCode {
        let is_covered = self.tally.missing().is_empty() && !self.too_vacuous(summary);
        match first {
            Some(kind) => ExitCode::from(kind.exit_code()),
            None if is_covered => ExitCode::SUCCESS,
            None => ExitCode::from(FindingKind::Vacuous.exit_code()),
        }
    }

    pub(super) fn text(&self, summary: &BatchSummary) -> String {
        let played = self.played.iter();
        let played = played.map(|(name, seeds)| format!("{name} {}", grouped(*seeds)));
        let played = played.collect::<Vec<_>>().join(", ");
        let passed: u64 = self.played.values().sum();
        let wall = summary.wall_time.as_secs_f64().max(1e-9);
        let simulated = summary.virtual_time.as_secs_f64();
        let mut text = format!(
            "{} of {} seeds passed ({played}), {} failed, {} vacuous\n",
            grouped(passed),
            grouped(summary.seeds),
            self.findings.len(),
            self.vacuous.len(),
        );
        if self.findings.len() > DESCRIBED {
            let more = self.findings.len() - DESCRIBED;
            put(
                &mut text,
                &format!("{more} more seeds failed than are shown"),
            );
        }
        self.put_coverage(&mut text, summary);
        put(
            &mut text,
            &format!(
                "{} rows compared with references, {} events\n\
                 simulated {simulated:.1} s in {wall:.2} s: {:.0} times real time, \
                 {:.1} seeds a second\n\
                 fold of trace hashes: {}",
                grouped(self.rows),
                grouped(summary.events),
                simulated / wall,
                summary.seeds as f64 / wall,
                summary.fold.hash(),
            ),
        );
        text.trim_end().to_owned()
    }

    /// What vacuous seeds lacked, and how many.
    fn lacking(&self) -> String {
        let mut lacking: BTreeMap<String, u64> = BTreeMap::new();
        for (finding, _) in self.vacuous.values() {
            let evidence = finding.evidence.trim_start_matches("no ").to_owned();
            *lacking.entry(evidence).or_default() += 1;
        }
        let lacking = lacking.iter();
        let lacking = lacking.map(|(evidence, seeds)| format!("{evidence} {seeds}"));
        lacking.collect::<Vec<_>>().join(", ")
    }

    fn put_coverage(&self, text: &mut String, summary: &BatchSummary) {
        let tally = &self.tally;
        let share = tally.seeds_with_state * 100 / summary.seeds.max(1);
        put(
            text,
            &format!(
                "{} attempts, {} of them from one of {} checkpoints; {share} % of the seeds \
                 restored state",
                grouped(tally.attempts),
                grouped(tally.restores),
                grouped(tally.checkpoints),
            ),
        );
        let modes = tally.modes.iter();
        let modes = modes.map(|(mode, seeds)| format!("{mode} {}", grouped(*seeds)));
        let modes = modes.collect::<Vec<_>>().join(", ");
        if !modes.is_empty() {
            put(text, &format!("among them: {modes}"));
        }
        if !self.vacuous.is_empty() {
            put(text, &format!("vacuous for lack of: {}", self.lacking()));
        }
        if !tally.families.is_empty() {
            put(text, "fault             seeds   felt      effects");
        }
        for (family, felt) in &tally.families {
            let (name, effects) = (family.name(), grouped(felt.effects));
            let (seeds, took) = (felt.enabled, felt.took_effect);
            put(
                text,
                &format!("{name:<16} {seeds:>6} {took:>6} {effects:>12}"),
            );
        }
        put_steps(text, tally);
        let compared = tally.compared.iter();
        let compared =
            compared.map(|(invariant, items)| format!("{invariant} {}", grouped(*items)));
        put(
            text,
            &format!("judged: {}", compared.collect::<Vec<_>>().join(", ")),
        );
    }
}

/// The steps in their order: in how many seeds a crash was armed there, and in how many it came.
fn put_steps(text: &mut String, tally: &Tally) {
    if !tally.steps.is_empty() {
        put(text, "crash at                     armed crashed");
    }
    let known = CRASH_POINTS.iter().copied();
    let others = tally.steps.keys().map(String::as_str);
    let others = others.filter(|place| !CRASH_POINTS.contains(place));
    for place in known.chain(others) {
        if let Some(step) = tally.steps.get(place) {
            let (armed, crashed) = (step.armed, step.crashed);
            put(text, &format!("{place:<27} {armed:>6} {crashed:>7}"));
        }
    }
}

fn put(text: &mut String, line: &str) {
    // A String takes everything.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_vacuous_seeds_do_not_fail_a_batch() {
        assert_eq!([1, 40, 100, 1_000].map(vacuous_allowed), [2, 2, 4, 22]);
        assert_eq!([3_000, 3_001].map(vacuous_allowed), [59, 60]);
    }
}
