//! Structures that stand in the buffer of a command: information classes, FSCTL data.

use alloc::vec::Vec;

use zerocopy::little_endian::{U16, U32, U64, U128};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{AccessMask, DecodeError, FileAttributes, FileTime, Guid, NtStatus, Writer};

/// A structure in the buffer of a command. `'m` is the buffer that it borrows from.
pub trait Structure<'m>: Sized {
    /// The name in messages of errors.
    const NAME: &'static str;
    /// Length of the fixed part in bytes: a shorter buffer cannot hold the structure at all.
    const FIXED_LEN: usize;

    /// Parses the structure that `bytes` starts with. What follows it is ignored.
    fn decode(bytes: &'m [u8]) -> Result<Self, DecodeError>;

    /// Appends the structure.
    fn encode(&self, w: &mut Writer<'_>);

    /// The structure on its own.
    fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut Writer::new(&mut out));
        out
    }
}

/// A value with a layout of constant length.
pub(crate) trait Field: Copy {
    type Raw: FromBytes + IntoBytes + KnownLayout + Immutable + Unaligned + Copy;
    fn from_raw(raw: Self::Raw) -> Self;
    fn to_raw(self) -> Self::Raw;
}

macro_rules! fields {
    ($($ty:ty as $raw:ty, $raw_value:ident => $from:expr, $value:ident => $to:expr;)*) => {
        $(impl Field for $ty {
            type Raw = $raw;
            fn from_raw($raw_value: $raw) -> Self {
                $from
            }
            fn to_raw(self) -> $raw {
                let $value = self;
                $to
            }
        })*
    };
}

fields! {
    u8 as u8, raw => raw, value => value;
    bool as u8, raw => raw != 0, value => u8::from(value);
    u16 as U16, raw => raw.get(), value => U16::new(value);
    u32 as U32, raw => raw.get(), value => U32::new(value);
    u64 as U64, raw => raw.get(), value => U64::new(value);
    u128 as U128, raw => raw.get(), value => U128::new(value);
    FileTime as U64, raw => Self(raw.get()), value => U64::new(value.0);
    NtStatus as U32, raw => Self(raw.get()), value => U32::new(value.0);
    AccessMask as U32, raw => Self::from_bits_retain(raw.get()), value => U32::new(value.bits());
    FileAttributes as U32, raw => Self::from_bits_retain(raw.get()), value => U32::new(value.bits());
    Guid as [u8; 16], raw => Self(raw), value => value.0;
}

impl<const N: usize> Field for [u8; N] {
    type Raw = Self;
    fn from_raw(raw: Self) -> Self {
        raw
    }
    fn to_raw(self) -> Self {
        self
    }
}

/// Declares a [`Structure`] of constant length and its layout in one. Reserved bytes at the end are
/// written as zeros and ignored when read.
macro_rules! record {
    ($(#[$meta:meta])* pub struct $name:ident = $fixed:ident [$size:expr] {
        $($(#[$fmeta:meta])* $field:ident: $ty:ty),* $(,)?
    } $(reserved $pad:literal)?) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$fmeta])* pub $field: $ty),* }

        layout! {
            pub(crate) struct $fixed [$size] {
                $($field: <$ty as $crate::wire::structure::Field>::Raw,)*
                reserved: [u8; 0 $(+ $pad)?],
            }
        }

        impl $name {
            pub(crate) fn from_fixed(fixed: &$fixed) -> Self {
                Self { $($field: <$ty as $crate::wire::structure::Field>::from_raw(fixed.$field)),* }
            }

            pub(crate) fn to_fixed(self) -> $fixed {
                $fixed {
                    $($field: $crate::wire::structure::Field::to_raw(self.$field),)*
                    reserved: [0; 0 $(+ $pad)?],
                }
            }
        }

        impl<'m> $crate::wire::Structure<'m> for $name {
            const NAME: &'static str = stringify!($name);
            const FIXED_LEN: usize = $size;

            fn decode(bytes: &'m [u8]) -> Result<Self, $crate::wire::DecodeError> {
                $crate::wire::fixed_at(bytes, 0, Self::NAME).map(Self::from_fixed)
            }

            fn encode(&self, w: &mut $crate::wire::Writer<'_>) {
                w.put(&self.to_fixed());
            }
        }
    };
}
