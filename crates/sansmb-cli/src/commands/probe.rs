//! `sansmb probe`: what a server can, found out with one negotiation a question.

use sansmb::{
    client::{Agreement, ClientConfig, CompressionPolicy},
    wire::{Cipher, CompressionAlgorithm, Dialect, SigningAlgorithm},
};
use sansmb_async::{Error, client::Connection};
use serde::Serialize;

use crate::{
    args::{Probe, dialect_name},
    client::be_patient,
    failure::{About, Failure, Result, describe},
    output::{Out, local_full, size, utc},
};

const CIPHERS: [Cipher; 4] =
    [Cipher::AES_128_CCM, Cipher::AES_128_GCM, Cipher::AES_256_CCM, Cipher::AES_256_GCM];
const SIGNERS: [SigningAlgorithm; 3] =
    [SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC];

#[derive(Debug, Serialize)]
struct Report {
    server: String,
    dialects: Vec<&'static str>,
    ciphers: Vec<String>,
    signing_algorithms: Vec<String>,
    compression: Vec<String>,
    /// The parts of a message may be compressed in different ways.
    chained_compression: bool,
    /// Where every algorithm was offered, the server took these.
    preferred_cipher: Option<String>,
    preferred_signing_algorithm: String,
    signing_required: bool,
    server_guid: String,
    system_time: Option<String>,
    start_time: Option<String>,
    max_read_size: u32,
    max_write_size: u32,
    max_transact_size: u32,
    capabilities: Vec<String>,
}

pub(super) async fn run(args: &Probe) -> Result<()> {
    let mut dialects = Vec::new();
    let mut best = None;
    let mut refusal = None;
    for dialect in Dialect::ALL {
        let change = |config: &mut ClientConfig| {
            (config.min_dialect, config.max_dialect) = (dialect, dialect);
        };
        match negotiate(args, change).await? {
            Ok(agreement) => {
                dialects.push(dialect_name(dialect));
                best = Some(agreement);
            }
            Err(error) => refusal = Some(error),
        }
    }
    let Some(best) = best else {
        let why = refusal.map_or_else(|| "it speaks no SMB2 dialect".to_owned(), |error| describe(&error));
        return Err(Failure::refused(&args.server, why));
    };
    let (ciphers, signing_algorithms) = algorithms(args, &best).await?;
    let (compression, chained_compression) = compression(args, &best).await?;
    let report = Report {
        server: format!("{}:{}", args.server.host, args.server.port),
        dialects,
        ciphers,
        signing_algorithms,
        compression,
        chained_compression,
        preferred_cipher: best.cipher.map(cipher_name),
        preferred_signing_algorithm: signer_name(best.signing),
        signing_required: best.signing_required,
        server_guid: best.server_guid.to_string(),
        system_time: utc(best.system_time),
        start_time: utc(best.server_start_time),
        max_read_size: best.max_read_size,
        max_write_size: best.max_write_size,
        max_transact_size: best.max_transact_size,
        capabilities: best.capabilities.iter_names().map(|(name, _)| name.to_lowercase()).collect(),
    };
    let mut out = Out::new();
    if args.json {
        out.json(&report)?;
    } else {
        print(&mut out, &report, &best)?;
    }
    out.flush()
}

/// Whether client and server came to terms. What is no answer of an SMB server ends the command.
async fn negotiate(args: &Probe, change: impl FnOnce(&mut ClientConfig)) -> Result<Result<Agreement, Error>> {
    let mut config = Connection::default_config();
    be_patient(&mut config, args.timeout);
    change(&mut config);
    let connected = args.runtime.connect(&args.server.host, args.server.port, config).await;
    match connected {
        Ok(connection) => Ok(Ok(connection.agreement().await.about(&args.server)?)),
        Err(error @ Error::Io(_)) => Err(error).about(&args.server),
        Err(error) if is_refusal(&error) => Ok(Err(error)),
        Err(error) => Err(error).about(&args.server),
    }
}

