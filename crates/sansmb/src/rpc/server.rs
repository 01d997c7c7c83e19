//! The server's end of a pipe that carries remote procedure calls.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::pdu::{
    Bind, BindAck, BindResult, Fault, FaultStatus, Pdu, PduBody, PduFlags, Request, Response, next_pdu,
};
use super::{MAX_FRAGMENT, MIN_FRAGMENT, RpcError, SyntaxId};

/// Most bytes of arguments that a call may have.
const MAX_ARGUMENTS: usize = 256 * 1024;
/// Most contexts that a client may have accepted.
const MAX_CONTEXTS: usize = 16;
/// Most messages that wait to be read; a client that does not read them is not answered.
const MAX_WAITING: usize = 64;
/// Group of connections: any number but zero.
const ASSOC_GROUP: u32 = 0x0000_53A5;

/// Length of the header and the fixed part of a RESPONSE.
const RESPONSE_HEAD: usize = 24;

/// A call that is complete and wants an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcCall {
    /// Names the call.
    pub call_id: u32,
    /// The presentation context.
    pub context_id: u16,
    /// The interface.
    pub interface: SyntaxId,
    /// The method.
    pub opnum: u16,
    /// The arguments.
    pub stub: Vec<u8>,
}

/// What a read from the pipe gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipeMessage {
    /// The next bytes.
    pub data: Vec<u8>,
    /// Bytes of the same message that did not fit: if there are any, the read answers
    /// STATUS_BUFFER_OVERFLOW.
    pub remaining: usize,
}

/// The server's end of one pipe: bytes that were written to it go in, calls come out, and answers
/// come back as messages to be read.
///
/// A client that breaks the protocol makes every later call fail: see [`Self::error`].
#[derive(Debug)]
pub struct RpcServer {
    pipe: &'static str,
    interfaces: &'static [SyntaxId],
    contexts: Vec<(u16, SyntaxId)>,
    max_xmit_frag: usize,
    input: Vec<u8>,
    call: Option<RpcCall>,
    calls: VecDeque<RpcCall>,
    output: VecDeque<Vec<u8>>,
    error: Option<RpcError>,
}

impl RpcServer {
    /// A pipe, such as `\PIPE\srvsvc`, on which `interfaces` are served.
    pub fn new(pipe: &'static str, interfaces: &'static [SyntaxId]) -> Self {
        Self {
            pipe,
            interfaces,
            contexts: Vec::new(),
            max_xmit_frag: MIN_FRAGMENT.into(),
            input: Vec::new(),
            call: None,
            calls: VecDeque::new(),
            output: VecDeque::new(),
            error: None,
        }
    }

    /// Why the pipe is broken, once it is.
    pub fn error(&self) -> Option<RpcError> {
        self.error
    }

    /// Takes bytes that the client wrote.
    pub fn received(&mut self, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        let mut input = core::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(pdu) = next_pdu(&input, &mut at).transpose() {
            if let Err(error) = pdu.and_then(|pdu| self.handle(pdu)) {
                self.error = Some(error);
                self.calls.clear();
                return;
            }
        }
        // Once for all of them: a write may hold very many.
        input.drain(..at);
        self.input = input;
    }

    fn handle(&mut self, pdu: Pdu<'_>) -> Result<(), RpcError> {
        if self.output.len() + self.calls.len() >= MAX_WAITING {
            return Err(RpcError::TooLong);
        }
        match pdu.body {
            PduBody::Bind(bind) if self.contexts.is_empty() => {
                let ack = self.bind(&bind);
                self.send(pdu.call_id, PduFlags::WHOLE, PduBody::BindAck(ack));
                Ok(())
            }
            PduBody::AlterContext(bind) if !self.contexts.is_empty() => {
                let ack = BindAck { secondary_address: &[], ..self.bind(&bind) };
                self.send(pdu.call_id, PduFlags::WHOLE, PduBody::AlterContextResp(ack));
                Ok(())
            }
            PduBody::Request(request) => self.request(pdu.call_id, pdu.flags, &request),
            // The client gave up: what is under way is dropped.
            PduBody::Other(..) => {
                self.call = self.call.take().filter(|call| call.call_id != pdu.call_id);
                Ok(())
            }
            _ => Err(RpcError::Unexpected("not a message for a server in this state")),
        }
    }

