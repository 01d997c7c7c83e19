//! The task of one connection.

use std::{
    collections::VecDeque,
    future::Future,
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use sansmb::{
    server::{Channel, ConnId},
    time::{Instant, Now},
};

use super::{
    holding::{Holding, Whole},
    inbox::{Completions, Inbox, Mail},
    shared::{Batch, Here, Shared},
};
use sansmb_fileserver::storage::Held;

use crate::{Runtime, Socket};

/// A client that has other connections, and does not even acknowledge the bytes of a notice for so long, is
/// told over another one, [MS-SMB2] 3.3.4.6: the ends of a connection send such bytes again four times in
/// three seconds.
const PATIENCE: Duration = Duration::from_secs(3);
const GATHER: usize = 16;
/// Rounds before other tasks get their turn.
const ROUNDS: usize = 64;

/// Owns the channel of one connection and runs it until it is over.
#[derive(Debug)]
pub(crate) struct Connection<R: Runtime> {
    shared: Arc<Shared>,
    runtime: R,
    socket: R::Socket,
    conn: ConnId,
    inbox: Arc<Inbox>,
    channel: Channel,
    /// Data of a WRITE that are arriving.
    holding: Option<Holding>,
    timer: Option<(Instant, R::Sleep)>,
    /// The transport gives up soon when the client does not acknowledge.
    hurried: bool,
    /// Answers and orders for this connection, jobs that were done for it, and what came of a turn at the
    /// shared tables: empty between turns, but for memory.
    mail: VecDeque<Mail>,
    own: VecDeque<Mail>,
    done: Completions,
    batch: Batch,
    /// How often in a row others were at the tables.
    tries: u32,
    /// When this round began, once somebody wanted to know.
    round: Option<Now>,
}

impl<R: Runtime> Drop for Connection<R> {
    fn drop(&mut self) {
        // However the task ends, what the client had open is closed.
        self.channel.eof();
        self.inbox.close();
        let now = self.shared.clock.now();
        let mut batch = Batch::default();
        self.shared.tables().admit(&mut self.channel, now, &mut batch);
        self.shared.unregister(self.conn);
        self.shared.carry_out(&mut batch, None);
        // What others had for it, and nobody will post any more.
        let (mut mail, mut done) = (VecDeque::new(), Completions::new());
        self.inbox.take(&mut mail, &mut done);
        let orders = mail.into_iter().filter_map(|mail| match mail {
            Mail::Order(order) => Some(order),
            Mail::Response(_) => None,
        });
        self.shared.undelivered(self.conn, orders, &mut batch);
        self.shared.carry_out(&mut batch, None);
        self.shared.turn_orphans();
    }
}

impl<R: Runtime> Connection<R> {
    pub(crate) fn new(shared: Arc<Shared>, runtime: R, socket: R::Socket) -> Self {
        let (conn, inbox) = shared.register();
        let channel = Channel::new(conn, shared.config.clone(), shared.clock.now());
        Self {
            shared,
            runtime,
            socket,
            conn,
            inbox,
            channel,
            holding: None,
            timer: None,
            hurried: false,
            mail: VecDeque::new(),
            own: VecDeque::new(),
            done: Completions::new(),
            batch: Batch::default(),
            tries: 0,
            round: None,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inbox.attend(cx);
        // What waits goes out before new work keeps the socket waiting.
        self.transmit(cx);
        for _ in 0..ROUNDS {
            let read = self.read(cx);
            let Some(worked) = self.work(cx) else { break };
            let wrote = self.transmit(cx);
            if self.channel.is_finished() {
                let _ = self.socket.shutdown();
                return Poll::Ready(());
            }
            if self.shared.stopping() && self.channel.outstanding_work() == 0 && self.channel.queued() == 0 {
                return Poll::Ready(());
            }
            if !(worked || wrote || read) && self.inbox.rest() {
                return self.watch_time(cx);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Mail, requests and completions; whether there were any. Nothing when others are at the tables: then it has
    /// to come back.
    fn work(&mut self, cx: &mut Context<'_>) -> Option<bool> {
        let mut worked = false;
        loop {
            // What it has for itself is older; what was done and not taken in yet is older, too.
            let mut mail = std::mem::replace(&mut self.own, std::mem::take(&mut self.mail));
            if self.done.is_empty() {
                self.inbox.take(&mut self.mail, &mut self.done);
            }
            mail.append(&mut self.mail);
            let mut busy = !mail.is_empty();
            while let Some(next) = mail.pop_front() {
                self.do_mail(next, mail.is_empty(), cx);
            }
            self.mail = mail;
            if self.channel.has_inbound() {
                let mut tables = self.shared.tables_or_later(&mut self.tries)?;
                let now = now(&mut self.round, &self.shared);
                tables.admit(&mut self.channel, now, &mut self.batch);
                drop(tables);
                self.carry_out(true, cx);
                self.channel.verify_claims();
                busy = true;
            }
            if !self.done.is_empty() {
                let mut tables = self.shared.tables_or_later(&mut self.tries)?;
                let now = now(&mut self.round, &self.shared);
                tables.complete(&mut self.done, now, &mut self.batch);
                drop(tables);
                self.carry_out(true, cx);
                busy = true;
            }
            if !busy {
                return Some(worked);
            }
            worked = true;
        }
    }

    /// Does what a piece of mail says, the `last` that waits or not.
    fn do_mail(&mut self, mail: Mail, last: bool, cx: &mut Context<'_>) {
        match mail {
            Mail::Order(order) => {
                if let Err(order) = self.channel.apply(order) {
                    self.shared.undelivered(self.conn, [order], &mut self.batch);
                    self.carry_out(last, cx);
                }
                self.hurry();
            }
            Mail::Response(response) if response.needs_sessions() => {
                let now = now(&mut self.round, &self.shared);
                self.shared.tables().deliver(response, &mut self.channel, now, &mut self.batch);
                self.carry_out(last, cx);
            }
            Mail::Response(response) => response.deliver(&mut self.channel),
        }
    }

    /// Has the transport give up sooner, or no sooner than usual, as the notices that are under way want it.
    fn hurry(&mut self) {
        if self.hurried != self.channel.is_expendable() {
            self.hurried = self.channel.is_expendable();
            // Where it cannot, others wait a little longer.
            let _ = self.socket.give_up_after(self.hurried.then_some(PATIENCE));
        }
    }

    /// Carries out what came of a turn at the tables. Answers go out at once if `at_once` says that nothing
    /// older waits.
    fn carry_out(&mut self, at_once: bool, cx: &mut Context<'_>) {
        if self.batch.lend(&mut self.channel) {
            // The client need not wait for the whole of a long read to get what lies here already.
            self.transmit(cx);
        }
        let channel = at_once.then_some(&mut self.channel);
        let here = Here { conn: self.conn, inbox: &self.inbox, channel, own: &mut self.own };
        self.shared.carry_out(&mut self.batch, Some(here));
    }

    /// Writes what the socket takes; whether it took anything.
    fn transmit(&mut self, cx: &mut Context<'_>) -> bool {
        let mut wrote = false;
        loop {
            let mut segments = [&[][..]; GATHER];
            let n = self.channel.poll_transmit(&mut segments);
            if n == 0 {
                return wrote;
            }
            let slices = segments.map(IoSlice::new);
            match self.socket.try_write(&slices[..n]) {
                Ok(sent) => {
                    self.channel.sent(sent);
                    wrote = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.socket.poll_writable(cx).is_pending() {
                        return wrote;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    self.channel.eof();
                    return true;
                }
            }
        }
    }

    /// Reads once; whether that changed anything.
    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        self.round = None;
        while self.channel.wants_read() {
            if self.socket.poll_readable(cx).is_pending() {
                return false;
            }
            let got = match self.hold() {
                Some(Ok(0)) => Ok(0),
                Some(Ok(_)) => return true,
                Some(Err(error)) => Err(error),
                None => self.socket.try_read(self.channel.recv_target()),
            };
            match got {
                Ok(0) => self.channel.eof(),
                Ok(n) => {
                    let now = now(&mut self.round, &self.shared);
                    self.channel.received(n, now);
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    continue;
                }
                Err(_) => self.channel.eof(),
            }
            return true;
        }
        false
    }

    /// Has the system keep what arrives, if it may: how many bytes that were, 0 at the end of the stream. What there is no
    /// room for is brought in, behind what is here of it already.
    fn hold(&mut self) -> Option<io::Result<usize>> {
        let pipes = self.shared.pipes.as_ref()?;
        let holding = match &mut self.holding {
            Some(holding) => holding,
            None => self.holding.insert(Holding::new(pipes.clone(), self.channel.poll_aside()?)),
        };
        if let Some(got) = holding.fill(&self.socket).transpose() {
            if holding.is_whole() && self.channel.poll_aside().is_none() {
                // Its session went away meanwhile.
                holding.give_up();
            } else if let Some(whole) = self.holding.take_if(|holding| holding.is_whole()) {
                let held: Box<dyn Held> = Box::new(Whole::new(whole));
                self.channel.took_aside(held, now(&mut self.round, &self.shared));
            }
            return Some(got);
        }
        match holding.read(self.channel.recv_target()) {
            Ok(0) => {
                self.holding = None;
                None
            }
            Ok(got) => {
                self.channel.received(got, now(&mut self.round, &self.shared));
                Some(Ok(got))
            }
            error => Some(error),
        }
    }

    /// Nothing is happening: gives back what is empty between turns.
    fn release_idle(&mut self) {
        self.mail = VecDeque::new();
        self.own.shrink_to_fit();
        self.done = Completions::new();
        self.batch = Batch::default();
        self.inbox.release_idle();
    }

    fn watch_time(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(due) = self.channel.poll_timeout() else {
                self.timer = None;
                return Poll::Pending;
            };
            // One that rings too early costs less than setting it anew for every request.
            if self.timer.as_ref().is_none_or(|(at, _)| *at > due) {
                let left = due.since(self.shared.clock.now().mono);
                self.timer = Some((due, self.runtime.sleep(left)));
            }
            let Some((_, sleep)) = &mut self.timer else { return Poll::Pending };
            if Pin::new(sleep).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.timer = None;
            self.channel.handle_timeout(self.shared.clock.now());
            if self.channel.poll_timeout().is_none() {
                self.release_idle();
            }
            cx.waker().wake_by_ref();
        }
    }
}

/// This moment, by one look at the clock a round.
fn now(round: &mut Option<Now>, shared: &Shared) -> Now {
    *round.get_or_insert_with(|| shared.clock.now())
}

impl<R: Runtime> Future for Connection<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().turn(cx)
    }
}
