//! Messages made by hand, for what neither side of a [`crate::Pair`] would send.

use std::sync::Arc;

use sansmb::{
    auth::{Acceptor, AuthError, Identity, Mechanism, SessionKey, Step},
    client::TreeRef,
    crypto::{CryptoProvider, SessionKeys, seal_message},
    op::Op,
    server::{Event, RequestId},
    wire::{
        Body, Cipher, Command, Dialect, FileId, FileTime, Flags, Guid, HEADER_LEN, HashAlgorithm, Header,
        NegotiateContext, NegotiateContexts, NegotiateRequest, NtStatus, ReadRequest, SecurityMode,
        SessionId, SessionSetupRequest, TRANSFORM_LEN, TreeId, U16List, Writer,
    },
};
use sansmb_crypto::RustCrypto;

use crate::PairConfig;

/// A MessageId that a client of a [`crate::Pair`] has not come to yet and may use already.
pub const FREE_ID: u64 = 20;

/// A request of command `O` in tree `to`, with a charge of one.
pub fn request<O: Op>(to: TreeRef, message_id: u64, body: &O::Request<'_>) -> Vec<u8> {
    message(&header(O::COMMAND, to, message_id), body)
}

/// The header of an unsigned request.
pub fn header(command: Command, to: TreeRef, message_id: u64) -> Header {
    Header {
        command,
        credit_charge: 1,
        credits: 1,
        message_id,
        tree_id: to.tree,
        session_id: to.session,
        ..Header::default()
    }
}

/// A message from its parts.
pub fn message<'m>(header: &Header, body: &impl Body<'m>) -> Vec<u8> {
    let mut message = Vec::new();
    let mut writer = Writer::new(&mut message);
    header.encode(&mut writer);
    body.encode(&mut writer);
    message
}

/// Changes the header of a message.
pub fn change_header(message: &mut [u8], change: impl FnOnce(&mut Header)) {
    let mut header = Header::decode(message).expect("a header");
    change(&mut header);
    let mut bytes = Vec::new();
    header.encode(&mut Writer::new(&mut bytes));
    message[..HEADER_LEN].copy_from_slice(&bytes);
}

/// The members of a compound in one frame, padded and chained; all but the first are marked as
/// related where `related` says so.
pub fn compound(members: &[Vec<u8>], related: bool) -> Vec<u8> {
    let mut frame = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let start = frame.len();
        let mut member = member.clone();
        let last = at + 1 == members.len();
        let len = member.len().next_multiple_of(8);
        change_header(&mut member, |h| {
            h.next_command = if last { 0 } else { len as u32 };
            if related && at > 0 {
                h.flags |= Flags::RELATED_OPERATIONS;
            }
        });
        frame.extend_from_slice(&member);
        if !last {
            frame.resize(start + len, 0);
        }
    }
    frame
}

/// The messages of a frame.
pub fn split(mut frame: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    loop {
        let next = Header::decode(frame).expect("a header").next_command as usize;
        if next == 0 {
            messages.push(frame.to_vec());
            return messages;
        }
        messages.push(frame[..next].to_vec());
        frame = &frame[next..];
    }
}

/// The statuses in a frame, one for each message.
pub fn statuses(frame: &[u8]) -> Vec<NtStatus> {
    split(frame).iter().map(|m| Header::decode(m).expect("a header").status).collect()
}

/// The status of a message in the clear.
pub fn status(message: &[u8]) -> NtStatus {
    Header::decode(message).expect("a message in the clear").status
}

/// A file that the tests pretend to have opened.
pub const FILE: FileId = FileId { persistent: 1, volatile: 2 };

/// A READ of ten bytes of [`FILE`].
pub fn read() -> ReadRequest<'static> {
    ReadRequest { length: 10, file_id: FILE, ..Default::default() }
}

/// The contexts that a 3.1.1 client has to send.
pub fn preauth_context() -> NegotiateContext<'static> {
    NegotiateContext::Preauth { hash_algorithms: U16List::List(&[HashAlgorithm::SHA_512]), salt: &[5; 32] }
}

