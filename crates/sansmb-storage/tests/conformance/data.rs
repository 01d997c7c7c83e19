//! Data, lengths, times.

use bytes::Bytes;
use sansmb::wire::{FileAttributes, FileTime, NtStatus};
use sansmb_fileserver::storage::{Changes, Handle, Job, Storage};
use sansmb_storage::run;

use crate::helpers::*;

pub(crate) fn write_then_read(s: &dyn Storage) {
    let handle = create(s, "file");
    write(s, handle, 0, b"hello world");
    write(s, handle, 6, b"there");
    write(s, handle, 3, b"");
    assert_eq!(read(s, handle, 0, 100), b"hello there");
    assert_eq!(read(s, handle, 6, 3), b"the");
    assert_eq!(read(s, handle, 6, 0), b"");
    let through = Job::Write { handle, offset: 11, data: Bytes::from_static(b"!").into(), through: true };
    assert_eq!(written(run(s, through)), Ok(1));
    nothing(run(s, Job::Flush { handle })).unwrap();
    let now = stat(s, handle);
    assert_eq!(now.length, 12);
    assert!(now.allocated >= 12);
}

pub(crate) fn holes_read_as_zeros(s: &dyn Storage) {
    let handle = create(s, "file");
    write(s, handle, 200_000, b"end");
    assert_eq!(stat(s, handle).length, 200_003);
    let mut expected = vec![0; 200_000];
    expected.extend(b"end");
    assert_eq!(read(s, handle, 0, 300_000), expected);
    write(s, handle, 70_000, b"mid");
    expected[70_000..70_003].copy_from_slice(b"mid");
    assert_eq!(read(s, handle, 0, 300_000), expected);
}

pub(crate) fn reading_past_the_end(s: &dyn Storage) {
    let handle = create(s, "file");
    assert_eq!(read(s, handle, 0, 10), b"");
    write(s, handle, 0, b"abc");
    assert_eq!(read(s, handle, 2, 10), b"c");
    assert_eq!(read(s, handle, 3, 10), b"");
    assert_eq!(read(s, handle, 1 << 40, 10), b"");
}

pub(crate) fn o9_offsets_beyond_the_end_of_numbers(s: &dyn Storage) {
    let handle = create(s, "file");
    write(s, handle, 0, b"abc");
    for offset in [i64::MAX as u64, 1 << 63, u64::MAX - 1, u64::MAX] {
        assert_eq!(try_write(s, handle, offset, b"xy"), Err(NtStatus::INVALID_PARAMETER), "{offset:x}");
        assert_eq!(read(s, handle, offset, 100), b"", "{offset:x}");
        let outcome = nothing(run(s, Job::Zero { handle, offset, length: u64::MAX }));
        assert_eq!(outcome, Ok(()), "{offset:x}");
        assert!(get_ranges(s, handle, offset, u64::MAX).is_empty());
        for (from_offset, to_offset) in [(0, offset), (offset, 0)] {
            let job = Job::Copy { from: handle, from_offset, to: handle, to_offset, length: 3 };
            assert_eq!(written(run(s, job)), Err(NtStatus::INVALID_PARAMETER));
        }
    }
    assert_eq!(set_length(s, handle, 1 << 63), Err(NtStatus::INVALID_PARAMETER));
    let job = Job::Allocate { handle, length: u64::MAX };
    assert_eq!(nothing(run(s, job)), Err(NtStatus::INVALID_PARAMETER));
    assert_eq!(read(s, handle, 0, 100), b"abc");
}

pub(crate) fn setting_length(s: &dyn Storage) {
    let handle = create(s, "file");
    write(s, handle, 0, &[7; 100_000]);
    set_length(s, handle, 10).unwrap();
    assert_eq!(stat(s, handle).length, 10);
    set_length(s, handle, 150_000).unwrap();
    let data = read(s, handle, 0, 200_000);
    assert_eq!(data.len(), 150_000);
    assert!(
        data[..10].iter().all(|b| *b == 7) && data[10..].iter().all(|b| *b == 0),
        "what was cut off is gone"
    );
    set_length(s, handle, 0).unwrap();
    assert_eq!(read(s, handle, 0, 10), b"");
}

fn allocate(s: &dyn Storage, handle: Handle, length: u64) -> Result<(), NtStatus> {
    nothing(run(s, Job::Allocate { handle, length }))
}

