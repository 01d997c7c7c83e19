//! What of an answer a case can look at.

use sansmb::wire::{
    fscc::*,
    fsctl::{
        FileLevelTrimOutput, FileRanges, IntegrityInfo, NetworkInterfaces, OffloadReadOutput,
        OffloadWriteOutput, SnapshotArray, ValidateNegotiateResponse,
    },
    *,
};

use super::{
    create, quota,
    values::{Data, Value, show_list},
};

/// What was asked, as far as the answer does not say it again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) info_type: InfoType,
    pub(super) class: u8,
}

/// Fields of an answer, by name.
pub(super) type Seen = Vec<(String, String)>;

/// The name of a message and its fields.
pub(super) fn fields(header: &Header, message: &[u8], asked: Asked) -> Result<(String, Seen), String> {
    let body = Message::decode(header, message).map_err(|error| error.to_string())?;
    let mut out = Vec::new();
    let mut put = |name: &str, value: String| out.push((name.to_owned(), value));
    let mut verb = format!("{:?}", header.command);
    match body {
        Message::NegotiateResponse(body) => negotiate(&body, &mut out),
        Message::SessionSetupResponse(body) => {
            put("flags", body.session_flags.show());
            put("session", header.session_id.0.show());
        }
        Message::TreeConnectResponse(body) => {
            put("tree", header.tree_id.0.show());
            put("type", body.share_type.show());
            put("flags", body.share_flags.show());
            put("capabilities", body.capabilities.show());
            put("access", body.maximal_access.show());
        }
        Message::CreateResponse(body) => create::answer(&body, &mut out),
        Message::CloseResponse(body) => {
            put("flags", body.flags.show());
            put("size", body.end_of_file.show());
            put("attributes", body.file_attributes.show());
            put("created", body.creation_time.0.show());
        }
        Message::ReadResponse(body) => {
            put("length", (body.data.len() as u64).show());
            put("data", Data(body.data.to_vec()).show());
        }
        Message::WriteResponse(body) => put("count", body.count.show()),
        Message::IoctlResponse(body) => ioctl(&body, &mut out)?,
        Message::QueryDirectoryResponse(body) => {
            let entries = DirEntries::new(FileInfoClass(asked.class), body.buffer);
            let entries = entries.ok_or("the class has no entries")?;
            let mut names = Vec::new();
            for entry in entries {
                names.push(entry.map_err(|error| error.to_string())?.name.to_text_lossy());
            }
            put("names", show_list(names));
        }
        Message::ChangeNotifyResponse(body) => {
            let mut changes = Vec::new();
            for entry in NotifyEntries::new(body.buffer) {
                let entry = entry.map_err(|error| error.to_string())?;
                changes.push(format!("{}:{}", entry.action.show(), entry.name.to_text_lossy()));
            }
            put("changes", show_list(changes));
        }
        Message::QueryInfoResponse(body) => {
            put("length", (body.buffer.len() as u64).show());
            info(asked, body.buffer, &mut out).map_err(|error| error.to_string())?;
        }
        Message::OplockBreak(body) => {
            put("level", body.oplock_level.show());
            put("file", body.file_id.show());
        }
        Message::LeaseBreakNotification(body) => {
            verb = "LEASE_BREAK".into();
            put("key", body.lease_key.show());
            put("from", body.current_lease_state.show());
            put("to", body.new_lease_state.show());
            put("flags", body.flags.show());
            put("epoch", body.new_epoch.show());
            put("session", header.session_id.0.show());
            put("tree", header.tree_id.0.show());
        }
        Message::LeaseBreak(body) => {
            verb = "LEASE_BREAK".into();
            put("key", body.lease_key.show());
            put("state", body.lease_state.show());
        }
        Message::Error(body) if !body.data.is_empty() => put("data", Data(body.data.to_vec()).show()),
        _ => {}
    }
    let flags = [
        ("signed", header.flags.contains(Flags::SIGNED)),
        ("async", header.async_id().is_some()),
        ("related", header.flags.contains(Flags::RELATED_OPERATIONS)),
    ];
    for (name, set) in flags {
        if set {
            out.push((name.to_owned(), String::new()));
        }
    }
    out.push(("credits".to_owned(), header.credits.show()));
    Ok((verb, out))
}

fn negotiate(body: &NegotiateResponse<'_>, out: &mut Seen) {
    let mut put = |name: &str, value: String| out.push((name.to_owned(), value));
    put("dialect", body.dialect.show());
    put("security", body.security_mode.show());
    put("capabilities", body.capabilities.show());
    put("guid", body.server_guid.show());
    put("max_transact", body.max_transact_size.show());
    put("max_read", body.max_read_size.show());
    put("max_write", body.max_write_size.show());
    put("time", body.system_time.0.show());
    for context in body.contexts.iter() {
        match context {
            NegotiateContext::Preauth { hash_algorithms, salt } => {
                put("PREAUTH.hashes", show_list(hash_algorithms.iter()));
                put("PREAUTH.salt_length", (salt.len() as u64).show());
            }
            NegotiateContext::Encryption { ciphers } => put("ENCRYPTION.ciphers", show_list(ciphers.iter())),
            NegotiateContext::Signing { algorithms } => {
                put("SIGNING.algorithms", show_list(algorithms.iter()));
            }
            NegotiateContext::Compression { flags, algorithms } => {
                put("COMPRESSION.flags", flags.show());
                put("COMPRESSION.algorithms", show_list(algorithms.iter()));
            }
            NegotiateContext::RdmaTransform { transforms } => {
                put("RDMA.transforms", show_list(transforms.iter()));
            }
            NegotiateContext::Transport { flags } => put("TRANSPORT.flags", flags.show()),
            other => put("CONTEXT.type", format!("{other:?}").replace(' ', "")),
        }
    }
}

