//! Draws settings: small and large, and such that a job survives what happens to it.
//!
//! Invariant: a draw more moves no other draw of the run; what is drawn passes `validate`.

use std::time::Duration;

use sameriver::{CheckpointMode, Restart, Settings};
use sameriver_runtime::RandomStream;

use crate::fault::Class;

/// Where a simulated job keeps its checkpoints, mostly: in a store of objects.
pub const CHECKPOINTS: &str = "blob://checkpoints";
/// Where the other jobs keep them: in files, on the disk that all nodes share.
pub const FILE_CHECKPOINTS: &str = "file:data/checkpoints";
/// So many jobs of a thousand keep their checkpoints in files.
const FILES_PER_MILLE: u32 = 250;
/// So many jobs of a thousand, of those that can be judged then, count records at least once.
const REPEATS_PER_MILLE: u32 = 150;
/// More restarts than any run has.
const ENOUGH_RESTARTS: u32 = 1_000_000;

/// Draws settings of a job without checkpoints: down to one record a batch and one batch a channel.
pub fn draw_settings(random: &mut RandomStream) -> Settings {
    let millis = pick(random, &[0, 1, 5, 5, 20]);
    let yield_micros = pick(random, &[0, 100, 1_000, 1_000_000]);
    Settings {
        parallelism: pick(random, &[1, 2, 2, 3, 4]),
        max_parallelism: pick(random, &[4, 5, 16, 128, 128]),
        chaining: random.chance(800),
        task_managers: pick(random, &[1, 2, 2, 3]),
        // Enough for every job that fits into the least max parallelism, and some to spare.
        slots: pick(random, &[0, 0, 4, 6]),
        yield_after: Duration::from_micros(u64::from(yield_micros)),
        mail_letters: pick(random, &[1, 2, 64]),
        slice_records: pick(random, &[1, 2, 7, 64, 256]),
        batch_records: pick(random, &[1, 2, 7, 64, 256]),
        batch_timeout: Duration::from_millis(u64::from(millis)),
        buffers_per_channel: pick(random, &[1, 2, 8]),
        write_bytes: pick(random, &[1, 100, 4_096, 65_536]),
        ..Settings::default()
    }
}

/// Draws settings of a job that takes checkpoints and never gives up.
///
/// ```
/// use sameriver::runtime::RandomStream;
/// let settings = sameriver_sim::draw_lasting_settings(&mut RandomStream::named(7, "settings"));
/// assert!(settings.has_checkpoints() && settings.validate().is_ok());
/// ```
pub fn draw_lasting_settings(random: &mut RandomStream) -> Settings {
    let settings = draw_settings(random);
    let heartbeat = millis(random, 100, 1_000);
    let interval = millis(random, 100, 5_000);
    let at_once = pick(random, &[1, 1, 1, 2, 3]);
    let min_pause = if at_once == 1 && random.chance(300) {
        millis(random, 1, 1_000)
    } else {
        Duration::ZERO
    };
    let settings = Settings {
        checkpoint_interval: interval,
        checkpoint_timeout: millis(random, 1_000, 20_000),
        checkpoint_min_pause: min_pause,
        checkpoints_at_once: at_once,
        checkpoints_retained: pick(random, &[1, 1, 2, 3]),
        checkpoint_failures: pick(random, &[0, 1, 1_000_000, 1_000_000]),
        heartbeat_interval: heartbeat,
        heartbeat_timeout: heartbeat.saturating_mul(pick(random, &[3, 4, 8])),
        restart: Restart::ExponentialDelay,
        restart_delay: millis(random, 10, 500),
        restart_delay_max: millis(random, 500, 3_000),
        restart_interval: millis(random, 1_000, 10_000),
        registration_timeout: Duration::from_secs(10),
        deploy_timeout: Duration::from_secs(10),
        cancellation_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(3),
        hello_timeout: Duration::from_secs(2),
        // Drawn last: the draws before stay as they were.
        checkpoint_records: u64::from(pick(random, &[0, 0, 0, 50, 500])),
        checkpoint_bytes: u64::from(pick(random, &[0, 0, 0, 2_000])),
        checkpoint_markers: random.chance(250),
        ..settings
    };
    Settings {
        checkpoints: if random.chance(FILES_PER_MILLE) {
            FILE_CHECKPOINTS.to_owned()
        } else {
            CHECKPOINTS.to_owned()
        },
        ..settings
    }
}