pub(crate) fn allocate_keeps_the_length(s: &dyn Storage) {
    let handle = create(s, "file");
    write(s, handle, 0, b"abc");
    allocate(s, handle, 100_000).unwrap();
    assert_eq!(stat(s, handle).length, 3);
    allocate(s, handle, 0).unwrap();
    assert_eq!(read(s, handle, 0, 10), b"abc");
    assert_eq!(allocate(s, handle, 1 << 60), Err(NtStatus::DISK_FULL));
}

fn copy(s: &dyn Storage, from: (Handle, u64), to: (Handle, u64), length: u64) -> Result<u64, NtStatus> {
    let ((from, from_offset), (to, to_offset)) = (from, to);
    written(run(s, Job::Copy { from, from_offset, to, to_offset, length }))
}

pub(crate) fn copying(s: &dyn Storage) {
    let (from, to) = (create(s, "from"), create(s, "to"));
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    write(s, from, 0, &data);
    assert_eq!(copy(s, (from, 0), (to, 0), 3_000_000), Ok(3_000_000));
    assert_eq!(read(s, to, 0, 4_000_000), data);
    write(s, to, 0, b"________________");
    assert_eq!(copy(s, (from, 2_999_990), (to, 3), 10), Ok(10));
    let mut expected = b"___".to_vec();
    expected.extend(&data[2_999_990..]);
    expected.extend(b"___");
    assert_eq!(read(s, to, 0, 16), expected);
    // What is not there is not copied.
    assert_eq!(copy(s, (from, 2_999_999), (to, 0), 10), Ok(1));
    assert_eq!(copy(s, (from, 5_000_000), (to, 0), 10), Ok(0));
    assert_eq!(copy(s, (from, 0), (to, 0), 0), Ok(0));
    // A hole is copied as zeros over what was there.
    let holes = create(s, "holes");
    set_length(s, holes, 500_000).unwrap();
    assert_eq!(copy(s, (holes, 0), (to, 0), 500_000), Ok(500_000));
    assert_eq!(read(s, to, 0, 500_000), vec![0; 500_000]);
}

pub(crate) fn copying_onto_itself(s: &dyn Storage) {
    let handle = create(s, "file");
    let data: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 253) as u8).collect();
    for (from, to, length) in
        [(0, 1000, 2_900_000), (1000, 0, 2_900_000), (5, 5, 100), (0, 2_000_000, 1_000_000)]
    {
        write(s, handle, 0, &data);
        assert_eq!(copy(s, (handle, from), (handle, to), length), Ok(length));
        let mut expected = data.clone();
        expected.copy_within(from as usize..(from + length) as usize, to as usize);
        assert!(read(s, handle, 0, 3_000_000) == expected, "{from} -> {to}");
    }
}

fn zero(s: &dyn Storage, handle: Handle, offset: u64, length: u64) {
    nothing(run(s, Job::Zero { handle, offset, length })).unwrap();
}

pub(crate) fn zeroing(s: &dyn Storage) {
    let handle = create(s, "file");
    write(s, handle, 0, &[1; 300_000]);
    let before = stat(s, handle).allocated;
    zero(s, handle, 65_536, 131_072);
    zero(s, handle, 10, 5);
    zero(s, handle, 299_999, 1000);
    let now = stat(s, handle);
    assert_eq!(now.length, 300_000);
    assert!(now.allocated < before, "{} < {before}", now.allocated);
    let mut expected = vec![1; 300_000];
    expected[65_536..196_608].fill(0);
    expected[10..15].fill(0);
    expected[299_999] = 0;
    assert!(read(s, handle, 0, 400_000) == expected);
}

pub(crate) fn ranges(s: &dyn Storage) {
    let handle = create(s, "file");
    const MIB: u64 = 1 << 20;
    set_length(s, handle, 10 * MIB).unwrap();
    assert!(get_ranges(s, handle, 0, u64::MAX).is_empty());
    write(s, handle, 2 * MIB, &[1; MIB as usize]);
    write(s, handle, 5 * MIB, &[1; 2 * MIB as usize]);
    nothing(run(s, Job::Flush { handle })).unwrap();
    assert_eq!(get_ranges(s, handle, 0, 10 * MIB), [(2 * MIB, MIB), (5 * MIB, 2 * MIB)]);
    assert_eq!(get_ranges(s, handle, 0, 2 * MIB + 1), [(2 * MIB, 1)]);
    assert_eq!(get_ranges(s, handle, 6 * MIB, 10 * MIB), [(6 * MIB, MIB)]);
    assert!(get_ranges(s, handle, 8 * MIB, MIB).is_empty());
    assert!(get_ranges(s, handle, 20 * MIB, MIB).is_empty());
    assert!(get_ranges(s, handle, 0, 0).is_empty());
}

