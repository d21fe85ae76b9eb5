//! Draws settings: small and large, and such that a job survives what happens to it.
//!
//! Invariant: a draw more moves no other draw of the run; what is drawn passes `validate`.

use std::time::Duration;

use sameriver::{Restart, Settings};
use sameriver_runtime::RandomStream;

use crate::fault::Class;

/// Where a simulated job keeps its checkpoints.
pub const CHECKPOINTS: &str = "blob://checkpoints";

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
    Settings {
        checkpoints: CHECKPOINTS.to_owned(),
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
    }
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

    #[test]
    fn whatever_is_drawn_fits_together() {
        for seed in 0..2_000 {
            let settings = draw_lasting_settings(&mut RandomStream::named(seed, "settings"));
            assert_eq!(
                settings.validate().map_err(|e| e.to_string()),
                Ok(()),
                "{seed}"
            );
        }
    }
}
