//! NEGOTIATE, [MS-SMB2] 3.2.4.2.2 and 3.2.5.2, and its later validation, 3.2.5.5.

use alloc::vec::Vec;

use super::{
    Agreement, Client, CloseReason, CompressionPolicy, EncryptionPolicy, Event,
    state::{Kind, Pending},
};
use crate::{
    conn::Compression,
    time::Now,
    wire::{
        Body, Capabilities, Cipher, Command, CompressionAlgorithm, CompressionFlags, Dialect, Guid,
        HashAlgorithm, Head, Header, NegotiateContext, NegotiateContexts, NegotiateRequest,
        NegotiateResponse, SecurityMode, SessionId, Smb1NegotiateRequest, Structure, TransportFlags, TreeId,
        U16List, Utf16Buf, Writer,
        fsctl::{ValidateNegotiateRequest, ValidateNegotiateResponse},
    },
};

impl Client {
    pub(super) fn begin(&mut self, now: Now) {
        self.heard = now.mono;
        if let Some(strings) = self.config.multi_protocol.clone() {
            let mut message = Vec::new();
            let strings: Vec<&[u8]> = strings.iter().map(|s| s.as_bytes()).collect();
            Smb1NegotiateRequest::new(&strings).encode(&mut Writer::new(&mut message));
            self.tx.frame(message, 0);
            self.await_negotiate(0);
            self.next_message_id = 1;
            self.credits = 0;
            self.sent_smb1 = true;
        } else {
            self.send_negotiate();
        }
    }

    fn await_negotiate(&mut self, message_id: u64) {
        let op = self.new_op();
        self.pending.push(
            message_id,
            Pending {
                op,
                kind: Kind::Probe,
                command: Command::NEGOTIATE,
                session: SessionId(0),
                tree: TreeId(0),
                async_id: None,
                asked: 0,
                signed: false,
                encrypted: false,
                aside: false,
            },
        );
    }

    fn send_negotiate(&mut self) {
        let message_id = self.next_message_id;
        self.next_message_id += 1;
        self.credits = self.credits.saturating_sub(1);
        let credits = self.missing_credits();
        let dialects = self.config.dialects();
        let newest = self.config.max_dialect;
        let hashes = [HashAlgorithm::SHA_512];
        let netname = Utf16Buf::new(&self.config.server_name);
        let mut contexts = Vec::new();
        if newest == Dialect::SMB3_1_1 {
            let hash_algorithms = U16List::List(&hashes);
            contexts.push(NegotiateContext::Preauth { hash_algorithms, salt: &self.config.salt });
            if self.config.encryption != EncryptionPolicy::Off {
                contexts.push(NegotiateContext::Encryption { ciphers: U16List::List(&self.config.ciphers) });
            }
            let algorithms = U16List::List(&self.config.signing_algorithms);
            contexts.push(NegotiateContext::Signing { algorithms });
            if self.compresses_at_all() {
                let algorithms = U16List::List(&self.config.compression_algorithms);
                let chained = self.config.chained_compression;
                let flags = if chained { CompressionFlags::CHAINED } else { CompressionFlags::empty() };
                contexts.push(NegotiateContext::Compression { flags, algorithms });
            }
            if self.config.secure_transport {
                let flags = TransportFlags::ACCEPT_TRANSPORT_LEVEL_SECURITY;
                contexts.push(NegotiateContext::Transport { flags });
            }
            if !self.config.server_name.is_empty() {
                contexts.push(NegotiateContext::Netname(netname.as_utf16()));
            }
        }
        let request = NegotiateRequest {
            security_mode: self.security_mode(),
            capabilities: self.capabilities(),
            // A client of 2.0.2 alone has no GUID, [MS-SMB2] 3.2.4.2.2.2.
            client_guid: if newest > Dialect::SMB2_0_2 { self.config.guid } else { Guid::default() },
            dialects: U16List::List(&dialects),
            contexts: NegotiateContexts::List(&contexts),
            ..Default::default()
        };
        let header = Header { command: Command::NEGOTIATE, message_id, credits, ..Header::default() };
        let mut message = Head::with_header(&header);
        request.encode(&mut message.body());
        self.preauth.update(&*self.config.crypto, &message);
        self.tx.begin(message.len());
        self.tx.copy(&message);
        self.await_negotiate(message_id);
    }

