//! Drives one client connection: whoever has a request sends it from where it is; one task reads.

use std::{
    collections::HashMap,
    future::Future,
    io::{self, ErrorKind, IoSlice},
    mem,
    ops::{Deref, DerefMut},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use sansmb::{
    client::{Agreement, Aside, Client, CloseReason, Event, OpError, OpId, Outcome, TreeRef},
    op,
    time::{Instant, Now},
    wire::{CloseRequest, Command, CreateResponse, ReadRequest},
};

use super::landing::Landing;
use crate::{Clock, Runtime, Socket, error::Result, lock::lock, pipe::Pipe};

/// Segments handed to one vectored write.
const GATHER: usize = 16;
/// Reads in one turn before other tasks get theirs.
const READS_PER_TURN: usize = 64;

/// One connection, shared by its handles and its driver.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    socket: Box<dyn Socket>,
    clock: Clock,
}

#[derive(Debug)]
struct State {
    client: Client,
    waiters: HashMap<OpId, Waiter>,
    negotiating: Vec<Waker>,
    driver: Option<Waker>,
    /// READs whose payloads go to a file, and what moves them there.
    landings: HashMap<OpId, Landing>,
    mover: Option<Pipe>,
    /// Tasks to wake once the lock is free.
    woken: Vec<Waker>,
}

impl State {
    /// Whether there is something that moves payloads.
    fn ready_mover(&mut self, socket: &dyn Socket) -> bool {
        self.mover = self.mover.take().or_else(|| Pipe::for_socket(socket));
        self.mover.is_some()
    }
}

/// The state, locked. Whoever has to look at it is woken when it is free again: a task that runs at
/// once, on another thread or in the middle of `wake`, would find the lock taken.
#[derive(Debug)]
struct Locked<'a> {
    // Dropped in this order: unlocked first, then woken.
    guard: MutexGuard<'a, State>,
    woken: Woken,
}

#[derive(Debug, Default)]
struct Woken(Vec<Waker>);

impl Drop for Woken {
    fn drop(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        self.woken.0 = mem::take(&mut self.guard.woken);
    }
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.guard
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.guard
    }
}

#[derive(Debug)]
enum Waiter {
    Waiting(Option<Waker>),
    Done(Result<Outcome, OpError>),
    /// Nobody waits any more; a file that it opens is closed at once.
    Abandoned(Option<TreeRef>),
}

impl Shared {
    pub(crate) fn new(client: Client, socket: Box<dyn Socket>, clock: Clock) -> Arc<Self> {
        let state = State {
            client,
            waiters: HashMap::new(),
            negotiating: Vec::new(),
            driver: None,
            landings: HashMap::new(),
            mover: None,
            woken: Vec::new(),
        };
        Arc::new(Self { state: Mutex::new(state), socket, clock })
    }

    /// Starts an operation; what it makes the client send goes out at once.
    pub(crate) fn start(
        self: &Arc<Self>,
        tree: Option<TreeRef>,
        begin: impl FnOnce(&mut Client, Now) -> OpId,
    ) -> Op {
        self.start_with(tree, |state, now| begin(&mut state.client, now))
    }

    fn start_with(
        self: &Arc<Self>,
        tree: Option<TreeRef>,
        begin: impl FnOnce(&mut State, Now) -> OpId,
    ) -> Op {
        let mut state = self.lock();
        let op = begin(&mut state, self.clock.now());
        state.waiters.insert(op, Waiter::Waiting(None));
        self.settle(&mut state);
        Op { shared: self.clone(), op, tree }
    }

    /// Starts a READ whose payload may go to `landing` without coming here.
    pub(crate) fn start_landing(
        self: &Arc<Self>,
        tree: TreeRef,
        request: &ReadRequest<'_>,
        landing: Landing,
    ) -> Op {
        self.start_with(Some(tree), |state, now| {
            if !state.ready_mover(&*self.socket) {
                return state.client.request::<op::Read>(tree, request, now);
            }
            let op = state.client.read_aside(tree, request, now);
            state.landings.insert(op, landing);
            op
        })
    }

    /// Starts several operations in one go.
    pub(crate) fn start_all(
        self: &Arc<Self>,
        tree: TreeRef,
        begin: impl FnOnce(&mut Client, Now) -> Vec<OpId>,
    ) -> Vec<Op> {
        let mut state = self.lock();
        let ops = begin(&mut state.client, self.clock.now());
        for op in &ops {
            state.waiters.insert(*op, Waiter::Waiting(None));
        }
        self.settle(&mut state);
        ops.into_iter().map(|op| Op { shared: self.clone(), op, tree: Some(tree) }).collect()
    }

