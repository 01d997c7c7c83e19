//! Entries of access lists, [MS-DTYP] 2.4.4.

use zerocopy::little_endian::{U16, U32};

use super::super::parse::Parsed;
use super::super::{AccessMask, DecodeError, DecodeErrorKind, Guid, Structure, Writer, fixed_at};
use super::Sid;

open_enum! {
    /// Kinds of entries, [MS-DTYP] 2.4.4.1.
    pub struct AceType: u8 {
        /// Grants access.
        ACCESS_ALLOWED = 0x00,
        /// Denies access.
        ACCESS_DENIED = 0x01,
        /// Audits access.
        SYSTEM_AUDIT = 0x02,
        /// Reserved.
        SYSTEM_ALARM = 0x03,
        /// Reserved.
        ACCESS_ALLOWED_COMPOUND = 0x04,
        /// Grants access to a part of an object.
        ACCESS_ALLOWED_OBJECT = 0x05,
        /// Denies access to a part of an object.
        ACCESS_DENIED_OBJECT = 0x06,
        /// Audits access to a part of an object.
        SYSTEM_AUDIT_OBJECT = 0x07,
        /// Reserved.
        SYSTEM_ALARM_OBJECT = 0x08,
        /// Grants access under a condition.
        ACCESS_ALLOWED_CALLBACK = 0x09,
        /// Denies access under a condition.
        ACCESS_DENIED_CALLBACK = 0x0A,
        /// Grants access to a part of an object under a condition.
        ACCESS_ALLOWED_CALLBACK_OBJECT = 0x0B,
        /// Denies access to a part of an object under a condition.
        ACCESS_DENIED_CALLBACK_OBJECT = 0x0C,
        /// Audits access under a condition.
        SYSTEM_AUDIT_CALLBACK = 0x0D,
        /// Reserved.
        SYSTEM_ALARM_CALLBACK = 0x0E,
        /// Audits access to a part of an object under a condition.
        SYSTEM_AUDIT_CALLBACK_OBJECT = 0x0F,
        /// Reserved.
        SYSTEM_ALARM_CALLBACK_OBJECT = 0x10,
        /// Integrity label.
        SYSTEM_MANDATORY_LABEL = 0x11,
        /// Attribute of the resource.
        SYSTEM_RESOURCE_ATTRIBUTE = 0x12,
        /// Central access policy.
        SYSTEM_SCOPED_POLICY_ID = 0x13,
    }
}

impl AceType {
    fn is_basic(self) -> bool {
        matches!(self.0, 0x00..=0x03 | 0x09 | 0x0A | 0x0D | 0x0E | 0x11..=0x13)
    }

    fn is_object(self) -> bool {
        matches!(self.0, 0x05..=0x08 | 0x0B | 0x0C | 0x0F | 0x10)
    }
}

wire_flags! {
    /// Flags of an entry, [MS-DTYP] 2.4.4.1.
    pub struct AceFlags: u8 {
        /// Files inherit the entry.
        const OBJECT_INHERIT = 0x01;
        /// Directories inherit the entry.
        const CONTAINER_INHERIT = 0x02;
        /// Who inherits the entry does not pass it on.
        const NO_PROPAGATE_INHERIT = 0x04;
        /// The entry does not count here, only where it is inherited.
        const INHERIT_ONLY = 0x08;
        /// The entry was inherited.
        const INHERITED = 0x10;
        /// Audit what was granted.
        const SUCCESSFUL_ACCESS = 0x40;
        /// Audit what was denied.
        const FAILED_ACCESS = 0x80;
    }
}

wire_flags! {
    /// Which of the two GUIDs an object entry has, [MS-DTYP] 2.4.4.3.
    pub struct ObjectAceFlags: u32 {
        /// The part of the object.
        const OBJECT_TYPE_PRESENT = 0x0000_0001;
        /// The kind of object that inherits the entry.
        const INHERITED_OBJECT_TYPE_PRESENT = 0x0000_0002;
    }
}

layout! {
    struct AceFixed [4] { ace_type: u8, flags: u8, size: U16 }
}

/// An entry of an access list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ace<'m> {
    /// What it does.
    pub ace_type: AceType,
    /// Inheritance and audit.
    pub flags: AceFlags,
    /// For whom, and what.
    pub body: AceBody<'m>,
}

/// What stands behind the header of an entry; its form follows from the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AceBody<'m> {
    /// Most types.
    Basic {
        /// The access that is meant.
        mask: AccessMask,
        /// Who is meant.
        sid: Sid,
        /// A condition, an attribute, or padding; mostly empty.
        data: &'m [u8],
    },
    /// Types for parts of objects.
    Object {
        /// The access that is meant.
        mask: AccessMask,
        /// Unknown flags; the two that are known follow from the fields below.
        flags: ObjectAceFlags,
        /// The part of the object.
        object_type: Option<Guid>,
        /// The kind of object that inherits the entry.
        inherited_object_type: Option<Guid>,
        /// Who is meant.
        sid: Sid,
        /// A condition or padding; mostly empty.
        data: &'m [u8],
    },
    /// Types that are not known: all bytes behind the header.
    Raw(&'m [u8]),
}

