//! DFS referrals, [MS-DFSC] 2.2.2 to 2.2.5.

use zerocopy::little_endian::{U16, U32};

use super::super::{DecodeError, DecodeErrorKind, Guid, Structure, Utf16, Writer, fixed_at, span};

/// The string at `at`, which a NUL ends. Its length does not count the NUL.
fn string_at<'m>(bytes: &'m [u8], what: &'static str, at: usize) -> Result<Utf16<'m>, DecodeError> {
    let range = DecodeError::new(what, at, DecodeErrorKind::Range);
    let bytes = bytes.get(at..).ok_or(range)?;
    let units = bytes.chunks_exact(2).position(|unit| unit == [0, 0]).ok_or(range)?;
    Utf16::new(bytes.get(..units * 2).unwrap_or_default(), what, at)
}

/// REQ_GET_DFS_REFERRAL, the input of DFS_GET_REFERRALS, [MS-DFSC] 2.2.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DfsReferralRequest<'m> {
    /// Highest version of referrals that the client understands, 1 to 4.
    pub max_referral_level: u16,
    /// The path, such as `\server\share\link`.
    pub path: Utf16<'m>,
}

impl<'m> Structure<'m> for DfsReferralRequest<'m> {
    const NAME: &'static str = "REQ_GET_DFS_REFERRAL";
    const FIXED_LEN: usize = 2;

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let level: &U16 = fixed_at(bytes, 0, Self::NAME)?;
        let path = string_at(bytes, Self::NAME, Self::FIXED_LEN)?;
        Ok(Self { max_referral_level: level.get(), path })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&U16::new(self.max_referral_level));
        w.bytes(self.path.as_bytes());
        w.zeros(2);
    }
}

layout! {
    struct RequestExFixed [8] { max_referral_level: U16, flags: U16, data_length: U32 }
}

/// REQ_GET_DFS_REFERRAL_EX, the input of DFS_GET_REFERRALS_EX, [MS-DFSC] 2.2.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DfsReferralRequestEx<'m> {
    /// Highest version of referrals that the client understands, 1 to 4.
    pub max_referral_level: u16,
    /// The path.
    pub path: Utf16<'m>,
    /// The client's site.
    pub site_name: Option<Utf16<'m>>,
}

impl DfsReferralRequestEx<'_> {
    const SITE_NAME: u16 = 0x0001;
}

impl<'m> Structure<'m> for DfsReferralRequestEx<'m> {
    const NAME: &'static str = "REQ_GET_DFS_REFERRAL_EX";
    const FIXED_LEN: usize = size_of::<RequestExFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &RequestExFixed = fixed_at(bytes, 0, Self::NAME)?;
        let data = span(bytes, Self::NAME, Self::FIXED_LEN, f.data_length.get() as usize)?;
        let counted = |at: usize| {
            let len: &U16 = fixed_at(data, at, Self::NAME)?;
            Utf16::new(span(data, Self::NAME, at + 2, len.get().into())?, Self::NAME, at)
        };
        let path = counted(0)?;
        let with_site = f.flags.get() & Self::SITE_NAME != 0;
        Ok(Self {
            max_referral_level: f.max_referral_level.get(),
            path,
            site_name: with_site.then(|| counted(2 + path.len())).transpose()?,
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        let names = [Some(self.path), self.site_name].into_iter().flatten();
        w.put(&RequestExFixed {
            max_referral_level: U16::new(self.max_referral_level),
            flags: U16::new(if self.site_name.is_some() { Self::SITE_NAME } else { 0 }),
            data_length: U32::new(names.clone().map(|name| 2 + name.len() as u32).sum()),
        });
        names.for_each(|name| {
            w.put(&U16::new(name.len() as u16));
            w.bytes(name.as_bytes());
        });
    }
}

