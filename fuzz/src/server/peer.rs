//! A client made by hand: it keeps books on what it sent and got, and can break every rule.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sansmb::{
    conn::split_compound,
    crypto::{CryptoProvider, seal_message},
    server::{ConnId, Server},
    time::Now,
    wire::{
        Body, Cipher, Command, CreateResponse, Dialect, FileId, Flags, Header, NtStatus, SessionId, TreeId,
    },
};
use sansmb_crypto::NullCrypto;

use crate::wire::show;

use super::requests::{Ask, Context, Kind, message};

/// A request that was sent.
#[derive(Debug)]
struct Sent {
    command: Command,
    /// An interim answer came, with this AsyncId.
    async_id: Option<u64>,
    answered: bool,
    /// The answer is encrypted, and goes away with its session.
    sealed: bool,
}

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) conn: ConnId,
    dialect: Dialect,
    next_id: u64,
    used: BTreeSet<u64>,
    sent: BTreeMap<u64, Sent>,
    granted: u64,
    charged: u64,
    sessions: Vec<SessionId>,
    trees: Vec<(SessionId, TreeId)>,
    files: Vec<FileId>,
    input: Vec<u8>,
    /// Something was sent that is not in the books: only form is checked from now on.
    wild: bool,
    max_credits: u64,
}

impl Peer {
    pub(crate) fn new(conn: ConnId, dialect: Dialect, max_credits: u16) -> Self {
        Self {
            conn,
            dialect,
            next_id: 0,
            used: BTreeSet::new(),
            sent: BTreeMap::new(),
            granted: 1,
            charged: 0,
            sessions: Vec::new(),
            trees: Vec::new(),
            files: Vec::new(),
            input: Vec::new(),
            wild: false,
            max_credits: max_credits.into(),
        }
    }

    pub(crate) fn session(&self, nth: u8) -> SessionId {
        // A few numbers name sessions that are not there.
        match nth {
            254 => SessionId(0),
            255 => SessionId(u64::MAX),
            // The first one has most of what there is.
            0..160 => self.sessions.first().copied().unwrap_or_default(),
            _ => pick(&self.sessions, nth).unwrap_or_default(),
        }
    }

    fn context(&self, ask: &Ask, message_id: u64) -> Context {
        let session = match (ask.kind, ask.session) {
            // The usual SESSION_SETUP is for a new session.
            (Kind::SessionSetup, 0..128) | (Kind::Negotiate, _) => SessionId(0),
            (_, nth) => self.session(nth),
        };
        let trees: Vec<TreeId> = self.trees.iter().filter(|(s, _)| *s == session).map(|(_, t)| *t).collect();
        let tree = if ask.tree == 255 { TreeId(77) } else { pick(&trees, ask.tree).unwrap_or_default() };
        let file = pick(&self.files, ask.file).filter(|_| ask.file < 192).unwrap_or(FileId::ANY);
        let previous = self.session(ask.tree);
        Context { dialect: self.dialect, message_id, session, previous, tree, file }
    }

    /// Sends requests in one frame. Whether the connection has to end because of it.
    pub(crate) fn send(&mut self, server: &mut Server, asks: &[Ask], sealed: bool, chunk: usize, now: Now) {
        let Some(first) = asks.first() else { return };
        let alive = self.is_alive(server);
        let session = self.context(first, 0).session;
        let mut frame = vec![0; if sealed { 52 } else { 0 }];
        let start = frame.len();
        let mut must_end = None;
        for (at, ask) in asks.iter().enumerate() {
            // The first of a frame is related to nothing, but for one in four.
            let flags = if at == 0 && ask.flags & 0x40 == 0 { ask.flags & !2 } else { ask.flags };
            let ask = &Ask { flags, ..*ask };
            let id = self.message_id(ask);
            if at > 0 {
                frame.resize(start + (frame.len() - start).next_multiple_of(8), 0);
            }
            let begin = frame.len();
            frame.extend(message(ask, &self.context(ask, id)));
            if at + 1 < asks.len() {
                let next = (frame.len() - begin).next_multiple_of(8) as u32;
                frame[begin + 20..begin + 24].copy_from_slice(&next.to_le_bytes());
            }
            if ask.command() != Command::CANCEL {
                must_end = self.charge(ask, id, sealed).or(must_end);
            }
        }
        if sealed {
            let Some(sealer) = NullCrypto.sealer(Cipher::AES_128_GCM, &[0; 16]) else { return };
            let _ = seal_message(&*sealer, Cipher::AES_128_GCM, session, self.next_id, &mut frame);
        }
        self.feed(server, &frame, true, chunk, now);
        if let Some(id) = must_end
            && alive
            && !self.wild
        {
            assert!(!self.is_alive(server), "MessageId {id} is used twice and nobody minds");
        }
    }

