//! Packets of NEGOTIATE, SESSION_SETUP, TREE_CONNECT and the commands without fields: decoded to what
//! they say, encoded to the same bytes.

use crate::packet::{encode, exact, packet};
use sansmb::wire::{
    AccessMask, Body, Capabilities, Cipher, Command, CompressionAlgorithm, Dialect, EmptyBody, FileTime,
    Flags, Guid, HashAlgorithm, NegotiateContext, NegotiateContexts, NegotiateRequest, NegotiateResponse,
    NtStatus, SecurityMode, SessionFlags, SessionId, SessionSetupFlags, SessionSetupRequest,
    SessionSetupResponse, ShareCapabilities, ShareFlags, ShareType, SigningAlgorithm, TreeConnectContext,
    TreeConnectContexts, TreeConnectFlags, TreeConnectRequest, TreeConnectResponse, U16List, Utf16Buf,
};

/// The same message built from slices instead of from the view that was parsed.
fn rebuilt<'m>(request: &NegotiateRequest<'m>) -> (Vec<Dialect>, Vec<NegotiateContext<'m>>) {
    (request.dialects.iter().collect(), request.contexts.iter().collect())
}

#[test]
fn negotiate_request_of_windows() {
    let msg = packet("negotiate/request_311_windows");
    let (header, request) = exact::<NegotiateRequest<'_>>(&msg);
    assert_eq!((header.command, header.credits), (Command::NEGOTIATE, 128));
    assert_eq!(request.security_mode, SecurityMode::empty());
    assert_eq!(request.capabilities.bits(), 0x3F);
    assert_eq!(request.client_guid.to_string(), "326fd8ec-7662-4f02-9f77-52b89bb33f3a");
    assert_eq!(request.client_start_time, 0);
    assert_eq!(request.dialects, U16List::List(&Dialect::ALL));
    let contexts: Vec<_> = request.contexts.iter().collect();
    let [NegotiateContext::Preauth { hash_algorithms, salt }, NegotiateContext::Encryption { ciphers }] =
        contexts[..]
    else {
        panic!("{contexts:?}")
    };
    assert_eq!(hash_algorithms, U16List::List(&[HashAlgorithm::SHA_512]));
    assert_eq!((salt.len(), salt[0], salt[31]), (32, 0xFA, 0xFF));
    assert_eq!(ciphers, U16List::List(&[Cipher::AES_128_GCM, Cipher::AES_128_CCM]));
}

#[test]
fn negotiate_request_of_smbclient() {
    let msg = packet("negotiate/request_311_smbclient");
    let (header, request) = exact::<NegotiateRequest<'_>>(&msg);
    assert_eq!(request.capabilities, Capabilities::all() & Capabilities::from_bits_retain(0x7F));
    let contexts: Vec<_> = request.contexts.iter().collect();
    assert_eq!(contexts.len(), 4);
    assert_eq!(
        contexts[1],
        NegotiateContext::Encryption {
            ciphers: U16List::List(&[
                Cipher::AES_128_GCM,
                Cipher::AES_128_CCM,
                Cipher::AES_256_GCM,
                Cipher::AES_256_CCM
            ])
        }
    );
    assert_eq!(
        contexts[2],
        NegotiateContext::Signing { algorithms: U16List::List(&[SigningAlgorithm::AES_GMAC]) }
    );
    let name = Utf16Buf::new("127.0.0.1");
    assert_eq!(contexts[3], NegotiateContext::Netname(name.as_utf16()));

    let (dialects, contexts) = rebuilt(&request);
    let built = NegotiateRequest {
        dialects: U16List::List(&dialects),
        contexts: NegotiateContexts::List(&contexts),
        ..request
    };
    assert_eq!(encode(&header, &built), msg);
}

#[test]
fn negotiate_request_of_an_old_dialect() {
    let msg = packet("negotiate/request_202_smbclient");
    let (_, request) = exact::<NegotiateRequest<'_>>(&msg);
    assert_eq!(request.dialects, U16List::List(&[Dialect::SMB2_0_2]));
    assert_eq!(request.client_guid, Guid::default());
    assert!(request.contexts.is_empty());
}