wire_flags! {
    /// Flags of a referral response, [MS-DFSC] 2.2.4.
    pub struct DfsResponseFlags: u32 {
        /// The targets can answer requests for referrals.
        const REFERRAL_SERVERS = 0x0000_0001;
        /// The targets are storage.
        const STORAGE_SERVERS = 0x0000_0002;
        /// The client may go back to a target that it left.
        const TARGET_FAILBACK = 0x0000_0004;
    }
}

wire_flags! {
    /// Flags of one referral, [MS-DFSC] 2.2.5.
    pub struct DfsReferralFlags: u16 {
        /// The referral is about a domain and names controllers.
        const NAME_LIST_REFERRAL = 0x0002;
        /// First of a set of targets (version 4).
        const TARGET_SET_BOUNDARY = 0x0004;
    }
}

layout! {
    struct ResponseFixed [8] { path_consumed: U16, number_of_referrals: U16, flags: U32 }
}

layout! {
    struct ReferralFixed [8] { version: U16, size: U16, server_type: U16, flags: U16 }
}

layout! {
    struct V2Fixed [14] {
        proximity: U32,
        time_to_live: U32,
        path_offset: U16,
        alternate_path_offset: U16,
        network_address_offset: U16,
    }
}

layout! {
    struct V3Fixed [26] { time_to_live: U32, offsets: [U16; 3], service_site: [u8; 16] }
}

/// RESP_GET_DFS_REFERRAL, [MS-DFSC] 2.2.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DfsReferralResponse<'m> {
    /// Bytes of the requested path that the referrals replace.
    pub path_consumed: u16,
    /// What the targets can do.
    pub flags: DfsResponseFlags,
    /// The referrals.
    pub referrals: DfsReferrals<'m>,
}

/// A list of referrals: a view when it was parsed, a slice when it is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DfsReferrals<'m> {
    /// The whole response, and how many referrals it claims to have.
    Wire(&'m [u8], u16),
    /// The referrals to be written.
    Values(&'m [DfsReferral<'m>]),
}

impl Default for DfsReferrals<'_> {
    fn default() -> Self {
        Self::Values(&[])
    }
}

impl<'m> DfsReferrals<'m> {
    /// The referrals in order; after an error it ends.
    pub fn iter(&self) -> impl Iterator<Item = Result<DfsReferral<'m>, DecodeError>> + use<'m> {
        let (mut rest, count, values) = match *self {
            Self::Wire(bytes, count) => (bytes.get(size_of::<ResponseFixed>()..), count, Default::default()),
            Self::Values(values) => (None, 0, values),
        };
        let wire = (0..count).map_while(move |_| {
            let bytes = rest.take()?;
            Some(DfsReferral::decode(bytes).map(|(referral, size)| {
                rest = bytes.get(size..);
                referral
            }))
        });
        wire.chain(values.iter().copied().map(Ok))
    }
}

/// DFS_REFERRAL_V1 to V4, [MS-DFSC] 2.2.5: one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DfsReferral<'m> {
    /// Version, 1 to 4.
    pub version: u16,
    /// 1 for a root target, 0 for a link target.
    pub server_type: u16,
    /// Form and order.
    pub flags: DfsReferralFlags,
    /// Not used; version 2 only.
    pub proximity: u32,
    /// How long the referral is good, in seconds; version 2 and later.
    pub time_to_live: u32,
    /// Where it leads.
    pub target: DfsReferralTarget<'m>,
}

/// Where a referral leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DfsReferralTarget<'m> {
    /// Version 1: `\server\share`.
    Share(Utf16<'m>),
    /// Versions 2 to 4.
    Path {
        /// The path that was asked for, as far as it is replaced.
        path: Utf16<'m>,
        /// The same in its 8.3 form.
        alternate_path: Utf16<'m>,
        /// What replaces it: `\server\share\path`.
        network_address: Utf16<'m>,
        /// Not used: zero.
        service_site: Guid,
    },
    /// Versions 3 and 4 with [`DfsReferralFlags::NAME_LIST_REFERRAL`].
    Names {
        /// The domain.
        special_name: Utf16<'m>,
        /// Its controllers, each but the last followed by a NUL.
        expanded_names: Utf16<'m>,
        /// How many controllers there are.
        count: u16,
    },
}

