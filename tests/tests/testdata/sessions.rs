//! The conversations of [MS-SMB2] chapter 4, field for field.

use sansmb::wire::{Header, SMB1_PROTOCOL_ID, Smb1Header, Smb1NegotiateRequest, Writer};

use super::{body, files};
use sansmb_tests::transcript::{Message, read};

#[test]
fn bytes_follow_from_fields() {
    for path in files("sessions", ".txt") {
        for message in read(&path) {
            assert!(message.built() == message.bytes, "{}: {}", path.display(), message.title);
        }
    }
}

#[test]
fn headers_decode_to_their_fields() {
    for path in files("sessions", ".txt") {
        for message in read(&path) {
            if message.bytes.starts_with(&SMB1_PROTOCOL_ID) {
                smb1(&message);
                continue;
            }
            let header = Header::decode(&message.bytes).unwrap();
            let number = |name: &str| message.number(&format!("header.{name}"));
            assert_eq!(u64::from(header.credit_charge), number("credit_charge"));
            assert_eq!(u64::from(header.status.0), number("status"));
            assert_eq!(u64::from(header.command.0), number("command"));
            assert_eq!(u64::from(header.credits), number("credits"));
            assert_eq!(u64::from(header.flags.bits()), number("flags"));
            assert_eq!(u64::from(header.next_command), number("next_command"));
            assert_eq!(header.message_id, number("message_id"));
            assert_eq!(u64::from(header.process_id), number("process_id"));
            assert_eq!(u64::from(header.tree_id.0), number("tree_id"));
            assert_eq!(header.session_id.0, number("session_id"));
            assert_eq!(header.is_response(), message.title.starts_with("S:"));
        }
    }
}

/// Messages that mean the same when the codec writes them, but have other bytes, and why.
const OTHERWISE: [(&str, &str); 1] = [(
    "C: IOCTL for the server's network interfaces",
    "the offsets of empty buffers are zero here; ours point behind the fixed part, where one byte follows",
)];

/// What the codec understands it writes again byte for byte.
#[test]
fn bodies_are_written_as_they_were() {
    let mut otherwise = 0;
    for path in files("sessions", ".txt") {
        for message in read(&path).iter().filter(|m| !m.bytes.starts_with(&SMB1_PROTOCOL_ID)) {
            let place = format!("{}: {}", path.display(), message.title);
            let rebuilt = body::rebuilt(&message.bytes).unwrap_or_else(|error| panic!("{place}: {error}"));
            if OTHERWISE.iter().any(|(title, _)| *title == message.title) {
                otherwise += 1;
                assert!(rebuilt != message.bytes, "{place}: strike it from the list");
            } else {
                assert!(rebuilt == message.bytes, "{place}\n{rebuilt:02x?}\n{:02x?}", message.bytes);
            }
        }
    }
    assert_eq!(otherwise, OTHERWISE.len());
}

fn smb1(message: &Message) {
    let request = Smb1NegotiateRequest::decode(&message.bytes).unwrap();
    let header = Smb1Header::decode(&message.bytes).unwrap();
    assert_eq!(u64::from(header.command), message.number("header.command"));
    assert_eq!(u64::from(header.flags2), message.number("header.flags2"));
    assert_eq!(u64::from(header.pid_low), message.number("header.pid"));
    let mut out = Vec::new();
    request.encode(&mut Writer::new(&mut out));
    assert_eq!(out, message.bytes);
}
