//! SET_INFO out of its fields.

use sansmb::wire::{fscc::*, *};

use super::{fields::Given, quota, values::Data};
use crate::raw;

pub(super) fn message(header: &Header, given: &mut Given) -> Result<Vec<u8>, String> {
    let info_type = given.or("type", InfoType::FILE)?;
    let file_id = given.need("file")?;
    let (info_class, buffer) = match info_type {
        InfoType::FILE => {
            let class: FileInfoClass = given.need("class")?;
            (class.0, file(class, given)?)
        }
        InfoType::QUOTA => (0, quota::limits(given)?),
        _ => (given.or("class", 0)?, given.need::<Data>("data")?.0),
    };
    let body = SetInfoRequest {
        info_type,
        info_class,
        additional_information: given.or("about", SecurityInformation::empty())?,
        file_id,
        buffer: &buffer,
    };
    Ok(raw::message(header, &body))
}

fn file(class: FileInfoClass, given: &mut Given) -> Result<Vec<u8>, String> {
    Ok(match class {
        FileInfoClass::BASIC => FileBasicInfo {
            creation_time: FileTime(given.or("created", 0)?),
            last_access_time: FileTime(given.or("accessed", 0)?),
            last_write_time: FileTime(given.or("written", 0)?),
            change_time: FileTime(given.or("changed", 0)?),
            attributes: given.or("attributes", FileAttributes::empty())?,
        }
        .to_vec(),
        FileInfoClass::DISPOSITION => FileDispositionInfo { delete_pending: given.flag("delete") }.to_vec(),
        FileInfoClass::END_OF_FILE => FileEndOfFileInfo { end_of_file: given.need("size")? }.to_vec(),
        FileInfoClass::ALLOCATION => FileAllocationInfo { allocation_size: given.need("size")? }.to_vec(),
        FileInfoClass::RENAME => {
            let name = Utf16Buf::new(&given.need::<String>("name")?);
            let replace_if_exists = given.flag("replace");
            FileRenameInfo { replace_if_exists, root_directory: 0, name: name.as_utf16() }.to_vec()
        }
        FileInfoClass::FULL_EA => {
            let (name, value): (Data, Data) = (given.need("name")?, given.need("value")?);
            EaEntry { flags: EaFlags::empty(), name: &name.0, value: &value.0 }.to_vec()
        }
        _ => given.need::<Data>("data")?.0,
    })
}
