//! Requests out of their fields.

use sansmb::wire::{
    fsctl::{
        DuplicateExtents, FileLevelTrim, FileRange, IntegrityFlags, OffloadRead, OffloadWrite,
        ResiliencyRequest, SetIntegrity, ValidateNegotiateRequest, ZeroData,
    },
    *,
};

use super::{
    create,
    fields::Given,
    quota, set_info,
    values::{Data, Value},
};
use crate::raw;

/// Builds the message of `verb`; its command has been put into `header` already. `token` is what
/// SESSION_SETUP carries.
pub(super) fn message(
    verb: &str,
    header: &Header,
    given: &mut Given,
    token: &[u8],
) -> Result<Vec<u8>, String> {
    Ok(match verb {
        "NEGOTIATE" => return negotiate(header, given),
        "SESSION_SETUP" => {
            let body = SessionSetupRequest {
                flags: given.or("flags", SessionSetupFlags::empty())?,
                security_mode: given.or("security", SecurityMode::SIGNING_ENABLED)?,
                previous_session_id: SessionId(given.or("previous", 0)?),
                security_buffer: token,
                ..Default::default()
            };
            raw::message(header, &body)
        }
        "LOGOFF" | "TREE_DISCONNECT" | "ECHO" | "CANCEL" => raw::message(header, &EmptyBody::default()),
        "TREE_CONNECT" => {
            let path = Utf16Buf::new(&given.need::<String>("path")?);
            raw::message(header, &TreeConnectRequest { path: path.as_utf16(), ..Default::default() })
        }
        "CREATE" => return create::message(header, given),
        "CLOSE" => {
            let flags = given.or("flags", CloseFlags::empty())?;
            raw::message(header, &CloseRequest { flags, file_id: given.need("file")? })
        }
        "FLUSH" => raw::message(header, &FlushRequest { file_id: given.need("file")? }),
        "READ" => {
            let body = ReadRequest {
                length: given.need("length")?,
                offset: given.or("offset", 0)?,
                file_id: given.need("file")?,
                flags: if given.flag("ask_compressed") {
                    ReadFlags::REQUEST_COMPRESSED
                } else {
                    ReadFlags::empty()
                },
                ..Default::default()
            };
            raw::message(header, &body)
        }
        "WRITE" => {
            let data: Data = given.need("data")?;
            let body = WriteRequest::new(given.need("file")?, given.or("offset", 0)?, &data.0[..]);
            raw::message(header, &body)
        }
        "LOCK" => {
            let locks: Vec<LockElement> = given.all("lock")?;
            let (number, index) = (given.or("sequence_number", 0)?, given.or("sequence_index", 0)?);
            let body = LockRequest {
                lock_sequence: LockRequest::sequence(number, index),
                file_id: given.need("file")?,
                locks: locks.as_slice().into(),
            };
            raw::message(header, &body)
        }
        "IOCTL" => return ioctl(header, given),
        "QUERY_DIRECTORY" => {
            let pattern = Utf16Buf::new(&given.or("pattern", "*".to_owned())?);
            let body = QueryDirectoryRequest {
                information_class: given.or("class", fscc::FileInfoClass::ID_BOTH_DIRECTORY)?,
                flags: given.or("flags", QueryDirectoryFlags::empty())?,
                file_id: given.need("file")?,
                pattern: pattern.as_utf16(),
                output_buffer_length: given.or("length", 65536)?,
                ..Default::default()
            };
            raw::message(header, &body)
        }
        "CHANGE_NOTIFY" => {
            let tree = given.flag("whole_tree");
            let body = ChangeNotifyRequest {
                flags: if tree { ChangeNotifyFlags::WATCH_TREE } else { ChangeNotifyFlags::empty() },
                output_buffer_length: given.or("length", 1024)?,
                file_id: given.need("file")?,
                completion_filter: given.need("filter")?,
            };
            raw::message(header, &body)
        }
        "QUERY_INFO" => {
            let info_type = given.or("type", InfoType::FILE)?;
            let text = given.or("class", "0".to_owned())?;
            let input = match info_type {
                InfoType::QUOTA => quota::query(given)?,
                _ => Vec::new(),
            };
            let body = QueryInfoRequest {
                info_type,
                info_class: class(info_type, &text).ok_or_else(|| format!("class={text} means nothing"))?,
                output_buffer_length: given.or("length", 65536)?,
                additional_information: given.or("about", SecurityInformation::empty())?,
                file_id: given.need("file")?,
                input: &input,
                ..Default::default()
            };
            raw::message(header, &body)
        }
        "SET_INFO" => return set_info::message(header, given),
        "OPLOCK_BREAK" => {
            let body = OplockBreak { oplock_level: given.need("level")?, file_id: given.need("file")? };
            raw::message(header, &body)
        }
        "LEASE_BREAK" => {
            let body = LeaseBreak {
                lease_key: given.need("key")?,
                lease_state: given.need("state")?,
                ..Default::default()
            };
            raw::message(header, &body)
        }
        other => return Err(format!("there is no command {other}")),
    })
}