impl<'m> DfsReferral<'m> {
    const NAME: &'static str = "DFS referral";

    /// The referral that `bytes` starts with, and its size. Its strings may stand anywhere behind.
    fn decode(bytes: &'m [u8]) -> Result<(Self, usize), DecodeError> {
        const BODY: usize = size_of::<ReferralFixed>();
        let f: &ReferralFixed = fixed_at(bytes, 0, Self::NAME)?;
        let (version, size) = (f.version.get(), usize::from(f.size.get()));
        let string = |offset: U16| string_at(bytes, Self::NAME, offset.get().into());
        let mut referral = Self {
            version,
            server_type: f.server_type.get(),
            flags: DfsReferralFlags::from_bits_retain(f.flags.get()),
            proximity: 0,
            time_to_live: 0,
            target: DfsReferralTarget::Share(Utf16::default()),
        };
        let body = match version {
            1 => {
                referral.target = DfsReferralTarget::Share(string_at(bytes, Self::NAME, BODY)?);
                0
            }
            2 => {
                let f: &V2Fixed = fixed_at(bytes, BODY, Self::NAME)?;
                referral.proximity = f.proximity.get();
                referral.time_to_live = f.time_to_live.get();
                referral.target = DfsReferralTarget::Path {
                    path: string(f.path_offset)?,
                    alternate_path: string(f.alternate_path_offset)?,
                    network_address: string(f.network_address_offset)?,
                    service_site: Guid::default(),
                };
                size_of::<V2Fixed>()
            }
            3 | 4 if referral.flags.contains(DfsReferralFlags::NAME_LIST_REFERRAL) => {
                let time_to_live: &U32 = fixed_at(bytes, BODY, Self::NAME)?;
                let [special, count, expanded]: &[U16; 3] = fixed_at(bytes, BODY + 4, Self::NAME)?;
                referral.time_to_live = time_to_live.get();
                referral.target = DfsReferralTarget::Names {
                    special_name: string(*special)?,
                    expanded_names: expanded_names(bytes, *expanded, *count)?,
                    count: count.get(),
                };
                10
            }
            3 | 4 => {
                let f: &V3Fixed = fixed_at(bytes, BODY, Self::NAME)?;
                let [path, alternate_path, network_address] = f.offsets;
                referral.time_to_live = f.time_to_live.get();
                referral.target = DfsReferralTarget::Path {
                    path: string(path)?,
                    alternate_path: string(alternate_path)?,
                    network_address: string(network_address)?,
                    service_site: Guid(f.service_site),
                };
                size_of::<V3Fixed>()
            }
            _ => return Err(DecodeError::value(Self::NAME, 0, version.into())),
        };
        if size < BODY + body {
            return Err(DecodeError::value(Self::NAME, 2, size as u64));
        }
        Ok((referral, size))
    }

    /// Writes the fixed part; the strings of versions 2 to 4 come later.
    fn encode_fixed(&self, w: &mut Writer<'_>) {
        let start = w.position();
        w.put(&ReferralFixed {
            version: U16::new(self.version),
            size: U16::ZERO,
            server_type: U16::new(self.server_type),
            flags: U16::new(self.flags.bits()),
        });
        match self.target {
            DfsReferralTarget::Share(name) => {
                w.bytes(name.as_bytes());
                w.zeros(2);
            }
            DfsReferralTarget::Path { .. } if self.version == 2 => w.put(&V2Fixed {
                proximity: U32::new(self.proximity),
                time_to_live: U32::new(self.time_to_live),
                path_offset: U16::ZERO,
                alternate_path_offset: U16::ZERO,
                network_address_offset: U16::ZERO,
            }),
            DfsReferralTarget::Path { service_site, .. } => w.put(&V3Fixed {
                time_to_live: U32::new(self.time_to_live),
                offsets: [U16::ZERO; 3],
                service_site: service_site.0,
            }),
            DfsReferralTarget::Names { count, .. } => w.put(&V3Fixed {
                time_to_live: U32::new(self.time_to_live),
                offsets: [U16::ZERO, U16::new(count), U16::ZERO],
                service_site: [0; 16],
            }),
        }
        w.patch_u16(start + 2, (w.position() - start) as u16);
    }

