//! `bank_transfer`: transfers between accounts in, every booking with its balance out.
//!
//! Each transfer takes from one account what it gives to another, so money is neither made nor
//! lost; each booking shows the balance that it leaves, so a balance that was lost, doubled or
//! restored wrongly shows itself.

mod reference;
#[cfg(feature = "sim")]
mod trial;
mod workload;

use std::fmt;
use std::sync::Arc;

use sameriver::JobResult;
use sameriver::connectors::{CollectedResults, Draws, FileSink, Generator};
use sameriver::prelude::*;
use sameriver_cli::summary::grouped;
use sameriver_cli::{JobArguments, JobFunction, MakeJob, NamedJob};
use serde::{Deserialize, Serialize};

#[cfg(feature = "sim")]
pub use self::trial::TRIAL;
use crate::story::{Rows, Story};
pub use workload::{PARTITIONS, Transfer};

/// The scenario.
pub const STORY: Story = Story {
    job: NamedJob {
        name: "bank_transfer",
        about: "books transfers between accounts and shows every balance (generated: --records, \
                --seed)",
        make: MakeJob::Given(make),
        show,
    },
    draw: workload::draw,
    reference: reference::rows,
    collected,
};

const RECORDS: u64 = 100_000;
const SEED: u64 = 42;

/// One half of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The account.
    pub account: u32,
    /// Cents that come, or go.
    pub cents: i64,
    /// The transfer: its partition, and its offset there.
    pub transfer: (u32, u64),
}

/// A booking on an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booking {
    /// What was booked.
    pub posting: Posting,
    /// Which booking of the account it is, counted from 1.
    pub step: u64,
    /// The balance after it, in cents.
    pub balance: i64,
}

/// An account at the end of the input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// The account.
    pub account: u32,
    /// Its bookings.
    pub bookings: u64,
    /// Its balance in cents.
    pub cents: i64,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            account,
            bookings,
            cents,
        } = self;
        write!(f, "{account} {bookings} {cents}")
    }
}

/// What an account says.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Entry {
    Booked(Booking),
    Closed(Balance),
}

/// Describes the job: transfers in, balances and bookings out.
///
/// # Errors
/// [`BuildError`] when the settings do not fit.
pub fn bank_transfer(env: &mut Environment, arguments: &JobArguments) -> Result<(), BuildError> {
    env.name("bank_transfer");
    let seed = arguments.seed.unwrap_or(SEED);
    let each = arguments
        .records
        .unwrap_or(RECORDS)
        .div_ceil(u64::from(PARTITIONS));
    let make = move |partition, offset, _: &mut Draws| workload::transfer(seed, partition, offset);
    let transfers = Generator::new("transfers", PARTITIONS, each, make);
    let entries = env
        .source("transfers", transfers)
        .flat_map(postings)
        .name("postings")
        .key_by(|posting| posting.account)
        .process("accounts", Account);
    entries
        .clone()
        .flat_map(|entry, out| {
            if let Entry::Booked(booking) = entry {
                out.emit(booking);
            }
        })
        .name("bookings")
        .collect("bookings")?;
    let balances = entries.flat_map(|entry, out| {
        if let Entry::Closed(balance) = entry {
            out.emit(balance);
        }
    });
    match &arguments.output {
        Some(folder) => balances.sink("files", FileSink::lines(folder)),
        None => balances.collect("balances"),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "`flat_map` hands the record over"
)]
fn postings(transfer: Transfer, out: &mut Out<'_, Posting>) {
    for (account, cents) in [
        (transfer.from, -transfer.cents),
        (transfer.to, transfer.cents),
    ] {
        out.emit(Posting {
            account,
            cents,
            transfer: transfer.id,
        });
    }
}

/// An account: bookings so far, and the balance.
#[derive(Clone, Copy, Debug)]
struct Account;

impl KeyedProcess<u32, Posting> for Account {
    type Out = Entry;
    type States = ValueState<(u64, i64)>;

    fn states(&self, declare: &mut Declare<'_, u32>) -> Result<Self::States, DeclareError> {
        declare.value("balance")
    }

    fn record(
        &self,
        balance: &Self::States,
        posting: Posting,
        at: &mut At<'_, u32>,
        out: &mut Out<'_, Entry>,
    ) -> Result<(), UserError> {
        let (step, cents) = balance.update(at, |balance| {
            let (step, cents) = balance.get_or_insert((0, 0));
            *step += 1;
            *cents += posting.cents;
            (*step, *cents)
        })?;
        if step == 1 {
            at.timer_at(EventTime::MAX)?;
        }
        out.emit(Entry::Booked(Booking {
            posting,
            step,
            balance: cents,
        }));
        Ok(())
    }

    fn timer(
        &self,
        balance: &Self::States,
        _timer: Timer,
        at: &mut At<'_, u32>,
        out: &mut Out<'_, Entry>,
    ) -> Result<(), UserError> {
        if let Some((bookings, cents)) = balance.update(at, Option::take)? {
            out.emit(Entry::Closed(Balance {
                account: *at.key(),
                bookings,
                cents,
            }));
        }
        Ok(())
    }
}

fn make(arguments: &JobArguments) -> Result<JobFunction, String> {
    crate::story::generated_only("bank_transfer", arguments)?;
    let arguments = arguments.clone();
    Ok(Arc::new(move |env| bank_transfer(env, &arguments)))
}

const SHOWN: usize = 10;

fn show(arguments: &JobArguments, result: &JobResult) -> Result<String, String> {
    if arguments.output.is_some() {
        return Ok(String::new());
    }
    let balances = result.collected::<Balance>("balances");
    let mut balances = balances.map_err(|error| error.to_string())?;
    balances.sort_by_key(|balance| balance.account);
    let sum: i64 = balances.iter().map(|balance| balance.cents).sum();
    let accounts = grouped(balances.len() as u64);
    let head = format!("{accounts} accounts, {sum} cents in all; the first:");
    let lines = balances.iter().take(SHOWN).map(|b| {
        format!(
            "  account {:>4} {:>8} bookings {:>12} cents",
            b.account, b.bookings, b.cents
        )
    });
    let lines: Vec<String> = std::iter::once(head).chain(lines).collect();
    Ok(lines.join("\n"))
}

fn collected(results: &CollectedResults) -> Result<Rows, String> {
    let balances = results.take::<Balance>("balances");
    let balances = balances.map_err(|error| error.to_string())?;
    Ok(Rows::new(balances.iter().map(ToString::to_string)))
}
