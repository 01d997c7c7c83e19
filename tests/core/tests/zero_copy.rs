//! No payload is copied between the socket and the storage or the caller: the memory is the same.

use std::ops::Range;

use bytes::Bytes;
use sansmb::{
    client::{EncryptionPolicy, Event as ClientEvent, Member, Outcome, Payload, TreeRef},
    conn::MessageBuffer,
    op,
    server::{Event, Reply, Request},
    wire::{Bulk, Cipher, FileId, ReadRequest, WriteRequest, WriteResponse},
};
use sansmb_tests_core::{Pair, PairConfig};

const FILE: FileId = FileId { persistent: 1, volatile: 2 };

/// What lies in the scan buffer with others, what fills most of it, and what needs more.
const SIZES: [usize; 4] = [4096, 40 << 10, 64 << 10, 1 << 20];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protection {
    Plain,
    Signed,
    Encrypted,
}

const ALL: [Protection; 3] = [Protection::Plain, Protection::Signed, Protection::Encrypted];

type Memory = Range<*const u8>;

fn within(inner: &Memory, outer: &Memory) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

fn connect(protection: Protection) -> (Pair, TreeRef) {
    let mut config = PairConfig::default();
    match protection {
        Protection::Plain => {}
        Protection::Signed => config.client.require_signing = true,
        Protection::Encrypted => {
            config.client.encryption = EncryptionPolicy::Required;
            config.client.ciphers = vec![Cipher::AES_128_GCM];
        }
    }
    let mut pair = Pair::new(config);
    let to = pair.connect().expect("the pair connects");
    (pair, to)
}

/// What is to be sent, and where it lies.
fn offered<'a>(poll: impl FnOnce(&mut [&'a [u8]]) -> usize) -> (Vec<u8>, Vec<Memory>) {
    let mut out = [&[][..]; 64];
    let n = poll(&mut out);
    (out[..n].concat(), out[..n].iter().map(|segment| segment.as_ptr_range()).collect())
}

/// Carries what the client sends to the server; where the server had it put.
fn to_server(pair: &mut Pair) -> Vec<Memory> {
    let (bytes, _) = offered(|out| pair.client.poll_transmit(out));
    pair.client.sent(bytes.len());
    let (mut left, mut memory) = (&bytes[..], Vec::new());
    while !left.is_empty() {
        let target = pair.server.recv_target(pair.conn).expect("it is connected");
        let n = target.len().min(left.len());
        target[..n].copy_from_slice(&left[..n]);
        memory.push(target[..n].as_ptr_range());
        pair.server.received(pair.conn, n, pair.now);
        left = &left[n..];
    }
    memory
}

/// Carries what the server sends to the client; where it lay, and where the client had it put.
fn to_client(pair: &mut Pair) -> (Vec<Memory>, Vec<Memory>) {
    let conn = pair.conn;
    let (bytes, lay) = offered(|out| pair.server.poll_transmit(conn, out));
    pair.server.sent(conn, bytes.len());
    let (mut left, mut memory) = (&bytes[..], Vec::new());
    while !left.is_empty() {
        let target = pair.client.recv_target();
        let n = target.len().min(left.len());
        target[..n].copy_from_slice(&left[..n]);
        memory.push(target[..n].as_ptr_range());
        pair.client.received(n, pair.now);
        left = &left[n..];
    }
    (lay, memory)
}

