//! A conformance suite for implementations of [`Runtime`](crate::Runtime).
//!
//! A crate that adapts a runtime says in one of its test files
//!
//! ```ignore
//! sansmb_async::runtime_conformance!(MyRuntime::default(), my_runtime::block_on);
//! ```
//!
//! and gets a test for each function of [`checks`].

pub mod checks;
mod tools;

pub use tools::{idle_cpu, with_watchdog};

/// Makes the tests of [`checks`] for one runtime.
///
/// The first argument is an expression for the runtime, the second a function that runs a future of
/// any output to its end. Both are evaluated anew for each test.
#[macro_export]
macro_rules! runtime_conformance {
    ($runtime:expr, $block_on:expr) => {
        $crate::runtime_conformance! { @each $runtime, $block_on,
            streams_64_mib_both_ways_at_once
            echoes_pieces_of_odd_sizes
            says_would_block_and_wakes_when_that_is_over
            finds_room_without_waiting_for_it
            wakes_a_reader_that_waits
            sleeps_as_long_as_asked
            a_timer_and_a_socket_race
            wakes_from_other_threads
            a_wake_during_a_poll_is_not_lost
            accepts_100_connections
            shutdown_ends_one_direction_only
            a_reset_is_noticed
            a_socket_moves_between_tasks
            a_refused_connect_is_an_error
            a_taken_port_is_an_error
            resolves_names
            idle_tasks_are_not_polled
        }
    };
    (@each $runtime:expr, $block_on:expr, $($check:ident)*) => { $(
        #[test]
        fn $check() {
            $crate::testing::with_watchdog(|| ($block_on)(async {
                $crate::testing::checks::$check($runtime).await
            }));
        }
    )* };
}
