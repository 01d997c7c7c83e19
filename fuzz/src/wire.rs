//! The bodies of all commands, and the contexts in them.

use std::{
    fmt::{Debug, Write},
    sync::LazyLock,
};

use sansmb::wire::{
    Body, BreakAcknowledgment, BreakNotification, ChangeNotifyRequest, ChangeNotifyResponse, CloseRequest,
    CloseResponse, Command, ContextList, CreateContext, CreateContextReplies, CreateContextReply,
    CreateContexts, CreateRequest, CreateResponse, Dialect, EmptyBody, ErrorResponse, FlushRequest,
    HEADER_LEN, Header, IoctlRequest, IoctlResponse, LeaseBreak, LeaseBreakNotification, LockRequest,
    NamedContext, NegotiateContext, NegotiateContexts, NegotiateRequest, NegotiateResponse, OplockBreak,
    QueryDirectoryRequest, QueryDirectoryResponse, QueryInfoRequest, QueryInfoResponse, ReadRequest,
    ReadResponse, ServerToClientNotification, SessionSetupRequest, SessionSetupResponse, SetInfoRequest,
    SetInfoResponse, ShareRedirect, SymbolicLinkErrorResponse, TreeConnectContext, TreeConnectContexts,
    TreeConnectFlags, TreeConnectRequest, TreeConnectResponse, TypedContext, TypedContexts, U16List,
    WriteRequest, WriteResponse, Writer,
};

use crate::memory::Budget;

/// Prints a value without keeping the text: this walks through every list in it.
pub(crate) fn print(value: &impl Debug) {
    struct Nowhere;
    impl Write for Nowhere {
        fn write_str(&mut self, _: &str) -> std::fmt::Result {
            Ok(())
        }
    }
    let _ = write!(Nowhere, "{value:?}");
}

/// Prints what an input stands for, and what comes of it, where `FUZZ_SHOW` is set: to look at what
/// was found.
pub(crate) fn show(what: &impl Debug) {
    static SHOW: LazyLock<bool> = LazyLock::new(|| std::env::var_os("FUZZ_SHOW").is_some());
    if *SHOW {
        eprintln!("{what:#?}");
    }
}

/// What `encode` appends to an empty buffer.
pub(crate) fn written(encode: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut Writer::new(&mut out));
    out
}

/// A message of `body` with a blank header.
fn message<'m>(body: &impl Body<'m>) -> Vec<u8> {
    written(|w| {
        Header::default().encode(w);
        body.encode(w);
    })
}

/// Whatever is decoded is encoded to something that decodes to the same.
macro_rules! body {
    ($body:ident, $bytes:expr) => {
        if let Ok(body) = $body::decode($bytes) {
            print(&body);
            let again = message(&body);
            let decoded = $body::decode(&again);
            assert_eq!(decoded.as_ref(), Ok(&body), "of {again:x?}");
            assert_eq!(message(&body), again);
        }
    };
}

/// The header decides which body is looked for. Bytes without a header are tried as any body.
pub fn messages(data: &[u8]) {
    Budget::PARSER.check(data.len(), || {
        let Ok(header) = Header::decode(data) else { return };
        let encoded = written(|w| header.encode(w));
        assert_eq!(data.get(..HEADER_LEN), Some(&encoded[..]));
        if let Some(id) = header.async_id() {
            let mut again = header;
            again.set_async_id(id);
            assert_eq!(again, header);
        }
        if header.is_response() { response(header.command, data) } else { request(header.command, data) }
    });
}

fn request(command: Command, data: &[u8]) {
    match command {
        Command::NEGOTIATE => body!(NegotiateRequest, data),
        Command::SESSION_SETUP => body!(SessionSetupRequest, data),
        Command::TREE_CONNECT => body!(TreeConnectRequest, data),
        Command::CREATE => body!(CreateRequest, data),
        Command::CLOSE => body!(CloseRequest, data),
        Command::FLUSH => body!(FlushRequest, data),
        Command::READ => body!(ReadRequest, data),
        Command::WRITE => body!(WriteRequest, data),
        Command::LOCK => body!(LockRequest, data),
        Command::IOCTL => body!(IoctlRequest, data),
        Command::QUERY_DIRECTORY => body!(QueryDirectoryRequest, data),
        Command::CHANGE_NOTIFY => body!(ChangeNotifyRequest, data),
        Command::QUERY_INFO => body!(QueryInfoRequest, data),
        Command::SET_INFO => body!(SetInfoRequest, data),
        Command::OPLOCK_BREAK => {
            print(&BreakAcknowledgment::decode(data));
            body!(OplockBreak, data);
            body!(LeaseBreak, data);
        }
        _ => body!(EmptyBody, data),
    }
}

fn response(command: Command, data: &[u8]) {
    error(data);
    match command {
        Command::NEGOTIATE => body!(NegotiateResponse, data),
        Command::SESSION_SETUP => body!(SessionSetupResponse, data),
        Command::TREE_CONNECT => body!(TreeConnectResponse, data),
        Command::CREATE => body!(CreateResponse, data),
        Command::CLOSE => body!(CloseResponse, data),
        Command::READ => body!(ReadResponse, data),
        Command::WRITE => body!(WriteResponse, data),
        Command::IOCTL => body!(IoctlResponse, data),
        Command::QUERY_DIRECTORY => body!(QueryDirectoryResponse, data),
        Command::CHANGE_NOTIFY => body!(ChangeNotifyResponse, data),
        Command::QUERY_INFO => body!(QueryInfoResponse, data),
        Command::SET_INFO => body!(SetInfoResponse, data),
        Command::OPLOCK_BREAK => {
            print(&BreakNotification::decode(data));
            body!(OplockBreak, data);
            body!(LeaseBreakNotification, data);
        }
        Command::SERVER_TO_CLIENT_NOTIFICATION => body!(ServerToClientNotification, data),
        _ => body!(EmptyBody, data),
    }
}

