//! NEGOTIATE: rows N1 to N5 and N18 of docs/abuse.md, at the level of the state machines.

use sansmb::{
    client::TreeRef,
    op,
    server::CloseReason,
    wire::{
        Body, Cipher, Command, CompressionAlgorithm, CtlCode, Dialect, FileId, Flags, Guid, HEADER_LEN,
        HashAlgorithm, Header, IoctlFlags, IoctlRequest, NegotiateContext, NegotiateResponse, NtStatus,
        SecurityMode, SessionId, SigningAlgorithm, Smb1NegotiateRequest, Structure, TreeId, U16List, Writer,
        fsctl::ValidateNegotiateRequest,
    },
};
use sansmb_tests::{Pair, PairConfig, raw};

/// Where NegotiateContextOffset stands in a request.
const CONTEXT_OFFSET: usize = HEADER_LEN + 28;
const CONTEXT_COUNT: usize = HEADER_LEN + 32;
const DIALECT_COUNT: usize = HEADER_LEN + 2;

fn hello(contexts: &[NegotiateContext<'_>]) -> Vec<u8> {
    raw::negotiate(0, &[Dialect::SMB3_1_1], contexts)
}

/// The server refuses `message` with `status`, and a good NEGOTIATE after it is taken.
#[track_caller]
fn refused(message: &[u8], status: NtStatus) {
    let mut pair = Pair::new(PairConfig::default());
    let answers = pair.ask(message);
    assert_eq!(answers.iter().map(|a| raw::status(a)).collect::<Vec<_>>(), [status]);
    assert!(pair.server_events.is_empty());
    pair.nothing_left();
    let good = raw::negotiate(1, &[Dialect::SMB3_1_1], &[raw::preauth_context()]);
    assert_eq!(raw::status(&pair.ask(&good)[0]), NtStatus::SUCCESS);
}

fn smb1(dialects: &[&str]) -> Vec<u8> {
    let dialects: Vec<&[u8]> = dialects.iter().map(|d| d.as_bytes()).collect();
    let mut message = Vec::new();
    Smb1NegotiateRequest::new(&dialects).encode(&mut Writer::new(&mut message));
    message
}

#[test]
fn n1_contexts_outside_of_the_message_are_an_invalid_parameter() {
    let good = hello(&[raw::preauth_context()]);
    for offset in
        [0, 1, 63, 100, 103, 105, 107, 108, good.len() as u32, good.len() as u32 - 4, 1 << 31, u32::MAX]
    {
        let mut message = good.clone();
        message[CONTEXT_OFFSET..CONTEXT_OFFSET + 4].copy_from_slice(&offset.to_le_bytes());
        refused(&message, NtStatus::INVALID_PARAMETER);
    }
    for count in [0u16, 2, 255, 65535] {
        let mut message = good.clone();
        message[CONTEXT_COUNT..CONTEXT_COUNT + 2].copy_from_slice(&count.to_le_bytes());
        refused(&message, NtStatus::INVALID_PARAMETER);
    }
    // DataLength of the only context.
    for len in [0u16, 1, 3, 39, 65535] {
        let mut message = good.clone();
        message[106..108].copy_from_slice(&len.to_le_bytes());
        refused(&message, NtStatus::INVALID_PARAMETER);
    }
}

#[test]
fn n2_a_wrong_preauth_context_is_an_invalid_parameter() {
    let none = NegotiateContext::Preauth { hash_algorithms: U16List::List(&[]), salt: &[1; 32] };
    refused(&hello(&[none]), NtStatus::INVALID_PARAMETER);
    refused(&hello(&[raw::preauth_context(), raw::preauth_context()]), NtStatus::INVALID_PARAMETER);
    let ciphers = [Cipher::AES_128_GCM];
    let encryption = NegotiateContext::Encryption { ciphers: U16List::List(&ciphers) };
    refused(&hello(&[encryption]), NtStatus::INVALID_PARAMETER);
    // HashAlgorithmCount and SaltLength that say more than there is.
    let good = hello(&[raw::preauth_context()]);
    for (at, value) in [(112, 30u16), (112, 65535), (114, 33), (114, 65535)] {
        let mut message = good.clone();
        message[at..at + 2].copy_from_slice(&value.to_le_bytes());
        refused(&message, NtStatus::INVALID_PARAMETER);
    }
}

#[test]
fn n2_no_hash_in_common_has_a_status_of_its_own() {
    let other = [HashAlgorithm(2), HashAlgorithm(0)];
    let context = NegotiateContext::Preauth { hash_algorithms: U16List::List(&other), salt: &[1; 32] };
    refused(&hello(&[context]), NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP);
}

#[test]
fn n2_a_salt_of_any_length_is_fine() {
    for len in [0, 1, 32, 1000] {
        let salt = vec![7; len];
        let hashes = [HashAlgorithm(9), HashAlgorithm::SHA_512];
        let context = NegotiateContext::Preauth { hash_algorithms: U16List::List(&hashes), salt: &salt };
        let mut pair = Pair::new(PairConfig::default());
        assert_eq!(raw::status(&pair.ask(&hello(&[context]))[0]), NtStatus::SUCCESS);
    }
}

#[test]
fn n2_every_kind_of_context_may_come_once() {
    let ciphers = [Cipher::AES_128_GCM];
    let algorithms = [SigningAlgorithm::AES_CMAC];
    let compression = [CompressionAlgorithm(1)];
    let kinds = [
        NegotiateContext::Encryption { ciphers: U16List::List(&ciphers) },
        NegotiateContext::Signing { algorithms: U16List::List(&algorithms) },
        NegotiateContext::Compression { flags: Default::default(), algorithms: U16List::List(&compression) },
        NegotiateContext::RdmaTransform { transforms: U16List::List(&[]) },
    ];
    for kind in kinds {
        refused(&hello(&[raw::preauth_context(), kind, kind]), NtStatus::INVALID_PARAMETER);
        let mut pair = Pair::new(PairConfig::default());
        let answer = pair.ask(&hello(&[kind, raw::preauth_context()])).remove(0);
        assert_eq!(raw::status(&answer), NtStatus::SUCCESS, "{kind:?}");
        let answer = NegotiateResponse::decode(&answer).unwrap();
        let preauths = answer.contexts.iter().filter(|c| matches!(c, NegotiateContext::Preauth { .. }));
        assert_eq!(preauths.count(), 1);
    }
    // Unknown ones are ignored, however many.
    let unknown = NegotiateContext::Unknown { context_type: 0x100, data: &[1, 2, 3] };
    let mut pair = Pair::new(PairConfig::default());
    let answer = pair.ask(&hello(&[unknown, unknown, raw::preauth_context()])).remove(0);
    assert_eq!(raw::status(&answer), NtStatus::SUCCESS);
}

#[test]
fn n2_no_cipher_in_common_is_said_with_a_zero() {
    let ciphers = [Cipher(77)];
    let encryption = NegotiateContext::Encryption { ciphers: U16List::List(&ciphers) };
    let mut pair = Pair::new(PairConfig::default());
    let answer = pair.ask(&hello(&[raw::preauth_context(), encryption])).remove(0);
    let answer = NegotiateResponse::decode(&answer).unwrap();
    let chosen = answer.contexts.iter().find_map(|c| match c {
        NegotiateContext::Encryption { ciphers } => ciphers.get(0),
        _ => None,
    });
    assert_eq!(chosen, Some(Cipher(0)));
}

#[test]
fn n3_a_second_negotiate_ends_the_connection() {
    for dialects in [&[Dialect::SMB2_0_2][..], &[Dialect::SMB2_1], &[Dialect::SMB3_1_1], &[Dialect(1)], &[]] {
        for authenticated in [false, true] {
            let mut pair = Pair::new(PairConfig::default());
            if authenticated {
                pair.connect().expect("connect");
            } else {
                pair.run();
            }
            pair.give_server(&raw::negotiate(raw::FREE_ID, dialects, &[raw::preauth_context()]));
            assert_eq!(pair.ended_silently(), CloseReason::Violation("second NEGOTIATE"));
        }
    }
}

#[test]
fn n3_smb1_negotiate_after_smb2_ends_the_connection() {
    for authenticated in [false, true] {
        let mut pair = Pair::new(PairConfig::default());
        if authenticated {
            pair.connect().expect("connect");
        } else {
            pair.run();
        }
        pair.give_server(&smb1(&["SMB 2.002", "SMB 2.???"]));
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
    }
}

#[test]
fn n3_a_second_smb1_negotiate_ends_the_connection() {
    for dialects in [&["SMB 2.???"][..], &["SMB 2.002"]] {
        let mut pair = Pair::new(PairConfig::default());
        assert_eq!(raw::status(&pair.ask(&smb1(dialects))[0]), NtStatus::SUCCESS);
        pair.give_server(&smb1(dialects));
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
    }
}

#[test]
fn n3_after_smb1_led_to_2_0_2_no_smb2_negotiate_may_follow() {
    let mut pair = Pair::new(PairConfig::default());
    assert_eq!(raw::status(&pair.ask(&smb1(&["SMB 2.002"]))[0]), NtStatus::SUCCESS);
    pair.give_server(&raw::negotiate(1, &[Dialect::SMB2_0_2], &[]));
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
}

#[test]
fn n3_after_the_wildcard_only_negotiate_may_follow() {
    let nowhere = TreeRef { session: SessionId(0), tree: TreeId(0) };
    for message in [
        raw::session_setup(1, SessionId(0), b"token"),
        raw::request::<op::Echo>(nowhere, 1, &Default::default()),
        smb1(&["NT LM 0.12"]),
    ] {
        let mut pair = Pair::new(PairConfig::default());
        assert_eq!(raw::status(&pair.ask(&smb1(&["SMB 2.???"]))[0]), NtStatus::SUCCESS);
        pair.give_server(&message);
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
    }
}

#[test]
fn n3_smb1_without_smb2_among_its_dialects_ends_the_connection() {
    for dialects in [&["NT LM 0.12"][..], &[], &["SMB 2.00"], &["SMB 2.0022", "smb 2.002"]] {
        let mut pair = Pair::new(PairConfig::default());
        pair.give_server(&smb1(dialects));
        pair.ended_silently();
    }
    // Other SMB1 commands, and what is cut.
    let good = smb1(&["SMB 2.002"]);
    for len in 4..good.len() {
        let mut pair = Pair::new(PairConfig::default());
        pair.give_server(&good[..len]);
        pair.ended_silently();
    }
    let mut other = good;
    other[4] = 0x73;
    let mut pair = Pair::new(PairConfig::default());
    pair.give_server(&other);
    pair.ended_silently();
}

#[test]
fn o23_commands_of_smb1_end_the_connection() {
    // A message of SMB1 says what it is in its fifth byte: 0x72 is NEGOTIATE.
    for command in (0..=255).filter(|command| *command != 0x72) {
        let mut message = smb1(&["SMB 2.002", "SMB 2.???"]);
        message[4] = command;
        message.extend([0; 64]);
        for before in 0..3 {
            let mut pair = Pair::new(PairConfig::default());
            match before {
                0 => {}
                1 => drop(pair.ask(&smb1(&["SMB 2.???"]))),
                _ => drop(pair.connect().expect("connect")),
            }
            pair.give_server(&message);
            pair.ended_silently();
        }
    }
}

#[test]
fn n3_the_first_message_must_be_negotiate() {
    for command in (1..=18).map(Command) {
        let mut pair = Pair::new(PairConfig::default());
        let nowhere = TreeRef { session: SessionId(0), tree: TreeId(0) };
        pair.give_server(&raw::message(
            &raw::header(command, nowhere, 0),
            &sansmb::wire::EmptyBody::default(),
        ));
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
    }
}

#[test]
fn n4_dialects_that_are_none_or_not_there() {
    let good = raw::negotiate(0, &[Dialect::SMB2_1], &[]);
    for count in [0u16, 2, 100, 65535] {
        let mut message = good.clone();
        message[DIALECT_COUNT..DIALECT_COUNT + 2].copy_from_slice(&count.to_le_bytes());
        refused(&message, NtStatus::INVALID_PARAMETER);
    }
    refused(&raw::negotiate(0, &[], &[]), NtStatus::INVALID_PARAMETER);
}

#[test]
fn n4_no_dialect_in_common_is_not_supported() {
    refused(&raw::negotiate(0, &[Dialect(0x0100), Dialect(0xFFFF)], &[]), NtStatus::NOT_SUPPORTED);
    refused(&raw::negotiate(0, &[Dialect::SMB2_WILDCARD], &[]), NtStatus::NOT_SUPPORTED);
}

#[test]
fn n4_thousands_of_dialects_are_looked_through() {
    let mut dialects = vec![Dialect(0x7777); 30_000];
    dialects.push(Dialect::SMB2_1);
    let mut pair = Pair::new(PairConfig::default());
    let answer = pair.ask(&raw::negotiate(0, &dialects, &[])).remove(0);
    assert_eq!(NegotiateResponse::decode(&answer).unwrap().dialect, Dialect::SMB2_1);
}

#[test]
fn n4_a_signed_negotiate_is_an_invalid_parameter() {
    let mut message = raw::negotiate(0, &[Dialect::SMB2_1], &[]);
    raw::change_header(&mut message, |h| h.flags |= Flags::SIGNED);
    refused(&message, NtStatus::INVALID_PARAMETER);
}

#[test]
fn n5_negotiates_that_fail_without_end_hold_nothing() {
    let mut pair = Pair::new(PairConfig::default());
    for id in 0..10_000 {
        let answer = pair.ask(&raw::negotiate(id, &[Dialect(1)], &[])).remove(0);
        assert_eq!(raw::status(&answer), NtStatus::NOT_SUPPORTED);
    }
    pair.nothing_left();
    assert!(pair.server_events.is_empty());
    // And it does not last: nobody authenticates.
    pair.advance(sansmb_tests::now(46_000));
    assert_eq!(pair.ended_silently(), CloseReason::Timeout);
}

/// FSCTL_VALIDATE_NEGOTIATE_INFO as the client of a pair of `dialect` would send it, but changed.
fn validation(
    dialect: Dialect,
    max_output: u32,
    change: impl FnOnce(&mut Vec<u8>),
) -> (Pair, TreeRef, Vec<u8>) {
    let mut config = PairConfig::default();
    config.client.max_dialect = dialect;
    let mut pair = Pair::new(config);
    let tree = pair.connect().expect("connect");
    let dialects: Vec<_> = Dialect::ALL.into_iter().filter(|d| *d <= dialect).collect();
    let info = ValidateNegotiateRequest {
        capabilities: sansmb::wire::Capabilities::LARGE_MTU | sansmb::wire::Capabilities::ENCRYPTION,
        guid: Guid([1; 16]),
        security_mode: SecurityMode::SIGNING_ENABLED,
        dialects: U16List::List(&dialects),
    };
    let mut input = Vec::new();
    info.encode(&mut Writer::new(&mut input));
    change(&mut input);
    let request = IoctlRequest {
        ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO,
        file_id: FileId::ANY,
        max_output_response: max_output,
        flags: IoctlFlags::IS_FSCTL,
        input: &input,
        ..Default::default()
    };
    let message = raw::request::<op::Ioctl>(tree, raw::FREE_ID, &request);
    (pair, tree, message)
}

#[test]
fn n18_a_validation_that_differs_ends_the_connection() {
    let (mut pair, _, message) = validation(Dialect::SMB3_0, 24, |_| {});
    assert_eq!(raw::status(&pair.ask(&message)[0]), NtStatus::SUCCESS, "unchanged it is fine");
    let (mut pair, _, mut message) = validation(Dialect::SMB3_0, 24, |_| {});
    message[72] = 0; // FileId: it is about no file, [MS-SMB2] 3.3.5.15
    assert_eq!(raw::status(&pair.ask(&message)[0]), NtStatus::INVALID_PARAMETER);
    // Capabilities, GUID, SecurityMode, DialectCount (more and fewer), a dialect.
    for at in [0, 4, 19, 20, 22, 24, 28] {
        let (mut pair, _, message) = validation(Dialect::SMB3_0, 24, |info| info[at] ^= 1);
        pair.give_server(&message);
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)), "{at}");
    }
    for len in 0..30 {
        let (mut pair, _, message) = validation(Dialect::SMB3_0, 24, |info| info.truncate(len));
        pair.give_server(&message);
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)), "{len}");
    }
    for max_output in [0, 23] {
        let (mut pair, _, message) = validation(Dialect::SMB3_0, max_output, |_| {});
        pair.give_server(&message);
        assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
    }
}

#[test]
fn n18_there_is_nothing_to_validate_with_3_1_1() {
    let (mut pair, _, message) = validation(Dialect::SMB3_1_1, 24, |_| {});
    pair.give_server(&message);
    assert!(matches!(pair.ended_silently(), CloseReason::Violation(_)));
}

#[test]
fn n18_a_validation_needs_its_session_and_tree() {
    let (mut pair, _, mut message) = validation(Dialect::SMB3_0, 24, |_| {});
    raw::change_header(&mut message, |h| h.tree_id = TreeId(99));
    assert_eq!(raw::status(&pair.ask(&message)[0]), NtStatus::NETWORK_NAME_DELETED);
    raw::change_header(&mut message, |h| (h.session_id, h.message_id) = (SessionId(99), raw::FREE_ID + 1));
    assert_eq!(raw::status(&pair.ask(&message)[0]), NtStatus::USER_SESSION_DELETED);
    assert_eq!(Header::decode(&message).unwrap().command, Command::IOCTL);
}
