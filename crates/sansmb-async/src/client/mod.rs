//! The client: a driver for [`sansmb::client::Client`] and the facade above it.

mod connection;
mod dir;
mod draft;
mod driver;
mod file;
mod landing;
mod persistent;
mod pipe;
mod session;
mod share;
mod stream;

pub use connection::{Connection, DEFAULT_PORT};
pub use dir::{DirStream, Entry};
pub use draft::Draft;
pub use file::File;
pub use persistent::{Claim, PERSISTENT};
pub use pipe::ShareInfo;
pub use session::Session;
pub use share::{FsSpace, Metadata, OpenOptions, Share};
pub use stream::{Landed, LandingStream, ReadStream, WriteStream};