    /// Does something whose end nobody waits for.
    pub(crate) fn forget(&self, begin: impl FnOnce(&mut Client, Now) -> OpId) {
        let mut state = self.lock();
        let op = begin(&mut state.client, self.clock.now());
        state.waiters.insert(op, Waiter::Abandoned(None));
        self.settle(&mut state);
    }

    /// Looks at the client.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Client) -> R) -> R {
        look(&self.lock().client)
    }

    /// Does something with the client that sends nothing.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Client) -> R) -> R {
        change(&mut self.lock().client)
    }

    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.client.close();
        self.settle(&mut state);
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Waits for the end of NEGOTIATE.
    pub(crate) async fn negotiated(&self) -> Result<Agreement> {
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if let Some(agreement) = state.client.agreement() {
                return Poll::Ready(Ok(agreement.clone()));
            }
            if let Some(reason) = state.client.close_reason() {
                return Poll::Ready(Err(reason.into()));
            }
            if !state.negotiating.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.negotiating.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    fn lock(&self) -> Locked<'_> {
        Locked { guard: lock(&self.state), woken: Woken::default() }
    }

    /// After every command and feed: events to their waiters, bytes to the socket.
    fn settle(&self, state: &mut State) {
        let blocked = self.transmit(state);
        self.deliver(state);
        if (blocked || state.client.close_reason().is_some() || state.waiters.len() == 1)
            && let Some(driver) = &state.driver
        {
            // The driver has to wait for the socket, to end, or to set a timer.
            let driver = driver.clone();
            state.woken.push(driver);
        }
    }

    fn deliver(&self, state: &mut State) {
        while let Some(event) = state.client.poll_event() {
            match event {
                Event::Done { op, result } => self.done(state, op, result),
                Event::Negotiated(_) | Event::Closed(_) => {
                    state.woken.append(&mut state.negotiating);
                }
                // Nothing of this facade asks for oplocks, leases or Kerberos.
                _ => {}
            }
        }
    }

    fn done(&self, state: &mut State, op: OpId, result: Result<Outcome, OpError>) {
        state.landings.remove(&op);
        match state.waiters.remove(&op) {
            Some(Waiter::Waiting(waker)) => {
                state.waiters.insert(op, Waiter::Done(result));
                state.woken.extend(waker);
            }
            Some(Waiter::Abandoned(Some(tree))) => {
                if let Some(file_id) = opened(&result) {
                    let request = CloseRequest { file_id, ..Default::default() };
                    let close = state.client.request::<op::Close>(tree, &request, self.clock.now());
                    state.waiters.insert(close, Waiter::Abandoned(None));
                    let _ = self.transmit(state);
                }
            }
            _ => {}
        }
    }

    /// Reads once.
    fn read(&self, state: &mut State) -> io::Result<()> {
        if let Some(aside) = state.client.poll_aside() {
            return self.land(state, aside);
        }
        match self.socket.try_read(state.client.recv_target())? {
            0 => state.client.eof(),
            n => state.client.received(n, self.clock.now()),
        }
        Ok(())
    }

    /// Moves a payload on. Where its file does not take it, or nobody waits for it any more, the rest is thrown away.
    fn land(&self, state: &mut State, aside: Aside) -> io::Result<()> {
        // The one before may have gone with what another file did not take.
        state.ready_mover(&*self.socket);
        let (Some(landing), Some(mover)) = (state.landings.get_mut(&aside.op), &state.mover) else {
            state.client.throw_aside();
            return Ok(());
        };
        if let Err(error) = landing.take(&aside.early) {
            landing.to.fail(error);
            state.client.throw_aside();
            return Ok(());
        }
        let n = mover.fill(&*self.socket, aside.left)?;
        if n == 0 {
            state.client.eof();
            return Ok(());
        }
        if let Err(error) = mover.drain(n, &landing.to.file, landing.at) {
            landing.to.fail(error);
            // It holds some of what is thrown away.
            state.mover = None;
            state.client.throw_aside();
        } else {
            landing.at += n as u64;
        }
        state.client.moved(n, self.clock.now());
        Ok(())
    }

    /// Writes what the socket takes; whether it took not all.
    fn transmit(&self, state: &mut State) -> bool {
        loop {
            let mut segments = [&[][..]; GATHER];
            let n = state.client.poll_transmit(&mut segments);
            if n == 0 {
                return false;
            }
            let slices = segments.map(IoSlice::new);
            match self.socket.try_write(&slices[..n]) {
                Ok(sent) => state.client.sent(sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => {
                    // What the server still has to say may explain why it went away; the end of the
                    // stream follows.
                    let queued = state.client.queued();
                    state.client.sent(queued);
                    return false;
                }
            }
        }
    }
}