/// Whether it is the way to say "none of what you offer".
fn is_refusal(error: &Error) -> bool {
    use sansmb::client::{CloseReason, OpError};
    matches!(
        error,
        Error::Smb(OpError::Gone(CloseReason::Refused(_) | CloseReason::Incompatible(_) | CloseReason::Eof))
    )
}

/// The ciphers and signing algorithms: in 3.1.1 each is offered alone, older dialects have one.
async fn algorithms(args: &Probe, best: &Agreement) -> Result<(Vec<String>, Vec<String>)> {
    if best.dialect != Dialect::SMB3_1_1 {
        let ciphers = best.cipher.map(cipher_name).into_iter().collect();
        return Ok((ciphers, vec![signer_name(best.signing)]));
    }
    let mut ciphers = Vec::new();
    for cipher in CIPHERS {
        let agreed = negotiate(args, |config| {
            config.min_dialect = Dialect::SMB3_1_1;
            config.ciphers = vec![cipher];
        })
        .await?;
        if agreed.is_ok_and(|agreed| agreed.cipher == Some(cipher)) {
            ciphers.push(cipher_name(cipher));
        }
    }
    let mut signers = Vec::new();
    for signer in SIGNERS {
        let agreed = negotiate(args, |config| {
            config.min_dialect = Dialect::SMB3_1_1;
            config.signing_algorithms = vec![signer];
        })
        .await?;
        if agreed.is_ok_and(|agreed| agreed.signing == signer) {
            signers.push(signer_name(signer));
        }
    }
    Ok((ciphers, signers))
}

/// The algorithms of compression, each offered alone since some servers choose one of many, and whether
/// they can be chained.
async fn compression(args: &Probe, best: &Agreement) -> Result<(Vec<String>, bool)> {
    let (mut algorithms, mut chained) = (Vec::new(), false);
    if best.dialect != Dialect::SMB3_1_1 {
        return Ok((algorithms, chained));
    }
    for algorithm in CompressionAlgorithm::ALL {
        let agreed = negotiate(args, |config| {
            config.min_dialect = Dialect::SMB3_1_1;
            config.compression = CompressionPolicy::Always;
            config.compression_algorithms = vec![algorithm];
        })
        .await?;
        if let Ok(agreed) = agreed
            && agreed.compression.algorithms() == [algorithm]
        {
            algorithms.push(algorithm.to_string().to_lowercase().replace('_', "-"));
            chained |= agreed.compression.chained();
        }
    }
    Ok((algorithms, chained))
}

/// `AES_128_GCM` as `--cipher` takes it.
fn cipher_name(cipher: Cipher) -> String {
    cipher.to_string().to_lowercase().replace('_', "-")
}

fn signer_name(signer: SigningAlgorithm) -> String {
    signer.to_string().to_lowercase().replace('_', "-")
}

fn print(out: &mut Out, report: &Report, best: &Agreement) -> Result<()> {
    let none_or = |names: &[String]| match names {
        [] => "none".to_owned(),
        names => names.join(" "),
    };
    let mut field = |name: &str, value: &str| out.line(format_args!("{name:>18}: {value}"));
    field("Server", &report.server)?;
    field("Dialects", &report.dialects.join(" "))?;
    field("Ciphers", &none_or(&report.ciphers))?;
    field("Signing algorithms", &none_or(&report.signing_algorithms))?;
    let chained = if report.chained_compression { ", chained" } else { "" };
    field("Compression", &format!("{}{chained}", none_or(&report.compression)))?;
    let cipher = report.preferred_cipher.as_deref().unwrap_or("no cipher");
    field("Preferred", &format!("{cipher}, {}", report.preferred_signing_algorithm))?;
    field("Signing", if report.signing_required { "required" } else { "not required" })?;
    field("Server GUID", &report.server_guid)?;
    field("System time", &local_full(best.system_time))?;
    field("Start time", &local_full(best.server_start_time))?;
    let sizes = [best.max_read_size, best.max_write_size, best.max_transact_size].map(|n| size(n.into()));
    let [read, write, transact] = sizes;
    field("Largest", &format!("read {read}, write {write}, other {transact}"))?;
    field("Capabilities", &none_or(&report.capabilities))
}
