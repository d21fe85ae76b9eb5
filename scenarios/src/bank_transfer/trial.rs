//! `bank_transfer` in the simulator: every balance follows from the one before it, and no cent is
//! made or lost.

use sameriver::Replacements;
use sameriver_sim::judge::{self, FoldStep};
use sameriver_sim::{Account, ArrivalSchedule, Arrivals, Compared, Finding};

use super::{Booking, workload};
use crate::simulate::{Judged, Trial};
use crate::story::Workload;

/// The scenario in the simulator.
pub const TRIAL: Trial = Trial {
    judge,
    ..Trial::of(&super::STORY, replace)
};

fn replace(workload: &Workload, schedule: ArrivalSchedule) -> Replacements {
    let transfers = Arrivals::new("transfers", workload::transfers(workload), schedule);
    Replacements::new().source("transfers", transfers)
}

fn judge(seen: &Judged<'_>) -> Result<Vec<Compared>, Finding> {
    let bookings = seen.collected.take::<Booking>("bookings");
    let bookings = bookings.map_err(|error| Finding::harness(error.to_string()))?;
    let sum = |wanted: fn(i64) -> bool| {
        let cents = bookings.iter().map(|booking| booking.posting.cents);
        cents
            .filter(|cents| wanted(*cents))
            .map(i128::from)
            .sum::<i128>()
    };
    let account = Account::of("cents")
        .comes_in("taken", -sum(i64::is_negative))
        .goes_out("given", sum(i64::is_positive));
    let inputs: Vec<_> = workload::transfers(seen.workload)
        .concat()
        .iter()
        .flat_map(|t| [(t.from, (t.id, -t.cents)), (t.to, (t.id, t.cents))])
        .collect();
    let steps = bookings.into_iter().map(|booking| FoldStep {
        key: booking.posting.account,
        step: booking.step,
        input: (booking.posting.transfer, booking.posting.cents),
        state: booking.balance,
    });
    let balances = judge::fold(steps.collect(), &inputs, &0, |balance, (_, cents)| {
        balance + cents
    })?;
    Ok(vec![account.judge()?, balances])
}
