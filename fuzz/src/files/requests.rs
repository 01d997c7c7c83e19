//! What clients ask of files.

use arbitrary::Arbitrary;
use sansmb::{
    rpc::{Pdu, PduBody, PduFlags, Request, RpcClient, SyntaxId, lsarpc, srvsvc, wkssvc},
    wire::{
        AccessMask, Body, ChangeNotifyFlags, ChangeNotifyRequest, CloseFlags, CloseRequest, Command,
        CompletionFilter, CreateContext, CreateContexts, CreateDisposition, CreateOptions, CreateRequest,
        CtlCode, FileAttributes, FileId, FileTime, FlushRequest, Guid, InfoType, IoctlFlags, IoctlRequest,
        Lease, LeaseKey, LeaseState, List, LockElement, LockFlags, LockRequest, OplockLevel,
        QueryDirectoryFlags, QueryDirectoryRequest, QueryInfoRequest, ReadRequest, SecurityInformation,
        SetInfoRequest, ShareAccess, Structure, TreeConnectRequest, Utf16Buf, WriteFlags, WriteRequest,
        Writer,
        dtyp::Sid,
        fscc::{
            FileAllocationInfo, FileBasicInfo, FileDispositionInfo, FileEndOfFileInfo, FileInfoClass,
            FileLinkInfo, FilePositionInfo, FileRenameInfo,
        },
        fsctl::{SrvCopychunk, SrvCopychunkCopy, ZeroData},
    },
};

use super::volume;
use crate::server::{Ask, Kind};

/// A request, and everything about it that is not the file server's business.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct FileAsk {
    pub what: FileRequest,
    pub session: u8,
    pub tree: u8,
    pub file: u8,
    pub flags: u8,
}

impl FileAsk {
    pub(crate) fn ask(self) -> Ask {
        let Self { what, session, tree, file, flags } = self;
        Ask { session, tree, file, flags, ..Ask::new(Kind::File(what)) }
    }
}

/// A request of a file server's client.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRequest {
    TreeConnect {
        share: u8,
    },
    TreeDisconnect,
    Logoff,
    Create(Create),
    Close {
        attributes: bool,
    },
    Flush,
    Read {
        offset: u16,
        length: u16,
        minimum: u8,
    },
    Write {
        offset: u16,
        length: u16,
        how: u8,
    },
    Lock {
        ranges: [(u8, u8, u8); 2],
        both: bool,
    },
    List {
        class: u8,
        flags: u8,
        pattern: u8,
        length: u16,
    },
    Query {
        kind: u8,
        class: u8,
        length: u16,
        parts: u8,
    },
    Set(Set),
    Notify {
        tree: bool,
        filter: u16,
        length: u16,
    },
    ResumeKey,
    Copy {
        key: u8,
        from: u8,
        to: u8,
        length: u16,
        chunks: u8,
    },
    Zero {
        from: u8,
        to: u8,
    },
    Ranges {
        offset: u8,
        length: u16,
    },
    Pipe {
        times: u8,
        bind: bool,
    },
    /// A call to one of the services, with arguments that mean something to most methods.
    Rpc {
        opnum: u8,
        name: u8,
        numbers: [u8; 4],
    },
    Ioctl {
        code: u32,
        input: u8,
        output: u16,
    },
}

/// CREATE.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Create {
    pub name: u8,
    pub disposition: u8,
    pub access: u8,
    pub share: u8,
    pub options: u8,
    pub contexts: u8,
    pub oplock: u8,
}

/// SET_INFO.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    Delete(bool),
    Rename { to: u8, replace: bool },
    Link { to: u8, replace: bool },
    Length(u16),
    Allocation(u16),
    Basic { attributes: u32, time: u64 },
    Position(u64),
    Any { kind: u8, class: u8, length: u8 },
}

const NAMES: [&str; 23] = [
    "a",
    "b",
    "A",
    "dir",
    r"dir\a",
    r"dir\b",
    r"DIR\sub",
    r"dir\sub\x",
    "",
    "a:stream",
    "a::$DATA",
    "dir:s",
    "..",
    r"dir\..\a",
    "*",
    "a?",
    "srvsvc",
    "wkssvc",
    "lsarpc",
    r"\a",
    r"missing\a",
    "con ",
    r"$Extend\$Quota:$Q:$INDEX_ALLOCATION",
];

fn name(nth: u8) -> Utf16Buf {
    // The plain ones more often than the others.
    let nth = usize::from(nth);
    Utf16Buf::new(NAMES[if nth < 160 { nth % 8 } else { nth % NAMES.len() }])
}

