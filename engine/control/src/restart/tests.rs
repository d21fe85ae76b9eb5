//! Each strategy against a table of failures.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Moment {
    Moment::from_origin(Duration::from_secs(seconds))
}

/// What is decided about failures at these seconds: the wait in seconds, or the end.
fn decisions(strategy: RestartStrategy, failures: &[u64]) -> Vec<Option<u64>> {
    let mut restarts = Restarts::new(strategy, 7);
    let decide = |second: &u64| match restarts.on_failure(at(*second)) {
        RestartDecision::Restart { after } => Some(after.as_secs()),
        RestartDecision::GiveUp => None,
    };
    failures.iter().map(decide).collect()
}

fn exponential(jitter_percent: u32) -> RestartStrategy {
    RestartStrategy::ExponentialDelay {
        backoff: Backoff {
            initial: SECOND,
            max: SECOND * 10,
            multiplier_percent: 200,
        },
        reset_after: SECOND * 60,
        jitter_percent,
    }
}

#[test]
fn without_a_strategy_the_first_failure_ends_the_job() {
    assert_eq!(decisions(RestartStrategy::None, &[0]), [None]);
}

#[test]
fn a_fixed_delay_grants_so_many_restarts_and_no_more() {
    let strategy = RestartStrategy::FixedDelay {
        attempts: 2,
        delay: SECOND * 3,
    };
    assert_eq!(
        decisions(strategy, &[0, 1_000, 2_000]),
        [Some(3), Some(3), None]
    );
}

#[test]
fn a_failure_rate_counts_failures_within_the_interval_only() {
    let strategy = RestartStrategy::FailureRate {
        failures_max: 2,
        interval: SECOND * 10,
        delay: SECOND,
    };
    let rare = decisions(strategy, &[0, 6, 12, 18, 24]);
    assert!(rare.iter().all(Option::is_some), "{rare:?}");
    assert_eq!(decisions(strategy, &[0, 5, 10]), [Some(1), Some(1), None]);
    assert_eq!(decisions(strategy, &[0, 5, 11]), [Some(1); 3]);
}

#[test]
fn an_exponential_delay_grows_to_its_longest() {
    let waits = decisions(exponential(0), &[0, 1, 2, 3, 4, 5]);
    assert_eq!(waits, [1, 2, 4, 8, 10, 10].map(Some));
}

#[test]
fn an_exponential_delay_starts_again_after_a_stable_time_and_not_before() {
    let mut restarts = Restarts::new(exponential(0), 0);
    let mut after = |ran_from: u64, failed: u64| {
        restarts.on_running(at(ran_from));
        restarts.on_failure(at(failed))
    };
    let restart = |seconds: u64| RestartDecision::Restart {
        after: SECOND * u32::try_from(seconds).unwrap(),
    };
    assert_eq!(after(0, 1), restart(1));
    assert_eq!(after(10, 69), restart(2));
    assert_eq!(after(100, 160), restart(1));
    assert_eq!(restarts.on_failure(at(1_000)), restart(2));
}

proptest! {
    #[test]
    fn jitter_stays_within_its_share_and_comes_from_the_number_alone(
        seed: u64, jitter in 0_u32..=100, failures in 1_usize..12,
    ) {
        let run = || {
            let mut restarts = Restarts::new(exponential(jitter), seed);
            (0..failures).map(|_| restarts.on_failure(at(0))).collect::<Vec<_>>()
        };
        prop_assert_eq!(run(), run());
        let plain = decisions(exponential(0), &vec![0; failures]);
        for (decision, plain) in run().into_iter().zip(plain) {
            let RestartDecision::Restart { after } = decision else {
                panic!("an exponential delay never gives up");
            };
            let plain = SECOND * u32::try_from(plain.unwrap()).unwrap();
            let spread = plain * jitter / 100;
            prop_assert!(after + spread >= plain && after <= plain + spread);
            prop_assert!(after <= SECOND * 10);
        }
    }
}
