//! How fast the core alone is, without sockets and files: a request is decoded, admitted, answered and the answer
//! encoded. Prints operations per second on one core, and allocations per operation once things are warm:
//!
//! ```text
//! cargo bench -p sansmb-tests --bench core
//! ```
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use bytes::Bytes;
use sansmb::{
    client::TreeRef,
    op,
    server::{Event, Reply, Server},
    wire::{
        AccessMask, CreateDisposition, CreateRequest, CreateResponse, EmptyBody, FileId, HEADER_LEN, Header,
        ReadRequest, ShareAccess, Utf16Buf, WriteRequest, WriteResponse,
    },
};
use sansmb_tests::{Pair, PairConfig, framed, frames, raw};

/// Counts how often memory is asked for.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.realloc(at, layout, len) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const FILE: FileId = FileId { persistent: 1, volatile: 2 };
const PAYLOAD: usize = 4096;
/// Requests in what one read of the socket gives.
const BATCH: u64 = 16;
const BATCHES: u64 = 40_000;
const WARM: u64 = 1000;

fn main() {
    println!("{:<14}{:>16}{:>16}", "", "operations/s", "allocations");
    let data = Bytes::from(vec![7; PAYLOAD]);
    row("ECHO", |to| raw::request::<op::Echo>(to, 0, &EmptyBody::default()), |_, event| panic!("{event:?}"));
    let read = ReadRequest { length: PAYLOAD as u32, file_id: FILE, ..Default::default() };
    row(
        "READ 4 KiB",
        |to| raw::request::<op::Read>(to, 0, &read),
        |server, event| {
            let Event::Read(request) = event else { panic!("{event:?}") };
            request.message.body().unwrap();
            server.respond(request.token, Ok(Reply::shared(data.clone()))).unwrap();
        },
    );
    let write = WriteRequest::new(FILE, 0, &data[..]);
    row(
        "WRITE 4 KiB",
        |to| raw::request::<op::Write>(to, 0, &write),
        |server, event| {
            let Event::Write(request) = event else { panic!("{event:?}") };
            let count = request.message.data().unwrap().len() as u32;
            server.respond(request.token, Ok(Reply::new(&WriteResponse { count }))).unwrap();
        },
    );
    let name = Utf16Buf::new(r"folder\another folder\file.txt");
    let create = CreateRequest {
        desired_access: AccessMask::FILE_GENERIC_READ,
        share_access: ShareAccess::READ,
        create_disposition: CreateDisposition::OPEN,
        name: name.as_utf16(),
        ..Default::default()
    };
    row(
        "CREATE",
        |to| raw::request::<op::Create>(to, 0, &create),
        |server, event| {
            let Event::Create(request) = event else { panic!("{event:?}") };
            request.message.body().unwrap();
            let response = CreateResponse { file_id: FILE, ..Default::default() };
            server.respond(request.token, Ok(Reply::new(&response))).unwrap();
        },
    );
}

fn row(what: &str, request: impl FnOnce(TreeRef) -> Vec<u8>, mut answer: impl FnMut(&mut Server, Event)) {
    let mut pair = Pair::new(PairConfig::default());
    let to = pair.connect().expect("the pair connects");
    let sent = frames(&pair.c2s);
    let mut next =
        1 + sent.iter().map(|m| Header::decode(m).expect("a header").message_id).max().unwrap_or(0);
    let mut request = framed(&request(to));
    let len = request.len();
    // Every answer gives as many credits as it took; the first ones give what a batch needs.
    raw::change_header(&mut request[4..], |header| header.credits = BATCH as u16 * 2);
    let mut batch = request.repeat(BATCH as usize);
    let mut run = |batches: u64| {
        for _ in 0..batches {
            for frame in batch.chunks_exact_mut(len) {
                frame[4 + 24..4 + 32].copy_from_slice(&next.to_le_bytes());
                next += 1;
            }
            pair.server.handle_input(pair.conn, &batch, pair.now);
            while let Some(event) = pair.server.poll_event() {
                answer(&mut pair.server, event);
            }
            let sent = loop_out(&mut pair.server, pair.conn);
            assert!(sent > BATCH as usize * HEADER_LEN, "not everything is answered");
        }
    };
    run(WARM);
    let (before, start) = (ALLOCATIONS.load(Relaxed), Instant::now());
    run(BATCHES);
    let (took, after) = (start.elapsed(), ALLOCATIONS.load(Relaxed));
    let operations = (BATCHES * BATCH) as f64;
    println!(
        "{what:<14}{:>16.0}{:>16.2}",
        operations / took.as_secs_f64(),
        (after - before) as f64 / operations
    );
}

/// Takes all that is to be sent; how much it was.
fn loop_out(server: &mut Server, conn: sansmb::server::ConnId) -> usize {
    let mut sent = 0;
    loop {
        let mut segments = [&[][..]; 16];
        let n = server.poll_transmit(conn, &mut segments);
        let len: usize = segments[..n].iter().map(|segment| segment.len()).sum();
        if len == 0 {
            return sent;
        }
        server.sent(conn, len);
        sent += len;
    }
}