fn error(data: &[u8]) {
    body!(ErrorResponse, data);
    let Ok(error) = ErrorResponse::decode(data) else { return };
    let _ = error.required_length();
    let mut contexts = 0;
    for context in error.contexts() {
        contexts += 1;
        error_data(context.data);
    }
    assert!(contexts <= error.data.len() / 8);
    error_data(error.error_data());
}

fn error_data(data: &[u8]) {
    if let Ok(link) = SymbolicLinkErrorResponse::decode(data) {
        print(&link);
        let again = written(|w| link.encode(w));
        assert_eq!(SymbolicLinkErrorResponse::decode(&again), Ok(link));
    }
    if let Ok(redirect) = ShareRedirect::decode(data) {
        print(&redirect);
        let again = written(|w| redirect.encode(w));
        assert_eq!(ShareRedirect::decode(&again), Ok(redirect));
    }
}

/// Lists of contexts on their own. The first byte says of what.
pub fn contexts(data: &[u8]) {
    let Some((kind, list)) = data.split_first() else { return };
    Budget { base: 64 << 10, factor: 128 }.check(data.len(), || match kind % 5 {
        0 => create_contexts(list),
        1 => create_replies(list),
        2 => negotiate_contexts(list),
        3 => negotiate_replies(list),
        _ => tree_connect_contexts(list),
    });
}

/// The elements of a view that nobody checked: it has to end, and may end early.
fn named<'m, C: NamedContext<'m> + Debug>(list: &ContextList<'m, C>, len: usize) -> Vec<C> {
    print(list);
    let contexts: Vec<C> = list.iter().take(len + 1).collect();
    assert!(contexts.len() <= len / 16, "every context takes 16 bytes or more");
    contexts
}

fn typed<'m, C: TypedContext<'m> + Debug>(list: &TypedContexts<'m, C>, len: usize) -> Vec<C> {
    print(list);
    let contexts: Vec<C> = list.iter().take(len + 1).collect();
    assert!(contexts.len() <= len / 8, "every context takes 8 bytes or more");
    contexts
}

fn create_contexts(list: &[u8]) {
    let raw = CreateContexts::Raw(list);
    let contexts: Vec<CreateContext<'_>> = named(&raw, list.len());
    let whole = message(&CreateRequest { contexts: raw, ..Default::default() });
    if let Ok(request) = CreateRequest::decode(&whole) {
        assert_eq!(request.contexts.iter().count(), contexts.len());
    }
    let built = CreateRequest { contexts: CreateContexts::List(&contexts), ..Default::default() };
    assert_eq!(CreateRequest::decode(&message(&built)).as_ref(), Ok(&built));
}

fn create_replies(list: &[u8]) {
    let raw = CreateContextReplies::Raw(list);
    let contexts: Vec<CreateContextReply<'_>> = named(&raw, list.len());
    let whole = message(&CreateResponse { contexts: raw, ..Default::default() });
    if let Ok(response) = CreateResponse::decode(&whole) {
        assert_eq!(response.contexts.iter().count(), contexts.len());
    }
    let built = CreateResponse { contexts: CreateContextReplies::List(&contexts), ..Default::default() };
    assert_eq!(CreateResponse::decode(&message(&built)).as_ref(), Ok(&built));
}

fn negotiate_contexts(list: &[u8]) {
    let raw = NegotiateContexts::Raw { bytes: list, count: u16::MAX };
    let contexts: Vec<NegotiateContext<'_>> = typed(&raw, list.len());
    for context_type in 0..10 {
        let _ = raw.count_of(context_type);
    }
    let dialects = [Dialect::SMB3_1_1];
    let mut built = NegotiateRequest { dialects: U16List::List(&dialects), ..Default::default() };
    built.contexts = NegotiateContexts::List(&contexts);
    assert_eq!(NegotiateRequest::decode(&message(&built)).as_ref(), Ok(&built));
}

fn negotiate_replies(list: &[u8]) {
    let raw = NegotiateContexts::Raw { bytes: list, count: (list.len() / 8) as u16 };
    let contexts: Vec<NegotiateContext<'_>> = typed(&raw, list.len());
    let mut built = NegotiateResponse { dialect: Dialect::SMB3_1_1, ..Default::default() };
    built.contexts = NegotiateContexts::List(&contexts);
    assert_eq!(NegotiateResponse::decode(&message(&built)).as_ref(), Ok(&built));
}

fn tree_connect_contexts(list: &[u8]) {
    let raw = TreeConnectContexts::Raw { bytes: list, count: u16::MAX };
    let contexts: Vec<TreeConnectContext<'_>> = typed(&raw, list.len());
    let built = TreeConnectRequest {
        flags: TreeConnectFlags::EXTENSION_PRESENT,
        extension: Some(TreeConnectContexts::List(&contexts)),
        ..Default::default()
    };
    assert_eq!(TreeConnectRequest::decode(&message(&built)).as_ref(), Ok(&built));
}
