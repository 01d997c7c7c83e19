//! The commands, one file each or a few small ones together.

mod bench;
mod cat;
mod get;
mod landing;
mod list;
mod manage;
mod probe;
mod put;
#[cfg(all(test, target_os = "linux"))]
mod round_trips;
pub(crate) mod serve;
mod shares;
mod stat;
mod tree;

use crate::{
    args::{Args, Command},
    decode, descriptors,
    failure::{Failure, Result, complain},
    interrupt::Interrupt,
};

/// Runs what the command line asks for.
pub(crate) fn run(args: Args) -> Result<()> {
    if let Command::Decode(decode) = &args.command {
        // Ctrl-C ends it as it ends any filter.
        return decode::run(decode, args.verbose > 0);
    }
    let interrupt = Interrupt::install();
    descriptors::allow_all();
    match args.command {
        Command::Decode(_) => Ok(()),
        Command::Serve(args) => serve::run(&args, &interrupt),
        Command::Ls(args) => args.paths.access.runtime.block_on(interrupt.or(list::run(&args))),
        Command::Cat(args) => args.access.runtime.block_on(interrupt.or(cat::run(&args))),
        Command::Mkdir(args) => args.paths.access.runtime.block_on(interrupt.or(manage::mkdir(&args))),
        Command::Rm(args) => args.paths.access.runtime.block_on(interrupt.or(manage::rm(&args))),
        Command::Rmdir(args) => args.access.runtime.block_on(interrupt.or(manage::rmdir(&args))),
        Command::Mv(args) => args.access.runtime.block_on(interrupt.or(manage::mv(&args))),
        Command::Stat(args) => args.access.runtime.block_on(interrupt.or(stat::stat(&args))),
        Command::Df(args) => args.access.runtime.block_on(interrupt.or(stat::df(&args))),
        Command::Get(args) => args.access.runtime.block_on(interrupt.or(get::run(&args))),
        // These have to clean up on the server.
        Command::Put(args) => args.access.runtime.block_on(put::run(&args, &interrupt)),
        Command::Bench(args) => args.access.runtime.block_on(bench::run(&args, &interrupt)),
        Command::Shares(args) => args.access.runtime.block_on(interrupt.or(shares::run(&args))),
        Command::Probe(args) => args.runtime.block_on(interrupt.or(probe::run(&args))),
    }
}

/// Does `work` for each item; one that is refused does not keep the others from theirs.
async fn each<T>(items: &[T], mut work: impl AsyncFnMut(&T) -> Result<()>) -> Result<()> {
    let mut failed = false;
    for item in items {
        match work(item).await {
            Ok(()) => {}
            Err(Failure::Refused(line)) => {
                complain(&line);
                failed = true;
            }
            Err(Failure::Reported) => failed = true,
            Err(failure) => return Err(failure),
        }
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}
