//! CREATE out of its fields.

use sansmb::wire::*;

use super::{
    fields::Given,
    values::{Data, Value},
};
use crate::raw;

const EVERYBODY: ShareAccess = ShareAccess::READ.union(ShareAccess::WRITE).union(ShareAccess::DELETE);

pub(super) fn message(header: &Header, given: &mut Given) -> Result<Vec<u8>, String> {
    let name = Utf16Buf::new(&given.need::<String>("name")?);
    let eas = given.take::<Data>("ExtA")?.map(|data| data.0);
    let mut contexts: Vec<CreateContext<'_>> = Vec::new();
    if let Some(eas) = &eas {
        contexts.push(CreateContext::EaBuffer(eas));
    }
    for tag in given.names() {
        if let Some(context) = context(&tag, given)? {
            contexts.push(context);
        }
    }
    // Who gives a lease wants it.
    let leased = contexts
        .iter()
        .any(|c| matches!(c, CreateContext::RequestLease(_) | CreateContext::RequestLeaseV2(_)));
    let usual = if leased { OplockLevel::LEASE } else { OplockLevel::NONE };
    let mut create_options = given.or("options", CreateOptions::empty())?;
    if given.flag("directory") {
        create_options |= CreateOptions::DIRECTORY_FILE;
    }
    let body = CreateRequest {
        requested_oplock_level: given.or("oplock", usual)?,
        impersonation_level: ImpersonationLevel::IMPERSONATION,
        desired_access: given.or("access", AccessMask::FILE_ALL_ACCESS)?,
        file_attributes: given.or("attributes", FileAttributes::empty())?,
        share_access: given.or("share", EVERYBODY)?,
        create_disposition: given.or("disposition", CreateDisposition::OPEN_IF)?,
        create_options,
        name: name.as_utf16(),
        contexts: contexts.as_slice().into(),
        ..Default::default()
    };
    Ok(raw::message(header, &body))
}

/// One create context, by its tag; none where the field is none.
fn context(tag: &str, given: &mut Given) -> Result<Option<CreateContext<'static>>, String> {
    let field = |name: &str| format!("{tag}.{name}");
    let context = match tag {
        "DHnQ" => CreateContext::DurableHandleRequest { reserved: [0; 16] },
        "DHnC" => CreateContext::DurableHandleReconnect(given.need(&field("file"))?),
        "DH2Q" => CreateContext::DurableHandleRequestV2 {
            timeout: given.or(&field("timeout"), 0)?,
            flags: given.or(&field("flags"), DurableFlags::empty())?,
            create_guid: given.need(&field("guid"))?,
        },
        "DH2C" => CreateContext::DurableHandleReconnectV2 {
            file_id: given.need(&field("file"))?,
            create_guid: given.need(&field("guid"))?,
            flags: given.or(&field("flags"), DurableFlags::empty())?,
        },
        "MxAc" => CreateContext::QueryMaximalAccess(None),
        "QFid" => CreateContext::QueryOnDiskId,
        "AlSi" => CreateContext::AllocationSize(given.need(&field("size"))?),
        "Lease1" => CreateContext::RequestLease(Lease {
            key: given.need(&field("key"))?,
            state: given.need(&field("state"))?,
            ..Default::default()
        }),
        "Lease2" => {
            let parent: Option<LeaseKey> = given.take(&field("parent"))?;
            let set = if parent.is_some() { LeaseFlags::PARENT_LEASE_KEY_SET } else { LeaseFlags::empty() };
            CreateContext::RequestLeaseV2(LeaseV2 {
                key: given.need(&field("key"))?,
                state: given.need(&field("state"))?,
                flags: set,
                parent_key: parent.unwrap_or_default(),
                epoch: given.or(&field("epoch"), 0)?,
                ..Default::default()
            })
        }
        "TWrp" => CreateContext::TimewarpToken(FileTime(given.need(&field("time"))?)),
        "AppId" => CreateContext::AppInstanceId(given.need(&field("id"))?),
        "AppVersion" => CreateContext::AppInstanceVersion {
            high: given.need(&field("high"))?,
            low: given.need(&field("low"))?,
        },
        _ => return Ok(None),
    };
    given.flag(tag);
    Ok(Some(context))
}

/// What of an answer a case can look at.
pub(super) fn answer(body: &CreateResponse<'_>, out: &mut Vec<(String, String)>) {
    let mut put = |name: &str, value: String| out.push((name.to_owned(), value));
    put("file", body.file_id.show());
    put("oplock", body.oplock_level.show());
    put("action", body.create_action.show());
    put("size", body.end_of_file.show());
    put("allocation", body.allocation_size.show());
    put("attributes", body.file_attributes.show());
    put("created", body.creation_time.0.show());
    put("written", body.last_write_time.0.show());
    for context in body.contexts.iter() {
        match context {
            CreateContextReply::DurableHandleResponse { .. } => put("DHnQ", String::new()),
            CreateContextReply::DurableHandleResponseV2 { timeout, flags } => {
                put("DH2Q.timeout", timeout.show());
                put("DH2Q.flags", flags.show());
            }
            CreateContextReply::ResponseLease(lease) => {
                put("Lease1.key", lease.key.show());
                put("Lease1.state", lease.state.show());
                put("Lease1.flags", lease.flags.show());
            }
            CreateContextReply::ResponseLeaseV2(lease) => {
                put("Lease2.key", lease.key.show());
                put("Lease2.state", lease.state.show());
                put("Lease2.flags", lease.flags.show());
                put("Lease2.epoch", lease.epoch.show());
                put("Lease2.parent", lease.parent_key.show());
            }
            CreateContextReply::QueryMaximalAccess { query_status, maximal_access } => {
                put("MxAc.status", query_status.to_string());
                put("MxAc.access", maximal_access.show());
            }
            CreateContextReply::QueryOnDiskId { disk_file_id, .. } => put("QFid.id", disk_file_id.show()),
            other => put("context", format!("{other:?}").replace(' ', "")),
        }
    }
}