impl FileRequest {
    pub(crate) fn command(self) -> Command {
        match self {
            Self::TreeConnect { .. } => Command::TREE_CONNECT,
            Self::TreeDisconnect => Command::TREE_DISCONNECT,
            Self::Logoff => Command::LOGOFF,
            Self::Create(_) => Command::CREATE,
            Self::Close { .. } => Command::CLOSE,
            Self::Flush => Command::FLUSH,
            Self::Read { .. } => Command::READ,
            Self::Write { .. } => Command::WRITE,
            Self::Lock { .. } => Command::LOCK,
            Self::List { .. } => Command::QUERY_DIRECTORY,
            Self::Query { .. } => Command::QUERY_INFO,
            Self::Set(_) => Command::SET_INFO,
            Self::Notify { .. } => Command::CHANGE_NOTIFY,
            _ => Command::IOCTL,
        }
    }

    pub(crate) fn encode(self, file_id: FileId, w: &mut Writer<'_>) {
        match self {
            Self::TreeConnect { share } => {
                let path = match share % 8 {
                    0..=3 => r"\\server\share",
                    4 => r"\\server\other",
                    5 | 6 => r"\\server\IPC$",
                    _ => r"\\server\none",
                };
                TreeConnectRequest { path: Utf16Buf::new(path).as_utf16(), ..Default::default() }.encode(w);
            }
            Self::TreeDisconnect | Self::Logoff => sansmb::wire::EmptyBody::default().encode(w),
            Self::Create(create) => create.encode(w),
            Self::Close { attributes } => {
                let flags = if attributes { CloseFlags::POSTQUERY_ATTRIB } else { CloseFlags::empty() };
                CloseRequest { flags, file_id }.encode(w);
            }
            Self::Flush => FlushRequest { file_id }.encode(w),
            Self::Read { offset, length, minimum } => {
                let request = ReadRequest {
                    offset: offset.into(),
                    length: length.into(),
                    minimum_count: minimum.into(),
                    file_id,
                    ..Default::default()
                };
                request.encode(w);
            }
            Self::Write { offset, length, how } => {
                let data = vec![how; usize::from(length % 512)];
                // One in eight is at the end, wherever that is.
                let offset = if how % 8 == 7 { u64::MAX } else { offset.into() };
                let flags = WriteFlags::from_bits_retain(u32::from(how >> 6 & 1));
                let request = WriteRequest { flags, ..WriteRequest::new(file_id, offset, &data[..]) };
                request.encode(w);
            }
            Self::Lock { ranges, both } => {
                let locks = ranges.map(|(offset, length, flags)| LockElement {
                    offset: offset.into(),
                    length: length.into(),
                    flags: LockFlags::from_bits_retain(flags.into()),
                });
                let locks = List::Values(&locks[..if both { 2 } else { 1 }]);
                LockRequest { file_id, locks, ..Default::default() }.encode(w);
            }
            Self::List { class, flags, pattern, length } => {
                let pattern =
                    Utf16Buf::new(["*", "", "a", "?", "<.a", "dir", "*.*", "b*"][usize::from(pattern % 8)]);
                let request = QueryDirectoryRequest {
                    information_class: FileInfoClass(
                        [37, 3, 1, 2, 12, 38, 60, class][usize::from(class % 8)],
                    ),
                    flags: QueryDirectoryFlags::from_bits_retain(flags),
                    file_id,
                    pattern: pattern.as_utf16(),
                    output_buffer_length: length.into(),
                    ..Default::default()
                };
                request.encode(w);
            }
            Self::Query { kind, class, length, parts } => {
                let info_type = InfoType(1 + kind % 5);
                let quotas =
                    if info_type == InfoType::QUOTA { volume::quota_query(parts, class) } else { Vec::new() };
                let request = QueryInfoRequest {
                    info_type,
                    input: &quotas,
                    info_class: class % 80,
                    output_buffer_length: length.into(),
                    additional_information: SecurityInformation::from_bits_retain(parts.into()),
                    file_id,
                    ..Default::default()
                };
                request.encode(w);
            }
            Self::Set(set) => set.encode(file_id, w),
            Self::Notify { tree, filter, length } => {
                let request = ChangeNotifyRequest {
                    flags: if tree { ChangeNotifyFlags::WATCH_TREE } else { ChangeNotifyFlags::empty() },
                    output_buffer_length: length.into(),
                    file_id,
                    completion_filter: CompletionFilter::from_bits_retain(filter.into()),
                };
                request.encode(w);
            }
            other => other.encode_ioctl(file_id, w),
        }
    }

