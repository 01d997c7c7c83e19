//! Samba's smbtorture against `sansmb serve`: every test a process and a server of its own.
//!
//! `tests/interop/smb2-tests.tsv` holds the names of the tests and what smbd 4.17 makes of each;
//! `tests/interop/smbtorture.toml` what some of them need, and which do not pass here and why.

mod network;
mod plan;
mod run;

pub use plan::{Exception, Plan, Setup, Test};
pub use run::{Backend, Bench, Ran};

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It passed.
    Pass,
    /// It failed.
    Fail,
    /// It found that it does not apply.
    Skip,
    /// It did not end in time.
    Timeout,
    /// It came as far as it should, and went on until it was stopped, as it does with every server.
    Endless,
    /// It cannot be run on this machine.
    Unable,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Fail, Self::Skip, Self::Timeout, Self::Endless, Self::Unable];

    /// As it is written in lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Timeout => "timeout",
            Self::Endless => "endless",
            Self::Unable => "unable",
        }
    }

    /// Reads what [`Outcome::name`] writes.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}