    /// Writes the strings of the referral that stands at `start`, and their offsets.
    fn encode_strings(&self, start: usize, w: &mut Writer<'_>) {
        let mut string = |field: usize, text: Utf16<'_>| {
            w.patch_u16(start + field, (w.position() - start) as u16);
            w.bytes(text.as_bytes());
            w.zeros(2);
        };
        match self.target {
            DfsReferralTarget::Share(_) => {}
            DfsReferralTarget::Path { path, alternate_path, network_address, .. } => {
                let first = if self.version == 2 { 16 } else { 12 };
                string(first, path);
                string(first + 2, alternate_path);
                string(first + 4, network_address);
            }
            DfsReferralTarget::Names { special_name, expanded_names, .. } => {
                string(12, special_name);
                string(16, expanded_names);
            }
        }
    }
}

/// `count` strings one behind the other, without the last NUL.
fn expanded_names(bytes: &[u8], offset: U16, count: U16) -> Result<Utf16<'_>, DecodeError> {
    let (at, mut len) = (usize::from(offset.get()), 0);
    if count.get() == 0 {
        return Ok(Utf16::default());
    }
    for _ in 0..count.get() {
        len += string_at(bytes, DfsReferral::NAME, at + len)?.len() + 2;
    }
    Utf16::new(span(bytes, DfsReferral::NAME, at, len - 2)?, DfsReferral::NAME, at)
}

impl DfsReferralResponse<'_> {
    /// A response with more referrals is refused: each costs a search for the ends of its strings.
    pub const MAX_REFERRALS: u16 = 256;
}

impl<'m> Structure<'m> for DfsReferralResponse<'m> {
    const NAME: &'static str = "RESP_GET_DFS_REFERRAL";
    const FIXED_LEN: usize = size_of::<ResponseFixed>();

    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError> {
        let f: &ResponseFixed = fixed_at(bytes, 0, Self::NAME)?;
        let count = f.number_of_referrals.get();
        if count > Self::MAX_REFERRALS {
            return Err(DecodeError::value(Self::NAME, 2, count.into()));
        }
        if !f.path_consumed.get().is_multiple_of(2) {
            return Err(DecodeError::new(Self::NAME, 0, DecodeErrorKind::OddUtf16));
        }
        Ok(Self {
            path_consumed: f.path_consumed.get(),
            flags: DfsResponseFlags::from_bits_retain(f.flags.get()),
            referrals: DfsReferrals::Wire(bytes, count),
        })
    }

    /// Writes the response. Nothing of it may be further than 64 KiB from its referral.
    fn encode(&self, w: &mut Writer<'_>) {
        let referrals = || self.referrals.iter().flatten();
        let mut at = w.position() + size_of::<ResponseFixed>();
        w.put(&ResponseFixed {
            path_consumed: U16::new(self.path_consumed),
            number_of_referrals: U16::new(referrals().count() as u16),
            flags: U32::new(self.flags.bits()),
        });
        referrals().for_each(|referral| referral.encode_fixed(w));
        for referral in referrals() {
            referral.encode_strings(at, w);
            at += match referral.target {
                DfsReferralTarget::Share(name) => size_of::<ReferralFixed>() + name.len() + 2,
                _ if referral.version == 2 => size_of::<ReferralFixed>() + size_of::<V2Fixed>(),
                _ => size_of::<ReferralFixed>() + size_of::<V3Fixed>(),
            };
        }
    }
}
