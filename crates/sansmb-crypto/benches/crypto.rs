//! How fast the providers sign, seal and open. Prints nanoseconds for a small message and GB/s for
//! large ones, each the best of several rounds:
//!
//! ```text
//! cargo bench -p sansmb-crypto --features aws-lc
//! ```
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use sansmb::crypto::CryptoProvider;
use sansmb::wire::{Cipher, SigningAlgorithm};

/// A small message and two payloads, behind a header of 64 bytes.
const SIZES: [usize; 3] = [120, 64 << 10, 1 << 20];

fn main() {
    println!("{:<34}{:>10}{:>12}{:>12}", "", "120 B", "64 KiB", "1 MiB");
    measure(&sansmb_crypto::RustCrypto);
    #[cfg(feature = "aws-lc")]
    measure(&sansmb_crypto::AwsLc);
}

fn measure(crypto: &dyn CryptoProvider) {
    for algorithm in [SigningAlgorithm::HMAC_SHA256, SigningAlgorithm::AES_CMAC, SigningAlgorithm::AES_GMAC] {
        let Some(signer) = crypto.signer(algorithm, &[7; 16]) else { continue };
        row(crypto, &format!("sign {algorithm}"), |data| {
            black_box(signer.sign(&[1; 12], &[&[0; 64], data]));
        });
    }
    for cipher in [Cipher::AES_128_GCM, Cipher::AES_256_GCM, Cipher::AES_128_CCM, Cipher::AES_256_CCM] {
        let Some(sealer) = crypto.sealer(cipher, &[7; 32][..cipher.key_len()]) else { continue };
        let nonce = &[1; 12][..cipher.nonce_len()];
        row(crypto, &format!("seal {cipher}"), |data| {
            black_box(sealer.seal(nonce, &[0; 32], data));
        });
        // The data need not be right: a bad tag is found at the end of the same work, except where
        // the provider verifies first. So what is measured is a good one, sealed beforehand.
        row_with(
            crypto,
            &format!("open {cipher}"),
            |data| sealer.seal(nonce, &[0; 32], data),
            |data, tag| {
                sealer.open(nonce, &[0; 32], data, tag).expect("the tag is right");
            },
        );
    }
    row(crypto, "SHA-512", |data| {
        black_box(crypto.sha512(&[data]));
    });
}

fn row(crypto: &dyn CryptoProvider, what: &str, mut work: impl FnMut(&mut [u8])) {
    row_with(crypto, what, |_| (), |data, ()| work(data));
}

/// Measures `work` alone; `prepare` runs before it each time.
fn row_with<T>(
    crypto: &dyn CryptoProvider,
    what: &str,
    mut prepare: impl FnMut(&mut [u8]) -> T,
    mut work: impl FnMut(&mut [u8], &T),
) {
    let [small, middle, large] = SIZES.map(|size| {
        let mut data = vec![0x5A; size];
        let mut best = Duration::MAX;
        let inner = if size < 1024 { 500 } else { 1 };
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(400) {
            let mut total = Duration::ZERO;
            for _ in 0..inner {
                let prepared = prepare(&mut data);
                let now = Instant::now();
                work(&mut data, &prepared);
                total += now.elapsed();
            }
            best = best.min(total / inner);
        }
        best.as_nanos().max(1) as f64
    });
    println!(
        "{:<34}{:>7.0} ns{:>7.2} GB/s{:>7.2} GB/s",
        format!("{crypto:?} {what}"),
        small,
        SIZES[1] as f64 / middle,
        SIZES[2] as f64 / large
    );
}