    fn message_id(&self, ask: &Ask) -> u64 {
        ask.id(self.next_id, |nth| self.used.iter().rev().nth(nth).copied())
    }

    /// Notes a request. Some: the id was used before.
    fn charge(&mut self, ask: &Ask, id: u64, sealed: bool) -> Option<u64> {
        let multi = self.dialect != Dialect::SMB2_0_2 && ask.command() != Command::NEGOTIATE;
        let charge = if multi { u64::from(ask.charge()).max(1) } else { 1 };
        let ids = id..id.saturating_add(charge);
        let again = ids.clone().find(|id| self.used.contains(id));
        self.charged += charge;
        self.used.extend(ids.clone());
        self.next_id = self.next_id.max(ids.end.min(1 << 40));
        let sent = Sent { command: ask.command(), async_id: None, answered: false, sealed };
        self.sent.entry(id).or_insert(sent);
        again
    }

    /// Sends bytes as they are, in pieces.
    pub(crate) fn raw(&mut self, server: &mut Server, bytes: &[u8], framed: bool, chunk: usize, now: Now) {
        self.wild = true;
        self.feed(server, bytes, framed, chunk, now);
    }

    fn feed(&mut self, server: &mut Server, bytes: &[u8], framed: bool, chunk: usize, now: Now) {
        let mut all = Vec::new();
        if framed {
            all.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        }
        all.extend_from_slice(bytes);
        let mut left = &all[..];
        while !left.is_empty() && self.is_alive(server) {
            if let Some(data) = server.poll_aside(self.conn).and_then(|len| left.split_off(..len)) {
                server.took_aside(self.conn, data.to_vec(), now);
                continue;
            }
            let Some(target) = server.recv_target(self.conn) else { return };
            let n = target.len().min(chunk.max(1)).min(left.len());
            let part = left.split_off(..n).unwrap_or_default();
            target[..n].copy_from_slice(part);
            server.received(self.conn, n, now);
        }
    }

    /// Asks to give up on the `nth` request without an answer.
    pub(crate) fn cancel(&mut self, server: &mut Server, nth: u8, signed: bool, now: Now) {
        let waiting: Vec<(u64, Option<u64>)> =
            self.sent.iter().filter(|(_, s)| !s.answered).map(|(id, s)| (*id, s.async_id)).collect();
        let Some((id, async_id)) = pick(&waiting, nth) else { return };
        let flags = if signed { 1 } else { 0x80 };
        let ask = Ask { flags, ..Ask::new(Kind::Cancel) };
        let mut frame = message(&ask, &self.context(&ask, id));
        if let (Some(async_id), Ok(mut header)) = (async_id, Header::decode(&frame)) {
            header.set_async_id(async_id);
            let mut bytes = Vec::new();
            header.encode(&mut sansmb::wire::Writer::new(&mut bytes));
            frame[..64].copy_from_slice(&bytes);
        }
        self.feed(server, &frame, true, usize::MAX, now);
    }

