//! What a seed draws: two feeds of events, how the operators are laid out, and what must come out.

use std::collections::BTreeMap;
use std::fmt;

use sameriver::prelude::UserError;
use sameriver::runtime::RandomStream;
use serde::{Deserialize, Serialize};

/// The sizes of the small and the large windows, and of the timers' buckets, in milliseconds.
pub(crate) const SMALL: i64 = 100;
pub(crate) const LARGE: i64 = 1_000;
pub(crate) const BUCKET: i64 = 40;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) at: i64,
    pub(crate) key: u8,
    pub(crate) amount: u64,
    /// Feed, partition and offset make the event unique.
    pub(crate) from: (u32, u32, u64),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (feed, partition, offset) = self.from;
        let Self {
            at, key, amount, ..
        } = self;
        write!(f, "{at},{key},{amount},{feed},{partition},{offset}")
    }
}

impl Event {
    pub(crate) fn parse(line: &str) -> Result<Self, UserError> {
        let mut fields = line.split(',');
        let mut next = || {
            fields
                .next()
                .ok_or(UserError::msg("six fields make an event"))
        };
        Ok(Self {
            at: next()?.parse()?,
            key: next()?.parse()?,
            amount: next()?.parse()?,
            from: (next()?.parse()?, next()?.parse()?, next()?.parse()?),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Generator { rate: u64 },
    Socket,
    Stdin,
}

/// One source.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) partitions: u32,
    pub(crate) each: u64,
    pub(crate) disorder: u64,
    keys: u64,
    seed: u64,
}

/// Mixes the bits of a number: Steele's `splitmix64`.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Feed {
    fn draw(random: &mut RandomStream, number: u32) -> Self {
        let kind = match random.below(10) {
            0 => Kind::Socket,
            1 if number == 0 => Kind::Stdin,
            2 | 3 => Kind::Generator {
                rate: random.between(200, 5_000),
            },
            _ => Kind::Generator { rate: 0 },
        };
        let is_one_stream = matches!(kind, Kind::Socket | Kind::Stdin);
        Self {
            number,
            partitions: if is_one_stream {
                1
            } else {
                random.between(1, 5) as u32
            },
            each: random.below(120) * u64::from(random.chance(900)),
            disorder: random.below(200) * u64::from(random.chance(800)),
            keys: random.between(1, 40),
            seed: random.next_u64(),
            kind,
        }
    }

    /// The event at an offset: at most `disorder` ms behind the latest before it.
    pub(crate) fn event(&self, partition: u32, offset: u64) -> Event {
        let draw = mix(self.seed ^ mix(u64::from(partition)) ^ mix(!offset));
        let late = draw % (self.disorder + 1);
        Event {
            at: -500 + 7 * offset as i64 - late as i64,
            key: (mix(draw) % self.keys) as u8,
            amount: draw >> 40,
            from: (self.number, partition, offset),
        }
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = Event> {
        let partition = move |partition| (0..self.each).map(move |at| self.event(partition, at));
        (0..self.partitions).flat_map(partition)
    }

    /// The lines of a socket or a standard input.
    pub(crate) fn text(&self) -> String {
        let lines: Vec<String> = self
            .events()
            .map(|event| event.to_string() + "\n")
            .collect();
        lines.concat()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) feeds: [Feed; 2],
    /// How far behind an event may be without being late.
    pub(crate) bound: u64,
    /// The parallelism of each operator that has one of its own; 0 for the job's.
    pub(crate) parallelism: [u32; 9],
    pub(crate) rebalances: bool,
    /// The event at which a function fails, and whether it does so by a panic.
    pub(crate) poison: Option<((u32, u32, u64), bool)>,
}

impl Shape {
    pub(crate) fn draw(random: &mut RandomStream) -> Self {
        let feeds = [0, 1].map(|number| Feed::draw(random, number));
        let disorder = feeds.iter().map(|feed| feed.disorder).max().unwrap_or(0);
        let bound = if random.chance(800) {
            disorder
        } else {
            random.below(disorder + 1)
        };
        Self {
            feeds,
            bound,
            parallelism: std::array::from_fn(|_| random.below(5) as u32),
            rebalances: random.chance(500),
            poison: None,
        }
    }

    /// The same shape with a function that fails at one of its events; `None` if there is none.
    pub(crate) fn poisoned(self, random: &mut RandomStream) -> Option<Self> {
        let events: Vec<Event> = self.feeds[0].events().collect();
        if events.is_empty() {
            return None;
        }
        let event = &events[random.below(events.len() as u64) as usize];
        let poison = Some((event.from, random.chance(300)));
        Some(Self { poison, ..self })
    }

    /// Whether no event can be late.
    pub(crate) fn is_in_time(&self) -> bool {
        self.feeds.iter().all(|feed| feed.disorder <= self.bound)
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.feeds.iter().flat_map(Feed::events).collect()
    }
}

/// What a window or a timer emits: the key, the first instant, and the sum.
pub(crate) type Total = (u8, i64, u64);

/// The sums of the amounts by key and span of `size`.
pub(crate) fn totals(events: &[(u8, i64, u64)], size: i64) -> Vec<Total> {
    let mut totals = BTreeMap::new();
    for (key, at, amount) in events {
        *totals
            .entry((*key, at.div_euclid(size) * size))
            .or_insert(0) += amount;
    }
    totals
        .into_iter()
        .map(|((key, start), sum)| (key, start, sum))
        .collect()
}
