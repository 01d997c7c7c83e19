//! What clients do, and sequences of it that dice make up.

use sansmb::wire::{AccessMask, CreateDisposition, LeaseState, OplockLevel, ShareAccess};

/// How many clients there are. The first and the last are machines of the same user.
pub(crate) const CLIENTS: usize = 3;
const NAMES: [&str; 3] = ["a", "b", "c"];

/// Which open: a number that counts those that there are, over and over.
pub(crate) type Pick = usize;

/// One thing that a client does, or that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operation {
    Create(usize, Create),
    Close(Pick),
    Read(Pick, u64, u32),
    Write(Pick, u64, usize),
    SetLength(Pick, u64),
    /// The ranges, and whether to wait until they are free.
    Lock(Pick, Vec<Range>, bool),
    Unlock(Pick, Vec<Range>),
    /// One of the requests that wait.
    Cancel(Pick),
    Rename(Pick, &'static str, bool),
    /// The file is to be deleted, or not any more.
    Delete(Pick, bool),
    /// One of the holders that were told to give something up, or of any: what it wants to keep.
    Acknowledge(Pick, Keep),
    /// A line drops.
    Drop(usize),
    /// A client is there again.
    Return(usize),
    /// A client wants an open back that may wait for it, in this way.
    Reclaim(usize, Pick, Claim),
    /// So many seconds pass.
    Pass(u64),
}

/// A CREATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Create {
    pub(crate) name: &'static str,
    pub(crate) access: AccessMask,
    pub(crate) share: ShareAccess,
    pub(crate) disposition: CreateDisposition,
    pub(crate) delete_on_close: bool,
    pub(crate) cache: Cache,
    pub(crate) durable: Durable,
}

/// What a client wants to cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    Oplock(OplockLevel),
    /// The key, and what.
    Lease(u8, LeaseState),
}

/// Whether an open is to outlive its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durable {
    No,
    V1,
    /// With a CreateGuid that nobody else uses, and for so many milliseconds.
    V2(u32),
}

/// With what a client claims its open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// With the context of version 2, and the right CreateGuid.
    pub(crate) v2: bool,
    pub(crate) right_guid: bool,
    /// With the lease that the open has.
    pub(crate) right_lease: bool,
    pub(crate) right_name: bool,
}

/// A range, and whether its lock is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) exclusive: bool,
}

/// What a holder wants to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// What it was told.
    Told,
    /// This of a lease, or as much as that is of an oplock; it may be too much.
    State(LeaseState),
    Level(OplockLevel),
}