    pub(super) fn security_mode(&self) -> SecurityMode {
        let mut mode = SecurityMode::SIGNING_ENABLED;
        if self.config.require_signing {
            mode |= SecurityMode::SIGNING_REQUIRED;
        }
        mode
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        // A client that does not know 3.x has none to tell, [MS-SMB2] 2.2.3.
        if !self.config.max_dialect.is_smb3() {
            return Capabilities::empty();
        }
        let mut capabilities = self.config.capabilities | Capabilities::LARGE_MTU;
        if self.config.encryption != EncryptionPolicy::Off {
            capabilities |= Capabilities::ENCRYPTION;
        }
        capabilities
    }

    /// Whether compression is offered.
    fn compresses_at_all(&self) -> bool {
        self.config.compression != CompressionPolicy::Off && !self.config.compression_algorithms.is_empty()
    }

    /// [MS-SMB2] 3.2.5.2: what the server chose of our algorithms.
    fn agree_on_compression(
        &self,
        flags: CompressionFlags,
        chosen: U16List<'_, CompressionAlgorithm>,
    ) -> Result<Compression, CloseReason> {
        let ours = &self.config.compression_algorithms;
        if chosen.len() == 1 && chosen.contains(CompressionAlgorithm::NONE) {
            return Ok(Compression::default());
        }
        let twice = |(at, algorithm)| chosen.iter().take(at).any(|other| other == algorithm);
        if chosen.is_empty()
            || chosen.len() > ours.len()
            || chosen.iter().any(|algorithm| !ours.contains(&algorithm))
            || chosen.iter().enumerate().any(twice)
        {
            return Err(CloseReason::Violation("the server chose compression that was not offered"));
        }
        let chained = self.config.chained_compression && flags.contains(CompressionFlags::CHAINED);
        Ok(Compression::agree(chosen.iter(), ours, chained))
    }

    pub(super) fn negotiated(&mut self, message: &[u8]) -> Result<(), CloseReason> {
        let header = Header::decode(message)?;
        if header.status.0 != 0 {
            return Err(CloseReason::Refused(header.status));
        }
        let response = NegotiateResponse::decode(message)?;
        if response.dialect == Dialect::SMB2_WILDCARD && self.sent_smb1 && !self.saw_wildcard {
            self.saw_wildcard = true;
            self.send_negotiate();
            return Ok(());
        }
        let offered = self.config.dialects();
        let by_smb1 = self.sent_smb1 && !self.saw_wildcard;
        if !offered.contains(&response.dialect) || by_smb1 && response.dialect != Dialect::SMB2_0_2 {
            return Err(CloseReason::Incompatible("the server chose a dialect that was not offered"));
        }
        if response.max_read_size.min(response.max_write_size).min(response.max_transact_size) < 65536 {
            return Err(CloseReason::Incompatible("the server takes less than 64 KiB at a time"));
        }
        let agreement = self.agree(&response)?;
        if agreement.dialect == Dialect::SMB3_1_1 {
            self.preauth.update(&*self.config.crypto, message);
        }
        let required = self.config.encryption == EncryptionPolicy::Required;
        if required && agreement.cipher.is_none() && !agreement.transport_security {
            return Err(CloseReason::Incompatible("encryption is required and the server does not encrypt"));
        }
        self.hint = response.security_buffer.to_vec();
        let largest = agreement.max_read_size.max(agreement.max_write_size).max(agreement.max_transact_size);
        self.rx.set_max_frame((largest as usize).saturating_add(super::FRAME_OVERHEAD));
        self.agreement = Some(agreement.clone());
        self.events.push_back(Event::Negotiated(agreement));
        self.start_log_ons();
        Ok(())
    }

