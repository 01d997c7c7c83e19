//! The checks, one function each. They panic when the runtime fails them.

use std::{
    future::{Future, poll_fn},
    io::{ErrorKind, IoSlice},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Poll,
    thread,
    time::Duration,
};

use super::tools::{
    accept, elapsed, join, once, pair, race, read, read_exact, readable, slot, spawn, writable, write_all,
};
use crate::{Clock, Listener, Runtime, Socket};

const MIB: usize = 1 << 20;

/// A piece of a stream in which no offset looks like its neighbours.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Each side writes 64 MiB and reads 64 MiB at the same time, in one task a side.
pub async fn streams_64_mib_both_ways_at_once<R: Runtime>(rt: R) {
    let (near, far) = pair(&rt).await;
    let far = spawn(&rt, stream_both_ways(far));
    join(stream_both_ways(near), far).await;
}

async fn stream_both_ways<S: Socket>(socket: S) {
    let chunk = pattern(MIB);
    let write = async {
        for _ in 0..64 {
            write_all(&socket, &chunk).await.unwrap();
        }
        socket.shutdown().unwrap();
    };
    let read = async {
        let mut buf = vec![0; MIB];
        for _ in 0..64 {
            read_exact(&socket, &mut buf).await.unwrap();
            assert!(buf == chunk);
        }
        assert_eq!(read(&socket, &mut buf).await.unwrap(), 0);
    };
    join(write, read).await;
}

/// A server sends back what comes, a client sends pieces of all sizes and waits for each.
pub async fn echoes_pieces_of_odd_sizes<R: Runtime>(rt: R) {
    let (near, far) = pair(&rt).await;
    let server = spawn(&rt, echo(far));
    let data = pattern(MIB);
    let mut back = vec![0; MIB];
    for len in [1, 2, 3, 7, 8, 255, 4096, 65_537, MIB - 1, MIB, 1] {
        let (sent, got) = join(write_all(&near, &data[..len]), read_exact(&near, &mut back[..len])).await;
        sent.unwrap();
        got.unwrap();
        assert!(back[..len] == data[..len]);
    }
    near.shutdown().unwrap();
    assert_eq!(read(&near, &mut back).await.unwrap(), 0);
    server.await;
}

async fn echo<S: Socket>(socket: S) {
    let mut buf = vec![0; 10_007];
    loop {
        match read(&socket, &mut buf).await.unwrap() {
            0 => return socket.shutdown().unwrap(),
            n => write_all(&socket, &buf[..n]).await.unwrap(),
        }
    }
}

