//! The program `sansmb`: serves folders, copies files, asks servers what they can, reads captures.

mod args;
mod client;
mod commands;
mod decode;
mod descriptors;
mod failure;
mod interrupt;
mod logging;
mod names;
mod output;
mod progress;
mod runtime;
mod url;

use std::process::ExitCode;

use clap::Parser;

use args::Args;
use failure::Failure;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return Failure::bad_arguments(&error),
    };
    logging::start(args.verbose);
    match commands::run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
