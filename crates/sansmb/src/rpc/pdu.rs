//! Protocol data units, C706 12.6 and [MS-RPCE] 2.2.2.

use alloc::vec::Vec;

use nom::Parser;
use nom::multi::count;
use zerocopy::little_endian::{U16, U32};

use super::RpcError;
use crate::wire::parse::{Parsed, aligned, data, fixed, parse};
use crate::wire::{DecodeError, Guid, Writer, fixed_at, layout, open_enum, wire_flags};

/// Length of the header that all units share.
pub const HEADER_LEN: usize = 16;

/// Length of the trailer in front of the credentials of a unit.
const TRAILER_LEN: usize = 8;

const WHAT: &str = "RPC PDU";

open_enum! {
    /// Kinds of units, C706 12.6.4.
    pub struct PduType: u8 {
        /// A call
        REQUEST = 0,
        /// Its answer
        RESPONSE = 2,
        /// Its failure
        FAULT = 3,
        /// First message of a client
        BIND = 11,
        /// Its answer
        BIND_ACK = 12,
        /// Its refusal
        BIND_NAK = 13,
        /// One more interface
        ALTER_CONTEXT = 14,
        /// Its answer
        ALTER_CONTEXT_RESP = 15,
        /// Third leg of an authentication
        AUTH3 = 16,
        /// The server wants the client to go
        SHUTDOWN = 17,
        /// The client takes a call back
        CO_CANCEL = 18,
        /// The client has lost interest in a call
        ORPHANED = 19,
    }
}

wire_flags! {
    /// Flags of a unit, C706 12.6.3.1.
    pub struct PduFlags: u8 {
        /// First fragment
        const FIRST = 0x01;
        /// Last fragment
        const LAST = 0x02;
        /// A cancel is pending
        const PENDING_CANCEL = 0x04;
        /// Several calls at a time
        const CONC_MPX = 0x10;
        /// The call was not carried out
        const DID_NOT_EXECUTE = 0x20;
        /// No answer is wanted
        const MAYBE = 0x40;
        /// A request names an object
        const OBJECT_UUID = 0x80;
    }
}

impl PduFlags {
    /// First and last: all there is.
    pub const WHOLE: Self = Self::FIRST.union(Self::LAST);
}

open_enum! {
    /// Why a call failed, C706 appendix E and [MS-RPCE] 2.2.2.
    pub struct FaultStatus: u32 {
        /// Access is denied.
        ACCESS_DENIED = 0x0000_0005,
        /// The stub is malformed.
        BAD_STUB_DATA = 0x0000_06F7,
        /// The interface has no such method.
        OP_RNG_ERROR = 0x1C01_0002,
        /// The server does not know the interface.
        UNK_IF = 0x1C01_0003,
        /// The other side broke the protocol.
        PROTO_ERROR = 0x1C01_000B,
        /// The server is out of memory.
        REMOTE_NO_MEMORY = 0x1C00_001B,
        /// A context handle that was not given out on this pipe, or was closed.
        CONTEXT_MISMATCH = 0x1C00_001A,
        /// No reason is given.
        UNSPEC_REJECT = 0x1C00_0009,
    }
}

layout! {
    struct HeaderFixed [16] {
        version: u8,
        version_minor: u8,
        ptype: u8,
        flags: u8,
        data_representation: [u8; 4],
        frag_length: U16,
        auth_length: U16,
        call_id: U32,
    }
}

layout! {
    struct SyntaxFixed [20] { uuid: [u8; 16], major: U16, minor: U16 }
}

/// Names an interface or a transfer syntax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyntaxId {
    /// Which one.
    pub uuid: Guid,
    /// Its version.
    pub major: u16,
    /// Its minor version.
    pub minor: u16,
}

