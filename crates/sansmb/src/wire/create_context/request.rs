//! What a CREATE request asks for, [MS-SMB2] 2.2.13.2.

use zerocopy::little_endian::{U16, U32, U64};

use super::lease::{LeaseFixed, LeaseV2Fixed};
use super::{ContextList, DurableFlags, Lease, LeaseV2, NamedContext, context_name as name, exactly};
use crate::wire::header::FileIdFixed;
use crate::wire::{DecodeError, FileId, FileTime, Guid, Writer};

/// A create context of a request, [MS-SMB2] 2.2.13.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CreateContext<'m> {
    /// `ExtA`: extended attributes, FILE_FULL_EA_INFORMATION of [MS-FSCC] 2.4.16
    EaBuffer(&'m [u8]),
    /// `SecD`: a security descriptor, [MS-DTYP] 2.4.6
    SdBuffer(&'m [u8]),
    /// `DHnQ`: make the open durable
    DurableHandleRequest {
        /// Reserved: zero.
        reserved: [u8; 16],
    },
    /// `DHnC`: reconnect to a durable open
    DurableHandleReconnect(FileId),
    /// `AlSi`: allocate this many bytes
    AllocationSize(u64),
    /// `MxAc`: say what the user may do, unless the file has not changed since
    QueryMaximalAccess(Option<FileTime>),
    /// `TWrp`: open the version of this time
    TimewarpToken(FileTime),
    /// `QFid`: say which file on which volume it is
    QueryOnDiskId,
    /// `RqLs`: a lease (2.1 and later)
    RequestLease(Lease),
    /// `RqLs`: a lease (3.x)
    RequestLeaseV2(LeaseV2),
    /// `DH2Q`: make the open durable or persistent (3.x)
    DurableHandleRequestV2 {
        /// Milliseconds that the server waits for a reconnect; zero leaves it to the server.
        timeout: u32,
        /// Whether it is to be persistent.
        flags: DurableFlags,
        /// Names this CREATE.
        create_guid: Guid,
    },
    /// `DH2C`: reconnect to a durable or persistent open (3.x)
    DurableHandleReconnectV2 {
        /// The open.
        file_id: FileId,
        /// Names the CREATE that made it.
        create_guid: Guid,
        /// Whether it is persistent.
        flags: DurableFlags,
    },
    /// Names the application's instance (3.x)
    AppInstanceId(Guid),
    /// The version of that instance (3.1.1)
    AppInstanceVersion {
        /// The more significant half
        high: u64,
        /// The less significant half
        low: u64,
    },
    /// A shared virtual disk, [MS-RSVD] 2.2.4.12 and 2.2.4.32, not interpreted
    SvhdxOpenDevice(&'m [u8]),
    /// `AAPL`: Apple's extensions, not interpreted
    Aapl(&'m [u8]),
    /// Any other name: to be ignored
    Unknown {
        /// Four bytes or more.
        name: &'m [u8],
        /// Data
        data: &'m [u8],
    },
}

/// The create contexts of a request.
pub type CreateContexts<'m> = ContextList<'m, CreateContext<'m>>;

layout! {
    struct DurableV2Fixed [32] { timeout: U32, flags: U32, reserved: U64, create_guid: [u8; 16] }
}

layout! {
    struct ReconnectV2Fixed [36] { file_id: FileIdFixed, create_guid: [u8; 16], flags: U32 }
}

layout! {
    struct AppInstanceIdFixed [20] { structure_size: U16, reserved: U16, app_instance_id: [u8; 16] }
}

layout! {
    struct AppInstanceVersionFixed [24] {
        structure_size: U16,
        reserved: U16,
        padding: U32,
        high: U64,
        low: U64,
    }
}

impl<'m> NamedContext<'m> for CreateContext<'m> {
    fn from_data(name: &'m [u8], data: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(match name {
            name::EA_BUFFER => Self::EaBuffer(data),
            name::SD_BUFFER => Self::SdBuffer(data),
            name::DURABLE_HANDLE_REQUEST => {
                Self::DurableHandleRequest { reserved: *exactly(data, "DURABLE_HANDLE_REQUEST")? }
            }
            name::DURABLE_HANDLE_RECONNECT => {
                let f: &FileIdFixed = exactly(data, "DURABLE_HANDLE_RECONNECT")?;
                Self::DurableHandleReconnect((*f).into())
            }
            name::ALLOCATION_SIZE => Self::AllocationSize(exactly::<U64>(data, "ALLOCATION_SIZE")?.get()),
            name::QUERY_MAXIMAL_ACCESS if data.is_empty() => Self::QueryMaximalAccess(None),
            name::QUERY_MAXIMAL_ACCESS => {
                let time: &U64 = exactly(data, "QUERY_MAXIMAL_ACCESS_REQUEST")?;
                Self::QueryMaximalAccess(Some(FileTime(time.get())))
            }
            name::TIMEWARP_TOKEN => {
                Self::TimewarpToken(FileTime(exactly::<U64>(data, "TIMEWARP_TOKEN")?.get()))
            }
            name::QUERY_ON_DISK_ID => {
                let []: &[u8; 0] = exactly(data, "QUERY_ON_DISK_ID")?;
                Self::QueryOnDiskId
            }
            name::REQUEST_LEASE if data.len() == size_of::<LeaseFixed>() => {
                Self::RequestLease(exactly::<LeaseFixed>(data, "REQUEST_LEASE")?.into())
            }
            name::REQUEST_LEASE => {
                Self::RequestLeaseV2(exactly::<LeaseV2Fixed>(data, "REQUEST_LEASE_V2")?.into())
            }
            name::DURABLE_HANDLE_REQUEST_V2 => {
                let f: &DurableV2Fixed = exactly(data, "DURABLE_HANDLE_REQUEST_V2")?;
                Self::DurableHandleRequestV2 {
                    timeout: f.timeout.get(),
                    flags: DurableFlags::from_bits_retain(f.flags.get()),
                    create_guid: Guid(f.create_guid),
                }
            }
            name::DURABLE_HANDLE_RECONNECT_V2 => {
                let f: &ReconnectV2Fixed = exactly(data, "DURABLE_HANDLE_RECONNECT_V2")?;
                Self::DurableHandleReconnectV2 {
                    file_id: f.file_id.into(),
                    create_guid: Guid(f.create_guid),
                    flags: DurableFlags::from_bits_retain(f.flags.get()),
                }
            }
            name::APP_INSTANCE_ID => {
                let f: &AppInstanceIdFixed = exactly(data, "APP_INSTANCE_ID")?;
                check_size(f.structure_size, size_of::<AppInstanceIdFixed>())?;
                Self::AppInstanceId(Guid(f.app_instance_id))
            }
            name::APP_INSTANCE_VERSION => {
                let f: &AppInstanceVersionFixed = exactly(data, "APP_INSTANCE_VERSION")?;
                check_size(f.structure_size, size_of::<AppInstanceVersionFixed>())?;
                Self::AppInstanceVersion { high: f.high.get(), low: f.low.get() }
            }
            name::SVHDX_OPEN_DEVICE => Self::SvhdxOpenDevice(data),
            name::AAPL => Self::Aapl(data),
            _ => Self::Unknown { name, data },
        })
    }

    fn name(&self) -> &[u8] {
        match self {
            Self::EaBuffer(_) => name::EA_BUFFER,
            Self::SdBuffer(_) => name::SD_BUFFER,
            Self::DurableHandleRequest { .. } => name::DURABLE_HANDLE_REQUEST,
            Self::DurableHandleReconnect(_) => name::DURABLE_HANDLE_RECONNECT,
            Self::AllocationSize(_) => name::ALLOCATION_SIZE,
            Self::QueryMaximalAccess(_) => name::QUERY_MAXIMAL_ACCESS,
            Self::TimewarpToken(_) => name::TIMEWARP_TOKEN,
            Self::QueryOnDiskId => name::QUERY_ON_DISK_ID,
            Self::RequestLease(_) | Self::RequestLeaseV2(_) => name::REQUEST_LEASE,
            Self::DurableHandleRequestV2 { .. } => name::DURABLE_HANDLE_REQUEST_V2,
            Self::DurableHandleReconnectV2 { .. } => name::DURABLE_HANDLE_RECONNECT_V2,
            Self::AppInstanceId(_) => name::APP_INSTANCE_ID,
            Self::AppInstanceVersion { .. } => name::APP_INSTANCE_VERSION,
            Self::SvhdxOpenDevice(_) => name::SVHDX_OPEN_DEVICE,
            Self::Aapl(_) => name::AAPL,
            Self::Unknown { name, .. } => name,
        }
    }

    fn encode_data(&self, w: &mut Writer<'_>) {
        match self {
            Self::EaBuffer(data) | Self::SdBuffer(data) | Self::SvhdxOpenDevice(data) | Self::Aapl(data) => {
                w.bytes(data);
            }
            Self::DurableHandleRequest { reserved } => w.bytes(reserved),
            Self::DurableHandleReconnect(file_id) => w.put(&FileIdFixed::from(*file_id)),
            Self::AllocationSize(size) => w.put(&U64::new(*size)),
            Self::QueryMaximalAccess(None) | Self::QueryOnDiskId => {}
            Self::QueryMaximalAccess(Some(time)) | Self::TimewarpToken(time) => w.put(&U64::new(time.0)),
            Self::RequestLease(lease) => w.put(&LeaseFixed::from(lease)),
            Self::RequestLeaseV2(lease) => w.put(&LeaseV2Fixed::from(lease)),
            Self::DurableHandleRequestV2 { timeout, flags, create_guid } => w.put(&DurableV2Fixed {
                timeout: U32::new(*timeout),
                flags: U32::new(flags.bits()),
                reserved: U64::ZERO,
                create_guid: create_guid.0,
            }),
            Self::DurableHandleReconnectV2 { file_id, create_guid, flags } => w.put(&ReconnectV2Fixed {
                file_id: (*file_id).into(),
                create_guid: create_guid.0,
                flags: U32::new(flags.bits()),
            }),
            Self::AppInstanceId(id) => w.put(&AppInstanceIdFixed {
                structure_size: U16::new(size_of::<AppInstanceIdFixed>() as u16),
                reserved: U16::ZERO,
                app_instance_id: id.0,
            }),
            Self::AppInstanceVersion { high, low } => w.put(&AppInstanceVersionFixed {
                structure_size: U16::new(size_of::<AppInstanceVersionFixed>() as u16),
                reserved: U16::ZERO,
                padding: U32::ZERO,
                high: U64::new(*high),
                low: U64::new(*low),
            }),
            Self::Unknown { data, .. } => w.bytes(data),
        }
    }
}

fn check_size(found: U16, expected: usize) -> Result<(), DecodeError> {
    if usize::from(found.get()) == expected {
        Ok(())
    } else {
        Err(DecodeError::value("create context StructureSize", 0, found.get().into()))
    }
}
