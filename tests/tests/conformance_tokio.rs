//! The real world keeps what every world promises, wherever its futures are polled.
//!
//! Invariant: each case runs in a world, and a folder, of its own.
#![expect(
    clippy::disallowed_methods,
    reason = "the rig of the real world prepares a real folder"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sameriver_runtime::World;
use sameriver_runtime_tokio::TokioWorld;
use sameriver_tests::conformance::{Case, Nodes, all, services};
use sameriver_tests::conformance_tests;

/// A case that takes this long hangs.
const HANGS_AFTER: Duration = Duration::from_mins(1);

struct Process {
    tokio: TokioWorld,
    directory: PathBuf,
}

impl Nodes for Process {
    fn world(&self, node: &str) -> World {
        self.tokio.node(node)
    }

    fn directory(&self) -> PathBuf {
        self.directory.clone()
    }
}

/// Makes a world and lets `poll` run the case in its own way.
fn run(case: Case, place: &str, poll: impl FnOnce(&TokioWorld, Running)) {
    let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let directory = temporary.join("conformance").join(place).join(case.name);
    if directory.exists() {
        std::fs::remove_dir_all(&directory).expect("an old folder can be removed");
    }
    std::fs::create_dir_all(&directory).expect("a folder can be created");
    let tokio = TokioWorld::builder()
        .service(services::SCHEME, services::greeter)
        .build()
        .expect("the process may start threads");
    let world = tokio.world();
    let nodes = Arc::new(Process {
        tokio: tokio.clone(),
        directory,
    });
    let running = async move {
        let ended = world.timeout(HANGS_AFTER, (case.run)(nodes)).await;
        ended.expect("the case does not hang");
    };
    poll(&tokio, Box::pin(running));
}

type Running = sameriver_runtime::BoxFuture<()>;

fn on_the_control_threads(case: Case) {
    run(case, "control", TokioWorld::block_on);
}

/// A user's program has a runtime that may lack what the world needs: timers and sockets.
fn in_a_users_runtime(case: Case) {
    run(case, "user", |_tokio, running| {
        let user = tokio::runtime::Builder::new_current_thread().build();
        user.expect("a runtime without drivers asks for nothing")
            .block_on(running);
    });
}

/// A plain thread that parks between polls.
fn without_a_runtime(case: Case) {
    run(case, "plain", |_tokio, running| plain::block_on(running));
}

mod plain {
    //! The smallest executor.

    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Wake};
    use std::thread::{self, Thread};

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    pub(super) fn block_on(mut future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let waker = Arc::new(Unpark(thread::current())).into();
        let mut cx = Context::from_waker(&waker);
        while future.as_mut().poll(&mut cx).is_pending() {
            thread::park();
        }
    }
}

mod on_control {
    super::conformance_tests!(super::on_the_control_threads);
}

mod in_user {
    super::conformance_tests!(super::in_a_users_runtime);
}

mod on_plain {
    super::conformance_tests!(super::without_a_runtime);
}

#[test]
fn worlds_page_names_every_case_and_no_other() {
    let page = include_str!("../../docs/worlds.md");
    let cells = page.lines().filter_map(|line| line.strip_suffix("` |"));
    let mut named: Vec<_> = cells
        .filter_map(|line| line.rsplit_once("| `"))
        .map(|(_, name)| name)
        .collect();
    let mut cases: Vec<_> = all().iter().map(|case| case.name).collect();
    named.sort_unstable();
    cases.sort_unstable();
    assert_eq!(named, cases);
}