impl SyntaxId {
    /// NDR32, `8a885d04-1ceb-11c9-9fe8-08002b104860` version 2.0.
    pub const NDR32: Self = Self {
        uuid: Guid([
            0x04, 0x5D, 0x88, 0x8A, 0xEB, 0x1C, 0xC9, 0x11, 0x9F, 0xE8, 0x08, 0x00, 0x2B, 0x10, 0x48, 0x60,
        ]),
        major: 2,
        minor: 0,
    };

    fn decode(f: &SyntaxFixed) -> Self {
        Self { uuid: Guid(f.uuid), major: f.major.get(), minor: f.minor.get() }
    }

    fn to_fixed(self) -> SyntaxFixed {
        SyntaxFixed { uuid: self.uuid.0, major: U16::new(self.major), minor: U16::new(self.minor) }
    }
}

/// An interface that a client wants, and the forms of its data that the client knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresentationContext {
    /// Number by which requests name it.
    pub id: u16,
    /// The interface.
    pub abstract_syntax: SyntaxId,
    /// The forms.
    pub transfer_syntaxes: Vec<SyntaxId>,
}

/// What became of a [`PresentationContext`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindResult {
    /// 0 accepted, 1 refused by the user, 2 refused by the provider, 3 feature negotiation.
    pub result: u16,
    /// Of a refusal: 1 unknown interface, 2 unknown forms.
    pub reason: u16,
    /// The form that was chosen.
    pub transfer_syntax: SyntaxId,
}

/// BIND and ALTER_CONTEXT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bind {
    /// Longest fragment that the client sends.
    pub max_xmit_frag: u16,
    /// Longest fragment that the client takes.
    pub max_recv_frag: u16,
    /// Group of connections, zero for a new one.
    pub assoc_group_id: u32,
    /// What the client wants.
    pub contexts: Vec<PresentationContext>,
}

/// BIND_ACK and ALTER_CONTEXT_RESP.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BindAck<'m> {
    /// Longest fragment that the server sends.
    pub max_xmit_frag: u16,
    /// Longest fragment that the server takes.
    pub max_recv_frag: u16,
    /// Group of connections.
    pub assoc_group_id: u32,
    /// The pipe, such as `\PIPE\srvsvc`, without the NUL.
    pub secondary_address: &'m [u8],
    /// One for each context of the request.
    pub results: Vec<BindResult>,
}

/// REQUEST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'m> {
    /// Length of the whole stub, as a hint.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// The method.
    pub opnum: u16,
    /// The object, if the call names one.
    pub object: Option<Guid>,
    /// Arguments, or a fragment of them.
    pub stub: &'m [u8],
}

/// RESPONSE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Response<'m> {
    /// Length of the whole stub, as a hint.
    pub alloc_hint: u32,
    /// The presentation context.
    pub context_id: u16,
    /// Cancels that came.
    pub cancel_count: u8,
    /// Results, or a fragment of them.
    pub stub: &'m [u8],
}

/// FAULT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The presentation context.
    pub context_id: u16,
    /// Why.
    pub status: FaultStatus,
}