/// The number of an information class.
pub(super) fn class(info_type: InfoType, text: &str) -> Option<u8> {
    match info_type {
        InfoType::FILE => fscc::FileInfoClass::parse(text).map(|class| class.0),
        InfoType::FILESYSTEM => fscc::FsInfoClass::parse(text).map(|class| class.0),
        _ => u8::parse(text),
    }
}

fn negotiate(header: &Header, given: &mut Given) -> Result<Vec<u8>, String> {
    let mut dialects: Vec<Dialect> = given.list("dialects")?.ok_or("dialects are missing")?;
    // The codec writes no contexts without 3.1.1 among the dialects: its place is taken afterwards.
    let stray = given.flag("contexts_anyway");
    if stray {
        dialects.push(Dialect::SMB3_1_1);
    }
    let mut owned = Vec::new();
    for name in given.names() {
        match name.as_str() {
            "PREAUTH" | "ENCRYPTION" | "SIGNING" | "COMPRESSION" | "NETNAME" | "RDMA" | "TRANSPORT"
            | "CONTEXT" => {
                owned.push(OwnedContext::take(&name, given)?);
            }
            _ => {}
        }
    }
    let contexts: Vec<NegotiateContext<'_>> = owned.iter().map(OwnedContext::view).collect();
    let body = NegotiateRequest {
        security_mode: given.or("security", SecurityMode::SIGNING_ENABLED)?,
        capabilities: given.or("capabilities", Capabilities::empty())?,
        client_guid: given.need("guid")?,
        client_start_time: 0,
        dialects: dialects.as_slice().into(),
        contexts: NegotiateContexts::List(&contexts),
    };
    let mut message = raw::message(header, &body);
    if stray {
        let at = HEADER_LEN + 36 + 2 * (dialects.len() - 1);
        message[at..at + 2].copy_from_slice(&dialects[0].0.to_le_bytes());
    }
    Ok(message)
}

/// A context of NEGOTIATE with its data.
enum OwnedContext {
    Preauth(Vec<HashAlgorithm>, Vec<u8>),
    Encryption(Vec<Cipher>),
    Signing(Vec<SigningAlgorithm>),
    Compression(CompressionFlags, Vec<CompressionAlgorithm>),
    Netname(Utf16Buf),
    Rdma(Vec<RdmaTransformId>),
    Transport(TransportFlags),
    Other(u16, Vec<u8>),
}

impl OwnedContext {
    fn take(name: &str, given: &mut Given) -> Result<Self, String> {
        given.flag(name);
        let field = |field: &str| format!("{name}.{field}");
        Ok(match name {
            "PREAUTH" => {
                let hashes = given.list(&field("hashes"))?.unwrap_or(vec![HashAlgorithm::SHA_512]);
                Self::Preauth(hashes, vec![given.or(&field("salt"), 5)?; 32])
            }
            "ENCRYPTION" => Self::Encryption(given.list(&field("ciphers"))?.unwrap_or_default()),
            "SIGNING" => Self::Signing(given.list(&field("algorithms"))?.unwrap_or_default()),
            "COMPRESSION" => {
                let flags = given.or(&field("flags"), CompressionFlags::empty())?;
                Self::Compression(flags, given.list(&field("algorithms"))?.unwrap_or_default())
            }
            "NETNAME" => Self::Netname(Utf16Buf::new(&given.need::<String>(&field("name"))?)),
            "RDMA" => Self::Rdma(given.list(&field("transforms"))?.unwrap_or_default()),
            "TRANSPORT" => Self::Transport(given.need(&field("flags"))?),
            _ => Self::Other(given.need(&field("type"))?, given.need::<Data>(&field("data"))?.0),
        })
    }

