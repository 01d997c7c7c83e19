//! Whole files, many requests at a time.

use std::{collections::VecDeque, pin::pin, sync::Arc};

use bytes::Bytes;
use sansmb::{
    client::{Chunk, Outcome, Payload, Transfer},
    conn::MessageBuffer,
};

use super::{
    driver::Op,
    file::{File, read_result, write_result},
    landing::Target,
};
use crate::error::{Error, Result};

/// Reads a file in order.
#[derive(Debug)]
pub struct ReadStream<'f> {
    file: &'f File,
    plan: Transfer,
    under_way: VecDeque<(Chunk, Op)>,
    /// What was read before the stream began.
    head: Option<Bytes>,
    /// Where data may go without coming here.
    to: Option<Arc<Target>>,
}

/// Reads a file in order into one of this machine; see [`ReadStream::landing_in`].
#[derive(Debug)]
pub struct LandingStream<'f>(ReadStream<'f>);

/// What a [`LandingStream`] read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Landed {
    /// So many bytes, which are in the file.
    There(u32),
    /// These, which are not.
    Here(Bytes),
}

impl<'f> ReadStream<'f> {
    pub(super) fn new(file: &'f File, plan: Transfer, head: Option<Bytes>) -> Self {
        Self { file, plan, under_way: VecDeque::new(), head, to: None }
    }

    /// Goes on into `file`, at the same offsets: where the connection neither signs nor encrypts, and the system can,
    /// data goes there without coming into the program. The file is written to from the task of the connection.
    /// Without a file all data comes here.
    pub fn landing_in(mut self, file: impl Into<Option<Arc<std::fs::File>>>) -> LandingStream<'f> {
        self.to = file.into().map(|file| Arc::new(Target::new(file)));
        LandingStream(self)
    }

    /// The next bytes, or `None` at the end of the file. They share the memory that the socket
    /// filled.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.piece().await? {
            Some(Landed::There(_)) => Err(Error::Unexpected("data went where nobody wanted it")),
            Some(Landed::Here(bytes)) => Ok(Some(bytes)),
            None => Ok(None),
        }
    }

    fn start(&self, Chunk { offset, len }: Chunk) -> Op {
        match &self.to {
            Some(to) => self.file.start_landing(offset, len, to.clone()),
            None => self.file.start_read(offset, len),
        }
    }

    async fn piece(&mut self) -> Result<Option<Landed>> {
        while let Some(chunk) = self.plan.poll_next() {
            self.under_way.push_back((chunk, self.start(chunk)));
        }
        if let Some(head) = self.head.take().filter(|head| !head.is_empty()) {
            return Ok(Some(Landed::Here(head)));
        }
        let Some((chunk, op)) = self.under_way.pop_front() else { return Ok(None) };
        let landed = match (op.await, &self.to) {
            (Ok(Outcome::Aside { whole: false, .. }), Some(to)) => return Err(to.failure().into()),
            (Ok(Outcome::Aside { len, .. }), _) => Landed::There(len),
            (result, _) => Landed::Here(read_result(result)?),
        };
        let got = match &landed {
            Landed::There(len) => *len,
            Landed::Here(bytes) => bytes.len() as u32,
        };
        if got > chunk.len {
            return Err(Error::Unexpected("the server read more than was asked for"));
        }
        if got > 0 && got < chunk.len {
            // The rest comes before what follows it.
            let rest = Chunk { offset: chunk.offset + u64::from(got), len: chunk.len - got };
            self.under_way.push_front((rest, self.start(rest)));
        } else {
            self.plan.done(chunk, got);
        }
        if got == 0 {
            // What was asked for beyond the end is of no interest.
            self.under_way.clear();
            return Ok(None);
        }
        Ok(Some(landed))
    }
}

impl LandingStream<'_> {
    /// What comes next, or `None` at the end of the file. What is not in the local file yet belongs behind all that came
    /// before.
    pub async fn next(&mut self) -> Result<Option<Landed>> {
        self.0.piece().await
    }
}

/// Writes a file in order. [`WriteStream::finish`] must be called: only then everything is known
/// to be written.
#[derive(Debug)]
pub struct WriteStream<'f> {
    file: &'f File,
    offset: u64,
    chunk: u32,
    depth: usize,
    under_way: VecDeque<(u32, Op)>,
}

impl<'f> WriteStream<'f> {
    pub(super) fn new(file: &'f File, offset: u64, chunk: u32, depth: usize) -> Self {
        Self { file, offset, chunk, depth, under_way: VecDeque::new() }
    }

    /// The size of pieces that serves best, in bytes.
    pub fn chunk(&self) -> usize {
        self.chunk as usize
    }

    /// The size of the next piece that serves best: those after it then begin at multiples of
    /// [`WriteStream::chunk`], wherever the stream began.
    pub fn next_chunk(&self) -> usize {
        (u64::from(self.chunk) - self.offset % u64::from(self.chunk)) as usize
    }

    /// Room for one piece, in memory that was sent before where there is some.
    pub fn buffer(&self) -> MessageBuffer {
        self.file.buffer(self.chunk())
    }

    /// Bytes handed over so far, counted from the start of the file.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Hands over the next bytes, at most [`WriteStream::chunk`] of them. They are not copied.
    /// Waits while enough is under way, and fails with what failed before.
    pub async fn write(&mut self, data: impl Into<Payload>) -> Result<()> {
        let data = data.into();
        let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
        if len > self.chunk {
            return Err(Error::Unexpected("a piece is longer than the stream's chunk"));
        }
        if len == 0 {
            return Ok(());
        }
        while self.under_way.len() >= self.depth {
            self.settle_one().await?;
        }
        let op = self.file.start_write(self.offset, data);
        self.offset += u64::from(len);
        self.under_way.push_back((len, op));
        Ok(())
    }

    /// Waits until all is written.
    pub async fn finish(mut self) -> Result<u64> {
        while !self.under_way.is_empty() {
            self.settle_one().await?;
        }
        Ok(self.offset)
    }

    async fn settle_one(&mut self) -> Result<()> {
        let Some((len, op)) = self.under_way.pop_front() else { return Ok(()) };
        let written = write_result(pin!(op).await)?;
        if written != len {
            // A server that writes less and says SUCCESS is out of space.
            return Err(Error::Unexpected("the server wrote less than it was given"));
        }
        Ok(())
    }
}
