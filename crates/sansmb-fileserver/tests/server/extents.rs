//! Blocks that files share, compression, regions, volumes: control codes beyond plain data.

use sansmb::wire::{fscc::*, fsctl::*, *};

use crate::common::{Client, World, requests::*};

fn extents(source: FileId, from: u64, to: u64, bytes: u64) -> DuplicateExtents {
    DuplicateExtents {
        source_file_id: source,
        source_file_offset: from,
        target_file_offset: to,
        byte_count: bytes,
    }
}

fn duplicate(client: &mut Client, world: &mut World, to: FileId, extents: DuplicateExtents) -> NtStatus {
    client.ioctl(world, to, CtlCode::DUPLICATE_EXTENTS_TO_FILE, &extents.to_vec(), 0).status()
}

#[test]
fn extents_are_shared_and_written_apart() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "source", &[7; 131_072]);
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", ALL);
    assert_eq!(
        duplicate(&mut client, &mut world, target, extents(source, 0, 65_536, 65_536)),
        NtStatus::SUCCESS
    );
    assert_eq!(client.standard(&mut world, target).end_of_file, 131_072);
    client.write(&mut world, source, 0, b"changed");
    assert_eq!(client.read(&mut world, target, 65_535, 3), Ok(vec![0, 7, 7]));
    let ex = DuplicateExtentsEx {
        extents: extents(source, 65_536, 0, 4096),
        flags: DuplicateExtentsFlags::SOURCE_ATOMIC,
    };
    let response = client.ioctl(&mut world, target, CtlCode::DUPLICATE_EXTENTS_TO_FILE_EX, &ex.to_vec(), 0);
    assert_eq!(response.status(), NtStatus::SUCCESS);
    assert_eq!(client.read(&mut world, target, 4095, 2), Ok(vec![7, 0]));
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn o16_extents_that_make_no_sense_are_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let mut eve = world.client_of("eve", "share");
    client.put(&mut world, "source", &[7; 65_536]);
    let source = client.open(&mut world, "source", open());
    let target = client.open(&mut world, "target", ALL);
    let dir = client.open(&mut world, "dir", directory());
    let theirs = eve.open(&mut world, "theirs", ALL);
    let blind = client.open(&mut world, "source", open().access(AccessMask::FILE_READ_ATTRIBUTES));
    let gone = client.open(&mut world, "target", open());
    client.close(&mut world, gone);
    for (extents, status) in [
        (extents(source, 1, 0, 4096), NtStatus::INVALID_PARAMETER),
        (extents(source, 0, 512, 4096), NtStatus::INVALID_PARAMETER),
        (extents(source, 0, 0, 4095), NtStatus::INVALID_PARAMETER),
        (extents(source, !4095, 0, 8192), NtStatus::INVALID_PARAMETER),
        (extents(source, 0, 1 << 63, 4096), NtStatus::INVALID_PARAMETER),
        (extents(source, 0, 0, 0), NtStatus::SUCCESS),
        (extents(source, 0, 0, 69_632), NtStatus::NOT_SUPPORTED),
        (extents(dir, 0, 0, 4096), NtStatus::INVALID_PARAMETER),
        (extents(blind, 0, 0, 4096), NtStatus::INVALID_PARAMETER),
        (extents(theirs, 0, 0, 4096), NtStatus::INVALID_HANDLE),
        (extents(gone, 0, 0, 4096), NtStatus::INVALID_HANDLE),
        (extents(FileId::ANY, 0, 0, 4096), NtStatus::INVALID_HANDLE),
    ] {
        assert_eq!(duplicate(&mut client, &mut world, target, extents), status, "{extents:?}");
    }
    let overlap = duplicate(&mut client, &mut world, source, extents(source, 0, 4096, 8192));
    assert_eq!(overlap, NtStatus::NOT_SUPPORTED);
    assert_eq!(duplicate(&mut client, &mut world, dir, extents(source, 0, 0, 4096)), NtStatus::NOT_SUPPORTED);
    let reader = client.open(&mut world, "target", open().access(AccessMask::FILE_GENERIC_READ));
    assert_eq!(
        duplicate(&mut client, &mut world, reader, extents(source, 0, 0, 4096)),
        NtStatus::ACCESS_DENIED
    );
    let short = extents(source, 0, 0, 4096).to_vec();
    let short = client.ioctl(&mut world, target, CtlCode::DUPLICATE_EXTENTS_TO_FILE, &short[..39], 0);
    assert_eq!(short.status(), NtStatus::INVALID_PARAMETER);
    // A sparse source needs a sparse target.
    client.ioctl(&mut world, source, CtlCode::SET_SPARSE, &[], 0);
    let mixed = duplicate(&mut client, &mut world, target, extents(source, 0, 0, 4096));
    assert_eq!(mixed, NtStatus::NOT_SUPPORTED);
    client.ioctl(&mut world, target, CtlCode::SET_SPARSE, &[], 0);
    assert_eq!(duplicate(&mut client, &mut world, target, extents(source, 0, 0, 4096)), NtStatus::SUCCESS);
    // Locks count.
    let locker = eve.open(&mut world, "source", open());
    eve.lock(&mut world, locker, &[exclusive(0, 1)]);
    let locked = duplicate(&mut client, &mut world, target, extents(source, 0, 0, 4096));
    assert_eq!(locked, NtStatus::FILE_LOCK_CONFLICT);
    assert_eq!(world.files.counters().jobs, 0);
    world.drop_client(&client);
    world.drop_client(&eve);
    world.assert_empty();
}

