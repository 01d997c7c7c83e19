//! Values of fields as a case writes them.

use sansmb::wire::{
    fscc::{FileInfoClass, FsInfoClass, NotifyAction},
    fsctl::{ChecksumType, IntegrityFlags, InterfaceCapability, OffloadReadFlags},
    *,
};

/// What a field can hold.
pub(super) trait Value: Sized {
    /// What `text` means; none where it means nothing.
    fn parse(text: &str) -> Option<Self>;
    /// The same the other way round.
    fn show(&self) -> String;
}

/// A number, decimal or hexadecimal; signs as two's complement.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok().or_else(|| text.parse::<i64>().ok().map(i64::cast_unsigned)),
    }
}

macro_rules! numbers {
    ($($name:ty),*) => {$(
        impl Value for $name {
            fn parse(text: &str) -> Option<Self> {
                number(text)?.try_into().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64);

impl Value for String {
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

/// Sets of bits: names joined by `|`, or a number.
macro_rules! flags {
    ($($name:ty),*) => {$(
        impl Value for $name {
            fn parse(text: &str) -> Option<Self> {
                let mut set = Self::empty();
                for part in text.split('|') {
                    set |= match part {
                        "NONE" => Self::empty(),
                        _ => Self::from_name(part)
                            .or_else(|| number(part)?.try_into().ok().map(Self::from_bits_retain))?,
                    };
                }
                Some(set)
            }

            fn show(&self) -> String {
                let mut names: Vec<String> = Vec::new();
                let mut iter = self.iter_names();
                names.extend(iter.by_ref().map(|(name, _)| name.to_owned()));
                let rest = iter.remaining().bits();
                if rest != 0 {
                    names.push(format!("{rest:#x}"));
                }
                if names.is_empty() { "NONE".into() } else { names.join("|") }
            }
        }
    )*};
}

flags!(
    Capabilities,
    SecurityMode,
    SessionFlags,
    SessionSetupFlags,
    ShareFlags,
    ShareCapabilities,
    ShareAccess,
    CreateOptions,
    FileAttributes,
    LeaseFlags,
    DurableFlags,
    CloseFlags,
    LockFlags,
    QueryDirectoryFlags,
    CompletionFilter,
    SecurityInformation,
    CompressionFlags,
    InterfaceCapability,
    IntegrityFlags,
    TransportFlags,
    OffloadReadFlags,
    LeaseBreakFlags
);

impl Value for AccessMask {
    fn parse(text: &str) -> Option<Self> {
        let mut set = Self::empty();
        for part in text.split('|') {
            set |= Self::from_name(part)
                .or_else(|| number(part)?.try_into().ok().map(Self::from_bits_retain))?;
        }
        Some(set)
    }

    fn show(&self) -> String {
        format!("{:#x}", self.bits())
    }
}

/// Numbers with names, looked for among `$all`.
macro_rules! names {
    ($($name:ty: $all:expr;)*) => {$(
        impl Value for $name {
            fn parse(text: &str) -> Option<Self> {
                let mut all = $all.into_iter().map(Self);
                all.find(|v| v.name() == Some(text)).or_else(|| number(text)?.try_into().ok().map(Self))
            }

            fn show(&self) -> String {
                format!("{self:?}")
            }
        }
    )*};
}

names! {
    OplockLevel: 0..=255;
    ShareType: 0..=255;
    InfoType: 0..=255;
    FileInfoClass: 0..=255;
    FsInfoClass: 0..=255;
    CreateDisposition: 0..=5;
    CreateAction: 0..=3;
    ImpersonationLevel: 0..=3;
    NotifyAction: 0..=11;
    Cipher: 0..=8;
    SigningAlgorithm: 0..=8;
    HashAlgorithm: 0..=8;
    CompressionAlgorithm: 0..=8;
    RdmaTransformId: 0..=8;
    ChecksumType: 0..=2;
    CtlCode: [
        CtlCode::VALIDATE_NEGOTIATE_INFO,
        CtlCode::LMR_REQUEST_RESILIENCY,
        CtlCode::QUERY_NETWORK_INTERFACE_INFO,
        CtlCode::SRV_ENUMERATE_SNAPSHOTS,
        CtlCode::SRV_REQUEST_RESUME_KEY,
        CtlCode::GET_INTEGRITY_INFORMATION,
        CtlCode::SET_INTEGRITY_INFORMATION,
        CtlCode::OFFLOAD_READ,
        CtlCode::OFFLOAD_WRITE,
        CtlCode::SET_ZERO_DATA,
        CtlCode::FILE_LEVEL_TRIM,
        CtlCode::DUPLICATE_EXTENTS_TO_FILE,
        CtlCode::QUERY_ALLOCATED_RANGES,
        CtlCode::PIPE_TRANSCEIVE,
    ].map(|code| code.0);
}

impl Value for Dialect {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "2.0.2" => Self::SMB2_0_2,
            "2.1" => Self::SMB2_1,
            "2.???" => Self::SMB2_WILDCARD,
            "3.0" => Self::SMB3_0,
            "3.0.2" => Self::SMB3_0_2,
            "3.1.1" => Self::SMB3_1_1,
            other => Self(number(other)?.try_into().ok()?),
        })
    }

    fn show(&self) -> String {
        let text = match *self {
            Self::SMB2_0_2 => "2.0.2",
            Self::SMB2_1 => "2.1",
            Self::SMB2_WILDCARD => "2.???",
            Self::SMB3_0 => "3.0",
            Self::SMB3_0_2 => "3.0.2",
            Self::SMB3_1_1 => "3.1.1",
            other => return format!("{:#x}", other.0),
        };
        text.into()
    }
}

/// The letters R, W and H, or NONE.
impl Value for LeaseState {
    fn parse(text: &str) -> Option<Self> {
        if text == "NONE" {
            return Some(Self::empty());
        }
        text.chars().try_fold(Self::empty(), |set, letter| {
            Some(
                set | match letter {
                    'R' => Self::READ_CACHING,
                    'W' => Self::WRITE_CACHING,
                    'H' => Self::HANDLE_CACHING,
                    _ => return None,
                },
            )
        })
    }

    fn show(&self) -> String {
        let letters = [(Self::READ_CACHING, 'R'), (Self::WRITE_CACHING, 'W'), (Self::HANDLE_CACHING, 'H')];
        let text: String = letters.iter().filter(|(bit, _)| self.contains(*bit)).map(|(_, l)| *l).collect();
        if text.is_empty() { "NONE".into() } else { text }
    }
}

/// Sixteen bytes: one number stands for that many of it.
fn sixteen(text: &str) -> Option<[u8; 16]> {
    match number(text) {
        Some(byte) => Some([byte.try_into().ok()?; 16]),
        None => hex(text.strip_prefix("hex:")?)?.try_into().ok(),
    }
}

fn show_sixteen(bytes: [u8; 16]) -> String {
    if bytes == [bytes[0]; 16] { bytes[0].to_string() } else { format!("hex:{}", show_hex(&bytes)) }
}

macro_rules! sixteens {
    ($($name:ident),*) => {$(
        impl Value for $name {
            fn parse(text: &str) -> Option<Self> {
                sixteen(text).map(Self)
            }

            fn show(&self) -> String {
                show_sixteen(self.0)
            }
        }
    )*};
}

sixteens!(Guid, LeaseKey);

/// The two halves with a colon between; `ANY` for all ones.
impl Value for FileId {
    fn parse(text: &str) -> Option<Self> {
        if text == "ANY" {
            return Some(Self::ANY);
        }
        let (persistent, volatile) = text.split_once(':')?;
        Some(Self { persistent: number(persistent)?, volatile: number(volatile)? })
    }

    fn show(&self) -> String {
        if *self == Self::ANY { "ANY".into() } else { format!("{}:{}", self.persistent, self.volatile) }
    }
}

/// `OFFSET+LENGTH:FLAGS`
impl Value for LockElement {
    fn parse(text: &str) -> Option<Self> {
        let (range, flags) = text.split_once(':')?;
        let (offset, length) = range.split_once('+')?;
        Some(Self { offset: number(offset)?, length: number(length)?, flags: LockFlags::parse(flags)? })
    }

    fn show(&self) -> String {
        format!("{}+{}:{}", self.offset, self.length, self.flags.show())
    }
}

/// Data: text as it stands, `hex:` and hexadecimal, or `TEXT*N` for N times the text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Data(pub(super) Vec<u8>);

impl Value for Data {
    fn parse(text: &str) -> Option<Self> {
        if let Some(digits) = text.strip_prefix("hex:") {
            return hex(digits).map(Self);
        }
        if let Some((text, count)) = text.split_once('*')
            && let Some(count) = number(count)
        {
            return Some(Self(text.as_bytes().repeat(count.try_into().ok()?)));
        }
        Some(Self(text.as_bytes().to_vec()))
    }

    fn show(&self) -> String {
        match self.0.first() {
            Some(first)
                if self.0.len() > 4
                    && self.0.iter().all(|byte| byte == first)
                    && first.is_ascii_graphic() =>
            {
                format!("{}*{}", char::from(*first), self.0.len())
            }
            _ if self.0.iter().all(|byte| byte.is_ascii_graphic()) => {
                String::from_utf8_lossy(&self.0).into_owned()
            }
            _ => format!("hex:{}", show_hex(&self.0)),
        }
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

pub(super) fn show_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Several values with commas between.
pub(super) fn list<V: Value>(text: &str) -> Option<Vec<V>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(V::parse).collect()
}

/// The same the other way round.
pub(super) fn show_list<V: Value>(values: impl IntoIterator<Item = V>) -> String {
    values.into_iter().map(|value| value.show()).collect::<Vec<_>>().join(",")
}

/// Whether two texts mean the same: as numbers, as sets of names, or letter by letter.
pub(super) fn same(a: &str, b: &str) -> bool {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a == b;
    }
    if a.contains('|') || b.contains('|') {
        return parts(a) == parts(b);
    }
    a == b
}

/// Whether the set `a` holds all of `b`.
pub(super) fn contains(a: &str, b: &str) -> bool {
    if let (Some(a), Some(b)) = (number(a), number(b)) {
        return a & b == b;
    }
    parts(b).iter().all(|part| parts(a).contains(part))
}

/// Compares two numbers.
pub(super) fn at_least(a: &str, b: &str) -> bool {
    matches!((number(a), number(b)), (Some(a), Some(b)) if a >= b)
}

fn parts(text: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = text.split(['|', ',']).collect();
    parts.sort_unstable();
    parts
}