/// Draws what else a user may choose: what a checkpoint promises, if `may_repeat` says that there
/// is a way to judge a job whose records count more than once, and what follows a failure.
///
/// ```
/// use sameriver::{Settings, runtime::RandomStream};
/// let mut settings = Settings::default();
/// sameriver_sim::draw_modes(&mut settings, true, &mut RandomStream::named(7, "modes"));
/// assert!(settings.validate().is_ok());
/// ```
pub fn draw_modes(settings: &mut Settings, may_repeat: bool, random: &mut RandomStream) {
    if random.chance(REPEATS_PER_MILLE) && may_repeat {
        settings.checkpoint_mode = CheckpointMode::AtLeastOnce;
    }
    // With fewer most jobs give up before they have any output to compare.
    let few = pick(random, &[3, 5, 8]);
    let (restart, attempts) = match random.below(100) {
        0..8 => (Restart::FixedDelay, ENOUGH_RESTARTS),
        8..16 => (Restart::FailureRate, ENOUGH_RESTARTS),
        16..17 => (Restart::Never, 0),
        17..19 => (Restart::FixedDelay, few),
        19..21 => (Restart::FailureRate, few),
        _ => return,
    };
    settings.restart = restart;
    if attempts > 0 {
        settings.restart_attempts = attempts;
    }
}

/// How many restarts the job may have before it gives up; `None` for more than there will be.
pub(crate) fn restarts_max(settings: &Settings) -> Option<u32> {
    match settings.restart {
        Restart::Never => Some(0),
        Restart::FixedDelay | Restart::FailureRate => {
            Some(settings.restart_attempts).filter(|attempts| *attempts < ENOUGH_RESTARTS)
        }
        Restart::ExponentialDelay => None,
    }
}

/// Whether checkpoints are files on the disk that all nodes share.
pub(crate) fn keeps_files(settings: &Settings) -> bool {
    settings.checkpoints.starts_with("file:")
}

/// Draws how much of the fault menu a seed gets.
pub fn draw_class(random: &mut RandomStream) -> Class {
    match random.below(100) {
        0..10 => Class::Calm,
        10..25 => Class::Solo,
        25..85 => Class::Swarm,
        _ => Class::Storm,
    }
}

fn pick(random: &mut RandomStream, values: &[u32]) -> u32 {
    values[random.below(values.len() as u64) as usize]
}

/// Spread evenly over the octaves from `low` to `high`.
fn millis(random: &mut RandomStream, low: u64, high: u64) -> Duration {
    Duration::from_millis(crate::node_site::log_between(random, low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64) -> Settings {
        let random = |name| RandomStream::named(seed, name);
        let mut settings = draw_lasting_settings(&mut random("settings"));
        draw_modes(&mut settings, true, &mut random("modes"));
        settings
    }

    #[test]
    fn whatever_is_drawn_fits_together() {
        for seed in 0..2_000 {
            assert_eq!(
                drawn(seed).validate().map_err(|e| e.to_string()),
                Ok(()),
                "{seed}"
            );
        }
    }

    #[test]
    fn every_mode_that_a_user_may_choose_is_drawn_by_some_seeds() {
        let settings: Vec<Settings> = (0..2_000).map(drawn).collect();
        let per_mille = |is_one: fn(&Settings) -> bool| {
            let count = settings.iter().filter(|settings| is_one(settings)).count();
            count * 1_000 / settings.len()
        };
        assert!((200..300).contains(&per_mille(keeps_files)));
        let repeats = per_mille(|s| s.checkpoint_mode == CheckpointMode::AtLeastOnce);
        assert!((100..200).contains(&repeats));
        assert!(per_mille(|s| s.restart == Restart::FixedDelay) > 50);
        assert!(per_mille(|s| s.restart == Restart::FailureRate) > 50);
        // Jobs that may give up are few: what they put out promises less.
        assert!((20..100).contains(&per_mille(|s| restarts_max(s).is_some())));
    }
}
