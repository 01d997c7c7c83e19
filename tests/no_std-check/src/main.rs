//! Uses the core in a program that has no std: with std anywhere below, the panic handler exists twice.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicUsize, Ordering};

use sansmb::wire::{Command, HEADER_LEN, Header, Writer};

// memcpy and its kin, which std would bring along.
#[link(name = "c")]
unsafe extern "C" {
    fn abort() -> !;
}

const HEAP: usize = 1 << 20;

/// Hands out memory and takes none back.
struct Bump {
    used: AtomicUsize,
    heap: core::cell::UnsafeCell<[u8; HEAP]>,
}

// SAFETY: no two allocations share a byte of `heap`.
unsafe impl Sync for Bump {}

// SAFETY: every block is aligned, inside `heap`, and given out once.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.heap.get().cast::<u8>();
        let from = self.used.fetch_add(layout.size() + layout.align(), Ordering::Relaxed);
        let at = from + start.wrapping_add(from).align_offset(layout.align());
        if at + layout.size() > HEAP {
            return core::ptr::null_mut();
        }
        start.wrapping_add(at)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { used: AtomicUsize::new(0), heap: core::cell::UnsafeCell::new([0; HEAP]) };

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: it takes nothing and does not return.
    unsafe { abort() }
}

// The alloc crate of a host target was compiled to unwind and names these two.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() {}

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    let header = Header { command: Command::ECHO, message_id: 7, ..Header::default() };
    let mut bytes = Vec::new();
    header.encode(&mut Writer::new(&mut bytes));
    i32::from(bytes.len() != HEADER_LEN || Header::decode(&bytes) != Ok(header))
}
