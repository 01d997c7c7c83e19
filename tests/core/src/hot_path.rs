//! One kind of request, over and over: what connections do most of the time.

use bytes::Bytes;
use sansmb::{
    client::{self, Outcome, Payload, TreeRef},
    conn::MessageBuffer,
    op,
    server::{Event, Reply},
    wire::{
        AccessMask, Cipher, CreateDisposition, CreateRequest, CreateResponse, FileId, ReadRequest,
        ShareAccess, SigningAlgorithm, Utf16Buf, WriteResponse,
    },
};

use crate::{Pair, PairConfig};

const FILE: FileId = FileId { persistent: 1, volatile: 2 };

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// ECHO.
    Echo,
    /// READ of 4 KiB; the data are in memory that the server's application shares.
    Read,
    /// READ of 4 KiB; the server's application fills a buffer that the connection lends.
    ReadBuffer,
    /// WRITE of 4 KiB.
    Write,
    /// CREATE.
    Create,
}

/// How messages are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    Plain,
    /// They are signed.
    Signed(SigningAlgorithm),
    /// They are encrypted.
    Encrypted(Cipher),
}

/// A client and a server that are connected, and the requests of one kind that go to and fro between them.
#[derive(Debug)]
pub struct HotPath {
    pair: Pair,
    to: TreeRef,
    ask: Ask,
    /// READ and WRITE are sealed where they lie.
    sealed: bool,
    data: Bytes,
    name: Utf16Buf,
    requests: Vec<u8>,
    answers: Vec<u8>,
}

impl HotPath {
    /// Requests in what one turn sends.
    pub const BATCH: usize = 16;
    /// Bytes of a READ or WRITE.
    pub const PAYLOAD: usize = 4096;

    /// Connects a client that asks in this way to a server, both with the program's ciphers.
    pub fn new(ask: Ask, protection: Protection) -> Self {
        let mut config = PairConfig::default();
        config.client.crypto = sansmb_crypto::default_provider();
        config.server.crypto = sansmb_crypto::default_provider();
        match protection {
            Protection::Plain => {}
            Protection::Signed(algorithm) => {
                config.client.require_signing = true;
                config.client.signing_algorithms = vec![algorithm];
            }
            Protection::Encrypted(cipher) => {
                config.client.encryption = client::EncryptionPolicy::Required;
                config.client.ciphers = vec![cipher];
            }
        }
        let mut pair = Pair::new(config);
        let to = pair.connect().expect("the pair connects");
        Self {
            pair,
            to,
            ask,
            sealed: matches!(protection, Protection::Encrypted(_)),
            data: vec![7; Self::PAYLOAD].into(),
            name: Utf16Buf::new(r"folder\another folder\file.txt"),
            requests: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// The client makes a batch of requests.
    pub fn client_asks(&mut self) {
        let (to, now, client) = (self.to, self.pair.now, &mut self.pair.client);
        for _ in 0..Self::BATCH {
            match self.ask {
                Ask::Echo => {
                    client.echo(to.session, now);
                }
                Ask::Read | Ask::ReadBuffer => {
                    let length = Self::PAYLOAD as u32;
                    let read = ReadRequest { length, file_id: FILE, ..Default::default() };
                    client.request::<op::Read>(to, &read, now);
                }
                Ask::Write => {
                    let payload = if self.sealed {
                        let mut buffer = client.buffer(Self::PAYLOAD);
                        buffer.extend_from_slice(&self.data);
                        Payload::Buffer(buffer)
                    } else {
                        Payload::Shared(self.data.clone())
                    };
                    client.write(to, FILE, 0, payload, now);
                }
                Ask::Create => {
                    let create = CreateRequest {
                        desired_access: AccessMask::FILE_GENERIC_READ,
                        share_access: ShareAccess::READ,
                        create_disposition: CreateDisposition::OPEN,
                        name: self.name.as_utf16(),
                        ..Default::default()
                    };
                    client.request::<op::Create>(to, &create, now);
                }
            }
        }
        self.requests.clear();
        loop {
            let mut segments = [&[][..]; 16];
            let n = client.poll_transmit(&mut segments);
            let len = append(&mut self.requests, &segments[..n]);
            if len == 0 {
                return;
            }
            client.sent(len);
        }
    }

    /// The server takes the batch and answers it.
    pub fn server_answers(&mut self) {
        let (conn, now, server) = (self.pair.conn, self.pair.now, &mut self.pair.server);
        server.handle_input(conn, &self.requests, now);
        while let Some(event) = server.poll_event() {
            match event {
                Event::Read(request) => {
                    let length = request.message.body().expect("it was parsed once").length as usize;
                    let reply = if self.sealed || self.ask == Ask::ReadBuffer {
                        let channel = server.channel(conn).expect("it is connected");
                        let spare = channel.spare_buffer(length);
                        let mut buffer = spare.unwrap_or_else(|| MessageBuffer::with_capacity(length));
                        buffer.extend_from_slice(&self.data[..length]);
                        Reply::buffer(buffer)
                    } else {
                        Reply::shared(self.data.slice(..length))
                    };
                    server.respond(request.token, Ok(reply)).expect("it waits");
                }
                Event::Write(request) => {
                    let count = request.message.data().expect("it was parsed once").len() as u32;
                    server
                        .respond(request.token, Ok(Reply::new(&WriteResponse { count })))
                        .expect("it waits");
                }
                Event::Create(request) => {
                    request.message.body().expect("it was parsed once");
                    let response = CreateResponse { file_id: FILE, ..Default::default() };
                    server.respond(request.token, Ok(Reply::new(&response))).expect("it waits");
                }
                event => panic!("{event:?}"),
            }
        }
        self.answers.clear();
        loop {
            let mut segments = [&[][..]; 16];
            let n = server.poll_transmit(conn, &mut segments);
            let len = append(&mut self.answers, &segments[..n]);
            if len == 0 {
                return;
            }
            server.sent(conn, len);
        }
    }

    /// The client takes the answers.
    pub fn client_takes(&mut self) {
        let client = &mut self.pair.client;
        client.handle_input(&self.answers, self.pair.now);
        let mut done = 0;
        while let Some(event) = client.poll_event() {
            let client::Event::Done { result: Ok(Outcome::Response(response)), .. } = event else {
                panic!("{event:?}")
            };
            match self.ask {
                Ask::Echo => {}
                Ask::Read | Ask::ReadBuffer => {
                    let data = response.read_data().expect("it was parsed once");
                    assert_eq!(data.len(), Self::PAYLOAD);
                }
                Ask::Write => {
                    let written = response.body::<op::Write>().expect("it was parsed once");
                    assert_eq!(written.count as usize, Self::PAYLOAD);
                }
                Ask::Create => {
                    let created = response.body::<op::Create>().expect("it was parsed once");
                    assert_eq!(created.file_id, FILE);
                }
            }
            done += 1;
        }
        assert_eq!(done, Self::BATCH, "not everything is answered");
    }

    /// A whole round.
    pub fn round(&mut self) {
        self.client_asks();
        self.server_answers();
        self.client_takes();
    }
}

/// Takes what is to be sent; how much it is.
fn append(to: &mut Vec<u8>, segments: &[&[u8]]) -> usize {
    segments.iter().for_each(|segment| to.extend_from_slice(segment));
    segments.iter().map(|segment| segment.len()).sum()
}
