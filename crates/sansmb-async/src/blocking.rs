//! The facade for code without async.
//!
//! Each method waits, on the caller's thread, for the method of [`client`] that has its name. The
//! connection itself needs somebody to run its task: `sansmb-blocking` gives it a thread; with another
//! runtime, that must run on other threads than the caller's.

use std::{
    future::Future,
    io::{self, BufRead, Read, Write},
    mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake},
    thread::{self, Thread},
};

use bytes::{Buf, Bytes};
use sansmb::{
    client::{Agreement, ClientConfig},
    wire::FileTime,
};
use sansmb_auth::Credentials;

use crate::{
    Runtime,
    client::{self, Entry, FsSpace, Metadata, OpenOptions, ShareInfo},
    error::Result,
};

/// A type of [`client`] for code without async, with those of its methods that take `&self` and wait.
macro_rules! facade {
    ($(#[$doc:meta])* $name:ident { $($method:ident($($arg:ident: $type:ty),*) -> $out:ty;)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name(client::$name);

        impl $name {
            /// What this stands on, with the methods that wait for nothing.
            pub fn get_ref(&self) -> &client::$name {
                &self.0
            }

            $(
                #[doc = concat!("Waits for [`client::", stringify!($name), "::", stringify!($method), "`].")]
                pub fn $method(&self, $($arg: $type),*) -> Result<$out> {
                    wait(self.0.$method($($arg),*)).map(Into::into)
                }
            )*
        }

        impl From<client::$name> for $name {
            fn from(inner: client::$name) -> Self {
                Self(inner)
            }
        }
    };
}

facade! {
    /// A connection to a server, before anybody logged on.
    Connection {
        agreement() -> Agreement;
        log_on(credentials: Credentials) -> Session;
    }
}

facade! {
    /// Somebody who is logged on.
    Session {
        share(name: &str) -> Share;
        shares() -> Vec<ShareInfo>;
    }
}

facade! {
    /// A share that is connected; it is let go with the last handle.
    Share {
        open(path: &str, options: OpenOptions) -> File;
        read_dir(path: &str) -> ReadDir;
        metadata(path: &str) -> Metadata;
        exists(path: &str) -> bool;
        create_dir(path: &str) -> ();
        remove_file(path: &str) -> ();
        remove_dir(path: &str) -> ();
        rename(from: &str, to: &str, replace: bool) -> ();
        space() -> FsSpace;
    }
}

facade! {
    /// An open file or directory. Dropping it closes it in the background; [`File::close`] tells
    /// whether that went well.
    File {
        read_at(offset: u64, len: u32) -> Bytes;
        write_at(offset: u64, data: Bytes) -> ();
        flush() -> ();
        set_len(len: u64) -> ();
        set_written(written: FileTime) -> ();
        rename(to: &str, replace: bool) -> ();
        set_delete(delete: bool) -> ();
    }
}

impl Connection {
    /// Waits for [`client::Connection::connect`].
    pub fn connect<R: Runtime>(runtime: &R, host: &str, port: u16, config: ClientConfig) -> Result<Self> {
        wait(client::Connection::connect(runtime, host, port, config)).map(Self)
    }
}

impl Session {
    /// Waits for [`client::Session::log_off`].
    pub fn log_off(self) -> Result<()> {
        wait(self.0.log_off())
    }
}

impl File {
    /// Waits for [`client::File::close`].
    pub fn close(self) -> Result<()> {
        wait(self.0.close())
    }

    /// Reads from `start` to the end, ahead of what is asked for.
    pub fn reader(&self, start: u64) -> Reader<'_> {
        Reader { stream: self.0.read_stream(start), chunk: Bytes::new() }
    }

    /// Writes from `start` on, behind what is handed over.
    pub fn writer(&self, start: u64) -> Writer<'_> {
        Writer { file: &self.0, stream: self.0.write_stream(start), buffer: Vec::new() }
    }
}

/// The entries of a directory, without `.` and `..`, in the server's order.
#[derive(Debug)]
pub struct ReadDir(client::DirStream);

impl From<client::DirStream> for ReadDir {
    fn from(inner: client::DirStream) -> Self {
        Self(inner)
    }
}

impl Iterator for ReadDir {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        wait(self.0.next()).transpose()
    }
}

/// Reads a file in order.
#[derive(Debug)]
pub struct Reader<'f> {
    stream: client::ReadStream<'f>,
    chunk: Bytes,
}

impl Reader<'_> {
    /// The next bytes, or `None` at the end of the file. They share the memory that the socket filled.
    pub fn next_bytes(&mut self) -> Result<Option<Bytes>> {
        if !self.chunk.is_empty() {
            return Ok(Some(mem::take(&mut self.chunk)));
        }
        wait(self.stream.next())
    }
}

impl BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.chunk.is_empty() {
            self.chunk = self.next_bytes()?.unwrap_or_default();
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.advance(amount.min(self.chunk.len()));
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.fill_buf()?.read(buf)?;
        self.consume(got);
        Ok(got)
    }
}

/// Writes a file in order, in pieces of the best size. [`Writer::finish`] must be called: what is left is
/// lost without it.
#[derive(Debug)]
pub struct Writer<'f> {
    file: &'f client::File,
    stream: client::WriteStream<'f>,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    /// Waits until all is written, and gives the offset of the end.
    pub fn finish(mut self) -> Result<u64> {
        self.settle()
    }

    fn hand_over(&mut self) -> Result<()> {
        let piece = Bytes::from(mem::take(&mut self.buffer));
        wait(self.stream.write(piece))
    }

    fn settle(&mut self) -> Result<u64> {
        self.hand_over()?;
        let next = self.file.write_stream(self.stream.offset());
        wait(mem::replace(&mut self.stream, next).finish())
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let size = self.stream.chunk();
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(size);
        }
        let taken = &buf[..buf.len().min(size - self.buffer.len())];
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() == size {
            self.hand_over()?;
        }
        Ok(taken.len())
    }

    /// Waits until the server has everything; [`File::flush`] brings it to stable storage.
    fn flush(&mut self) -> io::Result<()> {
        self.settle()?;
        Ok(())
    }
}

/// Polls a future on this thread and parks it meanwhile.
fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let mut future = pin!(future);
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