    fn encode_ioctl(self, file_id: FileId, w: &mut Writer<'_>) {
        let (ctl_code, input, output) = match self {
            Self::ResumeKey => (CtlCode::SRV_REQUEST_RESUME_KEY, Vec::new(), 32),
            Self::Copy { key, from, to, length, chunks } => {
                // Keys are what the server makes them; small numbers find those of the first files.
                let mut source_key = [0; 24];
                source_key[0] = key % 8;
                source_key[8] = key % 8;
                let chunk = SrvCopychunk {
                    source_offset: from.into(),
                    target_offset: to.into(),
                    length: length.into(),
                };
                let chunks = vec![chunk; usize::from(chunks % 20)];
                let copy = SrvCopychunkCopy { source_key, chunks: List::Values(&chunks) };
                (CtlCode::SRV_COPYCHUNK, copy.to_vec(), 12)
            }
            Self::Zero { from, to } => {
                let zero = ZeroData { file_offset: from.into(), beyond_final_zero: to.into() };
                (CtlCode::SET_ZERO_DATA, zero.to_vec(), 0)
            }
            Self::Ranges { offset, length } => {
                let input = [u64::from(offset), u64::from(length)].map(u64::to_le_bytes).concat();
                (CtlCode::QUERY_ALLOCATED_RANGES, input, 256)
            }
            Self::Pipe { times, bind } => {
                let services: [SyntaxId; 3] = [srvsvc::INTERFACE, wkssvc::INTERFACE, lsarpc::INTERFACE];
                let bytes = RpcClient::new(services[usize::from(times) % 3], 1 << 16).bind();
                let bytes =
                    if bind { bytes } else { vec![5, 0, 0, 3, 0x10, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0] };
                (CtlCode::PIPE_TRANSCEIVE, bytes.repeat(usize::from(times % 8)), 1024)
            }
            Self::Rpc { opnum, name: nth, numbers } => {
                (CtlCode::PIPE_TRANSCEIVE, call(opnum, &name(nth), numbers), 4096)
            }
            Self::Ioctl { code, input, output } => {
                let (code, input) = volume::control(code, input);
                (code, input, u32::from(output))
            }
            other => panic!("{other:?} is no IOCTL"),
        };
        let request = IoctlRequest {
            ctl_code,
            file_id,
            max_output_response: output,
            flags: IoctlFlags::IS_FSCTL,
            input: &input,
            ..Default::default()
        };
        request.encode(w);
    }
}

/// A call whose arguments are a handle, or a name, and numbers.
fn call(opnum: u8, name: &Utf16Buf, numbers: [u8; 4]) -> Vec<u8> {
    use lsarpc::{LookupLevel, LsaRequest, ObjectAttributes, PolicyAccess, PolicyClass, PolicyHandle};
    let mut uuid = *b"LsaPolic\0\0\0\0\0\0\0\0";
    let [number, level, class, text] = numbers;
    uuid[8] = number % 4;
    let (handle, opnum) = (PolicyHandle { attributes: 0, uuid: Guid(uuid) }, u16::from(opnum));
    let (level, names) = (LookupLevel((level % 3).into()), vec![name.as_utf16(); usize::from(text % 8)]);
    let request = match opnum {
        6 | 44 | 130 => LsaRequest::OpenPolicy {
            opnum,
            system: None,
            attributes: ObjectAttributes::default(),
            access: PolicyAccess::MAXIMUM_ALLOWED,
            version: 1,
        },
        7 | 46 => LsaRequest::QueryPolicy { opnum, handle, class: PolicyClass((class % 17).into()) },
        14 | 58 | 68 | 77 => LsaRequest::LookupNames { opnum, handle, names, level, options: 0, revision: 2 },
        57 | 76 => {
            let sid = Sid::new(5, &[32, 500 + u32::from(text)]);
            LsaRequest::LookupSids { opnum, handle, sids: vec![sid; 3], level, options: 0, revision: 2 }
        }
        45 => LsaRequest::GetUserName { system: None, domain: true },
        _ => LsaRequest::Close { handle },
    };
    let level = u32::from(class) + 100 * u32::from(text % 6);
    let other = match opnum {
        15 | 8 | 9 | 12 => srvsvc::SrvsvcRequest::ShareEnum {
            server: None,
            level,
            preferred_length: 100 * u32::from(number),
            resume_handle: Some(text.into()),
        },
        16 => srvsvc::SrvsvcRequest::ShareGetInfo { server: None, share: name.as_utf16(), level },
        _ => srvsvc::SrvsvcRequest::ServerGetInfo { server: None, level },
    };
    // The methods of the server and the workstation service have numbers that the other has not.
    let stub = if matches!(opnum, 0..=5 | 8..=12 | 15..=28) { other.encode() } else { request.encode() };
    let request = Request { opnum, stub: &stub, ..Request::default() };
    let mut pdu = Vec::new();
    Pdu { flags: PduFlags::WHOLE, call_id: 7, body: PduBody::Request(request) }.encode(&mut pdu);
    pdu
}

impl Create {
    /// Opens or makes something and lets everybody do everything.
    pub(crate) fn plain(name: u8, directory: bool) -> Self {
        Self { name, disposition: 0, access: 0, share: 0, options: directory.into(), contexts: 0, oplock: 0 }
    }

