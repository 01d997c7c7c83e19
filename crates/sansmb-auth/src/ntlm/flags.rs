//! What the two sides negotiate.

bitflags::bitflags! {
    /// NEGOTIATE, [MS-NLMP] 2.2.2.5.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct NegotiateFlags: u32 {
        /// Names are in UTF-16LE.
        const UNICODE = 0x0000_0001;
        /// The challenge shall carry a TargetName.
        const REQUEST_TARGET = 0x0000_0004;
        /// Messages can be signed.
        const SIGN = 0x0000_0010;
        /// Messages can be sealed.
        const SEAL = 0x0000_0020;
        /// Always set.
        const NTLM = 0x0000_0200;
        /// The client wants a null session.
        const ANONYMOUS = 0x0000_0800;
        /// There is a session key even without SIGN and SEAL.
        const ALWAYS_SIGN = 0x0000_8000;
        /// TargetName is that of a server.
        const TARGET_TYPE_SERVER = 0x0002_0000;
        /// Signatures of the second kind.
        const EXTENDED_SESSION_SECURITY = 0x0008_0000;
        /// The challenge carries TargetInfo.
        const TARGET_INFO = 0x0080_0000;
        /// The Version field is filled.
        const VERSION = 0x0200_0000;
        /// Sealing keys of 128 bits.
        const KEY_128 = 0x2000_0000;
        /// The client picks the session key and sends it encrypted.
        const KEY_EXCH = 0x4000_0000;
        /// Sealing keys of 56 bits.
        const KEY_56 = 0x8000_0000;
        /// Bits of no interest here.
        const _ = !0;
    }
}

impl NegotiateFlags {
    /// What both sides of this crate can do and a peer may choose.
    pub(crate) const OPTIONAL: Self = Self::SIGN
        .union(Self::SEAL)
        .union(Self::EXTENDED_SESSION_SECURITY)
        .union(Self::VERSION)
        .union(Self::KEY_128)
        .union(Self::KEY_EXCH)
        .union(Self::KEY_56);

    /// What the client asks for.
    pub(crate) const CLIENT: Self = Self::UNICODE
        .union(Self::REQUEST_TARGET)
        .union(Self::SIGN)
        .union(Self::NTLM)
        .union(Self::ALWAYS_SIGN)
        .union(Self::EXTENDED_SESSION_SECURITY)
        .union(Self::VERSION)
        .union(Self::KEY_128)
        .union(Self::KEY_EXCH)
        .union(Self::KEY_56);

    /// What the server sets without being asked.
    pub(crate) const SERVER: Self = Self::UNICODE
        .union(Self::REQUEST_TARGET)
        .union(Self::NTLM)
        .union(Self::ALWAYS_SIGN)
        .union(Self::TARGET_TYPE_SERVER)
        .union(Self::TARGET_INFO);
}
