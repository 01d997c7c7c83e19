//! A client in the middle of its work that is sent bytes.

use arbitrary::Unstructured;
use sansmb::{
    client::Client,
    time::{Instant, Now},
    wire::{FileTime, Flags, Header, Writer},
};

use super::{
    host::Host,
    user::{Request, Settings, User},
};
use crate::memory::Budget;

/// The first two bytes are what the client is set to, the third how the rest is to be read, the
/// fourth how far the client is.
///
/// - bit 0 of the third: the rest is a byte stream as it is; otherwise every message stands behind
///   its length in two bytes;
/// - bit 1: messages are made answers to what was asked.
pub fn client_bytes(data: &[u8]) {
    let Some(([mode, dialect, form, stage], rest)) = data.split_first_chunk() else { return };
    let set = |bit: u8| mode & (1 << bit) != 0;
    let settings = Settings {
        require_signing: set(0),
        encryption: mode >> 1,
        multi_protocol: set(3),
        dialect: *dialect,
        no_later: set(4),
        allow_guest: set(5),
        short_queue: set(6),
        host_encrypts: set(7),
    };
    Budget { base: 2 << 20, factor: 256 }.check(data.len(), || {
        let now = Now { mono: Instant::ORIGIN, wall: FileTime(1) };
        let mut client = Client::new(settings.config(), now);
        let mut host = Host::new(settings.dialect(), settings.host_encrypts);
        let mut user = User::default();
        let mut settle = |client: &mut Client, user: &mut User| {
            host.take(client, usize::MAX);
            host.settle(client, now);
            user.poll(client);
        };
        user.log_on(&mut client, 0, now);
        if stage & 3 > 0 {
            (0..3).for_each(|_| settle(&mut client, &mut user));
            user.tree_connect(&mut client, 0, now);
        }
        if stage & 3 > 1 {
            (0..2).for_each(|_| settle(&mut client, &mut user));
            let requests =
                [Request::Read(9000), Request::QueryInfo, Request::Ioctl(3), Request::ChangeNotify];
            requests.into_iter().for_each(|what| user.request(&mut client, 0, what, now));
            user.compound(&mut client, 0, &[Request::Create, Request::Read(70), Request::Close], now);
        }
        host.take(&mut client, usize::MAX);
        let mut input = Unstructured::new(rest);
        let mut nth = 0;
        while !input.is_empty() {
            if form & 1 != 0 {
                let len = input.len().min(1 + usize::from(*stage));
                client.handle_input(input.bytes(len).unwrap_or_default(), now);
            } else {
                let message = message(&mut input, (form & 2 != 0).then(|| host.nth(nth)).flatten());
                client.handle_input(&message, now);
                nth += 1;
            }
            user.poll(&mut client);
            while user.waits_for_others() {
                user.answer_need(&mut client, 0, now);
                user.poll(&mut client);
            }
            host.take(&mut client, usize::MAX);
        }
        client.eof();
        user.poll(&mut client);
        assert!(user.is_done());
    });
}

/// The next message behind its transport prefix, as an answer to `to`.
fn message(input: &mut Unstructured<'_>, to: Option<(u64, sansmb::wire::Command)>) -> Vec<u8> {
    let len = input.arbitrary::<u16>().map_or(0, usize::from).min(input.len());
    let mut message = input.bytes(len).unwrap_or_default().to_vec();
    if let (Some((id, command)), Ok(mut header)) = (to, Header::decode(&message)) {
        header.message_id = id;
        header.command = command;
        header.flags |= Flags::SERVER_TO_REDIR | Flags::SIGNED;
        header.signature = [0; 16];
        let mut bytes = Vec::new();
        header.encode(&mut Writer::new(&mut bytes));
        message[..bytes.len()].copy_from_slice(&bytes);
    }
    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.append(&mut message);
    frame
}
