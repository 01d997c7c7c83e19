//! Conversations of clients with a file server, written down and played in memory: the cases of
//! `testdata/cases`, whose README has the notation.
//!
//! [`read`] takes a file apart, [`run`] plays one case: it builds the requests with the codec, feeds
//! them to the protocol core with the file server behind it, and compares the answers with what is
//! written. There are no sockets, the clock moves only when a case waits, and nothing is random, so
//! that the same case is the same bytes every time.

mod answer;
mod compare;
mod compressed;
mod create;
mod fields;
mod peer;
mod quota;
mod record;
mod records;
mod request;
mod run;
mod script;
mod set_info;
mod stage;
#[cfg(test)]
mod tests;
mod values;

pub use record::Record;
pub use run::{Failure, run};
pub use script::{Case, read};