fn compression(client: &mut Client, world: &mut World, file: FileId) -> u16 {
    let response = client.ioctl(world, file, CtlCode::GET_COMPRESSION, &[], 2);
    CompressionState::decode(response.body::<IoctlResponse<'_>>().output).unwrap().format
}

#[test]
fn compression_is_a_state_that_new_files_inherit() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "dir", directory());
    let set = |client: &mut Client, world: &mut World, file, format: u16| {
        client.ioctl(world, file, CtlCode::SET_COMPRESSION, &format.to_le_bytes(), 0).status()
    };
    assert_eq!(compression(&mut client, &mut world, dir), 0);
    assert_eq!(set(&mut client, &mut world, dir, 1), NtStatus::SUCCESS);
    assert_eq!(compression(&mut client, &mut world, dir), 2);
    let inside = client.open(&mut world, r"dir\inside", ALL);
    assert_eq!(compression(&mut client, &mut world, inside), 2);
    assert!(client.basic(&mut world, inside).attributes.contains(FileAttributes::COMPRESSED));
    let info = client.info(&mut world, inside, FileInfoClass::COMPRESSION);
    let info = FileCompressionInfo::decode(&info).unwrap();
    assert_eq!((info.compression_format, info.compression_unit_shift), (2, 16));
    let plain = client.open(&mut world, r"dir\plain", ALL.options(CreateOptions::NO_COMPRESSION));
    assert_eq!(compression(&mut client, &mut world, plain), 0);
    // Attributes that a client sets do not change it.
    let hidden = FileBasicInfo { attributes: FileAttributes::HIDDEN, ..Default::default() };
    client.set(&mut world, inside, &hidden);
    assert_eq!(compression(&mut client, &mut world, inside), 2);
    assert_eq!(set(&mut client, &mut world, inside, 0), NtStatus::SUCCESS);
    assert_eq!(compression(&mut client, &mut world, inside), 0);
    assert_eq!(set(&mut client, &mut world, inside, 3), NtStatus::INVALID_PARAMETER);
    let none = client.ioctl(&mut world, inside, CtlCode::SET_COMPRESSION, &[1], 0);
    assert_eq!(none.status(), NtStatus::INVALID_PARAMETER);
    let small = client.ioctl(&mut world, inside, CtlCode::GET_COMPRESSION, &[], 1);
    assert_eq!(small.status(), NtStatus::INVALID_PARAMETER);
    let reader = client.open(&mut world, r"dir\inside", open().access(AccessMask::FILE_GENERIC_READ));
    assert_eq!(set(&mut client, &mut world, reader, 1), NtStatus::ACCESS_DENIED);
}

