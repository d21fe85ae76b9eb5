//! What a link may do to bytes and to requests to connect.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_sim::{FaultFamily, Finding, Limits, Parameters, SimWorld, run_seed};

use crate::rig::{SECOND, begin, connected, hear, holds, link, node, now, say, took};

#[test]
fn over_a_one_way_cut_bytes_wait_one_way_and_none_is_lost() {
    holds(|sim| async move {
        let (mut a, mut b) = connected(&sim.node("a"), &sim.node("b")).await;
        let cut = now(
            FaultFamily::CutOneWay,
            link("a", "b"),
            Parameters::default(),
        );
        let _nemesis = begin(&sim, cut).await;
        say(&mut a, b"request").await;
        say(&mut b, b"news").await;
        let back = took(&sim, hear(&mut a, b"news")).await;
        assert!(back < SECOND, "the way back is open: {back:?}");
        let forth = took(&sim, hear(&mut b, b"request")).await;
        assert!(forth > SECOND, "the way there is cut: {forth:?}");
        assert_eq!(sim.effects().count(FaultFamily::CutOneWay), 7);
        Ok(())
    });
}

#[test]
fn a_cut_keeps_the_news_that_a_peer_has_gone() {
    holds(|sim| async move {
        let (a, mut b) = connected(&sim.node("a"), &sim.node("b")).await;
        let (mut other, mut far) = connected(&sim.node("b"), &sim.node("a")).await;
        let cut = now(FaultFamily::CutBoth, link("a", "b"), Parameters::default());
        let _nemesis = begin(&sim, cut).await;
        drop(a);
        say(&mut other, b"there?").await;
        let gone = took(&sim, async {
            assert_eq!(b.read(&mut [0; 8]).await.unwrap(), 0);
        });
        assert!(gone.await > SECOND);
        hear(&mut far, b"there?").await;
        assert_eq!(sim.effects().count(FaultFamily::CutBoth), 6);
        Ok(())
    });
}

#[test]
fn a_clog_lets_all_go_at_once_at_its_end() {
    holds(|sim| async move {
        let (mut a, mut b) = connected(&sim.node("a"), &sim.node("b")).await;
        let clog = now(FaultFamily::Clog, link("a", "b"), Parameters::default());
        let _nemesis = begin(&sim, clog).await;
        say(&mut a, b"one").await;
        sim.supervisor().sleep(SECOND).await;
        say(&mut a, b"two").await;
        let first = took(&sim, hear(&mut b, b"one")).await;
        assert!(first > SECOND * 9 / 10, "{first:?}");
        let second = took(&sim, hear(&mut b, b"two")).await;
        assert!(second < Duration::from_millis(50), "{second:?}");
        assert_eq!(sim.effects().count(FaultFamily::Clog), 6);
        Ok(())
    });
}

#[test]
fn healing_a_clog_lets_all_go_before_its_end() {
    holds(|sim| async move {
        let (mut a, mut b) = connected(&sim.node("a"), &sim.node("b")).await;
        let clog = now(FaultFamily::Clog, link("a", "b"), Parameters::default());
        let nemesis = begin(&sim, clog).await;
        say(&mut a, b"one").await;
        nemesis.heal();
        say(&mut a, b"two").await;
        let all = took(&sim, hear(&mut b, b"onetwo")).await;
        assert!(all < SECOND, "{all:?}");
        Ok(())
    });
}

#[test]
fn a_slow_link_carries_so_many_bytes_a_second() {
    holds(|sim| async move {
        let (mut a, mut b) = connected(&sim.node("a"), &sim.node("b")).await;
        let slow = Parameters {
            bytes_per_second: 1_000,
            ..Parameters::default()
        };
        let slow = now(FaultFamily::SlowLink, link("a", "b"), slow);
        let _nemesis = begin(&sim, slow).await;
        say(&mut a, &[7; 1_000]).await;
        let all = took(&sim, hear(&mut b, &[7; 1_000])).await;
        assert!(all > SECOND * 9 / 10, "{all:?}");
        assert_eq!(sim.effects().count(FaultFamily::SlowLink), 1_000);
        Ok(())
    });
}

