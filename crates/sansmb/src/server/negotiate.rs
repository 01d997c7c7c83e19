//! NEGOTIATE, [MS-SMB2] 3.3.5.3 and 3.3.5.4.

use alloc::vec::Vec;

use bytes::Bytes;

use super::{
    CreditPolicy,
    channel::{Channel, CloseReason, Segment},
    reply::Failure,
};
use crate::{
    conn::Compression,
    crypto::EncryptionPolicy,
    time::Now,
    wire::{
        Body, Capabilities, Cipher, Command, CompressionAlgorithm, CompressionFlags, Dialect, Flags, Guid,
        HashAlgorithm, Head, Header, NegotiateContext, NegotiateContexts, NegotiateRequest,
        NegotiateResponse, NtStatus, SecurityMode, SigningAlgorithm, Smb1NegotiateRequest, Structure,
        TransportFlags, U16List,
        fsctl::{ValidateNegotiateRequest, ValidateNegotiateResponse},
    },
};

/// What a connection agreed on.
#[derive(Debug, Clone)]
pub(super) struct Negotiated {
    pub(super) dialect: Dialect,
    pub(super) cipher: Option<Cipher>,
    pub(super) signing: SigningAlgorithm,
    pub(super) compression: Compression,
    pub(super) client_guid: Guid,
    pub(super) should_sign: bool,
    /// An SMB1 NEGOTIATE led here, without an SMB2 one.
    pub(super) by_smb1: bool,
    /// Connection.AcceptTransportSecurity: nothing has to be encrypted.
    pub(super) transport_security: bool,
    /// Connection.SupportsMultiCredit
    pub(super) multi_credit: bool,
    pub(super) server_capabilities: Capabilities,
    pub(super) server_security_mode: SecurityMode,
    client_capabilities: Capabilities,
    client_security_mode: SecurityMode,
    client_dialects: Vec<Dialect>,
}

impl Negotiated {
    /// Connection.SupportsNotifications
    pub(super) fn notifications(&self) -> bool {
        self.server_capabilities.contains(Capabilities::NOTIFICATIONS)
    }
}

/// What the negotiate contexts of a 3.1.1 request lead to.
#[derive(Default)]
struct Chosen {
    preauth: bool,
    cipher: Option<Cipher>,
    offered_ciphers: bool,
    signing: Option<SigningAlgorithm>,
    /// What to say about the transport, where the client speaks of it.
    transport: Option<TransportFlags>,
    compression: Compression,
    /// The flags to answer, where compression was offered and this server knows any.
    compression_flags: Option<CompressionFlags>,
}

impl Channel {
    /// [MS-SMB2] 3.3.5.3: an SMB1 NEGOTIATE that may lead to SMB2.
    pub(super) fn negotiate_smb1(&mut self, frame: &[u8], now: Now) -> Result<(), CloseReason> {
        if self.negotiated.is_some() || self.wildcard_sent {
            return Err(CloseReason::Violation("SMB1 NEGOTIATE after a NEGOTIATE"));
        }
        let request = Smb1NegotiateRequest::decode(frame)?;
        self.window.consume(0, 1)?;
        let has = |name: &str| request.dialects.contains(name.as_bytes());
        let newest = self.config.max_dialect;
        if has("SMB 2.???") && newest > Dialect::SMB2_0_2 {
            self.wildcard_sent = true;
            self.send_negotiate(Dialect::SMB2_WILDCARD, Header::default(), &[], now);
            return Ok(());
        }
        if has("SMB 2.002") && self.config.accepts(Dialect::SMB2_0_2) {
            self.negotiated = Some(Negotiated {
                dialect: Dialect::SMB2_0_2,
                cipher: None,
                signing: SigningAlgorithm::HMAC_SHA256,
                compression: Compression::default(),
                client_guid: Guid::default(),
                should_sign: false,
                by_smb1: true,
                transport_security: false,
                multi_credit: false,
                server_capabilities: self.capabilities(Dialect::SMB2_0_2, Capabilities::empty()),
                server_security_mode: self.security_mode(),
                client_capabilities: Capabilities::empty(),
                client_security_mode: SecurityMode::empty(),
                client_dialects: Vec::new(),
            });
            self.send_negotiate(Dialect::SMB2_0_2, Header::default(), &[], now);
            return Ok(());
        }
        Err(CloseReason::Violation("the client speaks no dialect that this server accepts"))
    }