/// What a unit says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PduBody<'m> {
    /// First message of a client.
    Bind(Bind),
    /// Its answer.
    BindAck(BindAck<'m>),
    /// Its refusal, with a reason.
    BindNak(u16),
    /// One more interface.
    AlterContext(Bind),
    /// Its answer.
    AlterContextResp(BindAck<'m>),
    /// A call.
    Request(Request<'m>),
    /// Its answer.
    Response(Response<'m>),
    /// Its failure.
    Fault(Fault),
    /// Another kind, which has no answer.
    Other(PduType, &'m [u8]),
}

/// A protocol data unit: one message, or one fragment of it. Credentials at its end are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu<'m> {
    /// First, last and more.
    pub flags: PduFlags,
    /// Names the call.
    pub call_id: u32,
    /// What it says.
    pub body: PduBody<'m>,
}

layout! {
    struct BindFixed [12] {
        max_xmit_frag: U16,
        max_recv_frag: U16,
        assoc_group_id: U32,
        count: u8,
        reserved: u8,
        reserved2: U16,
    }
}

layout! {
    struct ContextFixed [24] { id: U16, count: u8, reserved: u8, abstract_syntax: SyntaxFixed }
}

layout! {
    struct BindAckFixed [10] {
        max_xmit_frag: U16,
        max_recv_frag: U16,
        assoc_group_id: U32,
        address_length: U16,
    }
}

layout! {
    struct ResultFixed [24] { result: U16, reason: U16, transfer_syntax: SyntaxFixed }
}

layout! {
    struct RequestFixed [8] { alloc_hint: U32, context_id: U16, opnum: U16 }
}

layout! {
    struct ResponseFixed [8] { alloc_hint: U32, context_id: U16, cancel_count: u8, reserved: u8 }
}

layout! {
    struct FaultFixed [16] { head: ResponseFixed, status: U32, reserved: U32 }
}

impl<'m> Pdu<'m> {
    /// Length of the unit that `bytes` starts with, from its header; `None` while that is not whole.
    pub fn frame_len(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        if bytes.len() < HEADER_LEN {
            return Ok(None);
        }
        let f: &HeaderFixed = fixed_at(bytes, 0, WHAT)?;
        if f.version != 5 {
            return Err(DecodeError::value(WHAT, 0, f.version.into()));
        }
        // Little-endian integers, ASCII; the floating-point format does not matter.
        if f.data_representation[0] != 0x10 {
            return Err(DecodeError::value(WHAT, 4, f.data_representation[0].into()));
        }
        let len = usize::from(f.frag_length.get());
        if len < HEADER_LEN { Err(DecodeError::value(WHAT, 8, len as u64)) } else { Ok(Some(len)) }
    }

    /// Parses the unit that `bytes` starts with.
    pub fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let truncated = DecodeError::truncated(WHAT, bytes.len());
        let len = Self::frame_len(bytes)?.ok_or(truncated)?;
        let bytes = bytes.get(..len).ok_or(truncated)?;
        let f: &HeaderFixed = fixed_at(bytes, 0, WHAT)?;
        let body = without_credentials(bytes, f.auth_length.get().into())?;
        let (ptype, flags) = (PduType(f.ptype), PduFlags::from_bits_retain(f.flags));
        let body = match ptype {
            PduType::BIND => PduBody::Bind(parse(WHAT, 0, body, Bind::parse)?.1),
            PduType::ALTER_CONTEXT => PduBody::AlterContext(parse(WHAT, 0, body, Bind::parse)?.1),
            PduType::BIND_ACK => PduBody::BindAck(parse(WHAT, 0, body, BindAck::parse)?.1),
            PduType::ALTER_CONTEXT_RESP => PduBody::AlterContextResp(parse(WHAT, 0, body, BindAck::parse)?.1),
            PduType::BIND_NAK => PduBody::BindNak(fixed_at::<U16>(body, 0, WHAT)?.get()),
            PduType::REQUEST => PduBody::Request(Request::decode(body, flags)?),
            PduType::RESPONSE => {
                let f: &ResponseFixed = fixed_at(body, 0, WHAT)?;
                PduBody::Response(Response {
                    alloc_hint: f.alloc_hint.get(),
                    context_id: f.context_id.get(),
                    cancel_count: f.cancel_count,
                    stub: body.get(size_of_val(f)..).unwrap_or_default(),
                })
            }
            PduType::FAULT => {
                let f: &FaultFixed = fixed_at(body, 0, WHAT)?;
                let (context_id, status) = (f.head.context_id.get(), FaultStatus(f.status.get()));
                PduBody::Fault(Fault { context_id, status })
            }
            other => PduBody::Other(other, body),
        };
        Ok(Self { flags, call_id: f.call_id.get(), body })
    }

    /// Appends the unit, which must be shorter than 64 KiB.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer::new(out);
        let w = &mut w;
        let mut flags = self.flags;
        if let PduBody::Request(request) = &self.body {
            flags.set(PduFlags::OBJECT_UUID, request.object.is_some());
        }
        w.put(&HeaderFixed {
            version: 5,
            version_minor: 0,
            ptype: self.body.ptype().0,
            flags: flags.bits(),
            data_representation: [0x10, 0, 0, 0],
            frag_length: U16::ZERO,
            auth_length: U16::ZERO,
            call_id: U32::new(self.call_id),
        });
        match &self.body {
            PduBody::Bind(bind) | PduBody::AlterContext(bind) => bind.encode(w),
            PduBody::BindAck(ack) | PduBody::AlterContextResp(ack) => ack.encode(w),
            PduBody::BindNak(reason) => {
                w.put(&U16::new(*reason));
                // One version is supported: 5.0.
                w.bytes(&[1, 5, 0]);
            }
            PduBody::Request(request) => request.encode(w),
            PduBody::Response(response) => {
                w.put(&ResponseFixed {
                    alloc_hint: U32::new(response.alloc_hint),
                    context_id: U16::new(response.context_id),
                    cancel_count: response.cancel_count,
                    reserved: 0,
                });
                w.bytes(response.stub);
            }
            PduBody::Fault(fault) => w.put(&FaultFixed {
                head: ResponseFixed {
                    alloc_hint: U32::new(size_of::<FaultFixed>() as u32 + 16),
                    context_id: U16::new(fault.context_id),
                    cancel_count: 0,
                    reserved: 0,
                },
                status: U32::new(fault.status.0),
                reserved: U32::ZERO,
            }),
            PduBody::Other(_, bytes) => w.bytes(bytes),
        }
        let len = w.position() as u16;
        w.patch_u16(8, len);
    }
}

/// The next whole unit of what came in, which is behind `at`; `at` moves behind it.
pub(super) fn next_pdu<'m>(input: &'m [u8], at: &mut usize) -> Result<Option<Pdu<'m>>, RpcError> {
    let rest = input.get(*at..).unwrap_or_default();
    match Pdu::frame_len(rest)? {
        Some(len) if len <= rest.len() => {
            *at += len;
            Ok(Some(Pdu::decode(rest)?))
        }
        _ => Ok(None),
    }
}