#[test]
fn whole_pages_are_trimmed() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", &[1; 262_144]);
    let file = client.open(&mut world, "file", open());
    let before = client.standard(&mut world, file).allocation_size;
    let trim = |ranges: &[(u64, u64)], key| {
        let ranges: Vec<FileRange> =
            ranges.iter().map(|&(offset, length)| FileRange { offset, length }).collect();
        FileLevelTrim { key, ranges: ranges.as_slice().into() }.to_vec()
    };
    let input = trim(&[(65_536, 65_536), (10, 100), (131_072, 65_536)], 0);
    let response = client.ioctl(&mut world, file, CtlCode::FILE_LEVEL_TRIM, &input, 4);
    let done = FileLevelTrimOutput::decode(response.body::<IoctlResponse<'_>>().output).unwrap();
    assert_eq!(done.num_ranges_processed, 2, "less than a page is left alone");
    let after = client.standard(&mut world, file);
    assert_eq!((before - after.allocation_size, after.end_of_file), (131_072, 262_144));
    assert_eq!(client.read(&mut world, file, 0, 65_536), Ok(vec![1; 65_536]));
    for (input, limit, status) in [
        (trim(&[(0, 4096)], 1), 4, NtStatus::INVALID_PARAMETER),
        (trim(&[], 0), 4, NtStatus::INVALID_PARAMETER),
        (trim(&[(0, 4096)], 0), 3, NtStatus::INVALID_PARAMETER),
        (trim(&[(0, 4096)], 0)[..20].to_vec(), 4, NtStatus::INVALID_PARAMETER),
        (trim(&[(u64::MAX, 2)], 0), 4, NtStatus::INTEGER_OVERFLOW),
        (trim(&[(0, 4096)], 0), 0, NtStatus::SUCCESS),
    ] {
        let response = client.ioctl(&mut world, file, CtlCode::FILE_LEVEL_TRIM, &input, limit);
        assert_eq!(response.status(), status, "{input:?}");
    }
    let mut other = world.client_of("bob", "share");
    let theirs = other.open(&mut world, "file", open());
    other.lock(&mut world, theirs, &[exclusive(8192, 1)]);
    let response = client.ioctl(&mut world, file, CtlCode::FILE_LEVEL_TRIM, &trim(&[(8192, 4096)], 0), 4);
    assert_eq!(response.status(), NtStatus::FILE_LOCK_CONFLICT);
}

#[test]
fn files_and_volumes_tell_of_themselves() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", &[1; 1000]);
    let file = client.open(&mut world, "file", open());
    let mut ask = |world: &mut World, code, input: &[u8], limit| {
        let response = client.ioctl(world, file, code, input, limit);
        let output = IoctlResponse::decode(&response.bytes).map(|body| body.output.to_vec());
        (response.status(), output.unwrap_or_default())
    };
    let (status, output) = ask(&mut world, CtlCode::QUERY_FILE_REGIONS, &[], 1000);
    assert_eq!(status, NtStatus::SUCCESS);
    let told = FileRegionOutput::decode(&output).unwrap();
    let regions: Vec<FileRegion> = told.regions.iter().collect();
    let usage = RegionUsage::VALID_CACHED_DATA;
    assert_eq!((told.total, regions), (1, vec![FileRegion { offset: 0, length: 1000, usage }]));
    let region =
        |file_offset, length, desired_usage| FileRegionInput { file_offset, length, desired_usage }.to_vec();
    for (input, limit, status) in [
        (region(0, 10, usage), 39, NtStatus::BUFFER_TOO_SMALL),
        (region(0, 0, usage), 40, NtStatus::INVALID_PARAMETER),
        (region(1 << 63, 1, usage), 40, NtStatus::INVALID_PARAMETER),
        (region(0, 10, RegionUsage::empty()), 40, NtStatus::INVALID_PARAMETER),
        (region(0, 10, usage)[..23].to_vec(), 40, NtStatus::BUFFER_TOO_SMALL),
        (region(1000, 10, usage), 40, NtStatus::SUCCESS),
    ] {
        assert_eq!(ask(&mut world, CtlCode::QUERY_FILE_REGIONS, &input, limit).0, status, "{input:?}");
    }
    let (status, volume) = ask(&mut world, CtlCode::GET_NTFS_VOLUME_DATA, &[], 96);
    let volume = NtfsVolumeData::decode(&volume).unwrap();
    assert_eq!(status, NtStatus::SUCCESS);
    assert_eq!(volume.total_clusters * u64::from(volume.bytes_per_cluster), 1 << 30);
    let small = ask(&mut world, CtlCode::GET_NTFS_VOLUME_DATA, &[], 95).0;
    assert_eq!(small, NtStatus::BUFFER_TOO_SMALL);
    let (_, snapshots) = ask(&mut world, CtlCode::SRV_ENUMERATE_SNAPSHOTS, &[], 16);
    let snapshots = SnapshotArray::decode(&snapshots).unwrap();
    assert_eq!((snapshots.number, snapshots.returned, snapshots.array_size), (0, 0, 2));
    let short = ask(&mut world, CtlCode::SRV_ENUMERATE_SNAPSHOTS, &[], 15).0;
    assert_eq!(short, NtStatus::INVALID_PARAMETER);
}
