//! Random values of the parts of messages. They leak what they borrow: a test process is short.

use proptest::array::uniform16;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use sansmb::wire::{
    AccessMask, ChainedPayload, ChainedPayloads, Cipher, CompressedMessage, CompressionAlgorithm,
    CompressionFlags, CreateContext, CreateContextReply, DurableFlags, FileId, FileTime, Guid, HashAlgorithm,
    Lease, LeaseFlags, LeaseKey, LeaseState, LeaseV2, NegotiateContext, NetbiosName, NtStatus, PatternV1,
    RdmaTransformId, SessionPacket, SessionRefusal, SigningAlgorithm, TransportFlags, TreeConnectContext,
    U16List, Utf16,
};

/// Up to `max` bytes.
pub(crate) fn bytes(max: usize) -> impl Strategy<Value = &'static [u8]> {
    vec(any::<u8>(), 0..=max).prop_map(|bytes| &*bytes.leak())
}

/// A string, well-formed or not.
pub(crate) fn utf16() -> impl Strategy<Value = Utf16<'static>> {
    vec(any::<[u8; 2]>(), 0..20).prop_map(|units| {
        let bytes = units.concat().leak();
        Utf16::new(bytes, "random", 0).expect("even length")
    })
}

fn list<T>() -> impl Strategy<Value = U16List<'static, T>>
where
    T: From<u16> + Into<u16> + Copy + std::fmt::Debug + 'static,
{
    vec(any::<u16>(), 0..5).prop_map(|numbers| {
        let numbers: Vec<T> = numbers.into_iter().map(T::from).collect();
        U16List::List(numbers.leak())
    })
}

fn guid() -> impl Strategy<Value = Guid> {
    uniform16(any::<u8>()).prop_map(Guid)
}

pub(crate) fn file_id() -> impl Strategy<Value = FileId> {
    any::<(u64, u64)>().prop_map(|(persistent, volatile)| FileId { persistent, volatile })
}

pub(crate) fn lease_key() -> impl Strategy<Value = LeaseKey> {
    uniform16(any::<u8>()).prop_map(LeaseKey)
}

pub(crate) fn lease_state() -> impl Strategy<Value = LeaseState> {
    any::<u32>().prop_map(LeaseState::from_bits_retain)
}

fn lease() -> impl Strategy<Value = Lease> {
    (lease_key(), lease_state(), any::<(u32, u64)>()).prop_map(|(key, state, (flags, duration))| Lease {
        key,
        state,
        flags: LeaseFlags::from_bits_retain(flags),
        duration,
    })
}

fn lease_v2() -> impl Strategy<Value = LeaseV2> {
    (lease(), lease_key(), any::<(u16, u16)>()).prop_map(|(lease, parent_key, (epoch, reserved))| LeaseV2 {
        key: lease.key,
        state: lease.state,
        flags: lease.flags,
        duration: lease.duration,
        parent_key,
        epoch,
        reserved,
    })
}

fn durable_flags() -> impl Strategy<Value = DurableFlags> {
    any::<u32>().prop_map(DurableFlags::from_bits_retain)
}

/// A name that no context has yet.
fn unknown_name() -> impl Strategy<Value = &'static [u8]> {
    (4..=20_usize).prop_map(|len| &*vec![b'?'; len].leak())
}

pub(crate) fn negotiate_context() -> impl Strategy<Value = NegotiateContext<'static>> {
    prop_oneof![
        (list::<HashAlgorithm>(), bytes(40))
            .prop_map(|(hash_algorithms, salt)| NegotiateContext::Preauth { hash_algorithms, salt }),
        list::<Cipher>().prop_map(|ciphers| NegotiateContext::Encryption { ciphers }),
        (any::<u32>(), list::<CompressionAlgorithm>()).prop_map(|(flags, algorithms)| {
            NegotiateContext::Compression { flags: CompressionFlags::from_bits_retain(flags), algorithms }
        }),
        utf16().prop_map(NegotiateContext::Netname),
        any::<u32>()
            .prop_map(|flags| NegotiateContext::Transport { flags: TransportFlags::from_bits_retain(flags) }),
        list::<RdmaTransformId>().prop_map(|transforms| NegotiateContext::RdmaTransform { transforms }),
        list::<SigningAlgorithm>().prop_map(|algorithms| NegotiateContext::Signing { algorithms }),
        (9..=u16::MAX, bytes(20))
            .prop_map(|(context_type, data)| NegotiateContext::Unknown { context_type, data }),
    ]
}

pub(crate) fn tree_connect_context() -> impl Strategy<Value = TreeConnectContext<'static>> {
    prop_oneof![
        bytes(20).prop_map(TreeConnectContext::RemotedIdentity),
        (2..=u16::MAX, bytes(20))
            .prop_map(|(context_type, data)| TreeConnectContext::Unknown { context_type, data }),
    ]
}