    /// [MS-SMB2] 3.3.5.4.
    pub(super) fn negotiate_smb2(
        &mut self,
        header: &Header,
        message: &Bytes,
        now: Now,
    ) -> Result<(), CloseReason> {
        if self.negotiated.is_some() {
            return Err(CloseReason::Violation("second NEGOTIATE"));
        }
        self.window.consume(header.message_id, 1)?;
        match self.agree(header, message) {
            Ok((negotiated, chosen)) => {
                let dialect = negotiated.dialect;
                if dialect == Dialect::SMB3_1_1 {
                    self.preauth.update(&*self.config.crypto, message);
                }
                self.negotiated = Some(negotiated);
                self.send_agreed(*header, &chosen, now);
            }
            Err(failure) => {
                let id = self.new_request(*header, None, None);
                self.fail(id, &failure);
            }
        }
        Ok(())
    }

    fn agree(&self, header: &Header, message: &[u8]) -> Result<(Negotiated, Chosen), Failure> {
        if header.flags.contains(Flags::SIGNED) {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
        let request = NegotiateRequest::decode(message)?;
        let client_dialects: Vec<Dialect> = request.dialects.iter().collect();
        if client_dialects.is_empty() {
            return Err(NtStatus::INVALID_PARAMETER.into());
        }
        let common = client_dialects.iter().copied().filter(|d| self.config.accepts(*d)).max();
        let dialect = common.ok_or(NtStatus::NOT_SUPPORTED)?;
        let encrypts = self.config.encryption != EncryptionPolicy::Off;
        let mut server_capabilities = self.capabilities(dialect, request.capabilities);
        let mut chosen = Chosen::default();
        let mut signing = SigningAlgorithm::HMAC_SHA256;
        if dialect == Dialect::SMB3_1_1 {
            chosen = self.choose(&request.contexts)?;
            signing = chosen.signing.unwrap_or(SigningAlgorithm::AES_CMAC);
        } else if dialect.is_smb3() {
            signing = SigningAlgorithm::AES_CMAC;
            if encrypts && request.capabilities.contains(Capabilities::ENCRYPTION) {
                chosen.cipher = Some(Cipher::AES_128_CCM).filter(|c| self.config.ciphers.contains(c));
            }
            if chosen.cipher.is_some() {
                server_capabilities |= Capabilities::ENCRYPTION;
            }
        }
        let negotiated = Negotiated {
            dialect,
            cipher: chosen.cipher,
            signing,
            compression: chosen.compression.clone(),
            client_guid: request.client_guid,
            by_smb1: false,
            transport_security: chosen.transport.is_some_and(|flags| !flags.is_empty()),
            multi_credit: server_capabilities.contains(Capabilities::LARGE_MTU),
            should_sign: request.security_mode.contains(SecurityMode::SIGNING_REQUIRED),
            server_capabilities,
            server_security_mode: self.security_mode(),
            client_capabilities: request.capabilities,
            client_security_mode: request.security_mode,
            client_dialects,
        };
        Ok((negotiated, chosen))
    }

    fn choose(&self, contexts: &NegotiateContexts<'_>) -> Result<Chosen, Failure> {
        let invalid = Failure::from(NtStatus::INVALID_PARAMETER);
        let mut chosen = Chosen::default();
        let (mut signing_seen, mut compression_seen, mut rdma_seen) = (false, false, false);
        for context in contexts.iter() {
            match context {
                NegotiateContext::Preauth { hash_algorithms, .. } => {
                    if chosen.preauth || hash_algorithms.is_empty() {
                        return Err(invalid);
                    }
                    if !hash_algorithms.contains(HashAlgorithm::SHA_512) {
                        return Err(NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP.into());
                    }
                    chosen.preauth = true;
                }
                NegotiateContext::Encryption { ciphers } => {
                    if chosen.offered_ciphers || ciphers.is_empty() {
                        return Err(invalid);
                    }
                    chosen.offered_ciphers = true;
                    if self.config.encryption != EncryptionPolicy::Off {
                        let mut ours = self.config.ciphers.iter().copied();
                        chosen.cipher = ours.find(|c| ciphers.contains(*c));
                    }
                }
                NegotiateContext::Signing { algorithms } => {
                    if signing_seen || algorithms.is_empty() {
                        return Err(invalid);
                    }
                    signing_seen = true;
                    let mut ours = self.config.signing_algorithms.iter().copied();
                    chosen.signing = ours.find(|a| algorithms.contains(*a));
                }
                NegotiateContext::Compression { flags, algorithms } => {
                    if compression_seen || algorithms.is_empty() {
                        return Err(invalid);
                    }
                    compression_seen = true;
                    let ours = &self.config.compression_algorithms;
                    if !ours.is_empty() {
                        let chained = flags & CompressionFlags::CHAINED;
                        chosen.compression = Compression::agree(algorithms.iter(), ours, !chained.is_empty());
                        chosen.compression_flags = Some(chained);
                    }
                }
                NegotiateContext::Transport { flags } if self.config.secure_transport => {
                    chosen.transport = Some(flags & TransportFlags::ACCEPT_TRANSPORT_LEVEL_SECURITY);
                }
                NegotiateContext::RdmaTransform { .. } if rdma_seen => return Err(invalid),
                NegotiateContext::RdmaTransform { .. } => rdma_seen = true,
                _ => {}
            }
        }
        if chosen.preauth { Ok(chosen) } else { Err(invalid) }
    }

    fn send_agreed(&mut self, header: Header, chosen: &Chosen, now: Now) {
        let Some(negotiated) = &self.negotiated else { return };
        let dialect = negotiated.dialect;
        let signing = negotiated.signing;
        if dialect != Dialect::SMB3_1_1 {
            self.send_negotiate(dialect, header, &[], now);
            return;
        }
        // The salt need not be secret; the server GUID and the clock make it differ between
        // servers and connections without drawing on randomness.
        let mut salt = [0; 32];
        salt[..16].copy_from_slice(&self.config.guid.0);
        salt[16..24].copy_from_slice(&now.wall.0.to_le_bytes());
        salt[24..].copy_from_slice(&self.id.0.to_le_bytes());
        let hashes = [HashAlgorithm::SHA_512];
        let ciphers = [chosen.cipher.unwrap_or_default()];
        let algorithms = [signing];
        let mut contexts = Vec::new();
        contexts.push(NegotiateContext::Preauth { hash_algorithms: U16List::List(&hashes), salt: &salt });
        if chosen.offered_ciphers && self.config.encryption != EncryptionPolicy::Off {
            contexts.push(NegotiateContext::Encryption { ciphers: U16List::List(&ciphers) });
        }
        let none = [CompressionAlgorithm::NONE];
        if let Some(flags) = chosen.compression_flags {
            let agreed = Some(chosen.compression.algorithms()).filter(|agreed| !agreed.is_empty());
            let algorithms = U16List::List(agreed.unwrap_or(&none));
            contexts.push(NegotiateContext::Compression { flags, algorithms });
        }
        if chosen.signing.is_some() {
            contexts.push(NegotiateContext::Signing { algorithms: U16List::List(&algorithms) });
        }
        if let Some(flags) = chosen.transport {
            contexts.push(NegotiateContext::Transport { flags });
        }
        self.send_negotiate(dialect, header, &contexts, now);
    }

    fn send_negotiate(
        &mut self,
        dialect: Dialect,
        request: Header,
        contexts: &[NegotiateContext<'_>],
        now: Now,
    ) {
        let config = self.config.clone();
        let large = dialect != Dialect::SMB2_0_2;
        let size = |configured: u32| if large { configured } else { configured.min(65536) };
        let agreed = self.negotiated.as_ref().map(|n| n.server_capabilities);
        let capabilities = agreed.unwrap_or_else(|| self.capabilities(dialect, Capabilities::empty()));
        let response = NegotiateResponse {
            security_mode: self.security_mode(),
            dialect,
            server_guid: config.guid,
            capabilities,
            max_transact_size: size(config.max_transact_size),
            max_read_size: size(config.max_read_size),
            max_write_size: size(config.max_write_size),
            system_time: now.wall,
            server_start_time: config.start_time,
            security_buffer: &config.auth_hint,
            contexts: NegotiateContexts::List(contexts),
            ..Default::default()
        };
        let mut header = Header { command: Command::NEGOTIATE, ..request };
        header.credits = match config.credit_policy {
            CreditPolicy::Asked => header.credits.max(1),
            CreditPolicy::Doubling => 1,
        };
        self.complete_header(&mut header, None, true);
        let mut head = Head::with_header(&header);
        response.encode(&mut head.body());
        if dialect == Dialect::SMB3_1_1 {
            self.preauth.update(&*config.crypto, &head);
        }
        self.emit(Segment::bare(head), None);
    }

    /// What to say that this server can do, but for encryption, [MS-SMB2] 3.3.5.4: some of it only
    /// to a 3.x client that can do it too.
    fn capabilities(&self, dialect: Dialect, client: Capabilities) -> Capabilities {
        let mutual = Capabilities::MULTI_CHANNEL
            | Capabilities::PERSISTENT_HANDLES
            | Capabilities::DIRECTORY_LEASING
            | Capabilities::NOTIFICATIONS;
        let mut capabilities = self.config.capabilities - mutual;
        if dialect.is_smb3() {
            capabilities |= self.config.capabilities & mutual & client;
        }
        if dialect != Dialect::SMB3_1_1 {
            capabilities -= Capabilities::NOTIFICATIONS;
        }
        if dialect == Dialect::SMB2_0_2 {
            capabilities &= Capabilities::DFS;
        } else if self.config.multi_credit {
            capabilities |= Capabilities::LARGE_MTU;
        }
        capabilities
    }

    fn security_mode(&self) -> SecurityMode {
        let mut mode = SecurityMode::SIGNING_ENABLED;
        if self.config.require_signing {
            mode |= SecurityMode::SIGNING_REQUIRED;
        }
        mode
    }

    /// FSCTL_VALIDATE_NEGOTIATE_INFO, [MS-SMB2] 3.3.5.15.12. `None` ends the connection: somebody
    /// changed what was negotiated.
    pub(super) fn validate_negotiate(
        &self,
        input: &[u8],
        max_output: u32,
    ) -> Option<ValidateNegotiateResponse> {
        let n = self.negotiated.as_ref().filter(|n| n.dialect != Dialect::SMB3_1_1)?;
        let request = ValidateNegotiateRequest::decode(input).ok()?;
        let dialects: Vec<Dialect> = request.dialects.iter().collect();
        let best = dialects.iter().copied().filter(|d| self.config.accepts(*d)).max();
        let same = request.capabilities == n.client_capabilities
            && request.guid == n.client_guid
            && request.security_mode == n.client_security_mode
            && dialects == n.client_dialects
            && best == Some(n.dialect);
        (same && max_output >= 24).then_some(ValidateNegotiateResponse {
            capabilities: n.server_capabilities,
            guid: self.config.guid,
            security_mode: n.server_security_mode,
            dialect: n.dialect,
        })
    }
}