#[test]
fn negotiate_response_of_windows() {
    let msg = packet("negotiate/response_311_windows");
    let (header, response) = exact::<NegotiateResponse<'_>>(&msg);
    assert!(header.is_response());
    assert_eq!(response.dialect, Dialect::SMB3_1_1);
    assert_eq!(response.capabilities.bits(), 0x2F);
    assert_eq!(response.max_transact_size, 8 << 20);
    assert_eq!(response.max_read_size, 8 << 20);
    assert_eq!(response.max_write_size, 8 << 20);
    assert_eq!(response.system_time, FileTime(0x01D0_AECB_ADE5_DAD8));
    assert_eq!(response.security_buffer.len(), 0x140);
    let contexts: Vec<_> = response.contexts.iter().collect();
    assert_eq!(contexts[1], NegotiateContext::Encryption { ciphers: U16List::List(&[Cipher::AES_128_GCM]) });
    let built = NegotiateResponse { contexts: NegotiateContexts::List(&contexts), ..response };
    assert_eq!(encode(&header, &built), msg);
}

#[test]
fn negotiate_responses_of_smbd() {
    let msg = packet("negotiate/response_311_smbd");
    let (header, response) = exact::<NegotiateResponse<'_>>(&msg);
    let contexts: Vec<_> = response.contexts.iter().collect();
    assert_eq!(contexts.len(), 3);
    let built = NegotiateResponse { contexts: NegotiateContexts::List(&contexts), ..response };
    assert_eq!(encode(&header, &built), msg);

    let msg = packet("negotiate/response_202_smbd");
    let (_, response) = exact::<NegotiateResponse<'_>>(&msg);
    assert_eq!((response.dialect, response.capabilities), (Dialect::SMB2_0_2, Capabilities::DFS));

    let msg = packet("negotiate/response_wildcard_smbd");
    let (_, response) = exact::<NegotiateResponse<'_>>(&msg);
    assert_eq!(response.dialect, Dialect::SMB2_WILDCARD);
    assert!(response.contexts.is_empty());
}

#[test]
fn every_negotiate_context_keeps_its_place() {
    let name = Utf16Buf::new("srv");
    let contexts = [
        NegotiateContext::Compression {
            flags: sansmb::wire::CompressionFlags::CHAINED,
            algorithms: U16List::List(&[CompressionAlgorithm::PATTERN_V1, CompressionAlgorithm::LZ77]),
        },
        NegotiateContext::Transport { flags: sansmb::wire::TransportFlags::ACCEPT_TRANSPORT_LEVEL_SECURITY },
        NegotiateContext::RdmaTransform {
            transforms: U16List::List(&[sansmb::wire::RdmaTransformId::ENCRYPTION]),
        },
        NegotiateContext::Netname(name.as_utf16()),
        NegotiateContext::Unknown { context_type: 0x100, data: b"?" },
    ];
    let request = NegotiateRequest {
        dialects: U16List::List(&[Dialect::SMB3_1_1]),
        contexts: NegotiateContexts::List(&contexts),
        ..NegotiateRequest::default()
    };
    let msg = encode(&Default::default(), &request);
    // Two bytes of dialects stand at 100, so the contexts start at 104: each at a multiple of eight.
    assert_eq!(&msg[92..98], [104, 0, 0, 0, 5, 0]);
    let expected = "0300 0c00 00000000 0200 0000 01000000 0400 0200 00000000\
                    0600 0400 00000000 01000000 00000000\
                    0700 0a00 00000000 0100 0000 00000000 0100 000000000000\
                    0500 0600 00000000 730072007600 0000\
                    0001 0100 00000000 3f";
    assert_eq!(crate::packet::hex(&msg[104..]), expected.replace(' ', ""));
    assert_eq!(NegotiateRequest::decode(&msg).unwrap(), request);
}

