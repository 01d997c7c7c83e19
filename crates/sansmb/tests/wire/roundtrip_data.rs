//! Every header and every message that carries data is decoded to itself.

use proptest::prelude::*;

use crate::packet::encode;
use crate::values::*;
use sansmb::wire::{
    Body, CloseFlags, CloseRequest, Command, FileId, Flags, FlushRequest, Header, NtStatus, ReadFlags,
    ReadRequest, ReadResponse, SessionId, TreeId, WriteFlags, WriteRequest, WriteResponse, Writer,
};

macro_rules! check {
    ($body:ty, $value:expr) => {{
        let value = $value;
        let msg = encode(&Header::default(), &value);
        let decoded = <$body as Body<'_>>::decode(&msg).unwrap();
        prop_assert_eq!(&decoded, &value);
        prop_assert_eq!(encode(&Header::default(), &decoded), msg);
    }};
}

fn file_id() -> impl Strategy<Value = FileId> {
    any::<(u64, u64)>().prop_map(|(persistent, volatile)| FileId { persistent, volatile })
}

proptest! {
    #[test]
    fn header(
        bits in any::<(u16, u32, u16, u16, u32, u32)>(),
        ids in any::<(u64, u32, u32, u64)>(),
        signature in any::<[u8; 16]>(),
        async_id in any::<u64>(),
    ) {
        let header = Header {
            credit_charge: bits.0,
            status: NtStatus(bits.1),
            command: Command(bits.2),
            credits: bits.3,
            flags: Flags::from_bits_retain(bits.4),
            next_command: bits.5,
            message_id: ids.0,
            process_id: ids.1,
            tree_id: TreeId(ids.2),
            session_id: SessionId(ids.3),
            signature,
        };
        let mut asynchronous = header;
        asynchronous.set_async_id(async_id);
        prop_assert_eq!(asynchronous.async_id(), Some(async_id));
        for header in [header, asynchronous] {
            let mut bytes = Vec::new();
            header.encode(&mut Writer::new(&mut bytes));
            prop_assert_eq!(Header::decode(&bytes).unwrap(), header);
        }
    }

    #[test]
    fn read(
        file_id in file_id(),
        bits in any::<(u8, u8, u32, u64, u32, u32, u32)>(),
        channel_info in bytes(20),
        data in bytes(300),
    ) {
        check!(ReadRequest<'_>, ReadRequest {
            padding: bits.0,
            flags: ReadFlags::from_bits_retain(bits.1),
            length: bits.2,
            offset: bits.3,
            file_id,
            minimum_count: bits.4,
            channel: bits.5,
            remaining_bytes: bits.6,
            channel_info,
        });
        check!(ReadResponse<&[u8]>, ReadResponse { data, data_remaining: bits.4, flags: bits.5 });
    }

    #[test]
    fn write(
        file_id in file_id(),
        bits in any::<(u64, u32, u32, u32, u32)>(),
        channel_info in bytes(20),
        data in bytes(300),
    ) {
        check!(WriteRequest<'_, &[u8]>, WriteRequest {
            offset: bits.0,
            file_id,
            channel: bits.1,
            remaining_bytes: bits.2,
            channel_info,
            flags: WriteFlags::from_bits_retain(bits.3),
            data,
        });
        check!(WriteResponse, WriteResponse { count: bits.4 });
    }

    #[test]
    fn close_and_flush(file_id in file_id(), flags in any::<u16>()) {
        check!(CloseRequest, CloseRequest { flags: CloseFlags::from_bits_retain(flags), file_id });
        check!(FlushRequest, FlushRequest { file_id });
    }
}