impl<'m> Ace<'m> {
    /// An entry that grants `mask` to `sid`.
    pub const fn allow(sid: Sid, mask: AccessMask, flags: AceFlags) -> Self {
        Self { ace_type: AceType::ACCESS_ALLOWED, flags, body: AceBody::Basic { mask, sid, data: &[] } }
    }

    /// An entry that denies `mask` to `sid`.
    pub const fn deny(sid: Sid, mask: AccessMask, flags: AceFlags) -> Self {
        Self { ace_type: AceType::ACCESS_DENIED, flags, body: AceBody::Basic { mask, sid, data: &[] } }
    }

    /// Who is meant.
    pub fn sid(&self) -> Option<&Sid> {
        match &self.body {
            AceBody::Basic { sid, .. } | AceBody::Object { sid, .. } => Some(sid),
            AceBody::Raw(_) => None,
        }
    }

    /// The access that is meant.
    pub fn mask(&self) -> Option<AccessMask> {
        match self.body {
            AceBody::Basic { mask, .. } | AceBody::Object { mask, .. } => Some(mask),
            AceBody::Raw(_) => None,
        }
    }

    /// An entry of a list.
    pub(super) fn parse(input: &'m [u8]) -> Parsed<'m, Self> {
        let (own, rest) = Self::split(input)?;
        Ok((rest, Self::decode(own)?))
    }

    /// The bytes of the first entry of `bytes`, and what follows it.
    fn split(bytes: &'m [u8]) -> Result<(&'m [u8], &'m [u8]), DecodeError> {
        let f: &AceFixed = fixed_at(bytes, 0, Self::NAME)?;
        let size = usize::from(f.size.get());
        if size < Self::FIXED_LEN {
            return Err(DecodeError::value(Self::NAME, 2, size as u64));
        }
        let range = DecodeError::new(Self::NAME, 2, DecodeErrorKind::Range);
        bytes.split_at_checked(size).ok_or(range)
    }

    fn decode_object(bytes: &'m [u8]) -> Result<AceBody<'m>, DecodeError> {
        let mask: &U32 = fixed_at(bytes, 0, Self::NAME)?;
        let flags: &U32 = fixed_at(bytes, 4, Self::NAME)?;
        let flags = ObjectAceFlags::from_bits_retain(flags.get());
        let mut at = 8;
        let mut guid = |present| {
            if !flags.contains(present) {
                return Ok(None);
            }
            let guid: &[u8; 16] = fixed_at(bytes, at, Self::NAME)?;
            at += 16;
            Ok(Some(Guid(*guid)))
        };
        let object_type = guid(ObjectAceFlags::OBJECT_TYPE_PRESENT)?;
        let inherited_object_type = guid(ObjectAceFlags::INHERITED_OBJECT_TYPE_PRESENT)?;
        let (sid, data) = sid_and_rest(bytes.get(at..).unwrap_or_default())?;
        let mask = AccessMask::from_bits_retain(mask.get());
        Ok(AceBody::Object { mask, flags, object_type, inherited_object_type, sid, data })
    }
}

fn sid_and_rest(bytes: &[u8]) -> Result<(Sid, &[u8]), DecodeError> {
    let sid = Sid::decode(bytes)?;
    Ok((sid, bytes.get(sid.encoded_len()..).unwrap_or_default()))
}

impl<'m> Structure<'m> for Ace<'m> {
    const NAME: &'static str = "ACE";
    const FIXED_LEN: usize = size_of::<AceFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let (bytes, _) = Self::split(bytes)?;
        let f: &AceFixed = fixed_at(bytes, 0, Self::NAME)?;
        let ace_type = AceType(f.ace_type);
        let body = bytes.get(Self::FIXED_LEN..).unwrap_or_default();
        let body = if ace_type.is_basic() {
            let mask: &U32 = fixed_at(body, 0, Self::NAME)?;
            let (sid, data) = sid_and_rest(body.get(4..).unwrap_or_default())?;
            AceBody::Basic { mask: AccessMask::from_bits_retain(mask.get()), sid, data }
        } else if ace_type.is_object() {
            Self::decode_object(body)?
        } else {
            AceBody::Raw(body)
        };
        Ok(Self { ace_type, flags: AceFlags::from_bits_retain(f.flags), body })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let at = w.position();
        w.put(&AceFixed { ace_type: self.ace_type.0, flags: self.flags.bits(), size: U16::ZERO });
        match &self.body {
            AceBody::Basic { mask, sid, data } => {
                w.put(&U32::new(mask.bits()));
                sid.encode(w);
                w.bytes(data);
            }
            AceBody::Object { mask, flags, object_type, inherited_object_type, sid, data } => {
                let mut flags = *flags;
                flags.set(ObjectAceFlags::OBJECT_TYPE_PRESENT, object_type.is_some());
                flags.set(ObjectAceFlags::INHERITED_OBJECT_TYPE_PRESENT, inherited_object_type.is_some());
                w.put(&U32::new(mask.bits()));
                w.put(&U32::new(flags.bits()));
                [object_type, inherited_object_type].into_iter().flatten().for_each(|guid| w.bytes(&guid.0));
                sid.encode(w);
                w.bytes(data);
            }
            AceBody::Raw(bytes) => w.bytes(bytes),
        }
        w.patch_u16(at + 2, (w.position() - at) as u16);
    }
}
