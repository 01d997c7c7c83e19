//! How a command fails: one line on standard error and an exit code.

use std::{fmt, io, process::ExitCode};

use sansmb::{
    client::{CloseReason, OpError},
    wire::{DecodeError, DecodeErrorKind, NtStatus},
};
use sansmb_async::Error;

use crate::output::printable;

/// Why a command ends before its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It was not asked in a way that it can be done: exit code 2.
    Usage(String),
    /// A server, a file or the network said no: exit code 1.
    Refused(String),
    /// Every line is on standard error already: exit code 1.
    Reported,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// Nobody reads our output any more, which is no failure.
    OutputClosed,
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    pub(crate) fn usage(why: impl Into<String>) -> Self {
        Self::Usage(why.into())
    }

    /// What clap says about the command line, in one line where it is about a value.
    pub(crate) fn bad_arguments(error: &clap::Error) -> ExitCode {
        use clap::error::{ContextKind, ContextValue, ErrorKind};
        if error.kind() == ErrorKind::ValueValidation
            && let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue)
            && let Some(why) = std::error::Error::source(error)
        {
            return Self::usage(format!("{value}: {why}")).report();
        }
        let _ = error.print();
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    }

    pub(crate) fn refused(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self::Refused(format!("{what}: {why}"))
    }

    /// Tells the user, in one line.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::Usage(line) => {
                complain(&line);
                ExitCode::from(2)
            }
            Self::Refused(line) => {
                complain(&line);
                ExitCode::FAILURE
            }
            Self::Reported => ExitCode::FAILURE,
            Self::Interrupted => {
                complain("interrupted");
                ExitCode::FAILURE
            }
            Self::OutputClosed => ExitCode::SUCCESS,
        }
    }
}

/// Writes one line to standard error.
pub(crate) fn complain(line: &str) {
    // Where standard error is closed there is nobody left to tell.
    let _ = io::Write::write_fmt(&mut io::stderr(), format_args!("sansmb: {}\n", printable(line)));
}

/// Adds what it was about to an error.
pub(crate) trait About<T> {
    fn about(self, what: impl fmt::Display) -> Result<T>;
}

impl<T> About<T> for Result<T, Error> {
    fn about(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure::refused(what, describe(&error)))
    }
}

impl<T> About<T> for io::Result<T> {
    fn about(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure::refused(what, io_words(&error)))
    }
}

/// An error in words.
pub(crate) fn describe(error: &Error) -> String {
    match error {
        Error::Io(error) => io_words(error),
        Error::Smb(OpError::Gone(CloseReason::Malformed(DecodeError {
            kind: DecodeErrorKind::ProtocolId,
            ..
        }))) => "this is no SMB2 server".to_owned(),
        Error::Smb(OpError::Gone(reason)) => reason.to_string(),
        _ => match error.status() {
            Some(status) => status_words(status),
            None => error.to_string(),
        },
    }
}

/// A status in words, and its name for those who look it up.
pub(crate) fn status_words(status: NtStatus) -> String {
    let words = status.message().trim_end_matches('.');
    match status.name() {
        Some(name) => format!("{words} (STATUS_{name})"),
        None => format!("{words} ({status})"),
    }
}

/// An error of the operating system without its number.
pub(crate) fn io_words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
