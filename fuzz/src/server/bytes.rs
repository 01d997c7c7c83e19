//! A server that is sent bytes.

use arbitrary::Unstructured;
use sansmb::{
    server::Server,
    time::{Instant, Now},
    wire::{Command, Dialect, FileTime, Header, Writer},
};

use super::{
    app::{Answer, App},
    ops::Settings,
};
use crate::memory::Budget;

/// The first byte is the server's configuration, the second how the rest is to be read, the third
/// how the application answers:
///
/// - bit 0 of the second: the rest is a byte stream as it is; otherwise every message stands behind
///   its length in two bytes;
/// - bit 1: MessageIds and credits are made right before a message is sent.
pub fn server_bytes(data: &[u8]) {
    let Some(([mode, form, answers], rest)) = data.split_first_chunk() else { return };
    let settings = Settings { require_signing: mode & 1 != 0, encryption: mode >> 1 };
    Budget { base: 2 << 20, factor: 256 }.check(data.len(), || {
        let now = Now { mono: Instant::ORIGIN, wall: FileTime(1) };
        let mut server = Server::new(settings.config());
        let conn = server.open(now);
        let mut app = App::default();
        let mut answer = Answer { kind: 0, n: u16::from(*answers) };
        let mut input = Unstructured::new(rest);
        let mut next_id = 0;
        while !input.is_empty() {
            let message = if form & 1 != 0 {
                input.bytes(input.len().min(1 + usize::from(*answers))).unwrap_or_default().to_vec()
            } else {
                framed(&mut input, form & 2 != 0, &mut next_id)
            };
            server.handle_input(conn, &message, now);
            app.poll(&mut server);
            let late = usize::from(*answers % 3);
            while app.owed.len() > late {
                app.pend(&mut server, late, usize::MAX);
                app.answer(&mut server, late, answer);
                answer.kind = (answer.kind + answers / 16) % 6;
                app.poll(&mut server);
            }
            drain(&mut server, conn);
        }
        while !app.owed.is_empty() {
            app.answer(&mut server, 0, Answer::YES);
            app.poll(&mut server);
        }
        drain(&mut server, conn);
        if let Some(channel) = server.channel(conn) {
            assert_eq!(channel.outstanding(), 0, "requests without a token");
            assert!(channel.dialect().is_none_or(|dialect| Dialect::ALL.contains(&dialect)));
        }
        server.eof(conn);
        app.poll(&mut server);
        server.remove(conn);
        app.poll(&mut server);
        app.check_end();
        assert!(server.sessions().is_empty(), "sessions without a connection");
    });
}

/// The next message behind its transport prefix.
fn framed(input: &mut Unstructured<'_>, repair: bool, next_id: &mut u64) -> Vec<u8> {
    let len = input.arbitrary::<u16>().map_or(0, usize::from).min(input.len());
    let mut message = input.bytes(len).unwrap_or_default().to_vec();
    if repair
        && let Ok(mut header) = Header::decode(&message)
        && header.command != Command::CANCEL
    {
        header.message_id = *next_id;
        header.credit_charge = 1;
        header.credits = 8;
        *next_id += 1;
        let mut bytes = Vec::new();
        header.encode(&mut Writer::new(&mut bytes));
        message[..bytes.len()].copy_from_slice(&bytes);
    }
    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.append(&mut message);
    frame
}

/// Takes all that the server has to say, which must be whole frames.
fn drain(server: &mut Server, conn: sansmb::server::ConnId) {
    loop {
        let mut out = [&[][..]; 16];
        let n = server.poll_transmit(conn, &mut out);
        let len = out[..n].iter().map(|part| part.len()).sum();
        if len == 0 {
            return;
        }
        server.sent(conn, len);
    }
}