/// A small generator, so that a failing sequence can be repeated.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring sequences: SplitMix64.
        let mut z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((z ^ (z >> 31)) | 1)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 16) % sides as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    fn often(&mut self, percent: usize) -> bool {
        self.roll(100) < percent
    }

    /// A sequence of 5 to 40 operations.
    pub(crate) fn sequence(&mut self) -> Vec<Operation> {
        let length = 5 + self.roll(36);
        (0..length).map(|_| self.operation()).collect()
    }

    fn operation(&mut self) -> Operation {
        let (who, which) = (self.roll(CLIENTS), self.roll(60));
        match self.roll(100) {
            0..=29 => Operation::Create(who, self.create()),
            30..=38 => Operation::Close(which),
            39..=41 => Operation::Read(which, self.roll(12) as u64, self.one(&[0, 1, 5, 100])),
            42..=46 => {
                Operation::Write(which, self.one(&[0, 0, 3, 7, 10, u64::MAX]), self.one(&[0, 1, 4, 9]))
            }
            47..=48 => Operation::SetLength(which, self.roll(12) as u64),
            49..=56 => {
                let count = if self.often(25) { 2 } else { 1 };
                Operation::Lock(which, (0..count).map(|_| self.range()).collect(), self.often(50))
            }
            57..=61 => {
                let count = if self.often(15) { 2 } else { 1 };
                Operation::Unlock(which, (0..count).map(|_| self.range()).collect())
            }
            62..=63 => Operation::Cancel(which),
            64..=68 => Operation::Rename(which, self.one(&NAMES), self.often(50)),
            69..=72 => Operation::Delete(which, self.often(75)),
            73..=84 => Operation::Acknowledge(which, self.keep()),
            85..=87 => Operation::Drop(who),
            88..=91 => Operation::Return(who),
            92..=97 => Operation::Reclaim(who, which, self.claim()),
            _ => Operation::Pass(self.one(&[1, 34, 36, 61, 121, 301])),
        }
    }

    fn create(&mut self) -> Create {
        let data = AccessMask::FILE_READ_DATA | AccessMask::FILE_WRITE_DATA;
        let share = ShareAccess::READ | ShareAccess::WRITE | ShareAccess::DELETE;
        Create {
            name: if self.often(60) { "a" } else { self.one(&NAMES) },
            access: self.one(&[
                AccessMask::FILE_ALL_ACCESS,
                AccessMask::FILE_ALL_ACCESS,
                data,
                data | AccessMask::DELETE,
                AccessMask::FILE_READ_DATA,
                AccessMask::FILE_APPEND_DATA,
                AccessMask::FILE_EXECUTE,
                AccessMask::DELETE,
                AccessMask::FILE_READ_ATTRIBUTES | AccessMask::SYNCHRONIZE,
                AccessMask::READ_CONTROL,
                AccessMask::MAXIMUM_ALLOWED,
            ]),
            share: if self.often(65) { share } else { ShareAccess::from_bits_retain(self.roll(8) as u32) },
            disposition: match self.roll(10) {
                0..=3 => CreateDisposition::OPEN,
                4..=6 => CreateDisposition::OPEN_IF,
                7 => CreateDisposition::CREATE,
                8 => CreateDisposition::OVERWRITE_IF,
                _ => self.one(&[CreateDisposition::OVERWRITE, CreateDisposition::SUPERSEDE]),
            },
            delete_on_close: self.often(12),
            cache: self.cache(),
            durable: match self.roll(10) {
                0..=4 => Durable::No,
                5..=7 => Durable::V1,
                _ => Durable::V2(self.one(&[0, 30_000, 200_000, u32::MAX])),
            },
        }
    }

    fn cache(&mut self) -> Cache {
        match self.roll(10) {
            0..=1 => Cache::Oplock(OplockLevel::NONE),
            2..=4 => Cache::Oplock(self.one(&[
                OplockLevel::II,
                OplockLevel::EXCLUSIVE,
                OplockLevel::BATCH,
                OplockLevel::BATCH,
            ])),
            _ => {
                // R, RH, RW, RWH mostly; nothing and sets that mean nothing, too.
                let state = self.one(&[1, 3, 3, 5, 7, 7, 7, 0, 2]);
                Cache::Lease(1 + self.roll(3) as u8, LeaseState::from_bits_retain(state))
            }
        }
    }

    fn range(&mut self) -> Range {
        let offset = if self.often(3) { u64::MAX } else { self.roll(8) as u64 };
        Range { offset, length: self.one(&[0, 1, 1, 2, 3, 5]), exclusive: self.often(50) }
    }

    fn keep(&mut self) -> Keep {
        match self.roll(10) {
            0..=6 => Keep::Told,
            7..=8 => Keep::State(LeaseState::from_bits_retain(self.one(&[0, 1, 3, 5, 7]))),
            _ => Keep::Level(self.one(&[
                OplockLevel::NONE,
                OplockLevel::II,
                OplockLevel::EXCLUSIVE,
                OplockLevel::BATCH,
                OplockLevel::LEASE,
            ])),
        }
    }

    fn claim(&mut self) -> Claim {
        Claim {
            v2: self.often(40),
            right_guid: self.often(90),
            right_lease: self.often(90),
            right_name: self.often(90),
        }
    }
}
