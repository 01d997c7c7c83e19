//! AES-GMAC over pieces. The safe interface to AWS-LC takes associated data in one piece only, so
//! this file calls its EVP_CIPHER functions. It holds all the unsafe code of sansmb-crypto.
#![expect(unsafe_code, reason = "foreign functions; every call says why it is sound")]

use alloc::boxed::Box;
use core::ffi::c_int;
use core::fmt;
use core::mem::forget;
use core::ptr::{NonNull, null, null_mut};
use core::sync::atomic::{AtomicPtr, Ordering};

use aws_lc_sys as sys;
use sansmb::crypto::{Mac, Signer};

use super::FAILED;

/// AES-128-GMAC with one key.
pub(super) struct Gmac {
    /// Has the key but no nonce.
    keyed: Context,
    /// A copy that was used before, or null: to make one takes as long as to sign a short message.
    spare: AtomicPtr<sys::EVP_CIPHER_CTX>,
}

impl Gmac {
    pub(super) fn new(key: &[u8; 16]) -> Option<Self> {
        let context = Context::new()?;
        // SAFETY: the context is live and ours; the cipher is a static; AES-128 reads 16 bytes of
        // key; no engine and no nonce are allowed to be null.
        let ok = unsafe {
            sys::EVP_EncryptInit_ex(
                context.0.as_ptr(),
                sys::EVP_aes_128_gcm(),
                null_mut(),
                key.as_ptr(),
                null(),
            )
        };
        (ok == 1).then_some(Self { keyed: context, spare: AtomicPtr::new(null_mut()) })
    }

    fn start(&self, nonce: &[u8; 12]) -> Running {
        let running = self.take_spare().unwrap_or_else(|| self.copy());
        // SAFETY: the context is live and ours; GCM reads 12 bytes of nonce unless told otherwise;
        // null means "keep" for cipher and key. A nonce begins anew whatever was done before.
        let ok = unsafe {
            sys::EVP_EncryptInit_ex(running.0.as_ptr(), null(), null_mut(), null(), nonce.as_ptr())
        };
        assert!(ok == 1, "{FAILED}");
        Running(running)
    }

    fn copy(&self) -> Context {
        let copy = Context::new().expect(FAILED);
        // SAFETY: both contexts are live; the copy only reads the keyed one, which nobody writes
        // after `new`, so that threads may share it.
        let copied = unsafe { sys::EVP_CIPHER_CTX_copy(copy.0.as_ptr(), self.keyed.0.as_ptr()) };
        assert!(copied == 1, "{FAILED}");
        copy
    }

    /// Whoever takes the pointer out owns the context.
    fn take_spare(&self) -> Option<Context> {
        NonNull::new(self.spare.swap(null_mut(), Ordering::Acquire)).map(Context)
    }

    /// Keeps a context for the next message, unless another thread was faster.
    fn keep(&self, context: Context) {
        let at = context.0.as_ptr();
        if self.spare.compare_exchange(null_mut(), at, Ordering::Release, Ordering::Relaxed).is_ok() {
            forget(context);
        }
    }
}

impl Drop for Gmac {
    fn drop(&mut self) {
        drop(self.take_spare());
    }
}

impl fmt::Debug for Gmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gmac(..)")
    }
}

impl Signer for Gmac {
    fn sign(&self, nonce: &[u8; 12], parts: &[&[u8]]) -> [u8; 16] {
        let mut running = self.start(nonce);
        parts.iter().for_each(|part| running.take(part));
        let tag = running.tag();
        self.keep(running.0);
        tag
    }

    fn begin(&self, nonce: &[u8; 12]) -> Box<dyn Mac> {
        Box::new(self.start(nonce))
    }
}

/// GMAC of one message in the making.
struct Running(Context);

impl Running {
    fn take(&mut self, bytes: &[u8]) {
        /// A length is a C int.
        const MAX: usize = 1 << 30;
        for piece in bytes.chunks(MAX) {
            let mut written: c_int = 0;
            // SAFETY: the context is live and ours; without an output the input is associated
            // data, and `piece.len()` bytes of it are read; the length fits by `MAX`.
            let ok = unsafe {
                let (input, len) = (piece.as_ptr(), piece.len() as c_int);
                sys::EVP_EncryptUpdate(self.0.0.as_ptr(), null_mut(), &mut written, input, len)
            };
            assert!(ok == 1, "{FAILED}");
        }
    }

    fn tag(&mut self) -> [u8; 16] {
        let context = self.0.0.as_ptr();
        let (mut block, mut tag) = ([0_u8; 16], [0_u8; 16]);
        let mut written: c_int = 0;
        // SAFETY: the context is live and ours; there is no text, and the output has a block's
        // length all the same.
        let finished = unsafe { sys::EVP_EncryptFinal_ex(context, block.as_mut_ptr(), &mut written) };
        // SAFETY: the context is live and ours; 16 bytes are written to the tag, which has 16.
        let got = unsafe {
            sys::EVP_CIPHER_CTX_ctrl(context, sys::EVP_CTRL_AEAD_GET_TAG, 16, tag.as_mut_ptr().cast())
        };
        assert!(finished == 1 && got == 1, "{FAILED}");
        tag
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gmac(..)")
    }
}

impl Mac for Running {
    fn update(&mut self, bytes: &[u8]) {
        self.take(bytes);
    }

    fn finish(mut self: Box<Self>) -> [u8; 16] {
        self.tag()
    }
}

/// Owns an EVP_CIPHER_CTX.
struct Context(NonNull<sys::EVP_CIPHER_CTX>);

// SAFETY: a context is not tied to the thread that made it.
unsafe impl Send for Context {}
// SAFETY: a shared reference to a context is used for nothing but reading it, in `Gmac::copy`.
unsafe impl Sync for Context {}

impl Context {
    fn new() -> Option<Self> {
        // SAFETY: it takes nothing and gives a context that is ours, or null.
        NonNull::new(unsafe { sys::EVP_CIPHER_CTX_new() }).map(Self)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context came from `EVP_CIPHER_CTX_new` and is freed once. Keys are erased.
        unsafe { sys::EVP_CIPHER_CTX_free(self.0.as_ptr()) }
    }
}