/// `try_` calls say WouldBlock, and waiting after that ends once there is something to do.
pub async fn says_would_block_and_wakes_when_that_is_over<R: Runtime>(rt: R) {
    let (near, far) = pair(&rt).await;
    for _ in 0..3 {
        assert_eq!(near.try_read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    let piece = pattern(MIB);
    let mut sent = 0;
    loop {
        match near.try_write(&[IoSlice::new(&piece)]) {
            Ok(n) => sent += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                // Believed only if the socket still says so after a wait: a runtime may have been wrong.
                let patience = rt.sleep(Duration::from_millis(200));
                if race(writable(&near), patience).await.is_err() {
                    break;
                }
            }
            Err(e) => panic!("{e}"),
        }
    }
    let reader = spawn(&rt, async move {
        let mut buf = vec![0; MIB];
        let mut got = 0;
        loop {
            match read(&far, &mut buf).await.unwrap() {
                0 => return got,
                n => got += n,
            }
        }
    });
    writable(&near).await.unwrap();
    write_all(&near, &piece).await.unwrap();
    near.shutdown().unwrap();
    assert_eq!(reader.await, sent + MIB);
}

/// Room that the other end makes while a task works is found by trying, without going back to the runtime first: a
/// server reads a file in pieces and sends in between what is ready.
pub async fn finds_room_without_waiting_for_it<R: Runtime>(rt: R) {
    let listener = rt.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let mut far = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let near = accept(&listener).await.unwrap();
    let piece = pattern(MIB);
    let sent = AtomicUsize::new(0);
    let fill = || loop {
        match near.try_write(&[IoSlice::new(&piece)]) {
            Ok(n) => sent.fetch_add(n, Relaxed),
            Err(e) => return assert_eq!(e.kind(), ErrorKind::WouldBlock),
        };
    };
    // The runtime has told of all that there is to tell: the socket stays full.
    while {
        fill();
        race(writable(&near), rt.sleep(Duration::from_millis(200))).await.is_ok()
    } {}
    let before = sent.load(Relaxed);
    // All of it in one go of this task.
    std::io::Read::read_exact(&mut far, &mut vec![0; before]).unwrap();
    let clock = Clock::default();
    while sent.load(Relaxed) == before {
        assert!(elapsed(&clock) < 10_000, "it still would block");
        fill();
    }
}

/// A reader that waits before anything is sent wakes up, again and again.
pub async fn wakes_a_reader_that_waits<R: Runtime>(rt: R) {
    let (near, far) = pair(&rt).await;
    let sleeper = rt.clone();
    let writer = spawn(&rt, async move {
        for byte in 0..20 {
            sleeper.sleep(Duration::from_millis(5)).await;
            write_all(&far, &[byte]).await.unwrap();
        }
    });
    for byte in 0..20 {
        let mut buf = [0];
        read_exact(&near, &mut buf).await.unwrap();
        assert_eq!(buf, [byte]);
    }
    writer.await;
}

/// A thousand timers end in good time and none early; timers given up do not matter.
pub async fn sleeps_as_long_as_asked<R: Runtime>(rt: R) {
    let clock = Clock::new();
    rt.sleep(Duration::ZERO).await;
    for _ in 0..100 {
        let mut given_up = rt.sleep(Duration::from_secs(3600));
        assert!(once(|cx| Pin::new(&mut given_up).poll(cx)).await.is_pending());
    }
    let tasks: Vec<_> = (0..10)
        .map(|task| {
            let rt2 = rt.clone();
            spawn(&rt, async move {
                let mut timers: Vec<_> = (0..100)
                    .map(|n| {
                        let ms = (n * 37 + task) % 150;
                        (rt2.sleep(Duration::from_millis(ms)), ms, false)
                    })
                    .collect();
                poll_fn(|cx| {
                    for (timer, ms, done) in timers.iter_mut().filter(|(.., done)| !done) {
                        *done = Pin::new(timer).poll(cx).is_ready();
                        assert!(!*done || elapsed(&clock) >= *ms, "ended before {ms} ms");
                    }
                    if timers.iter().all(|(.., done)| *done) { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
            })
        })
        .collect();
    for task in tasks {
        task.await;
    }
    let ms = elapsed(&clock);
    assert!((149..5_000).contains(&ms), "{ms} ms for timers of at most 150 ms");
}

/// Whichever of a timer and a socket comes first wakes the task.
pub async fn a_timer_and_a_socket_race<R: Runtime>(rt: R) {
    let (near, far) = pair(&rt).await;
    let mut buf = [0];
    for _ in 0..3 {
        let timer = rt.sleep(Duration::from_millis(20));
        assert!(race(read_exact(&near, &mut buf), timer).await.is_err(), "nothing was sent");
    }
    let delay = rt.sleep(Duration::from_millis(20));
    let writer = spawn(&rt, async move {
        delay.await;
        write_all(&far, &[7]).await.unwrap();
        far
    });
    let timer = rt.sleep(Duration::from_secs(3600));
    race(read_exact(&near, &mut buf), timer).await.expect("the byte was sent").unwrap();
    assert_eq!(buf, [7]);
    writer.await;
}

/// Wakers work from threads that the runtime does not know, before, during and after the poll.
pub async fn wakes_from_other_threads<R: Runtime>(rt: R) {
    // A timer and a socket are waited for as well, so that the runtime sleeps in all its ways.
    let (near, _far) = pair(&rt).await;
    let mut hour = rt.sleep(Duration::from_secs(3600));
    let mut waiting = pin!(readable(&near));
    if once(|cx| waiting.as_mut().poll(cx)).await.is_ready() {
        assert_eq!(near.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    for round in 0..300 {
        let (fill, slot) = slot();
        let thread = thread::spawn(move || {
            if round % 30 == 0 {
                thread::sleep(Duration::from_millis(10));
            }
            fill.put(round);
        });
        let mut slot = pin!(slot);
        let got = poll_fn(|cx| {
            assert!(Pin::new(&mut hour).poll(cx).is_pending());
            slot.as_mut().poll(cx)
        });
        assert_eq!(got.await, round);
        thread.join().unwrap();
    }
    // Two tasks of the runtime, thousands of times back and forth.
    let mut baton = 0_u32;
    while baton < 2_000 {
        let (fill, slot) = slot();
        rt.spawn(async move { fill.put(baton + 1) });
        baton = slot.await;
    }
}

/// A task that wakes itself while it is polled is polled again, and others get their turn.
pub async fn a_wake_during_a_poll_is_not_lost<R: Runtime>(rt: R) {
    let (near, far) = pair(&rt).await;
    let writer = spawn(&rt, async move { write_all(&far, &[1]).await.map(|()| far).unwrap() });
    let mut polls = 0_u32;
    let mut buf = [0];
    let mut byte = pin!(read_exact(&near, &mut buf));
    poll_fn(|cx| {
        polls += 1;
        cx.waker().wake_by_ref();
        // The socket must get through although the task is never idle.
        if byte.as_mut().poll(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    writer.await;
    let mut left = 1_000;
    poll_fn(|cx| {
        left -= 1;
        cx.waker().wake_by_ref();
        if left == 0 { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A hundred connections at once, each with a task at both ends.
pub async fn accepts_100_connections<R: Runtime>(rt: R) {
    let listener = rt.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    assert!(addr.port() != 0 && addr.ip().is_loopback());
    let clients: Vec<_> = (0..100_u8)
        .map(|n| {
            let rt2 = rt.clone();
            spawn(&rt, async move {
                let socket = rt2.connect(addr).await.unwrap();
                assert_eq!(socket.peer_addr().unwrap(), addr);
                write_all(&socket, &[n; 999]).await.unwrap();
                socket.shutdown().unwrap();
                let mut back = [0; 999];
                read_exact(&socket, &mut back).await.unwrap();
                assert_eq!(back, [n; 999]);
            })
        })
        .collect();
    for _ in 0..100 {
        let socket = accept(&listener).await.unwrap();
        assert!(socket.peer_addr().unwrap().ip().is_loopback());
        rt.spawn(echo(socket));
    }
    for client in clients {
        client.await;
    }
    // Nobody else comes.
    let timer = rt.sleep(Duration::from_millis(20));
    assert!(race(accept(&listener), timer).await.is_err());
}

/// After a shutdown the other side reads the end, and can still write.
pub async fn shutdown_ends_one_direction_only<R: Runtime>(rt: R) {
    let (near, far) = pair(&rt).await;
    write_all(&near, b"last words").await.unwrap();
    near.shutdown().unwrap();
    let mut buf = [0; 10];
    read_exact(&far, &mut buf).await.unwrap();
    assert_eq!(&buf, b"last words");
    for _ in 0..3 {
        assert_eq!(read(&far, &mut buf).await.unwrap(), 0);
        readable(&far).await.unwrap();
    }
    write_all(&far, b"an answer").await.unwrap();
    read_exact(&near, &mut buf[..9]).await.unwrap();
    assert_eq!(&buf[..9], b"an answer");
    drop(far);
    assert_eq!(read(&near, &mut buf).await.unwrap(), 0);
}

/// A connection that the peer tore down wakes the reader with an error or the end.
pub async fn a_reset_is_noticed<R: Runtime>(rt: R) {
    let (near, far) = pair(&rt).await;
    write_all(&near, b"unread").await.unwrap();
    let delay = rt.sleep(Duration::from_millis(20));
    rt.spawn(async move {
        delay.await;
        // Unread bytes make this a reset.
        drop(far);
    });
    let end = read(&near, &mut [0; 8]).await;
    assert!(matches!(&end, Ok(0)) || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
}

/// A task may begin to wait for a socket and hand it to another task, where it works and closes.
pub async fn a_socket_moves_between_tasks<R: Runtime>(rt: R) {
    for _ in 0..20 {
        let (near, far) = pair(&rt).await;
        let _ = near.try_read(&mut [0]);
        let _ = once(|cx| near.poll_readable(cx)).await;
        let _ = once(|cx| near.poll_writable(cx)).await;
        let second = spawn(&rt, async move {
            let mut buf = [0];
            read_exact(&near, &mut buf).await.unwrap();
            let _ = near.try_read(&mut [0]);
            let _ = once(|cx| near.poll_readable(cx)).await;
            (near, buf)
        });
        rt.sleep(Duration::from_millis(2)).await;
        write_all(&far, b"x").await.unwrap();
        let (near, buf) = second.await;
        assert_eq!(&buf, b"x");
        // Two tasks have asked; that must not keep the socket open, nor take the wake-up from a third.
        let third = spawn(&rt, async move { read(&near, &mut [0]).await.unwrap() });
        rt.sleep(Duration::from_millis(2)).await;
        far.shutdown().unwrap();
        assert_eq!(third.await, 0);
        assert_eq!(read(&far, &mut [0]).await.unwrap(), 0);
    }
}

/// Nobody listens: the error says so.
pub async fn a_refused_connect_is_an_error<R: Runtime>(rt: R) {
    let listener = rt.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let addr = listener.local_addr().unwrap();
    drop(listener);
    let error = rt.connect(addr).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// Somebody listens already: the error says so.
pub async fn a_taken_port_is_an_error<R: Runtime>(rt: R) {
    let listener = rt.bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let error = rt.bind(listener.local_addr().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

/// Names and numbers become addresses; what is no name becomes an error.
pub async fn resolves_names<R: Runtime>(rt: R) {
    assert_eq!(rt.resolve("192.0.2.7", 445).await.unwrap(), [([192, 0, 2, 7], 445).into()]);
    assert_eq!(rt.resolve("::1", 445).await.unwrap(), ["[::1]:445".parse().unwrap()]);
    let addrs = rt.resolve("localhost", 445).await.unwrap();
    assert!(!addrs.is_empty() && addrs.iter().all(|a| a.ip().is_loopback() && a.port() == 445));
    assert!(rt.resolve("no\0name", 445).await.is_err());
}

/// Tasks that wait for nothing in particular are left alone.
pub async fn idle_tasks_are_not_polled<R: Runtime>(rt: R) {
    let polls = Arc::new(AtomicUsize::new(0));
    let mut ends = Vec::new();
    for _ in 0..20 {
        let (near, far) = pair(&rt).await;
        let polls = Arc::clone(&polls);
        let task = spawn(&rt, async move {
            let mut buf = [0];
            let mut reading = pin!(read(&far, &mut buf));
            let counted = poll_fn(|cx| {
                polls.fetch_add(1, Relaxed);
                reading.as_mut().poll(cx)
            });
            assert_eq!(counted.await.unwrap(), 0);
        });
        ends.push((near, task));
    }
    rt.sleep(Duration::from_millis(300)).await;
    let polled = polls.load(Relaxed);
    assert!(polled <= 100, "{polled} polls of 20 tasks with nothing to do");
    for (near, task) in ends {
        drop(near);
        task.await;
    }
}