    fn agree(&self, response: &NegotiateResponse<'_>) -> Result<Agreement, CloseReason> {
        let dialect = response.dialect;
        let config = &self.config;
        let mut signing = if dialect.is_smb3() {
            crate::wire::SigningAlgorithm::AES_CMAC
        } else {
            crate::wire::SigningAlgorithm::HMAC_SHA256
        };
        let mut cipher = None;
        let mut compression = Compression::default();
        let mut transport_security = false;
        if dialect == Dialect::SMB3_1_1 {
            let (mut preauth, mut ciphers_seen, mut signing_seen) = (false, false, false);
            let mut compression_seen = false;
            for context in response.contexts.iter() {
                match context {
                    NegotiateContext::Preauth { hash_algorithms, .. } => {
                        let one =
                            hash_algorithms.len() == 1 && hash_algorithms.contains(HashAlgorithm::SHA_512);
                        if core::mem::replace(&mut preauth, true) || !one {
                            return Err(CloseReason::Violation("wrong pre-authentication integrity context"));
                        }
                    }
                    NegotiateContext::Encryption { ciphers } => {
                        let chosen = ciphers.get(0).filter(|_| ciphers.len() == 1);
                        let known = chosen.filter(|c| c.0 == 0 || config.ciphers.contains(c));
                        if core::mem::replace(&mut ciphers_seen, true) || known.is_none() {
                            return Err(CloseReason::Violation(
                                "the server chose a cipher that was not offered",
                            ));
                        }
                        cipher = known.filter(|c| c.0 != 0 && config.encryption != EncryptionPolicy::Off);
                    }
                    NegotiateContext::Signing { algorithms } => {
                        let chosen = algorithms.get(0).filter(|_| algorithms.len() == 1);
                        let Some(known) = chosen.filter(|a| config.signing_algorithms.contains(a)) else {
                            return Err(CloseReason::Violation(
                                "the server chose a signing algorithm that was not offered",
                            ));
                        };
                        if core::mem::replace(&mut signing_seen, true) {
                            return Err(CloseReason::Violation("two signing contexts"));
                        }
                        signing = known;
                    }
                    NegotiateContext::Transport { flags } => {
                        let accepted = flags.contains(TransportFlags::ACCEPT_TRANSPORT_LEVEL_SECURITY);
                        transport_security = accepted && config.secure_transport;
                    }
                    NegotiateContext::Compression { flags, algorithms } => {
                        if core::mem::replace(&mut compression_seen, true) {
                            return Err(CloseReason::Violation("two compression contexts"));
                        }
                        if self.compresses_at_all() {
                            compression = self.agree_on_compression(flags, algorithms)?;
                        }
                    }
                    _ => {}
                }
            }
            if !preauth {
                return Err(CloseReason::Violation("no pre-authentication integrity context"));
            }
        } else if dialect.is_smb3() {
            let encrypts = response.capabilities.contains(Capabilities::ENCRYPTION);
            let ours =
                config.encryption != EncryptionPolicy::Off && config.ciphers.contains(&Cipher::AES_128_CCM);
            cipher = Some(Cipher::AES_128_CCM).filter(|_| encrypts && ours);
        }
        Ok(Agreement {
            dialect,
            cipher,
            transport_security,
            signing,
            compression,
            signing_required: response.security_mode.contains(SecurityMode::SIGNING_REQUIRED),
            server_guid: response.server_guid,
            capabilities: response.capabilities,
            system_time: response.system_time,
            server_start_time: response.server_start_time,
            max_read_size: response.max_read_size.min(config.max_io),
            max_write_size: response.max_write_size.min(config.max_io),
            max_transact_size: response.max_transact_size.min(config.max_io),
        })
    }

    /// Whether requests may cost more than one credit.
    pub(super) fn multi_credit(&self, agreement: &Agreement) -> bool {
        agreement.capabilities.contains(Capabilities::LARGE_MTU) && agreement.dialect != Dialect::SMB2_0_2
    }

    /// Whether a tree connect has to be followed by a validation: somebody may have talked us down.
    pub(super) fn must_validate(&self) -> bool {
        let ours = self.config.max_dialect.is_smb3() && !self.validated;
        ours && self.agreement.as_ref().is_some_and(|a| a.dialect != Dialect::SMB3_1_1)
    }

    pub(super) fn validation_input(&self) -> Vec<u8> {
        let dialects = self.config.dialects();
        let request = ValidateNegotiateRequest {
            capabilities: self.capabilities(),
            guid: self.config.guid,
            security_mode: self.security_mode(),
            dialects: U16List::List(&dialects),
        };
        request.to_vec()
    }

    pub(super) fn validation_matches(&self, output: &[u8]) -> bool {
        let (Ok(said), Some(agreement)) = (ValidateNegotiateResponse::decode(output), &self.agreement) else {
            return false;
        };
        said.capabilities == agreement.capabilities
            && said.guid == agreement.server_guid
            && said.security_mode.contains(SecurityMode::SIGNING_REQUIRED) == agreement.signing_required
            && said.dialect == agreement.dialect
    }
}