const YEAR_2001: FileTime = FileTime(126_227_808_000_000_000);

pub(crate) fn times_and_attributes(s: &dyn Storage) {
    mkdir(s, "dir");
    file(s, "file", "x");
    for name in ["dir", "file"] {
        let handle = open(s, name);
        let before = stat(s, handle);
        let all = Changes {
            created: Some(YEAR_2001),
            accessed: Some(FileTime(YEAR_2001.0 + 12_345_678)),
            written: Some(FileTime(YEAR_2001.0 + 2_345_679)),
            changed: None,
            attributes: Some(FileAttributes::HIDDEN | FileAttributes::READONLY | FileAttributes::DIRECTORY),
        };
        change(s, handle, all).unwrap();
        let now = stat(s, handle);
        assert_eq!(now.created, YEAR_2001);
        assert_eq!(now.accessed.0, YEAR_2001.0 + 12_345_678, "steps of 100 ns are kept");
        assert_eq!(now.written.0, YEAR_2001.0 + 2_345_679);
        let kind = before.attributes & FileAttributes::DIRECTORY;
        assert_eq!(now.attributes, FileAttributes::HIDDEN | FileAttributes::READONLY | kind);
        // One thing at a time leaves the others alone.
        change(s, handle, Changes { written: Some(FileTime(YEAR_2001.0 + 5)), ..Changes::default() })
            .unwrap();
        change(s, handle, Changes { attributes: Some(FileAttributes::NORMAL), ..Changes::default() })
            .unwrap();
        let now = stat(s, handle);
        assert_eq!((now.created, now.written.0), (YEAR_2001, YEAR_2001.0 + 5));
        assert_eq!(now.accessed.0, YEAR_2001.0 + 12_345_678);
        assert!(!now.attributes.intersects(FileAttributes::READONLY | FileAttributes::HIDDEN));
        change(s, handle, Changes::default()).unwrap();
        // Before 1970 there was time too.
        let early = FileTime(10_000_000_000_000_000);
        change(s, handle, Changes { created: Some(early), ..Changes::default() }).unwrap();
        assert_eq!(stat(s, handle).created, early);
        // Another handle, a listing and a look-up say the same.
        let root = open(s, "");
        assert_eq!(find(s, root, name).unwrap().metadata, stat(s, open(s, name)));
    }
}

pub(crate) fn change_time_stays_until_the_next_change(s: &dyn Storage) {
    let handle = create(s, "file");
    let at = FileTime(YEAR_2001.0 + 7);
    let changes = Changes { changed: Some(at), ..Changes::default() };
    change(s, handle, changes).unwrap();
    assert_eq!(stat(s, handle).changed, at);
    let both = Changes { written: Some(YEAR_2001), attributes: Some(FileAttributes::HIDDEN), ..changes };
    change(s, handle, both).unwrap();
    assert_eq!((stat(s, handle).changed, stat(s, handle).written), (at, YEAR_2001));
    assert_eq!(stat(s, open(s, "file")).changed, at, "everybody sees it");
    std::thread::sleep(std::time::Duration::from_millis(60));
    write(s, handle, 0, b"x");
    assert!(stat(s, handle).changed > at);
    change(s, handle, changes).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(60));
    change(s, handle, Changes { attributes: Some(FileAttributes::SYSTEM), ..Changes::default() }).unwrap();
    assert!(stat(s, handle).changed > at);
}