    fn encode(self, w: &mut Writer<'_>) {
        let name = name(self.name);
        let access = match self.access % 8 {
            0..=2 => 0x001F_01FF,
            3 => 0x0012_0089,
            4 => 0x0012_0116,
            5 => 0x0200_0000,
            6 => 0x0001_0080,
            _ => u32::from(self.access) << 4,
        };
        let mut options = CreateOptions::empty();
        options.set(CreateOptions::DIRECTORY_FILE, self.options & 3 == 1);
        options.set(CreateOptions::NON_DIRECTORY_FILE, self.options & 3 == 2);
        options.set(CreateOptions::DELETE_ON_CLOSE, self.options & 0x1C == 4);
        options.set(CreateOptions::OPEN_REPARSE_POINT, self.options & 0x20 != 0);
        let all = [
            CreateContext::QueryMaximalAccess(None),
            CreateContext::QueryOnDiskId,
            CreateContext::AllocationSize(u64::from(self.contexts) << 4),
            CreateContext::DurableHandleRequest { reserved: [0; 16] },
            CreateContext::RequestLease(Lease {
                key: LeaseKey([self.oplock % 4; 16]),
                state: LeaseState::from_bits_retain(u32::from(self.oplock & 7)),
                ..Default::default()
            }),
            CreateContext::DurableHandleRequestV2 {
                timeout: 1000,
                flags: Default::default(),
                create_guid: Guid([self.oplock; 16]),
            },
            CreateContext::TimewarpToken(FileTime(self.contexts.into())),
            CreateContext::EaBuffer(&[0; 9]),
        ];
        let contexts: Vec<_> = (0..8)
            .filter(|bit| self.contexts >= 128 && self.contexts & (1 << bit) != 0)
            .map(|bit| all[bit])
            .collect();
        let request = CreateRequest {
            requested_oplock_level: OplockLevel(if self.oplock > 200 { 0xFF } else { self.oplock % 10 }),
            desired_access: AccessMask::from_bits_retain(access),
            file_attributes: FileAttributes::from_bits_retain(u32::from(self.share >> 3)),
            share_access: ShareAccess::from_bits_retain(u32::from(if self.share < 128 {
                7
            } else {
                self.share % 8
            })),
            create_disposition: CreateDisposition(if self.disposition < 128 {
                3
            } else {
                u32::from(self.disposition % 7)
            }),
            create_options: options,
            name: name.as_utf16(),
            contexts: CreateContexts::List(&contexts),
            ..Default::default()
        };
        request.encode(w);
    }
}

impl Set {
    fn encode(self, file_id: FileId, w: &mut Writer<'_>) {
        let (info_type, class, buffer) = match self {
            Self::Delete(delete) => {
                let info = FileDispositionInfo { delete_pending: delete };
                (InfoType::FILE, FileInfoClass::DISPOSITION.0, info.to_vec())
            }
            Self::Rename { to, replace } => {
                let to = name(to);
                let info =
                    FileRenameInfo { replace_if_exists: replace, name: to.as_utf16(), ..Default::default() };
                (InfoType::FILE, FileInfoClass::RENAME.0, info.to_vec())
            }
            Self::Link { to, replace } => {
                let to = name(to);
                let info =
                    FileLinkInfo { replace_if_exists: replace, name: to.as_utf16(), ..Default::default() };
                (InfoType::FILE, FileInfoClass::LINK.0, info.to_vec())
            }
            Self::Length(length) => {
                let info = FileEndOfFileInfo { end_of_file: length.into() };
                (InfoType::FILE, FileInfoClass::END_OF_FILE.0, info.to_vec())
            }
            Self::Allocation(length) => {
                let info = FileAllocationInfo { allocation_size: length.into() };
                (InfoType::FILE, FileInfoClass::ALLOCATION.0, info.to_vec())
            }
            Self::Basic { attributes, time } => {
                let info = FileBasicInfo {
                    creation_time: FileTime(time),
                    last_write_time: FileTime(time.rotate_left(7)),
                    attributes: FileAttributes::from_bits_retain(attributes),
                    ..Default::default()
                };
                (InfoType::FILE, FileInfoClass::BASIC.0, info.to_vec())
            }
            Self::Position(position) => {
                let info = FilePositionInfo { current_byte_offset: position };
                (InfoType::FILE, FileInfoClass::POSITION.0, info.to_vec())
            }
            // Half of those about quotas make sense.
            Self::Any { kind, class, length } if kind % 10 == 3 => {
                (InfoType::QUOTA, 0, volume::quota_set(class, length))
            }
            Self::Any { kind, class, length } => {
                (InfoType(1 + kind % 5), class % 80, vec![kind; length.into()])
            }
        };
        SetInfoRequest { info_type, info_class: class, file_id, buffer: &buffer, ..Default::default() }
            .encode(w);
    }
}