#[test]
fn a_late_link_takes_longer_and_keeps_the_order() {
    holds(|sim| async move {
        let (mut a, mut b) = connected(&sim.node("a"), &sim.node("b")).await;
        let late = Parameters {
            delay_nanos: 100_000_000,
            tail_nanos: 100_000_000,
            ..Parameters::default()
        };
        let late = now(FaultFamily::Latency, link("a", "b"), late);
        let _nemesis = begin(&sim, late).await;
        for part in [b"a", b"b", b"c"] {
            say(&mut a, part).await;
        }
        let all = took(&sim, hear(&mut b, b"abc")).await;
        assert!(all >= Duration::from_millis(100), "{all:?}");
        assert_eq!(sim.effects().count(FaultFamily::Latency), 3);
        Ok(())
    });
}

#[test]
fn a_reset_cuts_the_bytes_anywhere_and_tells_both_ends() {
    async fn scenario(sim: SimWorld) -> Result<usize, Finding> {
        let (mut a, mut b) = connected(&sim.node("a"), &sim.node("b")).await;
        let reset = Parameters {
            after_bytes: 5,
            ..Parameters::default()
        };
        let reset = now(FaultFamily::Reset, link("a", "b"), reset);
        let _nemesis = begin(&sim, reset).await;
        // It may be told while it writes.
        let _ = a.write_all(b"0123456789").await;
        let mut got = Vec::new();
        let error = b.read_to_end(&mut got).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(b"01234".starts_with(&got[..]), "{got:?}");
        let error = a.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(sim.effects().count(FaultFamily::Reset), 1);
        Ok(got.len())
    }
    let lengths: BTreeSet<usize> = (0..60)
        .map(|seed| {
            run_seed(seed, &Limits::default(), scenario)
                .verdict
                .unwrap()
        })
        .collect();
    assert!(lengths.contains(&0) && lengths.contains(&5), "{lengths:?}");
}

#[test]
fn a_reset_at_once_breaks_every_connection_of_the_two() {
    holds(|sim| async move {
        let (mut a, _b) = connected(&sim.node("a"), &sim.node("b")).await;
        let (mut c, _d) = connected(&sim.node("b"), &sim.node("a")).await;
        let (mut other, mut far) = connected(&sim.node("a"), &sim.node("c")).await;
        let reset = now(FaultFamily::Reset, link("a", "b"), Parameters::default());
        let _nemesis = begin(&sim, reset).await;
        for stream in [&mut a, &mut c] {
            let error = stream.read(&mut [0]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        say(&mut other, b"fine").await;
        hear(&mut far, b"fine").await;
        assert_eq!(sim.effects().count(FaultFamily::Reset), 2);
        Ok(())
    });
}

#[test]
fn a_node_that_refuses_connections_says_so_until_it_is_over() {
    holds(|sim| async move {
        let (a, b) = (sim.node("a"), sim.node("b"));
        let listener = b.listen(&b.any_port()).await.unwrap();
        let refused = now(
            FaultFamily::ConnectRefused,
            node("b"),
            Parameters::default(),
        );
        let _nemesis = begin(&sim, refused).await;
        let answer = a.connect(&listener.address()).await;
        assert_eq!(answer.err().unwrap().kind(), ErrorKind::ConnectionRefused);
        sim.supervisor().sleep(2 * SECOND).await;
        assert!(a.connect(&listener.address()).await.is_ok());
        assert_eq!(sim.effects().count(FaultFamily::ConnectRefused), 1);
        Ok(())
    });
}

#[test]
fn a_connection_that_hangs_gets_an_answer_when_it_is_over() {
    holds(|sim| async move {
        let (a, b) = (sim.node("a"), sim.node("b"));
        let listener = b.listen(&b.any_port()).await.unwrap();
        let at = listener.address();
        let hang = now(FaultFamily::ConnectHang, node("b"), Parameters::default());
        let _nemesis = begin(&sim, hang).await;
        let open = took(&sim, async {
            assert!(a.connect(&at).await.is_ok());
        });
        assert!(open.await >= 2 * SECOND);
        assert!(sim.effects().count(FaultFamily::ConnectHang) >= 1);
        Ok(())
    });
}