impl PduBody<'_> {
    fn ptype(&self) -> PduType {
        match self {
            Self::Bind(_) => PduType::BIND,
            Self::BindAck(_) => PduType::BIND_ACK,
            Self::BindNak(_) => PduType::BIND_NAK,
            Self::AlterContext(_) => PduType::ALTER_CONTEXT,
            Self::AlterContextResp(_) => PduType::ALTER_CONTEXT_RESP,
            Self::Request(_) => PduType::REQUEST,
            Self::Response(_) => PduType::RESPONSE,
            Self::Fault(_) => PduType::FAULT,
            Self::Other(ptype, _) => *ptype,
        }
    }
}

/// The body of a unit without header, credentials, and what pads the one to the other.
fn without_credentials(bytes: &[u8], auth_len: usize) -> Result<&[u8], DecodeError> {
    if auth_len == 0 {
        return Ok(bytes.get(HEADER_LEN..).unwrap_or_default());
    }
    let bad = DecodeError::value(WHAT, 10, auth_len as u64);
    let trailer_at = bytes.len().checked_sub(auth_len + TRAILER_LEN).ok_or(bad)?;
    let pad = usize::from(*bytes.get(trailer_at + 2).ok_or(bad)?);
    bytes.get(HEADER_LEN..trailer_at.saturating_sub(pad)).ok_or(bad)
}

