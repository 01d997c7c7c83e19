//! What stands in the buffers of a message: information classes, control codes, contexts, calls.

use sansmb::{
    rpc::Pdu,
    wire::{
        CreateContext, CreateContextReply, CtlCode, DecodeError, InfoType, Message, Structure,
        dtyp::SecurityDescriptor,
        fscc::{
            DirEntries, DirEntryWriter, EaEntry, Entries, Entry, EntryWriter, FileAccessInfo,
            FileAlignmentInfo, FileAllInfo, FileAllocationInfo, FileAttributeTagInfo, FileBasicInfo,
            FileCompressionInfo, FileDispositionInfo, FileDispositionInfoEx, FileEaInfo, FileEndOfFileInfo,
            FileIdInfo, FileInfoClass, FileInternalInfo, FileLinkInfo, FileModeInfo, FileNameInfo,
            FileNetworkOpenInfo, FilePipeInfo, FilePipeLocalInfo, FilePipeRemoteInfo, FilePositionInfo,
            FileRenameInfo, FileRenameInfoEx, FileStandardInfo, FileValidDataLengthInfo, FsAttributeInfo,
            FsControlInfo, FsDeviceInfo, FsFullSizeInfo, FsInfoClass, FsLabelInfo, FsObjectIdInfo,
            FsSectorSizeInfo, FsSizeInfo, FsVolumeInfo, GetEaEntry, NotifyEntry, QueryQuotaInfo, QuotaEntry,
            StreamEntry,
        },
        fsctl,
    },
};

use super::conversation::Asked;

/// A buffer of a message.
#[derive(Debug)]
pub(super) struct Part {
    /// What it is called.
    pub(super) name: String,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Its fields as `Debug` shows them; what it is and becomes when it is encoded again.
    Known { debug: String, bytes: Vec<u8>, again: Vec<u8> },
    /// Bytes that have no form.
    Bytes(Vec<u8>),
    /// Nobody knows what it is.
    Unknown(Vec<u8>),
    /// It is not what it should be.
    Malformed(DecodeError),
}

