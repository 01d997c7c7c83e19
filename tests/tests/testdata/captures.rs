//! What Samba's client and server said to each other, opened, verified and decoded.

use sansmb::crypto::{CryptoProvider, open_message, verify_message};
use sansmb::wire::{
    Flags, HEADER_LEN, Header, NtStatus, PROTOCOL_ID, SMB1_PROTOCOL_ID, SessionId, Smb1NegotiateRequest,
    TRANSFORM_PROTOCOL_ID, TransformHeader,
};
use sansmb_crypto::RustCrypto;

use super::capture::{Capture, Frame, Keys};
use super::{body, files};

/// How many messages a capture holds, of which kinds.
#[derive(Debug, Default)]
struct Seen {
    messages: usize,
    sealed: usize,
    signed: usize,
}

/// Opens the frame, if it is encrypted.
fn opened(frame: &Frame, keys: &[Keys], seen: &mut Seen) -> Vec<u8> {
    if !frame.bytes.starts_with(&TRANSFORM_PROTOCOL_ID) {
        return frame.bytes.clone();
    }
    let session = SessionId(TransformHeader::decode(&frame.bytes).unwrap().session_id.get());
    let (cipher, to_server, to_client) = keys
        .iter()
        .find(|k| k.session_id == session && k.sealing.is_some())
        .unwrap()
        .sealing
        .as_ref()
        .unwrap();
    let key = if frame.from_server { to_client } else { to_server };
    let mut bytes = frame.bytes.clone();
    let range = open_message(&*RustCrypto.sealer(*cipher, key).unwrap(), *cipher, &mut bytes).unwrap();
    seen.sealed += 1;
    bytes[range].to_vec()
}

/// The messages of a compound.
fn messages(frame: &[u8]) -> Vec<&[u8]> {
    let (mut out, mut rest) = (Vec::new(), frame);
    while rest.len() >= HEADER_LEN {
        let next = Header::decode(rest).unwrap().next_command as usize;
        let (message, later) = rest.split_at(if next == 0 { rest.len() } else { next });
        out.push(message);
        rest = later;
    }
    out
}

fn verify(message: &[u8], header: &Header, keys: &[Keys]) -> bool {
    keys.iter().filter(|k| k.session_id == header.session_id).any(|k| {
        let signer = RustCrypto.signer(k.signing.0, &k.signing.1).unwrap();
        verify_message(&*signer, message, &[]).is_ok()
    })
}

fn check(name: &str, capture: &Capture) -> Seen {
    let mut seen = Seen::default();
    for frame in &capture.frames {
        let bytes = opened(frame, &capture.keys, &mut seen);
        if bytes.starts_with(&SMB1_PROTOCOL_ID) {
            // An SMB1 response only says that no dialect fits.
            assert!(frame.from_server || Smb1NegotiateRequest::decode(&bytes).is_ok(), "{name}");
            continue;
        }
        assert!(bytes.starts_with(&PROTOCOL_ID), "{name}");
        for message in messages(&bytes) {
            let header = Header::decode(message).unwrap();
            seen.messages += 1;
            // About a session that the connection does not have, smbd echoes the request's signature.
            let echo = frame.from_server && header.status == NtStatus::USER_SESSION_DELETED;
            if header.flags.contains(Flags::SIGNED) && !echo {
                seen.signed += 1;
                assert!(verify(message, &header, &capture.keys), "{name}: bad signature: {header:?}");
            }
            if let Err(error) = body::rebuilt(message) {
                panic!("{name}: {error}: {header:?}");
            }
        }
    }
    seen
}

#[test]
fn every_message_of_samba_is_understood() {
    let mut sum = Seen::default();
    for path in files("captures", ".pcapng") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let seen = check(&name, &Capture::read(&path));
        assert_eq!(seen.sealed > 0, name.contains("encrypt"), "{name}: {seen:?}");
        sum = Seen {
            messages: sum.messages + seen.messages,
            sealed: sum.sealed + seen.sealed,
            signed: sum.signed + seen.signed,
        };
    }
    // A reader that skips messages would pass everything above.
    assert!(sum.messages > 9000 && sum.sealed > 1100 && sum.signed > 2000, "{sum:?}");
}
