//! Macros for numbers on the wire.

/// An open set of numbers with names: unknown values survive a round trip and print as hex.
macro_rules! open_enum {
    ($(#[$meta:meta])* pub struct $name:ident: $raw:ty { $($(#[$kmeta:meta])* $k:ident = $v:expr),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $raw);

        impl $name {
            $($(#[$kmeta])* pub const $k: Self = Self($v);)*

            /// The name that the specification gives this value, if it gives one.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$k => Some(stringify!($k)),)*
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }
        }

        impl From<$raw> for $name {
            fn from(raw: $raw) -> Self {
                Self(raw)
            }
        }

        impl From<$name> for $raw {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#x}", self.0),
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(self, f)
            }
        }
    };
}

/// A set of bits in which unknown bits survive a round trip.
macro_rules! wire_flags {
    ($(#[$meta:meta])* pub struct $name:ident: $raw:ty { $($(#[$($kmeta:tt)*])* const $k:ident = $v:expr;)* }) => {
        bitflags::bitflags! {
            $(#[$meta])*
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name: $raw {
                $($(#[$($kmeta)*])* const $k = $v;)*
                /// Bits that have no name yet.
                const _ = !0;
            }
        }
    };
}

/// A fixed part: `repr(C)`, unaligned, its size asserted against the specification.
macro_rules! layout {
    ($(#[$meta:meta])* $vis:vis struct $name:ident [$size:expr] { $($(#[$fmeta:meta])* $fvis:vis $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq,
            zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::KnownLayout, zerocopy::Immutable, zerocopy::Unaligned,
        )]
        #[repr(C)]
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $ty),* }
        const _: () = assert!(size_of::<$name>() == $size);
    };
}

pub(crate) use {layout, open_enum, wire_flags};