fn start_read(pair: &mut Pair, to: TreeRef, len: usize) -> Request<op::Read> {
    let read = ReadRequest { length: len as u32, file_id: FILE, ..Default::default() };
    pair.client.request::<op::Read>(to, &read, pair.now);
    to_server(pair);
    match pair.server.poll_event() {
        Some(Event::Read(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(pair: &mut Pair) -> sansmb::client::Response {
    match pair.client.poll_event() {
        Some(ClientEvent::Done { result: Ok(Outcome::Response(response)), .. }) => response,
        other => panic!("{other:?}"),
    }
}

fn buffer(data: &[u8]) -> MessageBuffer {
    let mut buffer = MessageBuffer::with_capacity(data.len());
    buffer.extend_from_slice(data);
    buffer
}

#[test]
fn what_a_server_reads_is_sent_from_where_the_storage_has_it() {
    for protection in [Protection::Plain, Protection::Signed] {
        for len in SIZES {
            let (mut pair, to) = connect(protection);
            let data = Bytes::from(vec![7; len]);
            let request = start_read(&mut pair, to, len);
            pair.server.respond(request.token, Ok(Reply::shared(data.clone()))).expect("it waits");
            let (lay, _) = to_client(&mut pair);
            assert!(lay.contains(&data.as_ptr_range()), "{len} bytes, {protection:?}");
            assert_eq!(response(&mut pair).read_data().expect("data"), data);
        }
    }
}

#[test]
fn what_a_server_reads_into_a_buffer_is_sent_and_sealed_there() {
    for protection in ALL {
        for len in SIZES {
            let (mut pair, to) = connect(protection);
            let data = vec![7; len];
            let request = start_read(&mut pair, to, len);
            let buffer = buffer(&data);
            let memory = buffer.payload().as_ptr_range();
            pair.server.respond(request.token, Ok(Reply::buffer(buffer))).expect("it waits");
            let (lay, _) = to_client(&mut pair);
            assert!(lay.iter().any(|segment| within(&memory, segment)), "{len} bytes, {protection:?}");
            assert_eq!(response(&mut pair).read_data().expect("data"), data);
        }
    }
}

#[test]
fn what_a_server_reads_for_a_member_of_a_compound_is_sent_from_where_it_lies() {
    for protection in [Protection::Plain, Protection::Signed] {
        for shared in [false, true] {
            let (mut pair, to) = connect(protection);
            let read = ReadRequest { length: 4096, file_id: FILE, ..Default::default() };
            let members = vec![Member::new::<op::Read>(&read), Member::new::<op::Read>(&read)];
            pair.client.compound(to, members, pair.now);
            to_server(&mut pair);
            let mut memory = Vec::new();
            while let Some(Event::Read(request)) = pair.server.poll_event() {
                let reply = if shared {
                    let data = Bytes::from(vec![7; 4095]);
                    memory.push(data.as_ptr_range());
                    Reply::shared(data)
                } else {
                    let buffer = buffer(&[7; 4095]);
                    memory.push(buffer.payload().as_ptr_range());
                    Reply::buffer(buffer)
                };
                pair.server.respond(request.token, Ok(reply)).expect("it waits");
            }
            assert_eq!(memory.len(), 2);
            let (lay, _) = to_client(&mut pair);
            assert!(memory.iter().all(|memory| lay.contains(memory)), "{protection:?}, shared: {shared}");
            for _ in 0..2 {
                assert_eq!(response(&mut pair).read_data().expect("data"), [7; 4095][..]);
            }
        }
    }
}

/// The second of two, since the beginning of the first one may come with what was before it.
#[test]
fn what_a_server_is_to_write_lies_where_the_socket_put_it() {
    for protection in ALL {
        for len in SIZES {
            let (mut pair, to) = connect(protection);
            let data = Bytes::from(vec![7; len]);
            let mut memory = Vec::new();
            for _ in 0..2 {
                pair.client.write(to, FILE, 0, data.clone().into(), pair.now);
                memory = to_server(&mut pair);
            }
            let mut written = Vec::new();
            while let Some(Event::Write(request)) = pair.server.poll_event() {
                written.push(request.message.data().expect("data"));
            }
            assert_eq!(written.len(), 2);
            assert!(written.iter().all(|written| *written == data));
            let written = written[1].as_ptr_range();
            assert!(memory.iter().any(|read| within(&written, read)), "{len} bytes, {protection:?}");
        }
    }
}

#[test]
fn what_a_client_writes_is_sent_from_where_the_caller_has_it() {
    for protection in [Protection::Plain, Protection::Signed] {
        for len in SIZES {
            let (mut pair, to) = connect(protection);
            let data = Bytes::from(vec![7; len]);
            pair.client.write(to, FILE, 0, data.clone().into(), pair.now);
            let (_, lay) = offered(|out| pair.client.poll_transmit(out));
            assert!(lay.contains(&data.as_ptr_range()), "{len} bytes, {protection:?}");
        }
    }
}

#[test]
fn what_a_client_writes_from_a_buffer_is_sent_and_sealed_there() {
    for protection in ALL {
        for len in SIZES {
            let (mut pair, to) = connect(protection);
            let buffer = buffer(&vec![7; len]);
            let memory = buffer.payload().as_ptr_range();
            pair.client.write(to, FILE, 0, Payload::Buffer(buffer), pair.now);
            let (_, lay) = offered(|out| pair.client.poll_transmit(out));
            assert!(lay.iter().any(|segment| within(&memory, segment)), "{len} bytes, {protection:?}");
            to_server(&mut pair);
            let Some(Event::Write(request)) = pair.server.poll_event() else { panic!("no WRITE") };
            assert_eq!(request.message.data().expect("data"), vec![7; len]);
            let count = len as u32;
            pair.server.respond(request.token, Ok(Reply::new(&WriteResponse { count }))).expect("it waits");
            to_client(&mut pair);
            assert_eq!(response(&mut pair).body::<op::Write>().expect("a body").count, count);
        }
    }
}

#[test]
fn what_a_client_writes_in_a_compound_is_sent_from_where_it_lies() {
    for protection in [Protection::Plain, Protection::Signed] {
        let (mut pair, to) = connect(protection);
        let data = Bytes::from(vec![7; 4095]);
        let write = WriteRequest::new(FILE, 0, Bulk(data.len()));
        let buffer = buffer(&data);
        let memory = [data.as_ptr_range(), buffer.payload().as_ptr_range()];
        let payloads = [Payload::Shared(data.clone()), Payload::Buffer(buffer)];
        let members = payloads.into_iter().map(|payload| Member::write(&write, payload)).collect();
        pair.client.compound(to, members, pair.now);
        let (_, lay) = offered(|out| pair.client.poll_transmit(out));
        assert!(memory.iter().all(|memory| lay.contains(memory)), "{protection:?}");
        to_server(&mut pair);
        for _ in 0..2 {
            let Some(Event::Write(request)) = pair.server.poll_event() else { panic!("no WRITE") };
            assert_eq!(request.message.data().expect("data"), data);
            pair.server
                .respond(request.token, Ok(Reply::new(&WriteResponse { count: 4095 })))
                .expect("it waits");
        }
    }
}

/// The second of two, as above.
#[test]
fn what_a_client_reads_lies_where_the_socket_put_it() {
    for protection in ALL {
        for len in SIZES {
            let (mut pair, to) = connect(protection);
            let data = Bytes::from(vec![7; len]);
            let mut memory = Vec::new();
            for _ in 0..2 {
                let request = start_read(&mut pair, to, len);
                pair.server.respond(request.token, Ok(Reply::shared(data.clone()))).expect("it waits");
                memory = to_client(&mut pair).1;
            }
            response(&mut pair);
            let got = response(&mut pair).read_data().expect("data");
            assert_eq!(got, data);
            let got = got.as_ptr_range();
            assert!(memory.iter().any(|read| within(&got, read)), "{len} bytes, {protection:?}");
        }
    }
}
