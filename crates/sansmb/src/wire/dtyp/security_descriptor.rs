//! Security descriptors in the self-relative form, [MS-DTYP] 2.4.6.

use zerocopy::little_endian::{U16, U32};

use super::super::{DecodeError, DecodeErrorKind, Structure, Writer, fixed_at};
use super::{Acl, Sid};

wire_flags! {
    /// Control of a security descriptor, [MS-DTYP] 2.4.6.
    pub struct SecurityDescriptorControl: u16 {
        /// The owner was given by default.
        const OWNER_DEFAULTED = 0x0001;
        /// The group was given by default.
        const GROUP_DEFAULTED = 0x0002;
        /// There is an access list; if its offset is zero, it grants everything to everyone.
        const DACL_PRESENT = 0x0004;
        /// The access list was given by default.
        const DACL_DEFAULTED = 0x0008;
        /// There is an audit list.
        const SACL_PRESENT = 0x0010;
        /// The audit list was given by default.
        const SACL_DEFAULTED = 0x0020;
        /// The access list comes from a trusted source.
        const DACL_TRUSTED = 0x0040;
        /// The server's security is to be used.
        const SERVER_SECURITY = 0x0080;
        /// Compute the inherited entries of the access list.
        const DACL_COMPUTED_INHERITANCE_REQUIRED = 0x0100;
        /// Compute the inherited entries of the audit list.
        const SACL_COMPUTED_INHERITANCE_REQUIRED = 0x0200;
        /// The access list has its inherited entries.
        const DACL_AUTO_INHERITED = 0x0400;
        /// The audit list has its inherited entries.
        const SACL_AUTO_INHERITED = 0x0800;
        /// The access list inherits nothing.
        const DACL_PROTECTED = 0x1000;
        /// The audit list inherits nothing.
        const SACL_PROTECTED = 0x2000;
        /// The resource manager byte counts.
        const RM_CONTROL_VALID = 0x4000;
        /// The descriptor is one piece with offsets.
        const SELF_RELATIVE = 0x8000;
    }
}

layout! {
    struct SecurityDescriptorFixed [20] {
        revision: u8,
        sbz1: u8,
        control: U16,
        offset_owner: U32,
        offset_group: U32,
        offset_sacl: U32,
        offset_dacl: U32,
    }
}

/// Owner, group, access list and audit list of an object; each may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityDescriptor<'m> {
    /// The byte of the resource manager, else zero.
    pub resource_manager: u8,
    /// Which lists there are, and how they came about. The encoder adds [`SELF_RELATIVE`] and the
    /// flags of the lists that are there.
    ///
    /// [`SELF_RELATIVE`]: SecurityDescriptorControl::SELF_RELATIVE
    pub control: SecurityDescriptorControl,
    /// The owner.
    pub owner: Option<Sid>,
    /// The primary group.
    pub group: Option<Sid>,
    /// The audit list.
    pub sacl: Option<Acl<'m>>,
    /// The access list; see [`Self::has_null_dacl`] where there is none.
    pub dacl: Option<Acl<'m>>,
}

impl SecurityDescriptor<'_> {
    const REVISION: u8 = 1;

    /// Whether the access list is there and null, which grants everything to everyone. An access
    /// list that is not there at all says nothing.
    pub fn has_null_dacl(&self) -> bool {
        self.control.contains(SecurityDescriptorControl::DACL_PRESENT) && self.dacl.is_none()
    }
}

/// The part at `offset`; zero means that there is none.
fn part<'m, T: Structure<'m>>(bytes: &'m [u8], offset: U32) -> Result<Option<T>, DecodeError> {
    const WHAT: &str = "security descriptor part";
    let at = offset.get() as usize;
    if at == 0 {
        return Ok(None);
    }
    let range = DecodeError::new(WHAT, at, DecodeErrorKind::Range);
    if at < size_of::<SecurityDescriptorFixed>() {
        return Err(range);
    }
    bytes.get(at..).ok_or(range).and_then(T::decode).map(Some)
}

impl<'m> Structure<'m> for SecurityDescriptor<'m> {
    const NAME: &'static str = "security descriptor";
    const FIXED_LEN: usize = size_of::<SecurityDescriptorFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &SecurityDescriptorFixed = fixed_at(bytes, 0, Self::NAME)?;
        if f.revision != Self::REVISION {
            return Err(DecodeError::value(Self::NAME, 0, f.revision.into()));
        }
        let control = SecurityDescriptorControl::from_bits_retain(f.control.get());
        let list = |present, offset| {
            if control.contains(present) { part::<Acl<'_>>(bytes, offset) } else { Ok(None) }
        };
        Ok(Self {
            resource_manager: f.sbz1,
            control,
            owner: part(bytes, f.offset_owner)?,
            group: part(bytes, f.offset_group)?,
            sacl: list(SecurityDescriptorControl::SACL_PRESENT, f.offset_sacl)?,
            dacl: list(SecurityDescriptorControl::DACL_PRESENT, f.offset_dacl)?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let mut control = self.control | SecurityDescriptorControl::SELF_RELATIVE;
        if self.sacl.is_some() {
            control |= SecurityDescriptorControl::SACL_PRESENT;
        }
        if self.dacl.is_some() {
            control |= SecurityDescriptorControl::DACL_PRESENT;
        }
        let start = w.position();
        w.put(&SecurityDescriptorFixed {
            revision: Self::REVISION,
            sbz1: self.resource_manager,
            control: U16::new(control.bits()),
            offset_owner: U32::ZERO,
            offset_group: U32::ZERO,
            offset_sacl: U32::ZERO,
            offset_dacl: U32::ZERO,
        });
        put(w, start, 4, self.owner.as_ref());
        put(w, start, 8, self.group.as_ref());
        put(w, start, 12, self.sacl.as_ref());
        put(w, start, 16, self.dacl.as_ref());
    }
}

/// Appends a part on a multiple of 4 and writes its offset into the field at `field`.
fn put<'m, T: Structure<'m>>(w: &mut Writer<'_>, start: usize, field: usize, part: Option<&T>) {
    if let Some(part) = part {
        let len = w.position() - start;
        w.zeros(len.next_multiple_of(4) - len);
        w.patch_u32(start + field, (w.position() - start) as u32);
        part.encode(w);
    }
}