    /// Takes up to `max` bytes from the server.
    pub(crate) fn receive(&mut self, server: &mut Server, max: usize) {
        let mut left = max;
        while left > 0 {
            let mut out = [&[][..]; 4];
            let n = server.poll_transmit(self.conn, &mut out);
            let bytes = out[..n].concat();
            let taken = bytes.len().min(left);
            if taken == 0 {
                break;
            }
            self.input.extend_from_slice(&bytes[..taken]);
            server.sent(self.conn, taken);
            left -= taken;
        }
        while let Some((&[kind, a, b, c], rest)) = self.input.split_first_chunk() {
            assert_eq!(kind, 0, "a frame of the server");
            let len = u32::from_be_bytes([0, a, b, c]) as usize;
            if rest.len() < len {
                return;
            }
            let frame = Bytes::copy_from_slice(&rest[..len]);
            self.input.drain(..4 + len);
            let clear = if frame.starts_with(b"\xFDSMB") { frame.slice(52..) } else { frame };
            for (header, message) in split_compound(clear).expect("a compound of the server") {
                self.answer(&header, &message);
            }
        }
    }

    fn answer(&mut self, header: &Header, message: &[u8]) {
        assert!(header.is_response());
        show(&format_args!("answer to {}: {}", header.command, header.status));
        self.granted += u64::from(header.credits);
        if header.status.0 >> 30 != 3 {
            self.learn(header, message);
        }
        if self.wild {
            return;
        }
        // Nobody asked for it: a break, or the end of a session.
        if header.message_id == u64::MAX {
            assert!(matches!(header.command, Command::OPLOCK_BREAK | Command::SERVER_TO_CLIENT_NOTIFICATION));
            assert_eq!((header.credits, header.async_id()), (0, None));
            return;
        }
        let held = self.granted.checked_sub(self.charged);
        assert!(held.is_none_or(|held| held <= self.max_credits), "{held:?} credits are held");
        let sent = self.sent.get_mut(&header.message_id);
        let sent = sent.unwrap_or_else(|| panic!("an answer to nothing: {header:?}"));
        assert_eq!(sent.command, header.command);
        assert!(!sent.answered, "a second answer: {header:?}");
        if header.status == NtStatus::PENDING {
            assert!(sent.async_id.is_none(), "a second interim answer");
            sent.async_id = header.async_id();
            assert!(sent.async_id.is_some());
        } else {
            assert_eq!(header.async_id(), sent.async_id);
            sent.answered = true;
        }
    }

    fn learn(&mut self, header: &Header, message: &[u8]) {
        let session = header.session_id;
        match header.command {
            Command::SESSION_SETUP if !self.sessions.contains(&session) => self.sessions.push(session),
            Command::TREE_CONNECT if !header.flags.contains(Flags::ASYNC_COMMAND) => {
                self.trees.push((session, header.tree_id));
            }
            Command::CREATE => {
                self.files.extend(CreateResponse::decode(message).map(|response| response.file_id));
            }
            _ => {}
        }
    }

    fn is_alive(&self, server: &mut Server) -> bool {
        server.channel(self.conn).is_some_and(|channel| channel.close_reason().is_none())
    }

    /// A LOGOFF for each session that was heard of.
    pub(crate) fn log_offs(&self) -> Vec<Ask> {
        let len = self.sessions.len();
        let names = |nth: usize| (160..=253_u8).find(|name| usize::from(*name) % len == nth);
        (0..len).filter_map(names).map(|session| Ask { session, ..Ask::new(Kind::Logoff) }).collect()
    }

    /// Whether one more request in order is allowed, and its answer in the books.
    pub(crate) fn can_ask(&mut self, server: &mut Server) -> bool {
        self.receive(server, usize::MAX);
        !self.wild && self.is_alive(server) && self.granted > self.charged && self.next_id < self.granted
    }

    /// Everything is answered and taken: nothing may be left.
    pub(crate) fn check_end(&self, server: &mut Server) {
        let Some(channel) = server.channel(self.conn) else { return };
        if channel.close_reason().is_some() {
            return;
        }
        assert_eq!(channel.outstanding(), 0, "requests without a token");
        assert_eq!(channel.queued(), 0);
        assert!(self.input.is_empty(), "half a frame");
        if self.wild {
            return;
        }
        for (id, sent) in &self.sent {
            assert!(sent.answered || sent.sealed, "MessageId {id} was never answered: {sent:?}");
        }
        assert!(self.granted > self.charged, "the client can ask nothing more");
    }
}

fn pick<T: Copy>(list: &[T], nth: u8) -> Option<T> {
    list.get(usize::from(nth) % list.len().max(1)).copied()
}
