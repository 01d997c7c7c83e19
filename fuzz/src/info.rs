//! What stands in the buffers of QUERY_INFO, SET_INFO, QUERY_DIRECTORY, CHANGE_NOTIFY and IOCTL.

use std::fmt::Debug;

use sansmb::wire::{
    Structure,
    dtyp::{Ace, Aces, Acl, SecurityDescriptor, SecurityDescriptorControl, Sid},
    fscc::*,
    fsctl::*,
};

use crate::{memory::Budget, wire::print};

/// Lists have to end within as many steps as they have bytes.
const BUDGET: Budget = Budget { base: 64 << 10, factor: 128 };

/// Whatever is decoded is encoded to something that decodes to the same.
macro_rules! structures {
    ($bytes:expr, $($structure:ident),* $(,)?) => {
        $(if let Ok(value) = $structure::decode($bytes) {
            assert!($bytes.len() >= $structure::FIXED_LEN);
            print(&value);
            let again = value.to_vec();
            assert_eq!($structure::decode(&again).as_ref(), Ok(&value), "of {again:x?}");
            assert_eq!(value.to_vec(), again);
        })*
    };
}

/// The entries of a list, written again: all fit into what they took, padding aside.
macro_rules! lists {
    ($bytes:expr, $($entry:ident),* $(,)?) => {
        $({
            let all: Vec<_> = Entries::<$entry<'_>>::new($bytes).take($bytes.len() + 1).collect();
            assert!(all.len() <= $bytes.len() / 4 + 1, "{} entries", all.len());
            let good: Vec<_> = all.iter().filter_map(|entry| entry.as_ref().ok()).collect();
            assert!(good.len() + 1 >= all.len(), "an error ends the list");
            let mut writer = EntryWriter::new(usize::MAX);
            assert!(good.iter().all(|entry| writer.push(*entry)));
            let again = writer.finish();
            assert!(Entries::<$entry<'_>>::new(&again).map(Result::unwrap).eq(good.into_iter().copied()));
        })*
    };
}

/// Information about files, directories and volumes, [MS-FSCC]. Every structure is tried.
pub fn info(data: &[u8]) {
    BUDGET.check(data.len(), || {
        structures!(
            data,
            FileAccessInfo,
            FileAlignmentInfo,
            FileAllInfo,
            FileAllocationInfo,
            FileAttributeTagInfo,
            FileBasicInfo,
            FileCompressionInfo,
            FileDispositionInfo,
            FileDispositionInfoEx,
            FileEaInfo,
            FileEndOfFileInfo,
            FileIdInfo,
            FileInternalInfo,
            FileLinkInfo,
            FileModeInfo,
            FileNameInfo,
            FileNetworkOpenInfo,
            FilePipeInfo,
            FilePipeLocalInfo,
            FilePipeRemoteInfo,
            FilePositionInfo,
            FileRenameInfo,
            FileRenameInfoEx,
            FileStandardInfo,
            FileValidDataLengthInfo,
            FsAttributeInfo,
            FsControlInfo,
            FsDeviceInfo,
            FsFullSizeInfo,
            FsLabelInfo,
            FsObjectIdInfo,
            FsSectorSizeInfo,
            FsSizeInfo,
            FsVolumeInfo,
            QueryQuotaInfo,
        );
        lists!(data, EaEntry, GetEaEntry, NotifyEntry, QuotaEntry, GetQuotaEntry, StreamEntry);
        (0..=u8::MAX).for_each(|class| directory(FileInfoClass(class), data));
    });
}

fn directory(class: FileInfoClass, data: &[u8]) {
    let Some(entries) = DirEntries::new(class, data) else { return };
    let entries: Vec<_> = entries.take(data.len() + 1).collect();
    let good: Vec<&DirEntry<'_>> = entries.iter().filter_map(|entry| entry.as_ref().ok()).collect();
    assert!(good.len() + 1 >= entries.len(), "an error ends the list");
    let mut writer = DirEntryWriter::new(class, usize::MAX).expect("the class is known");
    for entry in &good {
        print(entry);
        let _ = (entry.tag(), entry.has_plain_name());
        assert!(writer.push(entry));
    }
    let again = writer.finish();
    let again = DirEntries::new(class, &again).expect("the class is known").map(Result::unwrap);
    assert!(again.eq(good.into_iter().copied()));
}

/// Security identifiers, access lists and security descriptors, [MS-DTYP].
pub fn security(data: &[u8]) {
    BUDGET.check(data.len(), || {
        structures!(data, Sid, Ace, Acl);
        if let Ok(sid) = Sid::decode(data) {
            assert_eq!(sid.to_string().parse(), Ok(sid));
            let _ = (sid.rid(), sid.with_rid(1));
        }
        if let Ok(acl) = Acl::decode(data) {
            access_list(&acl);
        }
        if let Ok(descriptor) = SecurityDescriptor::decode(data) {
            print(&descriptor);
            let again = descriptor.to_vec();
            let decoded = SecurityDescriptor::decode(&again).expect("just written");
            // What is written says that it is in one piece, whatever was read.
            let control = descriptor.control | SecurityDescriptorControl::SELF_RELATIVE;
            assert_eq!(decoded, SecurityDescriptor { control, ..descriptor });
            assert_eq!(decoded.to_vec(), again);
            let _ = descriptor.has_null_dacl();
            [descriptor.dacl, descriptor.sacl].iter().flatten().for_each(access_list);
        }
        if let Ok(text) = str::from_utf8(data)
            && let Ok(sid) = text.parse::<Sid>()
        {
            assert_eq!(sid.to_string().parse(), Ok(sid));
        }
    });
}

/// A list that is built of the entries of another says the same.
fn access_list(acl: &Acl<'_>) {
    let aces: Vec<Ace<'_>> = acl.aces.iter().collect();
    assert_eq!(aces.len(), acl.aces.len(), "all entries were checked");
    aces.iter().for_each(|ace| print(&(ace.sid(), ace.mask())));
    let built = Acl { revision: acl.revision, aces: Aces::Values(&aces) };
    let bytes = built.to_vec();
    assert_eq!(Acl::decode(&bytes).as_ref(), Ok(&built));
}

/// What IOCTL carries. Every structure is tried.
pub fn fsctl(data: &[u8]) {
    BUDGET.check(data.len(), || {
        structures!(
            data,
            DfsReferralRequest,
            DfsReferralRequestEx,
            DuplicateExtents,
            DuplicateExtentsEx,
            OffloadRead,
            OffloadReadOutput,
            OffloadWrite,
            OffloadWriteOutput,
            FileLevelTrim,
            FileLevelTrimOutput,
            FileRange,
            FileRanges,
            IntegrityInfo,
            NetworkInterfaceInfo,
            PipePeek,
            PipeWait,
            ReparseData,
            ResiliencyRequest,
            SetIntegrity,
            SetIntegrityEx,
            SetSparse,
            SnapshotArray,
            SrvCopychunkCopy,
            SrvCopychunkResponse,
            SrvReadHash,
            SrvRequestResumeKey,
            ValidateNegotiateRequest,
            ValidateNegotiateResponse,
            ZeroData,
        );
        referrals(data);
        if let Ok(snapshots) = SnapshotArray::decode(data) {
            bounded(snapshots.iter(), data.len());
        }
        bounded(NetworkInterfaces::new(data), data.len());
    });
}

/// Strings may stand anywhere and be shared, so what is written may be longer than what was read.
fn referrals(data: &[u8]) {
    let Ok(response) = DfsReferralResponse::decode(data) else { return };
    bounded(response.referrals.iter(), data.len());
    let all: Vec<DfsReferral<'_>> = response.referrals.iter().flatten().collect();
    if data.len() > 200 {
        return;
    }
    let again = DfsReferralResponse { referrals: DfsReferrals::Values(&all), ..response }.to_vec();
    let again = DfsReferralResponse::decode(&again).expect("just written");
    assert!(again.referrals.iter().map(Result::unwrap).eq(all.iter().copied()));
}

fn bounded<T: Debug>(items: impl Iterator<Item = T>, bytes: usize) {
    let count = items.take(bytes + 2).inspect(print).count();
    assert!(count <= bytes / 2 + 1, "{count} items in {bytes} bytes");
}
