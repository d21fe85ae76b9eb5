//! Tests of the valve: a table of cases, and a comparison with the plain definition.

use proptest::prelude::*;
use sameriver_model::EventTime;

use super::*;

#[derive(Clone, Copy, Debug)]
enum News {
    At(i64),
    Idle,
    Active,
    End,
}
use News::{Active, At, End, Idle};

fn watermark(millis: i64) -> Watermark {
    Watermark::at(EventTime::from_millis(millis))
}

fn tell(valve: &mut WatermarkValve, channel: usize, news: News) -> Emission {
    match news {
        At(millis) => valve.on_watermark(channel, watermark(millis)),
        Idle => valve.on_idle(channel, true),
        Active => valve.on_idle(channel, false),
        End => valve.on_end(channel),
    }
}

/// What is emitted, written as `idle`, `active` and `w<millis>`.
fn check(channels: usize, news: &[(usize, News)], expected: &str) {
    let mut valve = WatermarkValve::new(channels);
    let mut emitted = Vec::new();
    for &(channel, news) in news {
        let emission = tell(&mut valve, channel, news);
        emitted.extend(emission.idle.map(|idle| {
            let mark = if idle { "idle" } else { "active" };
            mark.to_owned()
        }));
        emitted.extend(emission.watermark.map(|w| w.to_string()));
    }
    assert_eq!(emitted.join(" "), expected, "after {news:?}");
}

#[test]
fn one_channel_passes_its_watermarks_on() {
    check(1, &[(0, At(1)), (0, At(5)), (0, At(5))], "w1 w5");
}

#[test]
fn the_slowest_channel_decides() {
    check(
        2,
        &[(0, At(9)), (1, At(4)), (1, At(7)), (0, At(20))],
        "w4 w7",
    );
}

#[test]
fn a_watermark_that_goes_back_is_passed_over() {
    check(1, &[(0, At(5)), (0, At(3)), (0, At(6))], "w5 w6");
}

#[test]
fn an_idle_channel_holds_nothing_back() {
    check(2, &[(0, At(9)), (1, Idle), (0, At(12))], "w9 w12");
}

#[test]
fn a_channel_that_returns_holds_back_until_it_caught_up() {
    let news = [
        (0, At(9)),
        (1, Idle),
        (1, Active),
        (0, At(20)),
        (1, At(8)),
        (1, At(15)),
    ];
    check(2, &news, "w9 w15");
}

#[test]
fn the_input_is_idle_when_all_its_channels_are() {
    check(
        2,
        &[(0, Idle), (1, Idle), (1, Idle), (0, Active)],
        "idle active",
    );
}

#[test]
fn a_channel_that_returns_ahead_moves_the_watermark_at_once() {
    let news = [(0, At(5)), (1, At(30)), (1, Idle), (0, Idle), (1, Active)];
    check(2, &news, "w5 idle active w30");
}

#[test]
fn a_watermark_of_an_idle_channel_waits_for_its_return() {
    check(1, &[(0, Idle), (0, At(7)), (0, Active)], "idle active w7");
}

#[test]
fn an_ended_channel_holds_nothing_back() {
    check(2, &[(0, At(9)), (1, End), (1, Active)], "w9");
}

#[test]
fn an_idle_channel_is_not_outvoted_by_ended_ones() {
    check(2, &[(1, Idle), (0, At(9)), (0, End)], "w9 idle");
}

#[test]
fn the_end_of_all_channels_is_an_end_and_no_watermark() {
    let mut valve = WatermarkValve::new(2);
    assert_eq!(valve.on_end(0), Emission::default());
    assert!(!valve.is_ended());
    assert_eq!(valve.on_end(1), Emission::default());
    assert!(valve.is_ended());
}

/// The definition, word for word: minimum over active channels, never back.
#[derive(Default)]
struct Plain {
    channels: Vec<(i64, Option<bool>)>,
    joined: Option<i64>,
    idle: bool,
}

impl Plain {
    fn tell(&mut self, channel: usize, news: News) -> Emission {
        let (at, active) = &mut self.channels[channel];
        match (news, active.is_some()) {
            (At(millis), _) => *at = millis.max(*at),
            (Idle, true) => *active = Some(false),
            (Active, true) => *active = Some(true),
            (End, _) => *active = None,
            (Idle | Active, false) => {}
        }
        let active = self.channels.iter().filter(|c| c.1 == Some(true));
        let minimum = active.map(|c| c.0).min();
        let idle = match minimum {
            Some(_) => false,
            None => self.idle || self.channels.iter().any(|c| c.1.is_some()),
        };
        let emission = Emission {
            idle: (idle != self.idle).then_some(idle),
            watermark: minimum
                .filter(|minimum| *minimum > self.joined.unwrap_or(i64::MIN))
                .map(watermark),
        };
        self.idle = idle;
        self.joined = minimum.max(self.joined);
        emission
    }
}

fn any_news() -> impl Strategy<Value = News> {
    prop_oneof![
        6 => (0_i64..40).prop_map(At),
        1 => Just(Idle),
        2 => Just(Active),
        1 => Just(End),
    ]
}

proptest! {
    #[test]
    fn the_valve_agrees_with_the_plain_definition(
        channels in 1_usize..5,
        news in prop::collection::vec((0_usize..5, any_news()), 0..60),
    ) {
        let mut valve = WatermarkValve::new(channels);
        let mut plain = Plain {
            channels: vec![(i64::MIN, Some(true)); channels],
            ..Plain::default()
        };
        let mut ended = vec![false; channels];
        for (channel, news) in news {
            let channel = channel % channels;
            // Nothing follows the end of a channel.
            if ended[channel] {
                continue;
            }
            ended[channel] = matches!(news, End);
            prop_assert_eq!(tell(&mut valve, channel, news), plain.tell(channel, news));
        }
    }
}