pub(crate) fn create_context() -> impl Strategy<Value = CreateContext<'static>> {
    let plain = prop_oneof![
        bytes(40).prop_map(CreateContext::EaBuffer),
        bytes(40).prop_map(CreateContext::SdBuffer),
        bytes(40).prop_map(CreateContext::SvhdxOpenDevice),
        bytes(40).prop_map(CreateContext::Aapl),
        any::<u64>().prop_map(CreateContext::AllocationSize),
        option::of(any::<u64>().prop_map(FileTime)).prop_map(CreateContext::QueryMaximalAccess),
        any::<u64>().prop_map(|time| CreateContext::TimewarpToken(FileTime(time))),
        Just(CreateContext::QueryOnDiskId),
    ];
    let rest = prop_oneof![
        any::<[u8; 16]>().prop_map(|reserved| CreateContext::DurableHandleRequest { reserved }),
        file_id().prop_map(CreateContext::DurableHandleReconnect),
        lease().prop_map(CreateContext::RequestLease),
        lease_v2().prop_map(CreateContext::RequestLeaseV2),
        (any::<u32>(), durable_flags(), guid()).prop_map(|(timeout, flags, create_guid)| {
            CreateContext::DurableHandleRequestV2 { timeout, flags, create_guid }
        }),
        (file_id(), guid(), durable_flags()).prop_map(|(file_id, create_guid, flags)| {
            CreateContext::DurableHandleReconnectV2 { file_id, create_guid, flags }
        }),
        guid().prop_map(CreateContext::AppInstanceId),
        any::<(u64, u64)>().prop_map(|(high, low)| CreateContext::AppInstanceVersion { high, low }),
        (unknown_name(), bytes(20)).prop_map(|(name, data)| CreateContext::Unknown { name, data }),
    ];
    prop_oneof![plain, rest]
}

pub(crate) fn create_context_reply() -> impl Strategy<Value = CreateContextReply<'static>> {
    prop_oneof![
        any::<u64>().prop_map(|reserved| CreateContextReply::DurableHandleResponse { reserved }),
        any::<(u32, u32)>().prop_map(|(status, access)| CreateContextReply::QueryMaximalAccess {
            query_status: NtStatus(status),
            maximal_access: AccessMask::from_bits_retain(access),
        }),
        any::<(u64, u64, [u8; 16])>().prop_map(|(disk_file_id, volume_id, reserved)| {
            CreateContextReply::QueryOnDiskId { disk_file_id, volume_id, reserved }
        }),
        lease().prop_map(CreateContextReply::ResponseLease),
        lease_v2().prop_map(CreateContextReply::ResponseLeaseV2),
        (any::<u32>(), durable_flags())
            .prop_map(|(timeout, flags)| CreateContextReply::DurableHandleResponseV2 { timeout, flags }),
        bytes(40).prop_map(CreateContextReply::SvhdxOpenDevice),
        bytes(40).prop_map(CreateContextReply::Aapl),
        (unknown_name(), bytes(20)).prop_map(|(name, data)| CreateContextReply::Unknown { name, data }),
    ]
}

fn chained_payload() -> impl Strategy<Value = ChainedPayload<'static>> {
    let sized = prop_oneof![
        Just(CompressionAlgorithm::LZNT1),
        Just(CompressionAlgorithm::LZ77),
        Just(CompressionAlgorithm::LZ77_HUFFMAN),
        Just(CompressionAlgorithm::LZ4),
    ];
    prop_oneof![
        (sized, any::<u16>(), any::<u32>(), bytes(20)).prop_map(|(algorithm, flags, size, data)| {
            ChainedPayload { algorithm, flags, original_payload_size: Some(size), data }
        }),
        (any::<u16>(), bytes(20)).prop_map(|(flags, data)| ChainedPayload {
            algorithm: CompressionAlgorithm::NONE,
            flags,
            original_payload_size: None,
            data,
        }),
        any::<(u16, u8, u32)>().prop_map(|(flags, pattern, repetitions)| ChainedPayload {
            algorithm: CompressionAlgorithm::PATTERN_V1,
            flags,
            original_payload_size: None,
            data: PatternV1 { pattern, repetitions }.to_bytes().to_vec().leak(),
        }),
    ]
}

pub(crate) fn compressed_message() -> impl Strategy<Value = CompressedMessage<'static>> {
    prop_oneof![
        (any::<(u32, u16)>(), bytes(20), bytes(20)).prop_map(
            |((original_size, algorithm), plain, compressed)| CompressedMessage::Unchained {
                original_size,
                algorithm: CompressionAlgorithm(algorithm),
                plain,
                compressed,
            }
        ),
        (any::<u32>(), vec(chained_payload(), 1..5)).prop_map(|(original_size, mut payloads)| {
            payloads[0].flags = 1;
            CompressedMessage::Chained { original_size, payloads: ChainedPayloads::List(payloads.leak()) }
        }),
    ]
}

pub(crate) fn session_packet() -> impl Strategy<Value = SessionPacket> {
    let name = || uniform16(any::<u8>()).prop_map(NetbiosName);
    prop_oneof![
        (name(), name()).prop_map(|(called, calling)| SessionPacket::Request { called, calling }),
        Just(SessionPacket::Positive),
        any::<u8>().prop_map(|reason| SessionPacket::Negative(SessionRefusal(reason))),
        any::<([u8; 4], u16)>().prop_map(|(address, port)| SessionPacket::Retarget { address, port }),
        Just(SessionPacket::KeepAlive),
    ]
}