fn ioctl(body: &IoctlResponse<'_>, out: &mut Seen) -> Result<(), String> {
    let mut put = |name: &str, value: String| out.push((name.to_owned(), value));
    put("code", body.ctl_code.show());
    put("length", (body.output.len() as u64).show());
    let wrong = |error: DecodeError| error.to_string();
    match body.ctl_code {
        CtlCode::VALIDATE_NEGOTIATE_INFO => {
            let info = ValidateNegotiateResponse::decode(body.output).map_err(wrong)?;
            put("dialect", info.dialect.show());
            put("capabilities", info.capabilities.show());
            put("guid", info.guid.show());
            put("security", info.security_mode.show());
        }
        CtlCode::QUERY_NETWORK_INTERFACE_INFO => {
            let mut addresses = Vec::new();
            for interface in NetworkInterfaces::new(body.output) {
                let interface = interface.map_err(wrong)?;
                let address = interface.address.ip().map(|ip| ip.to_string()).unwrap_or_default();
                let (index, speed) = (interface.if_index, interface.link_speed);
                addresses.push(format!("{index}/{address}/{speed}/{}", interface.capability.show()));
            }
            put("interfaces", show_list(addresses));
        }
        CtlCode::SRV_ENUMERATE_SNAPSHOTS => {
            let snapshots = SnapshotArray::decode(body.output).map_err(wrong)?;
            put("snapshots", snapshots.number.show());
            put("returned", snapshots.returned.show());
            put("array_size", snapshots.array_size.show());
        }
        CtlCode::QUERY_ALLOCATED_RANGES => {
            let ranges = FileRanges::decode(body.output).map_err(wrong)?;
            put(
                "ranges",
                show_list(ranges.0.iter().map(|range| format!("{}+{}", range.offset, range.length))),
            );
        }
        CtlCode::GET_INTEGRITY_INFORMATION => {
            let info = IntegrityInfo::decode(body.output).map_err(wrong)?;
            put("checksum", info.checksum_algorithm.show());
            put("flags", info.flags.show());
            put("chunk", info.checksum_chunk_size.show());
            put("cluster", info.cluster_size.show());
        }
        CtlCode::FILE_LEVEL_TRIM => {
            let done = FileLevelTrimOutput::decode(body.output).map_err(wrong)?;
            put("ranges", done.num_ranges_processed.show());
        }
        CtlCode::OFFLOAD_READ => {
            let read = OffloadReadOutput::decode(body.output).map_err(wrong)?;
            put("flags", read.flags.show());
            put("bytes", read.transfer_length.show());
            put("token", Data(body.output.get(16..).unwrap_or_default().to_vec()).show());
        }
        CtlCode::OFFLOAD_WRITE => {
            let write = OffloadWriteOutput::decode(body.output).map_err(wrong)?;
            put("bytes", write.length_written.show());
        }
        _ => put("output", Data(body.output.to_vec()).show()),
    }
    Ok(())
}

fn info(asked: Asked, buffer: &[u8], out: &mut Seen) -> Result<(), DecodeError> {
    let mut put = |name: &str, value: String| out.push((name.to_owned(), value));
    match asked.info_type {
        InfoType::FILE => match FileInfoClass(asked.class) {
            FileInfoClass::BASIC => basic(&FileBasicInfo::decode(buffer)?, out),
            FileInfoClass::STANDARD => standard(&FileStandardInfo::decode(buffer)?, out),
            FileInfoClass::ALL => {
                let all = FileAllInfo::decode(buffer)?;
                basic(&all.basic, out);
                standard(&all.standard, out);
                out.push(("access".into(), all.access.access_flags.show()));
                out.push(("name".into(), all.name.to_text_lossy()));
            }
            FileInfoClass::NAME | FileInfoClass::NORMALIZED_NAME => {
                put("name", FileNameInfo::decode(buffer)?.name.to_text_lossy());
            }
            _ => put("data", Data(buffer.to_vec()).show()),
        },
        InfoType::FILESYSTEM if FsInfoClass(asked.class) == FsInfoClass::ATTRIBUTE => {
            let info = FsAttributeInfo::decode(buffer)?;
            put("name", info.name.to_text_lossy());
        }
        InfoType::QUOTA => put("quotas", quota::show(buffer)?),
        _ => put("data", Data(buffer.to_vec()).show()),
    }
    Ok(())
}

fn basic(info: &FileBasicInfo, out: &mut Seen) {
    for (name, time) in [
        ("created", info.creation_time),
        ("accessed", info.last_access_time),
        ("written", info.last_write_time),
        ("changed", info.change_time),
    ] {
        out.push((name.into(), time.0.show()));
    }
    out.push(("attributes".into(), info.attributes.show()));
}

fn standard(info: &FileStandardInfo, out: &mut Seen) {
    out.push(("size".into(), info.end_of_file.show()));
    out.push(("allocation".into(), info.allocation_size.show()));
    out.push(("links".into(), info.number_of_links.show()));
    for (name, set) in [("deleted", info.delete_pending), ("directory", info.directory)] {
        if set {
            out.push((name.into(), String::new()));
        }
    }
}