impl Bind {
    fn parse(body: &[u8]) -> Parsed<'_, Self> {
        let (input, f) = fixed::<BindFixed>(body)?;
        let (input, contexts) = count(PresentationContext::parse, f.count.into()).parse(input)?;
        let bind = Self {
            max_xmit_frag: f.max_xmit_frag.get(),
            max_recv_frag: f.max_recv_frag.get(),
            assoc_group_id: f.assoc_group_id.get(),
            contexts,
        };
        Ok((input, bind))
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&BindFixed {
            max_xmit_frag: U16::new(self.max_xmit_frag),
            max_recv_frag: U16::new(self.max_recv_frag),
            assoc_group_id: U32::new(self.assoc_group_id),
            count: self.contexts.len() as u8,
            reserved: 0,
            reserved2: U16::ZERO,
        });
        for context in &self.contexts {
            w.put(&ContextFixed {
                id: U16::new(context.id),
                count: context.transfer_syntaxes.len() as u8,
                reserved: 0,
                abstract_syntax: context.abstract_syntax.to_fixed(),
            });
            context.transfer_syntaxes.iter().for_each(|syntax| w.put(&syntax.to_fixed()));
        }
    }
}

impl PresentationContext {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, f) = fixed::<ContextFixed>(input)?;
        let (input, transfer_syntaxes) = count(fixed.map(SyntaxId::decode), f.count.into()).parse(input)?;
        let abstract_syntax = SyntaxId::decode(&f.abstract_syntax);
        Ok((input, Self { id: f.id.get(), abstract_syntax, transfer_syntaxes }))
    }
}

impl BindResult {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, f) = fixed::<ResultFixed>(input)?;
        let transfer_syntax = SyntaxId::decode(&f.transfer_syntax);
        Ok((input, Self { result: f.result.get(), reason: f.reason.get(), transfer_syntax }))
    }
}

impl<'m> BindAck<'m> {
    fn parse(body: &'m [u8]) -> Parsed<'m, Self> {
        let (input, f) = fixed::<BindAckFixed>(body)?;
        let (input, address) = data(f.address_length.get().into())(input)?;
        // The header's length is a multiple of 4, so alignment can be counted in the body.
        let (input, [results, ..]) = aligned(body, 4, fixed::<[u8; 4]>).parse(input)?;
        let (input, results) = count(BindResult::parse, usize::from(*results)).parse(input)?;
        let ack = Self {
            max_xmit_frag: f.max_xmit_frag.get(),
            max_recv_frag: f.max_recv_frag.get(),
            assoc_group_id: f.assoc_group_id.get(),
            secondary_address: address.strip_suffix(&[0]).unwrap_or(address),
            results,
        };
        Ok((input, ack))
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let address = self.secondary_address;
        let nul = usize::from(!address.is_empty());
        w.put(&BindAckFixed {
            max_xmit_frag: U16::new(self.max_xmit_frag),
            max_recv_frag: U16::new(self.max_recv_frag),
            assoc_group_id: U32::new(self.assoc_group_id),
            address_length: U16::new((address.len() + nul) as u16),
        });
        w.bytes(address);
        w.zeros(nul);
        w.align(4);
        w.bytes(&[self.results.len() as u8, 0, 0, 0]);
        for result in &self.results {
            w.put(&ResultFixed {
                result: U16::new(result.result),
                reason: U16::new(result.reason),
                transfer_syntax: result.transfer_syntax.to_fixed(),
            });
        }
    }
}

impl<'m> Request<'m> {
    fn decode(body: &'m [u8], flags: PduFlags) -> Result<Self, DecodeError> {
        let f: &RequestFixed = fixed_at(body, 0, WHAT)?;
        let mut at = size_of_val(f);
        let mut object = None;
        if flags.contains(PduFlags::OBJECT_UUID) {
            object = Some(Guid(*fixed_at(body, at, WHAT)?));
            at += 16;
        }
        Ok(Self {
            alloc_hint: f.alloc_hint.get(),
            context_id: f.context_id.get(),
            opnum: f.opnum.get(),
            object,
            stub: body.get(at..).unwrap_or_default(),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&RequestFixed {
            alloc_hint: U32::new(self.alloc_hint),
            context_id: U16::new(self.context_id),
            opnum: U16::new(self.opnum),
        });
        if let Some(object) = self.object {
            w.bytes(&object.0);
        }
        w.bytes(self.stub);
    }
}