/// A NEGOTIATE request for `dialects`, with `contexts` where 3.1.1 is among them.
pub fn negotiate(message_id: u64, dialects: &[Dialect], contexts: &[NegotiateContext<'_>]) -> Vec<u8> {
    let body = NegotiateRequest {
        security_mode: SecurityMode::SIGNING_ENABLED,
        client_guid: Guid([8; 16]),
        dialects: U16List::List(dialects),
        contexts: NegotiateContexts::List(contexts),
        ..Default::default()
    };
    let to = TreeRef { session: SessionId(0), tree: TreeId(0) };
    let header = Header { credit_charge: 0, credits: 64, ..header(Command::NEGOTIATE, to, message_id) };
    message(&header, &body)
}

/// A SESSION_SETUP request.
pub fn session_setup(message_id: u64, session: SessionId, token: &[u8]) -> Vec<u8> {
    let body = SessionSetupRequest { security_buffer: token, ..Default::default() };
    let header = header(Command::SESSION_SETUP, TreeRef { session, tree: TreeId(0) }, message_id);
    message(&Header { credits: 64, ..header }, &body)
}

/// The request that an event brings, if it brings one.
pub fn request_id(event: &Event) -> Option<RequestId> {
    Some(match event {
        Event::SessionSetup(r) => r.token.id(),
        Event::TreeConnect(r) => r.token.id(),
        Event::TreeDisconnect(r) => r.token.id(),
        Event::Logoff(r) => r.token.id(),
        Event::Create(r) => r.token.id(),
        Event::Close(r) => r.token.id(),
        Event::Flush(r) => r.token.id(),
        Event::Read(r) => r.token.id(),
        Event::Write(r) => r.token.id(),
        Event::Lock(r) => r.token.id(),
        Event::Ioctl(r) => r.token.id(),
        Event::QueryDirectory(r) => r.token.id(),
        Event::ChangeNotify(r) => r.token.id(),
        Event::QueryInfo(r) => r.token.id(),
        Event::SetInfo(r) => r.token.id(),
        Event::OplockBreak(r) => r.token.id(),
        Event::LeaseBreak(r) => r.token.id(),
        _ => return None,
    })
}

/// A mechanism that says what it is told to: the tokens of one side of an exchange. Nothing is
/// verified; the session key is known to the test.
#[derive(Debug, Clone)]
pub struct Script {
    steps: Vec<(Option<Vec<u8>>, Vec<u8>)>,
    at: usize,
    finishes: bool,
    identity: Identity,
    key: Vec<u8>,
}

impl Script {
    /// One element a step: the token that must come in (`None`: any), and the one that goes out.
    /// The last step ends the exchange.
    pub fn new(steps: Vec<(Option<Vec<u8>>, Vec<u8>)>, user: &str, key: &[u8]) -> Self {
        let identity = Identity { user: user.into(), ..Identity::default() };
        Self { steps, at: 0, finishes: true, identity, key: key.to_vec() }
    }

    /// As who the exchange ends.
    #[must_use]
    pub fn as_identity(mut self, identity: Identity) -> Self {
        self.identity = identity;
        self
    }

    /// The exchange never ends.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.finishes = false;
        self
    }
}

impl Mechanism for Script {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let (expected, out) = self.steps.get(self.at).cloned().ok_or(AuthError::Unexpected("token"))?;
        if expected.is_some_and(|expected| expected != token) {
            return Err(AuthError::LogonFailure);
        }
        self.at += 1;
        if !self.finishes {
            self.at = 0;
            return Ok(Step::Send(out));
        }
        if self.at < self.steps.len() {
            return Ok(Step::Send(out));
        }
        let session_key = SessionKey::new(self.key.clone());
        Ok(Step::Done { token: out, identity: self.identity.clone(), session_key })
    }
}

/// Accepts with copies of one [`Script`].
#[derive(Debug)]
pub struct ScriptAcceptor {
    script: Script,
    hint: Vec<u8>,
}

impl ScriptAcceptor {
    /// `hint` goes into NEGOTIATE.
    pub fn new(script: Script, hint: &[u8]) -> Self {
        Self { script, hint: hint.to_vec() }
    }
}

impl Acceptor for ScriptAcceptor {
    fn hint(&self) -> Vec<u8> {
        self.hint.clone()
    }

    fn accept(&self, _: FileTime, _: [u8; 32]) -> Box<dyn Mechanism> {
        Box::new(self.script.clone())
    }
}

/// The session key of a [`scripted`] exchange.
pub const SCRIPT_KEY: [u8; 16] = [0x5E; 16];

/// Lets `config` authenticate `scripter` with [`SCRIPT_KEY`] and one token each way, in dialect 3.0,
/// whose keys hang on the session key alone. The mechanism is for the client.
pub fn scripted(config: &mut PairConfig) -> Script {
    config.client.max_dialect = Dialect::SMB3_0;
    let server = Script::new(vec![(None, b"welcome".to_vec())], "scripter", &SCRIPT_KEY);
    config.acceptor = Some(Arc::new(ScriptAcceptor::new(server, b"")));
    Script::new(vec![(None, b"hello".to_vec()), (None, Vec::new())], "scripter", &SCRIPT_KEY)
}

/// The keys that a [`scripted`] exchange leads to.
pub fn script_keys() -> SessionKeys {
    SessionKeys::derive(&RustCrypto, Dialect::SMB3_0, Some(Cipher::AES_128_CCM), &SCRIPT_KEY, &[0; 64])
}

/// Encrypts `text` as the client of a [`scripted`] exchange does.
pub fn sealed(session: SessionId, nonce: u64, text: &[u8]) -> Vec<u8> {
    seal(&script_keys().client_to_server, session, nonce, text)
}

/// Encrypts `text` as the server of a [`scripted`] exchange does.
pub fn server_sealed(session: SessionId, nonce: u64, text: &[u8]) -> Vec<u8> {
    seal(&script_keys().server_to_client, session, nonce, text)
}

fn seal(key: &[u8], session: SessionId, nonce: u64, text: &[u8]) -> Vec<u8> {
    let cipher = Cipher::AES_128_CCM;
    let mut frame = vec![0; TRANSFORM_LEN];
    frame.extend_from_slice(text);
    let sealer = RustCrypto.sealer(cipher, key).expect("the cipher");
    seal_message(&*sealer, cipher, session, nonce, &mut frame).expect("a message");
    frame
}