#[test]
fn session_setup_of_windows() {
    let msg = packet("session_setup/request_negotiate_windows");
    let (_, request) = exact::<SessionSetupRequest<'_>>(&msg);
    assert_eq!(request.security_mode, SecurityMode::SIGNING_ENABLED);
    assert_eq!(request.capabilities, Capabilities::DFS);
    assert_eq!(request.previous_session_id, SessionId(0));
    assert_eq!(&request.security_buffer[..2], [0x60, 0x48]);
    assert_eq!(request.security_buffer.len(), 74);

    let msg = packet("session_setup/response_challenge_windows");
    let (header, response) = exact::<SessionSetupResponse<'_>>(&msg);
    assert_eq!(header.status, NtStatus::MORE_PROCESSING_REQUIRED);
    assert_eq!(header.session_id, SessionId(0x0000_1000_0000_0019));
    assert_eq!(response.session_flags, SessionFlags::empty());
    assert_eq!(response.security_buffer.len(), 179);

    let msg = packet("session_setup/request_authenticate_windows");
    assert_eq!(exact::<SessionSetupRequest<'_>>(&msg).1.security_buffer.len(), 0x1CF);

    let msg = packet("session_setup/response_success_windows");
    let (header, response) = exact::<SessionSetupResponse<'_>>(&msg);
    assert!(header.flags.contains(Flags::SIGNED));
    assert_eq!(response.security_buffer.len(), 29);

    let msg = packet("session_setup/request_binding_windows");
    let (_, request) = exact::<SessionSetupRequest<'_>>(&msg);
    assert_eq!(request.flags, SessionSetupFlags::BINDING);
}

#[test]
fn session_setup_of_samba() {
    let msg = packet("session_setup/request_smbclient");
    let (_, request) = exact::<SessionSetupRequest<'_>>(&msg);
    assert_eq!(request.security_mode, SecurityMode::SIGNING_ENABLED | SecurityMode::SIGNING_REQUIRED);
    let msg = packet("session_setup/response_success_smbd");
    exact::<SessionSetupResponse<'_>>(&msg);
}

#[test]
fn tree_connect() {
    let msg = packet("tree_connect/request_smbclient");
    let (_, request) = exact::<TreeConnectRequest<'_>>(&msg);
    assert_eq!(request.path.to_text().unwrap(), r"\\127.0.0.1\share");
    assert_eq!((request.flags, request.extension), (TreeConnectFlags::empty(), None));

    let msg = packet("tree_connect/response_pipe_smbd");
    let (_, response) = exact::<TreeConnectResponse>(&msg);
    assert_eq!(response.share_type, ShareType::PIPE);
    assert_eq!(response.maximal_access.bits(), 0x001F_00A9);

    let msg = packet("tree_connect/response_disk_smbd");
    let (_, response) = exact::<TreeConnectResponse>(&msg);
    assert_eq!(response.share_type, ShareType::DISK);
    assert_eq!(response.share_flags, ShareFlags::empty());
    assert_eq!(response.capabilities, ShareCapabilities::empty());
    assert_eq!(response.maximal_access, AccessMask::FILE_ALL_ACCESS);
}

#[test]
fn tree_connect_extension() {
    let msg = packet("tree_connect/request_extension");
    let (header, request) = exact::<TreeConnectRequest<'_>>(&msg);
    assert_eq!(request.path.to_text().unwrap(), r"\\srv\share");
    let contexts = [TreeConnectContext::RemotedIdentity(&[1, 2, 3, 4, 5, 6])];
    assert_eq!(request.extension, Some(TreeConnectContexts::List(&contexts)));
    let built = TreeConnectRequest { extension: Some(TreeConnectContexts::List(&contexts)), ..request };
    assert_eq!(encode(&header, &built), msg);
}

#[test]
fn bodies_without_fields() {
    for name in [
        "logoff/request",
        "logoff/response",
        "echo/request",
        "echo/response",
        "tree_disconnect/request",
        "tree_disconnect/response",
        "cancel/request",
    ] {
        let msg = packet(name);
        assert_eq!(exact::<EmptyBody>(&msg).1, EmptyBody::default(), "{name}");
    }
    let msg = packet("cancel/request");
    assert_eq!(exact::<EmptyBody>(&msg).0.async_id(), Some(0x0000_0002_0000_0001));
}