    fn bind(&mut self, bind: &Bind) -> BindAck<'static> {
        let fragment = |theirs: u16| theirs.clamp(MIN_FRAGMENT, MAX_FRAGMENT);
        let max_xmit_frag = fragment(bind.max_recv_frag);
        self.max_xmit_frag = max_xmit_frag.into();
        let mut results = Vec::with_capacity(bind.contexts.len());
        for context in &bind.contexts {
            let wanted = context.abstract_syntax;
            // A later minor version of ours serves a client of an earlier one.
            let known = self.interfaces.iter().any(|ours| {
                ours.uuid == wanted.uuid && ours.major == wanted.major && ours.minor >= wanted.minor
            });
            let result = if !known {
                BindResult { result: 2, reason: 1, ..BindResult::default() }
            } else if !context.transfer_syntaxes.contains(&SyntaxId::NDR32) {
                BindResult { result: 2, reason: 2, ..BindResult::default() }
            } else if self.contexts.len() >= MAX_CONTEXTS {
                BindResult { result: 2, reason: 3, ..BindResult::default() }
            } else {
                self.contexts.retain(|(id, _)| *id != context.id);
                self.contexts.push((context.id, wanted));
                BindResult { transfer_syntax: SyntaxId::NDR32, ..BindResult::default() }
            };
            results.push(result);
        }
        BindAck {
            max_xmit_frag,
            max_recv_frag: fragment(bind.max_xmit_frag),
            assoc_group_id: if bind.assoc_group_id == 0 { ASSOC_GROUP } else { bind.assoc_group_id },
            secondary_address: self.pipe.as_bytes(),
            results,
        }
    }

    fn request(&mut self, call_id: u32, flags: PduFlags, request: &Request<'_>) -> Result<(), RpcError> {
        if flags.contains(PduFlags::FIRST) {
            if self.call.is_some() {
                return Err(RpcError::Unexpected("a call begins inside another"));
            }
            let known = self.contexts.iter().find(|(id, _)| *id == request.context_id);
            let Some(&(context_id, interface)) = known else {
                self.send_fault(call_id, request.context_id, FaultStatus::UNK_IF);
                return Ok(());
            };
            let stub = Vec::new();
            self.call = Some(RpcCall { call_id, context_id, interface, opnum: request.opnum, stub });
        }
        let Some(call) = self.call.as_mut().filter(|call| call.call_id == call_id) else {
            return Err(RpcError::Unexpected("a fragment of a call that has not begun"));
        };
        if call.stub.len() + request.stub.len() > MAX_ARGUMENTS {
            return Err(RpcError::TooLong);
        }
        call.stub.extend_from_slice(request.stub);
        if flags.contains(PduFlags::LAST) {
            self.calls.extend(self.call.take());
        }
        Ok(())
    }

    /// The next call.
    pub fn poll_call(&mut self) -> Option<RpcCall> {
        self.calls.pop_front()
    }

    /// Answers a call with its results.
    pub fn respond(&mut self, call: &RpcCall, stub: &[u8]) {
        // All fragments but the last are a multiple of 8 long.
        let room = (self.max_xmit_frag - RESPONSE_HEAD) / 8 * 8;
        let mut at = 0;
        loop {
            let part = stub.get(at..stub.len().min(at + room)).unwrap_or_default();
            let mut flags = PduFlags::empty();
            flags.set(PduFlags::FIRST, at == 0);
            flags.set(PduFlags::LAST, at + part.len() >= stub.len());
            let response = Response {
                alloc_hint: (stub.len() - at) as u32,
                context_id: call.context_id,
                cancel_count: 0,
                stub: part,
            };
            self.send(call.call_id, flags, PduBody::Response(response));
            at += part.len();
            if flags.contains(PduFlags::LAST) {
                return;
            }
        }
    }

    /// Answers a call with a failure.
    pub fn fault(&mut self, call: &RpcCall, status: FaultStatus) {
        self.send_fault(call.call_id, call.context_id, status);
    }

    fn send_fault(&mut self, call_id: u32, context_id: u16, status: FaultStatus) {
        let flags = PduFlags::WHOLE | PduFlags::DID_NOT_EXECUTE;
        self.send(call_id, flags, PduBody::Fault(Fault { context_id, status }));
    }

    fn send(&mut self, call_id: u32, flags: PduFlags, body: PduBody<'_>) {
        let mut out = Vec::new();
        Pdu { flags, call_id, body }.encode(&mut out);
        self.output.push_back(out);
    }

    /// Takes up to `max` bytes of the next message; `None` if there is none yet.
    pub fn read(&mut self, max: usize) -> Option<PipeMessage> {
        let mut data = self.output.pop_front()?;
        let rest = data.split_off(data.len().min(max));
        let remaining = rest.len();
        if remaining > 0 {
            self.output.push_front(rest);
        }
        Some(PipeMessage { data, remaining })
    }

    /// Bytes that can be read.
    pub fn available(&self) -> usize {
        self.output.iter().map(Vec::len).sum()
    }

    /// Messages that can be read.
    pub fn messages(&self) -> usize {
        self.output.len()
    }

    /// What is left of the first message, which stays where it is.
    pub fn peek(&self) -> &[u8] {
        self.output.front().map_or(&[], Vec::as_slice)
    }
}
