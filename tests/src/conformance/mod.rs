//! What every world promises, as cases that run in any of them.
//!
//! Reading order: [`tasks`] → [`time`] → [`random`] → [`wake`] → [`streams`] → [`files`] →
//! [`disk`] → [`services`]. `docs/worlds.md` says each promise in words.
//!
//! Invariant: a case touches nothing but the worlds of its nodes, and its verdict does not depend
//! on how fast the machine is. Does not know which world it runs in.
//!
//! A world passes the suite with a function that runs one case, and one line:
//!
//! ```ignore
//! fn on_my_world(case: Case) { /* run (case.run)(nodes) to its end inside the world */ }
//! sameriver_tests::conformance_tests!(on_my_world);
//! ```

pub mod disk;
pub mod files;
pub mod random;
pub mod services;
pub mod streams;
pub mod tasks;
pub mod time;
pub mod wake;

use std::path::PathBuf;
use std::sync::Arc;

use sameriver_runtime::{BoxFuture, World};

/// The nodes on which a case runs.
///
/// Every node offers the service [`services::greeter`] under the scheme [`services::SCHEME`].
pub trait Nodes: Send + Sync {
    /// The world of the node with this name; equal names mean one node.
    fn world(&self, node: &str) -> World;

    /// A folder that is there and empty when the case starts, on the disk of the node `a`.
    fn directory(&self) -> PathBuf;
}

/// One promise.
#[derive(Clone, Copy)]
pub struct Case {
    /// The promise as a sentence in snake case.
    pub name: &'static str,
    /// Holds the world to it; panics if it does not keep it.
    pub run: fn(Arc<dyn Nodes>) -> BoxFuture<()>,
}

impl Case {
    /// The case of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn named(name: &str) -> Self {
        let found = all().into_iter().find(|case| case.name == name);
        found.unwrap_or_else(|| panic!("no conformance case is named {name}"))
    }
}

/// Makes `all` and `conformance_tests!` of one list, so that no case is left out of either.
macro_rules! cases {
    ($($module:ident { $($case:ident,)+ })+) => {
        /// Every case, in reading order.
        pub fn all() -> Vec<Case> {
            vec![$($(Case {
                name: stringify!($case),
                run: |nodes| Box::pin($module::$case(nodes)),
            },)+)+]
        }

        /// Expands to one `#[test]` per case, each of which calls a `fn(Case)`.
        #[macro_export]
        macro_rules! conformance_tests {
            ($rig:path) => {
                $($(
                    #[test]
                    fn $case() {
                        $rig($crate::conformance::Case::named(stringify!($case)));
                    }
                )+)+
            };
        }
    };
}

cases! {
    tasks {
        a_task_is_joined_when_it_has_ended,
        a_panicking_task_is_joined_as_panicked_and_the_others_go_on,
        a_dropped_handle_lets_the_task_go_on,
        a_group_has_ended_when_its_last_task_has,
        blocking_work_gives_its_result,
        blocking_work_that_panics_is_an_error,
        blocking_work_goes_on_when_its_caller_is_gone,
        a_settled_charge_lets_the_task_go_on,
    }
    time {
        the_monotonic_clock_never_goes_back,
        a_sleep_never_ends_early,
        a_sleep_of_zero_ends,
        sleeps_end_in_the_order_of_their_durations,
        a_dropped_sleep_disturbs_no_other,
        work_that_ends_in_time_gives_its_result,
        a_timeout_drops_the_work,
    }
    random {
        a_random_stream_starts_anew_at_each_call,
        random_streams_differ_between_names,
        random_streams_differ_between_nodes,
    }
    wake {
        a_wake_before_the_wait_is_not_lost,
        wakes_before_a_wait_count_once,
        a_wake_ends_the_wait_of_another_task,
    }
    streams {
        a_connection_to_nobody_is_refused,
        listening_on_a_used_address_fails,
        an_abandoned_accept_loses_no_connection,
        one_listener_accepts_many,
        a_stream_shut_down_one_way_still_works_the_other_way,
        a_read_gives_what_is_there,
        a_short_read_leaves_the_rest,
        partial_and_vectored_writes_arrive_in_order,
        a_peer_that_never_reads_stops_its_writer,
        a_dropped_stream_ends_its_reader,
        a_dropped_stream_ends_its_writer,
    }
    files {
        a_file_holds_what_was_written_and_appended,
        a_write_behind_the_end_fills_the_gap_with_zeros,
        a_read_behind_the_end_gives_nothing,
        two_handles_of_one_file_see_each_other,
        operations_on_one_handle_keep_the_order_of_their_calls,
        creating_empties_the_file_that_is_there,
        creating_new_refuses_a_name_that_is_taken,
        an_opened_file_keeps_its_bytes,
    }
    disk {
        an_entry_is_a_file_with_its_length_or_a_directory,
        a_published_file_gets_its_name_once,
        publishing_a_missing_file_fails,
        a_renamed_file_replaces_what_had_the_name,
        a_list_is_sorted_and_names_only_its_folder,
        a_removed_file_is_gone,
        what_is_missing_is_not_found,
        a_directory_is_not_a_file,
        a_file_is_not_a_directory,
    }
    services {
        a_service_knows_the_node_that_asked_for_it,
        an_unknown_scheme_is_refused_with_what_is_offered,
        a_known_scheme_with_another_trait_is_refused,
        a_service_that_cannot_be_opened_says_why,
    }
}

/// The result of a future that has one when it is asked once.
async fn at_once<R>(future: impl Future<Output = R>) -> Option<R> {
    sameriver_runtime::select! {
        result = future => Some(result),
        () = std::future::ready(()) => None,
    }
}