/// The buffers of a message. `asked` is the request, when the message is its response; `cut` says
/// that the response is only the beginning of what there was to say.
pub(super) fn parts(message: &Message<'_>, asked: Option<&Asked>, pipe: bool, cut: bool) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut push = |part: Option<Part>| parts.extend(part);
    match message {
        Message::CreateRequest(m) => m.contexts.iter().for_each(|context| push(create_context(&context))),
        Message::CreateResponse(m) => m.contexts.iter().for_each(|context| push(create_reply(&context))),
        Message::IoctlRequest(m) => push(ioctl_input(m.ctl_code, m.input)),
        Message::IoctlResponse(m) if !m.output.is_empty() => {
            push(if cut {
                Some(bytes("output", m.output))
            } else {
                ioctl_output(m.ctl_code, m.output, asked)
            });
        }
        Message::QueryDirectoryResponse(m) => {
            let class = asked.map(|asked| FileInfoClass(asked.info_class));
            push(class.map(|class| directory(class, m.buffer)));
        }
        Message::QueryInfoRequest(m) if !m.input.is_empty() => push(Some(match m.info_type {
            InfoType::QUOTA => structure::<QueryQuotaInfo<'_>>(m.input),
            InfoType::FILE if m.info_class == FileInfoClass::FULL_EA.0 => list::<GetEaEntry<'_>>(m.input),
            _ => unknown("input", m.input),
        })),
        Message::QueryInfoResponse(m) => push(asked.map(|asked| match cut {
            true => bytes("buffer", m.buffer),
            false => info(asked.info_type, asked.info_class, m.buffer, false),
        })),
        Message::SetInfoRequest(m) => push(Some(info(m.info_type, m.info_class, m.buffer, true))),
        Message::ChangeNotifyResponse(m) if !m.buffer.is_empty() => {
            push(Some(list::<NotifyEntry<'_>>(m.buffer)))
        }
        Message::ReadResponse(m) if pipe => push(Some(rpc(m.data))),
        Message::WriteRequest(m) if pipe => push(Some(rpc(m.data))),
        _ => {}
    }
    parts
}

fn part(name: &str, content: Content) -> Part {
    Part { name: name.to_owned(), content }
}

fn bytes(name: &str, bytes: &[u8]) -> Part {
    part(name, Content::Bytes(bytes.to_vec()))
}

fn unknown(name: &str, bytes: &[u8]) -> Part {
    part(name, Content::Unknown(bytes.to_vec()))
}

/// A structure on its own.
fn structure<'m, S: Structure<'m> + std::fmt::Debug>(bytes: &'m [u8]) -> Part {
    let content = match S::decode(bytes) {
        Ok(value) => {
            Content::Known { debug: format!("{value:?}"), bytes: bytes.to_vec(), again: value.to_vec() }
        }
        Err(error) => Content::Malformed(error),
    };
    part(S::NAME, content)
}

/// Entries that point at each other.
fn list<'m, E: Entry<'m> + std::fmt::Debug>(bytes: &'m [u8]) -> Part {
    let mut writer = EntryWriter::new(bytes.len());
    let entries: Result<Vec<E>, _> = Entries::<E>::new(bytes).collect();
    let content = match entries {
        Ok(entries) => {
            // What does not fit any more shows in the comparison.
            let _ = entries.iter().all(|entry| writer.push(entry));
            Content::Known { debug: format!("{entries:?}"), bytes: bytes.to_vec(), again: writer.finish() }
        }
        Err(error) => Content::Malformed(error),
    };
    part(E::NAME, content)
}

fn directory(class: FileInfoClass, bytes: &[u8]) -> Part {
    let name = format!("{class} entries");
    let (Some(entries), Some(mut writer)) =
        (DirEntries::new(class, bytes), DirEntryWriter::new(class, bytes.len()))
    else {
        return unknown(&name, bytes);
    };
    let content = match entries.collect::<Result<Vec<_>, _>>() {
        Ok(entries) => {
            // What does not fit any more shows in the comparison.
            let _ = entries.iter().all(|entry| writer.push(entry));
            Content::Known { debug: format!("{entries:?}"), bytes: bytes.to_vec(), again: writer.finish() }
        }
        Err(error) => Content::Malformed(error),
    };
    Part { name, content }
}

/// A unit of a remote procedure call.
fn rpc(bytes: &[u8]) -> Part {
    let content = match Pdu::decode(bytes) {
        Ok(unit) => {
            let mut again = Vec::new();
            unit.encode(&mut again);
            Content::Known { debug: format!("{unit:?}"), bytes: bytes.to_vec(), again }
        }
        // A unit may come in several pieces.
        Err(_) => Content::Bytes(bytes.to_vec()),
    };
    part("call", content)
}

fn info(kind: InfoType, class: u8, bytes: &[u8], set: bool) -> Part {
    match kind {
        InfoType::FILE if set => set_file_info(FileInfoClass(class), bytes),
        InfoType::FILE => file_info(FileInfoClass(class), bytes),
        InfoType::FILESYSTEM => fs_info(FsInfoClass(class), bytes),
        InfoType::SECURITY => structure::<SecurityDescriptor<'_>>(bytes),
        InfoType::QUOTA => list::<QuotaEntry<'_>>(bytes),
        _ => unknown(&format!("information of type {kind}"), bytes),
    }
}

fn file_info(class: FileInfoClass, bytes: &[u8]) -> Part {
    type C = FileInfoClass;
    match class {
        C::BASIC => structure::<FileBasicInfo>(bytes),
        C::STANDARD => structure::<FileStandardInfo>(bytes),
        C::INTERNAL => structure::<FileInternalInfo>(bytes),
        C::EA => structure::<FileEaInfo>(bytes),
        C::ACCESS => structure::<FileAccessInfo>(bytes),
        C::NAME | C::ALTERNATE_NAME | C::NORMALIZED_NAME => structure::<FileNameInfo<'_>>(bytes),
        C::POSITION => structure::<FilePositionInfo>(bytes),
        C::FULL_EA => list::<EaEntry<'_>>(bytes),
        C::MODE => structure::<FileModeInfo>(bytes),
        C::ALIGNMENT => structure::<FileAlignmentInfo>(bytes),
        C::ALL => structure::<FileAllInfo<'_>>(bytes),
        C::STREAM => list::<StreamEntry<'_>>(bytes),
        C::PIPE => structure::<FilePipeInfo>(bytes),
        C::PIPE_LOCAL => structure::<FilePipeLocalInfo>(bytes),
        C::PIPE_REMOTE => structure::<FilePipeRemoteInfo>(bytes),
        C::COMPRESSION => structure::<FileCompressionInfo>(bytes),
        C::NETWORK_OPEN => structure::<FileNetworkOpenInfo>(bytes),
        C::ATTRIBUTE_TAG => structure::<FileAttributeTagInfo>(bytes),
        C::ID => structure::<FileIdInfo>(bytes),
        _ => unknown(&format!("file information of class {class}"), bytes),
    }
}

fn set_file_info(class: FileInfoClass, bytes: &[u8]) -> Part {
    type C = FileInfoClass;
    match class {
        C::BASIC => structure::<FileBasicInfo>(bytes),
        C::RENAME => structure::<FileRenameInfo<'_>>(bytes),
        C::RENAME_EX => structure::<FileRenameInfoEx<'_>>(bytes),
        C::LINK => structure::<FileLinkInfo<'_>>(bytes),
        C::DISPOSITION => structure::<FileDispositionInfo>(bytes),
        C::DISPOSITION_EX => structure::<FileDispositionInfoEx>(bytes),
        C::POSITION => structure::<FilePositionInfo>(bytes),
        C::FULL_EA => list::<EaEntry<'_>>(bytes),
        C::MODE => structure::<FileModeInfo>(bytes),
        C::ALLOCATION => structure::<FileAllocationInfo>(bytes),
        C::END_OF_FILE => structure::<FileEndOfFileInfo>(bytes),
        C::PIPE => structure::<FilePipeInfo>(bytes),
        C::VALID_DATA_LENGTH => structure::<FileValidDataLengthInfo>(bytes),
        C::SHORT_NAME => structure::<FileNameInfo<'_>>(bytes),
        _ => unknown(&format!("file information of class {class}"), bytes),
    }
}

fn fs_info(class: FsInfoClass, bytes: &[u8]) -> Part {
    type C = FsInfoClass;
    match class {
        C::VOLUME => structure::<FsVolumeInfo<'_>>(bytes),
        C::LABEL => structure::<FsLabelInfo<'_>>(bytes),
        C::SIZE => structure::<FsSizeInfo>(bytes),
        C::DEVICE => structure::<FsDeviceInfo>(bytes),
        C::ATTRIBUTE => structure::<FsAttributeInfo<'_>>(bytes),
        C::CONTROL => structure::<FsControlInfo>(bytes),
        C::FULL_SIZE => structure::<FsFullSizeInfo>(bytes),
        C::OBJECT_ID => structure::<FsObjectIdInfo>(bytes),
        C::SECTOR_SIZE => structure::<FsSectorSizeInfo>(bytes),
        _ => unknown(&format!("volume information of class {class}"), bytes),
    }
}

fn ioctl_input(code: CtlCode, input: &[u8]) -> Option<Part> {
    type C = CtlCode;
    Some(match code {
        _ if input.is_empty() => return None,
        C::DFS_GET_REFERRALS => structure::<fsctl::DfsReferralRequest<'_>>(input),
        C::DFS_GET_REFERRALS_EX => structure::<fsctl::DfsReferralRequestEx<'_>>(input),
        C::PIPE_TRANSCEIVE => rpc(input),
        C::OFFLOAD_READ => structure::<fsctl::OffloadRead>(input),
        C::OFFLOAD_WRITE => structure::<fsctl::OffloadWrite>(input),
        C::PIPE_WAIT => structure::<fsctl::PipeWait<'_>>(input),
        C::SET_COMPRESSION => structure::<fsctl::CompressionState>(input),
        C::SET_INTEGRITY_INFORMATION => structure::<fsctl::SetIntegrity>(input),
        C::SET_INTEGRITY_INFORMATION_EX => structure::<fsctl::SetIntegrityEx>(input),
        C::SET_OBJECT_ID_EXTENDED => structure::<fsctl::ObjectIdBirth>(input),
        C::SET_OBJECT_ID => structure::<fsctl::ObjectIdBuffer>(input),
        C::SET_SPARSE => structure::<fsctl::SetSparse>(input),
        C::SET_ZERO_DATA => structure::<fsctl::ZeroData>(input),
        C::QUERY_ALLOCATED_RANGES => structure::<fsctl::FileRanges<'_>>(input),
        C::FILE_LEVEL_TRIM => structure::<fsctl::FileLevelTrim<'_>>(input),
        C::DUPLICATE_EXTENTS_TO_FILE => structure::<fsctl::DuplicateExtents>(input),
        C::DUPLICATE_EXTENTS_TO_FILE_EX => structure::<fsctl::DuplicateExtentsEx>(input),
        C::SET_REPARSE_POINT | C::DELETE_REPARSE_POINT => structure::<fsctl::ReparseData<'_>>(input),
        C::SRV_COPYCHUNK | C::SRV_COPYCHUNK_WRITE => structure::<fsctl::SrvCopychunkCopy<'_>>(input),
        C::SRV_READ_HASH => structure::<fsctl::SrvReadHash>(input),
        C::VALIDATE_NEGOTIATE_INFO => structure::<fsctl::ValidateNegotiateRequest<'_>>(input),
        C::LMR_REQUEST_RESILIENCY => structure::<fsctl::ResiliencyRequest>(input),
        _ if code.name().is_some() => bytes("input", input),
        _ => unknown(&format!("input of {code}"), input),
    })
}

fn ioctl_output(code: CtlCode, output: &[u8], asked: Option<&Asked>) -> Option<Part> {
    type C = CtlCode;
    Some(match code {
        C::DFS_GET_REFERRALS | C::DFS_GET_REFERRALS_EX => structure::<fsctl::DfsReferralResponse<'_>>(output),
        C::PIPE_TRANSCEIVE => rpc(output),
        C::OFFLOAD_READ => structure::<fsctl::OffloadReadOutput>(output),
        C::OFFLOAD_WRITE => structure::<fsctl::OffloadWriteOutput>(output),
        C::PIPE_PEEK => structure::<fsctl::PipePeek<'_>>(output),
        C::GET_COMPRESSION => structure::<fsctl::CompressionState>(output),
        C::GET_INTEGRITY_INFORMATION => structure::<fsctl::IntegrityInfo>(output),
        C::GET_OBJECT_ID | C::CREATE_OR_GET_OBJECT_ID => structure::<fsctl::ObjectIdBuffer>(output),
        C::QUERY_ALLOCATED_RANGES => structure::<fsctl::FileRanges<'_>>(output),
        C::FILE_LEVEL_TRIM => structure::<fsctl::FileLevelTrimOutput>(output),
        C::GET_REPARSE_POINT => structure::<fsctl::ReparseData<'_>>(output),
        C::SRV_COPYCHUNK | C::SRV_COPYCHUNK_WRITE => structure::<fsctl::SrvCopychunkResponse>(output),
        C::SRV_REQUEST_RESUME_KEY => structure::<fsctl::SrvRequestResumeKey<'_>>(output),
        // With room for nothing but the counts, nothing but the counts is said.
        C::SRV_ENUMERATE_SNAPSHOTS if asked.is_some_and(|asked| asked.max_output <= 16) => {
            bytes("output", output)
        }
        C::SRV_ENUMERATE_SNAPSHOTS => structure::<fsctl::SnapshotArray<'_>>(output),
        C::QUERY_NETWORK_INTERFACE_INFO => list::<fsctl::NetworkInterfaceInfo>(output),
        C::VALIDATE_NEGOTIATE_INFO => structure::<fsctl::ValidateNegotiateResponse>(output),
        _ if code.name().is_some() => bytes("output", output),
        _ => unknown(&format!("output of {code}"), output),
    })
}

fn create_context(context: &CreateContext<'_>) -> Option<Part> {
    Some(match context {
        CreateContext::EaBuffer(data) => list::<EaEntry<'_>>(data),
        CreateContext::SdBuffer(data) => structure::<SecurityDescriptor<'_>>(data),
        CreateContext::Unknown { name, data } => unknown(&context_name(name), data),
        _ => return None,
    })
}

fn create_reply(context: &CreateContextReply<'_>) -> Option<Part> {
    match context {
        CreateContextReply::Unknown { name, data } => Some(unknown(&context_name(name), data)),
        _ => None,
    }
}

fn context_name(name: &[u8]) -> String {
    format!("create context {}", name.escape_ascii())
}