pub(crate) fn times_before_and_after_unix(s: &dyn Storage) {
    let handle = create(s, "file");
    let year = 315_576_000_000_000;
    // 1602, 1900, 1968, 2050, 2446, 2600, 9000.
    for years in [1, 299, 367, 449, 845, 999, 7399] {
        let at = |more: u64| Some(FileTime(years * year + more));
        let changes =
            Changes { created: at(1), accessed: at(2), written: at(3), changed: at(4), attributes: None };
        change(s, handle, changes).unwrap();
        let now = stat(s, handle);
        let all = [now.created, now.accessed, now.written, now.changed].map(Some);
        assert_eq!(all, [at(1), at(2), at(3), at(4)], "{years}");
    }
    write(s, handle, 0, b"x");
    let now = stat(s, handle);
    assert_eq!(now.created, FileTime(7399 * year + 1));
    assert!(now.written < FileTime(1000 * year), "a write counts");
}

fn share(s: &dyn Storage, from: (Handle, u64), to: (Handle, u64), length: u64) -> Result<(), NtStatus> {
    let ((from, from_offset), (to, to_offset)) = (from, to);
    nothing(run(s, Job::Share { from, from_offset, to, to_offset, length }))
}

pub(crate) fn shared_blocks(s: &dyn Storage) {
    let (from, to) = (create(s, "from"), create(s, "to"));
    let data: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    write(s, from, 0, &data);
    if !s.traits().features.block_sharing {
        assert_eq!(share(s, (from, 0), (to, 0), 65_536), Err(NtStatus::NOT_SUPPORTED));
        return;
    }
    write(s, to, 0, &[1; 10]);
    share(s, (from, 4096), (to, 4096), 200_704).unwrap();
    let mut expected = vec![0; 4096];
    expected[..10].fill(1);
    expected.extend(&data[4096..204_800]);
    assert!(read(s, to, 0, 400_000) == expected);
    // Each goes its own way afterwards.
    write(s, from, 70_000, &[9; 100]);
    assert!(read(s, to, 0, 400_000) == expected);
    write(s, to, 140_000, &[8; 100]);
    assert_eq!(read(s, from, 140_000, 100), data[140_000..140_100]);
    // Within one file, and holes too.
    share(s, (to, 65_536), (to, 262_144), 65_536).unwrap();
    assert_eq!(read(s, to, 262_144, 65_536), read(s, to, 65_536, 65_536));
    let holes = create(s, "holes");
    set_length(s, holes, 131_072).unwrap();
    share(s, (holes, 0), (to, 0), 131_072).unwrap();
    assert_eq!(read(s, to, 0, 131_072), vec![0; 131_072]);
    assert_eq!(share(s, (from, 0), (to, 0), 400_000), Err(NtStatus::NOT_SUPPORTED), "beyond the end");
}

pub(crate) fn created_survives_writes(s: &dyn Storage) {
    let handle = create(s, "file");
    let first = stat(s, handle);
    assert!(first.created.0 > YEAR_2001.0);
    std::thread::sleep(std::time::Duration::from_millis(20));
    write(s, handle, 0, b"x");
    let later = stat(s, handle);
    assert_eq!(later.created, first.created);
    assert!(later.written > first.written);
}

pub(crate) fn large_reads_and_writes(s: &dyn Storage) {
    let handle = create(s, "file");
    let data: Vec<u8> = (0..8_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    write(s, handle, 12_345, &data);
    assert!(read(s, handle, 12_345, 8 << 20) == data);
    assert_eq!(read(s, handle, 12_345 + (8 << 20) - 3, 8 << 20), data[data.len() - 3..]);
}

pub(crate) fn concurrent_use(s: &dyn Storage) {
    let handle = create(s, "file");
    set_length(s, handle, 8 * 100_000).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            scope.spawn(move || {
                for round in 0..50_u8 {
                    write(s, handle, thread * 100_000, &[round; 100_000]);
                    let back = read(s, handle, thread * 100_000, 100_000);
                    assert!(back.len() == 100_000 && back.iter().all(|b| *b == round));
                    let own = open(s, "file");
                    assert_eq!(stat(s, own).length, 800_000);
                    close(s, own);
                }
            });
        }
    });
}

pub(crate) fn huge_offset_takes_no_room(s: &dyn Storage) {
    let handle = create(s, "file");
    let far = 1_u64 << 40;
    write(s, handle, far, b"far");
    let now = stat(s, handle);
    assert_eq!(now.length, far + 3);
    assert!(now.allocated < 1 << 20, "{}", now.allocated);
    assert_eq!(read(s, handle, far - 2, 10), b"\0\0far");
}
