//! Payloads that do not come into the program.
//!
//! What a READ gives is mostly only passed on. Where it is neither signed nor encrypted nor compressed nobody
//! has to look at it, and a driver may have the system move it from the transport to where it goes: see
//! [`Client::read_aside`].

use bytes::Bytes;

use super::{Client, Event, Member, OpId, Outcome, TreeRef};
use crate::{
    op,
    time::Now,
    wire::{Command, Flags, HEADER_LEN, Header, NtStatus, ReadRequest, ReadResponse},
};

/// What is in front of the payload of a READ response.
const READ_HEAD: usize = HEADER_LEN + 16;

/// A payload that is on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// The READ that it answers.
    pub op: OpId,
    /// What of it was received with what came before: the next bytes of it.
    pub early: Bytes,
    /// So many bytes of the transport come next, and are it.
    pub left: usize,
}

/// The one that is on its way.
#[derive(Debug)]
pub(super) struct Passing {
    op: OpId,
    header: Header,
    len: u32,
    early: Bytes,
    thrown_away: bool,
}

impl Client {
    /// Sends a READ whose payload the driver may take from the transport itself. It is announced by
    /// [`Client::poll_aside`], and the operation ends with [`Outcome::Aside`].
    ///
    /// Where somebody has to look at the payload, and where it is short, it comes as that of any other READ.
    pub fn read_aside(&mut self, to: TreeRef, request: &ReadRequest<'_>, now: Now) -> OpId {
        let op = self.new_op();
        let mut member = self.queued_member(to, Member::new::<op::Read>(request), op);
        member.aside = true;
        self.lets_pass = true;
        self.submit(member.into(), now);
        op
    }

    /// The payload that comes next on the transport, if it is to be taken from there: to be asked before each
    /// read. The driver takes up to [`Aside::left`] bytes and says so by [`Client::moved`]. Those which it reads into
    /// [`Client::recv_target`] instead are thrown away.
    pub fn poll_aside(&mut self) -> Option<Aside> {
        let left = self.rx.aside();
        let passing = self.passing.as_mut().filter(|passing| !passing.thrown_away)?;
        Some(Aside { op: passing.op, early: core::mem::take(&mut passing.early), left })
    }

    /// Nobody wants the rest of the payload that is on its way: it is read like anything else, and thrown away.
    pub fn throw_aside(&mut self) {
        if let Some(passing) = &mut self.passing {
            passing.thrown_away = true;
        }
    }

    /// The driver took `n` bytes of a payload from the transport.
    pub fn moved(&mut self, n: usize, now: Now) {
        if self.passing.is_none() {
            return;
        }
        self.heard = now.mono;
        self.probing = false;
        self.rx.received(n);
        if self.rx.aside() > 0 {
            return;
        }
        if let Some(Passing { op, header, len, thrown_away, .. }) = self.passing.take() {
            self.now = now;
            self.grant(&header);
            if let Some(pending) = self.pending.remove(header.message_id) {
                self.drop_ended(pending.session);
            }
            self.events
                .push_back(Event::Done { op, result: Ok(Outcome::Aside { len, whole: !thrown_away }) });
        }
        self.process_frames(now);
    }

    /// Lets the payload of the message that is arriving pass, if it may.
    pub(super) fn let_pass(&mut self) -> bool {
        if !self.lets_pass {
            return false;
        }
        let passing = self.rx.arriving().and_then(|(head, len)| self.may_pass(head, len));
        let Some(passing) = passing else { return false };
        let early = self.rx.set_aside(READ_HEAD);
        self.passing = Some(Passing { early, ..passing });
        true
    }

    /// The payload of a message of `len` bytes with these at its start, if nobody has to look at it.
    fn may_pass(&self, head: &[u8; READ_HEAD], len: usize) -> Option<Passing> {
        let header = Header::decode(head).ok()?;
        let pending = self.pending.get(header.message_id)?;
        let session = self.sessions.get(&pending.session)?;
        let asked_for = pending.aside && pending.command == header.command && header.command == Command::READ;
        let open = !pending.signed && !pending.encrypted && !session.signs && !session.encrypt;
        let plain = header.is_response()
            && header.status == NtStatus::SUCCESS
            && header.next_command == 0
            && !header.flags.contains(Flags::SIGNED);
        let (at, carried) = ReadResponse::extent(head).ok()?;
        let fits = at == READ_HEAD && at + carried == len && carried <= pending.asked as usize;
        let (op, len) = (pending.op, carried as u32);
        (asked_for && open && plain && !session.joining && fits).then_some(Passing {
            op,
            header,
            len,
            early: Bytes::new(),
            thrown_away: false,
        })
    }
}
