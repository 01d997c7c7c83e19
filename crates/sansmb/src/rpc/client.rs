//! The client's end of a pipe that carries remote procedure calls.

use alloc::vec;
use alloc::vec::Vec;

use super::pdu::{Bind, Pdu, PduBody, PduFlags, PresentationContext, Request, next_pdu};
use super::{MAX_FRAGMENT, MIN_FRAGMENT, RpcError, SyntaxId};

/// Length of the header and the fixed part of a REQUEST.
const REQUEST_HEAD: usize = 24;
const CONTEXT_ID: u16 = 0;

/// What came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpcReply {
    /// The interface is bound: calls can be made.
    Bound,
    /// The results of the call.
    Results(Vec<u8>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Binding,
    Bound,
    Calling,
}

/// The client's end of one pipe with one interface: write what [`Self::bind`] and [`Self::call`]
/// give to the pipe, and hand what is read from it to [`Self::received`]. One call at a time.
#[derive(Debug)]
pub struct RpcClient {
    interface: SyntaxId,
    state: State,
    call_id: u32,
    max_xmit_frag: usize,
    max_results: usize,
    input: Vec<u8>,
    results: Vec<u8>,
}

impl RpcClient {
    /// A client of `interface` that takes results of up to `max_results` bytes.
    pub fn new(interface: SyntaxId, max_results: usize) -> Self {
        Self {
            interface,
            state: State::Binding,
            call_id: 1,
            max_xmit_frag: MIN_FRAGMENT.into(),
            max_results,
            input: Vec::new(),
            results: Vec::new(),
        }
    }

    /// The first message.
    pub fn bind(&self) -> Vec<u8> {
        let context = PresentationContext {
            id: CONTEXT_ID,
            abstract_syntax: self.interface,
            transfer_syntaxes: vec![SyntaxId::NDR32],
        };
        let bind = Bind {
            max_xmit_frag: MAX_FRAGMENT,
            max_recv_frag: MAX_FRAGMENT,
            assoc_group_id: 0,
            contexts: vec![context],
        };
        let mut out = Vec::new();
        Pdu { flags: PduFlags::WHOLE, call_id: self.call_id, body: PduBody::Bind(bind) }.encode(&mut out);
        out
    }

    /// The messages of a call, each to be written on its own; only the last has an answer.
    /// Fails while no interface is bound or another call is under way.
    pub fn call(&mut self, opnum: u16, stub: &[u8]) -> Result<Vec<Vec<u8>>, RpcError> {
        if self.state != State::Bound {
            return Err(RpcError::Unexpected("a call while none can be made"));
        }
        self.state = State::Calling;
        self.call_id = self.call_id.wrapping_add(1);
        self.results.clear();
        let room = (self.max_xmit_frag - REQUEST_HEAD) / 8 * 8;
        let count = stub.len().div_ceil(room).max(1);
        let fragments = (0..count).map(|index| {
            let at = index * room;
            let mut flags = PduFlags::empty();
            flags.set(PduFlags::FIRST, index == 0);
            flags.set(PduFlags::LAST, index + 1 == count);
            let request = Request {
                alloc_hint: (stub.len() - at) as u32,
                context_id: CONTEXT_ID,
                opnum,
                object: None,
                stub: stub.get(at..stub.len().min(at + room)).unwrap_or_default(),
            };
            let mut out = Vec::new();
            Pdu { flags, call_id: self.call_id, body: PduBody::Request(request) }.encode(&mut out);
            out
        });
        Ok(fragments.collect())
    }

    /// Takes bytes that were read from the pipe; `None` while more have to be read.
    ///
    /// After an error other than a fault the pipe is of no more use.
    pub fn received(&mut self, bytes: &[u8]) -> Result<Option<RpcReply>, RpcError> {
        let mut input = core::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut at = 0;
        let reply = self.take(&input, &mut at);
        input.drain(..at);
        self.input = input;
        reply
    }

    fn take(&mut self, input: &[u8], at: &mut usize) -> Result<Option<RpcReply>, RpcError> {
        let mut reply = None;
        while let Some(pdu) = next_pdu(input, at)? {
            if reply.is_some() {
                return Err(RpcError::Unexpected("a message behind the answer"));
            }
            reply = self.handle(pdu)?;
        }
        Ok(reply)
    }

    fn handle(&mut self, pdu: Pdu<'_>) -> Result<Option<RpcReply>, RpcError> {
        if pdu.call_id != self.call_id {
            return Err(RpcError::Unexpected("an answer to another call"));
        }
        match (self.state, pdu.body) {
            (State::Binding, PduBody::BindAck(ack)) => {
                let result = ack.results.first().copied().unwrap_or_default();
                if ack.results.len() != 1 || result.result != 0 || result.transfer_syntax != SyntaxId::NDR32 {
                    return Err(RpcError::Refused { result: result.result, reason: result.reason });
                }
                self.max_xmit_frag = ack.max_recv_frag.clamp(MIN_FRAGMENT, MAX_FRAGMENT).into();
                self.state = State::Bound;
                Ok(Some(RpcReply::Bound))
            }
            (State::Binding, PduBody::BindNak(reason)) => Err(RpcError::Refused { result: 2, reason }),
            (State::Calling, PduBody::Response(response)) => {
                if pdu.flags.contains(PduFlags::FIRST) != self.results.is_empty() {
                    return Err(RpcError::Unexpected("a fragment out of order"));
                }
                if self.results.len() + response.stub.len() > self.max_results {
                    return Err(RpcError::TooLong);
                }
                self.results.extend_from_slice(response.stub);
                if !pdu.flags.contains(PduFlags::LAST) {
                    // An empty fragment that is not the last would never end.
                    let empty = response.stub.is_empty();
                    return if empty { Err(RpcError::Unexpected("an empty fragment")) } else { Ok(None) };
                }
                self.state = State::Bound;
                Ok(Some(RpcReply::Results(core::mem::take(&mut self.results))))
            }
            (State::Calling, PduBody::Fault(fault)) => {
                self.state = State::Bound;
                Err(RpcError::Fault(fault.status))
            }
            _ => Err(RpcError::Unexpected("not a message for a client in this state")),
        }
    }
}