    fn view(&self) -> NegotiateContext<'_> {
        match self {
            Self::Preauth(hashes, salt) => {
                NegotiateContext::Preauth { hash_algorithms: hashes.as_slice().into(), salt }
            }
            Self::Encryption(ciphers) => NegotiateContext::Encryption { ciphers: ciphers.as_slice().into() },
            Self::Signing(list) => NegotiateContext::Signing { algorithms: list.as_slice().into() },
            Self::Compression(flags, list) => {
                NegotiateContext::Compression { flags: *flags, algorithms: list.as_slice().into() }
            }
            Self::Netname(name) => NegotiateContext::Netname(name.as_utf16()),
            Self::Transport(flags) => NegotiateContext::Transport { flags: *flags },
            Self::Rdma(list) => NegotiateContext::RdmaTransform { transforms: list.as_slice().into() },
            Self::Other(context_type, data) => {
                NegotiateContext::Unknown { context_type: *context_type, data }
            }
        }
    }
}

fn ioctl(header: &Header, given: &mut Given) -> Result<Vec<u8>, String> {
    let ctl_code: CtlCode = given.need("code")?;
    let input = match ctl_code {
        CtlCode::VALIDATE_NEGOTIATE_INFO => {
            let dialects: Vec<Dialect> = given.list("dialects")?.ok_or("dialects are missing")?;
            ValidateNegotiateRequest {
                capabilities: given.or("capabilities", Capabilities::empty())?,
                guid: given.need("guid")?,
                security_mode: given.or("security", SecurityMode::SIGNING_ENABLED)?,
                dialects: dialects.as_slice().into(),
            }
            .to_vec()
        }
        CtlCode::LMR_REQUEST_RESILIENCY => ResiliencyRequest { timeout: given.need("timeout")? }.to_vec(),
        CtlCode::SET_INTEGRITY_INFORMATION => SetIntegrity {
            checksum_algorithm: given.need("checksum")?,
            flags: given.or("flags", IntegrityFlags::empty())?,
            ..Default::default()
        }
        .to_vec(),
        CtlCode::SET_ZERO_DATA => {
            let (file_offset, beyond_final_zero) = (given.need("from")?, given.need("to")?);
            ZeroData { file_offset, beyond_final_zero }.to_vec()
        }
        CtlCode::FILE_LEVEL_TRIM => {
            let ranges = [FileRange { offset: given.need("offset")?, length: given.need("bytes")? }];
            FileLevelTrim { key: 0, ranges: ranges.as_slice().into() }.to_vec()
        }
        CtlCode::OFFLOAD_READ => OffloadRead {
            size: OffloadRead::FIXED_LEN as u32,
            time_to_live: given.or("ttl", 0)?,
            file_offset: given.or("from", 0)?,
            copy_length: given.need("bytes")?,
            ..Default::default()
        }
        .to_vec(),
        CtlCode::OFFLOAD_WRITE => {
            let head = OffloadWrite {
                size: OffloadWrite::FIXED_LEN as u32,
                file_offset: given.or("to", 0)?,
                copy_length: given.need("bytes")?,
                transfer_offset: given.or("from", 0)?,
                ..Default::default()
            };
            // The token as the server gave it.
            let mut input = head.to_vec();
            input.truncate(32);
            input.extend(given.need::<Data>("token")?.0);
            input
        }
        CtlCode::DUPLICATE_EXTENTS_TO_FILE => DuplicateExtents {
            source_file_id: given.need("source")?,
            source_file_offset: given.need("from")?,
            target_file_offset: given.need("to")?,
            byte_count: given.need("bytes")?,
        }
        .to_vec(),
        _ => given.or("input", Data(Vec::new()))?.0,
    };
    let body = IoctlRequest {
        ctl_code,
        file_id: given.or("file", FileId::ANY)?,
        max_output_response: given.or("length", 65536)?,
        flags: IoctlFlags::IS_FSCTL,
        input: &input,
        ..Default::default()
    };
    Ok(raw::message(header, &body))
}