/// Keeps the task's waker, which mostly is the one of last time.
fn keep(kept: &mut Option<Waker>, cx: &Context<'_>) {
    match kept {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *kept = Some(cx.waker().clone()),
    }
}

/// The file that a CREATE opened.
fn opened(result: &Result<Outcome, OpError>) -> Option<sansmb::wire::FileId> {
    let Ok(Outcome::Response(response)) = result else { return None };
    if response.command() != Command::CREATE {
        return None;
    }
    let created: CreateResponse<'_> = response.body::<op::Create>().ok()?;
    Some(created.file_id)
}

/// An operation under way. Dropping it asks the server to give up on it.
#[derive(Debug)]
#[must_use = "an operation that is dropped is cancelled"]
pub(crate) struct Op {
    shared: Arc<Shared>,
    op: OpId,
    tree: Option<TreeRef>,
}

impl Future for Op {
    type Output = Result<Outcome, OpError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        match state.waiters.get_mut(&self.op) {
            Some(Waiter::Waiting(waker)) => {
                keep(waker, cx);
                Poll::Pending
            }
            _ => match state.waiters.remove(&self.op) {
                Some(Waiter::Done(result)) => Poll::Ready(result),
                _ => Poll::Ready(Err(OpError::Gone(CloseReason::Local))),
            },
        }
    }
}

impl Drop for Op {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.landings.remove(&self.op);
        match state.waiters.remove(&self.op) {
            Some(Waiter::Waiting(_)) => {
                state.waiters.insert(self.op, Waiter::Abandoned(self.tree));
                state.client.cancel(self.op);
                self.shared.settle(&mut state);
            }
            Some(Waiter::Done(result)) => {
                if let (Some(tree), Some(file_id)) = (self.tree, opened(&result)) {
                    let request = CloseRequest { file_id, ..Default::default() };
                    let now = self.shared.clock.now();
                    let close = state.client.request::<op::Close>(tree, &request, now);
                    state.waiters.insert(close, Waiter::Abandoned(None));
                    self.shared.settle(&mut state);
                }
            }
            _ => {}
        }
    }
}

/// The task of a connection: reads, keeps the time, writes what did not go out at once.
#[derive(Debug)]
pub(crate) struct Driver<R: Runtime> {
    shared: Arc<Shared>,
    runtime: R,
    timer: Option<(Instant, R::Sleep)>,
}

impl<R: Runtime> Driver<R> {
    pub(crate) fn new(shared: Arc<Shared>, runtime: R) -> Self {
        Self { shared, runtime, timer: None }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let shared = self.shared.clone();
        let mut state = shared.lock();
        let state = &mut *state;
        keep(&mut state.driver, cx);
        let mut reads = 0;
        loop {
            while shared.transmit(state) {
                if shared.socket.poll_writable(cx).is_pending() {
                    break;
                }
            }
            if state.client.is_finished() {
                shared.deliver(state);
                let _ = shared.socket.shutdown();
                return Poll::Ready(());
            }
            if !state.client.wants_read() || shared.socket.poll_readable(cx).is_pending() {
                break;
            }
            match shared.read(state) {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                    continue;
                }
                Err(_) => state.client.eof(),
            }
            shared.deliver(state);
            reads += 1;
            if reads == READS_PER_TURN {
                cx.waker().wake_by_ref();
                break;
            }
        }
        self.watch_time(state, cx)
    }

    fn watch_time(&mut self, state: &mut State, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(due) = state.client.poll_timeout() {
            let now = self.shared.clock.now();
            if self.timer.as_ref().is_none_or(|(at, _)| *at > due) {
                self.timer = Some((due, self.runtime.sleep(due.since(now.mono))));
            }
            let Some((_, sleep)) = &mut self.timer else { break };
            if Pin::new(sleep).poll(cx).is_pending() {
                break;
            }
            self.timer = None;
            state.client.handle_timeout(self.shared.clock.now());
            self.shared.settle(state);
        }
        Poll::Pending
    }
}

impl<R: Runtime> Future for Driver<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().turn(cx)
    }
}
