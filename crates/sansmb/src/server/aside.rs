//! Data of WRITEs that do not come into the program.
//!
//! What a WRITE brings is mostly only passed on to a file. Where it is neither signed nor encrypted nor compressed
//! nobody has to look at it, and a driver may have the system keep it until it is known where it goes.

use alloc::boxed::Box;
use core::{any::Any, mem, ops::Deref};

use bytes::Bytes;

use super::{
    channel::{Channel, CloseReason, Way},
    keys::Phase,
};
use crate::{
    time::Now,
    wire::{Body, Command, DecodeError, Flags, HEADER_LEN, Header, WriteRequest},
};

/// What is in front of the data of a WRITE request.
pub(super) const WRITE_HEAD: usize = HEADER_LEN + 48;

/// The data of a WRITE that a driver took from the transport and keeps.
#[derive(Debug)]
pub struct Kept {
    len: usize,
    place: Box<dyn Any + Send + Sync>,
}

impl Kept {
    /// `len` bytes, kept where `place` says: something that driver and application both know.
    pub fn new(len: usize, place: impl Any + Send + Sync) -> Self {
        Self { len, place: Box::new(place) }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where they are, if it is said by a `T`.
    pub fn into_place<T: Any>(self) -> Option<T> {
        self.place.downcast().ok().map(|place| *place)
    }
}

/// A request as it was received. The second kind is boxed so that it costs the others nothing.
#[derive(Debug)]
pub(super) enum Received {
    Whole(Bytes),
    /// A WRITE whose length says that it has no data, and the data.
    Head(Box<(Bytes, Kept)>),
}

impl Deref for Received {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        match self {
            Self::Whole(message) => message,
            Self::Head(both) => &both.0,
        }
    }
}

impl Received {
    pub(super) fn kept(&self) -> Option<&Kept> {
        match self {
            Self::Whole(_) => None,
            Self::Head(both) => Some(&both.1),
        }
    }

    /// How many bytes, the data included.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Whole(message) => message.len(),
            Self::Head(both) => both.0.len() + both.1.len,
        }
    }

    pub(super) fn take_kept(&mut self) -> Option<Kept> {
        match mem::replace(self, Self::Whole(Bytes::new())) {
            Self::Whole(message) => {
                *self = Self::Whole(message);
                None
            }
            Self::Head(both) => {
                let (head, kept) = *both;
                *self = Self::Whole(head);
                Some(kept)
            }
        }
    }
}

impl Channel {
    /// So many bytes come next on the transport, all the data of a WRITE and nothing else, and nobody has to look at
    /// them: to be asked before each read, by a driver whose application takes what is [`Kept`].
    ///
    /// The driver takes all of them from the transport and says so by [`Channel::took_aside`]. It may also read them
    /// into [`Channel::recv_target`] as ever, from wherever they are by now.
    pub fn poll_aside(&self) -> Option<usize> {
        let (head, len) = self.rx.just_arrived::<WRITE_HEAD>().filter(|_| self.closed.is_none())?;
        self.may_keep(head, len).ok()?
    }

    /// The driver took what [`Channel::poll_aside`] told of, and keeps it as `place` says. The request comes with
    /// [`Kept`] data: see [`Message::take_kept`](super::Message::take_kept). Where `poll_aside` tells of it no more, since
    /// its session went away, nothing is taken: the bytes have to be read.
    pub fn took_aside(&mut self, place: impl Any + Send + Sync, now: Now) {
        let Some((len, (head, _))) = self.poll_aside().zip(self.rx.just_arrived::<WRITE_HEAD>()) else {
            return;
        };
        let mut head = *head;
        WriteRequest::without_data(&mut head);
        self.rx.went_aside();
        if let Err(reason) = self.write_aside(&head, Kept::new(len, place)) {
            self.close_because(reason);
        }
        self.arrived(now);
    }

    fn write_aside(&mut self, head: &[u8; WRITE_HEAD], kept: Kept) -> Result<(), CloseReason> {
        let header = Header::decode(head)?;
        self.take_credits(&header, WRITE_HEAD + kept.len)?;
        let message = Received::Head(Box::new((Bytes::copy_from_slice(head), kept)));
        self.request(header, message, Way::default(), None);
        Ok(())
    }

    /// The length of the data of a message of `len` bytes with these at its start, if nobody has to look at them.
    fn may_keep(&self, head: &[u8; WRITE_HEAD], len: usize) -> Result<Option<usize>, DecodeError> {
        let header = Header::decode(head)?;
        let session = self.sessions.get(&header.session_id);
        let open = session.is_some_and(|s| s.phase == Phase::Valid && !s.signing_required && !s.encrypt);
        let not_plain =
            Flags::SIGNED | Flags::RELATED_OPERATIONS | Flags::SERVER_TO_REDIR | Flags::ASYNC_COMMAND;
        let plain = header.command == Command::WRITE
            && header.next_command == 0
            && !header.flags.intersects(not_plain);
        let (at, carried) = WriteRequest::extent(head)?;
        let mut bare = *head;
        WriteRequest::without_data(&mut bare);
        let over_tcp = WriteRequest::decode(&bare)?.channel_info.is_empty();
        let alone = at == WRITE_HEAD && at + carried == len;
        Ok((open && plain && over_tcp && alone && self.negotiated.is_some()).then_some(carried))
    }
}
