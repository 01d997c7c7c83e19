//! What is special about threads that wait for themselves.

use std::{
    future::{Future, pending, poll_fn},
    io::{ErrorKind, Read},
    net::{TcpListener, TcpStream},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use sansmb_blocking::{
    Clock, Runtime, Socket, ThreadRuntime, ThreadSocket, block_on, testing::with_watchdog,
};

const SOON: Duration = Duration::from_millis(20);

/// A socket of ours and a plain one at its other end.
fn pair() -> (ThreadSocket, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (listener.accept().unwrap().0.try_into().unwrap(), far)
}

async fn read(socket: &ThreadSocket) -> usize {
    loop {
        match socket.try_read(&mut [0]) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                poll_fn(|cx| socket.poll_readable(cx)).await.unwrap();
            }
            other => return other.unwrap(),
        }
    }
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> bool {
    block_on(poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_ready())))
}

/// Counts its calls and passes them on: the waker of a part, such as a set of futures gives to each.
struct Part {
    woken: AtomicUsize,
    whole: Waker,
}

impl Wake for Part {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, SeqCst);
        self.whole.wake_by_ref();
    }
}

/// What the inner `block_on` hears for the outer future reaches it.
#[test]
fn an_inner_block_on_loses_nothing_of_the_outer() {
    with_watchdog(|| {
        let (near, far) = pair();
        let mut timer = ThreadRuntime.sleep(SOON);
        let mut waiting = pin!(read(&near));
        let mut polls = 0;
        block_on(poll_fn(|cx| {
            let done = (waiting.as_mut().poll(cx), Pin::new(&mut timer).poll(cx));
            polls += 1;
            if polls == 1 {
                far.shutdown(std::net::Shutdown::Write).unwrap();
                block_on(ThreadRuntime.sleep(3 * SOON));
            }
            if let (Poll::Ready(_), Poll::Ready(())) = done { Poll::Ready(()) } else { Poll::Pending }
        }));
    });
}

/// A thread that sleeps for other reasons, while a future that it polled is somewhere else by now,
/// does not keep the socket open.
#[test]
fn a_sleeping_thread_does_not_keep_a_socket_open() {
    with_watchdog(|| {
        let (near, mut far) = pair();
        let near = Arc::new(near);
        let (hand_over, taken) = mpsc::channel();
        let first = Arc::clone(&near);
        thread::spawn(move || {
            block_on(async move {
                let _ = first.try_read(&mut [0]);
                poll_fn(|cx| Poll::Ready(first.poll_readable(cx).is_pending())).await;
                hand_over.send(first).unwrap();
                pending::<()>().await;
            });
        });
        let second = taken.recv().unwrap();
        thread::sleep(SOON);
        drop((near, second));
        assert_eq!(far.read(&mut [0]).unwrap(), 0);
    });
}

/// Wakers of parts of the future are called, not just the thread's own.
#[test]
fn each_waker_hears_of_its_own() {
    with_watchdog(|| {
        let (near, far) = pair();
        let mut timer = ThreadRuntime.sleep(2 * SOON);
        let mut parts = None;
        let mut first = true;
        block_on(poll_fn(|cx| {
            let part = || Arc::new(Part { woken: AtomicUsize::new(0), whole: cx.waker().clone() });
            let (socket, sleep) = &*parts.get_or_insert_with(|| (part(), part()));
            // Each is polled once and never again, as a set of futures does before it hears of one.
            if std::mem::take(&mut first) {
                let _ = near.try_read(&mut [0]);
                let waker = Waker::from(Arc::clone(socket));
                assert!(near.poll_readable(&mut Context::from_waker(&waker)).is_pending());
                let waker = Waker::from(Arc::clone(sleep));
                assert!(Pin::new(&mut timer).poll(&mut Context::from_waker(&waker)).is_pending());
                far.shutdown(std::net::Shutdown::Write).unwrap();
            }
            let woken = (socket.woken.load(SeqCst), sleep.woken.load(SeqCst));
            if woken == (1, 1) { Poll::Ready(()) } else { Poll::Pending }
        }));
    });
}

/// Both directions of a socket may be waited for at once.
#[test]
fn reading_and_writing_wait_side_by_side() {
    with_watchdog(|| {
        let (near, mut far) = pair();
        let piece = [1; 1 << 16];
        let mut sent = 0;
        while let Ok(n) = near.try_write(&[std::io::IoSlice::new(&piece)]) {
            sent += n;
        }
        let _ = near.try_read(&mut [0]);
        let reader = thread::spawn(move || {
            thread::sleep(SOON);
            far.read_exact(&mut vec![0; sent]).unwrap();
            far
        });
        let mut readable = true;
        block_on(poll_fn(|cx| {
            readable = near.poll_readable(cx).is_ready();
            near.poll_writable(cx).map(Result::unwrap)
        }));
        assert!(!readable);
        drop(reader.join().unwrap());
        assert_eq!(block_on(read(&near)), 0);
    });
}

/// A timer may begin on one thread and end on another, and be forgotten on a third.
#[test]
fn timers_move_between_threads() {
    with_watchdog(|| {
        let clock = Clock::new();
        let (mut short, mut long) = (ThreadRuntime.sleep(SOON), ThreadRuntime.sleep(1000 * SOON));
        assert!(!poll_once(&mut short) && !poll_once(&mut long));
        thread::spawn(move || block_on(short)).join().unwrap();
        thread::spawn(move || drop(long)).join().unwrap();
        block_on(ThreadRuntime.sleep(2 * SOON));
        let passed = Duration::from_micros(clock.now().mono.as_micros());
        assert!(passed >= 3 * SOON && passed < 500 * SOON, "{passed:?}");
    });
}

/// Longer than any clock can count is for ever, not a panic.
#[test]
fn a_sleep_without_end_ends_not() {
    assert!(!poll_once(&mut ThreadRuntime.sleep(Duration::MAX)));
    assert!(!poll_once(&mut ThreadRuntime.sleep(Duration::from_secs(u32::MAX.into()))));
}

/// A panic in a task is that task's end, and only that.
#[test]
fn a_task_that_panics_harms_nobody() {
    with_watchdog(|| {
        let (near, far) = pair();
        ThreadRuntime.spawn(async move {
            let _held = far;
            std::panic::panic_any("on purpose");
        });
        assert_eq!(block_on(read(&near)), 0);
    });
}
