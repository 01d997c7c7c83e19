//! Checksums of files: GET_INTEGRITY_INFORMATION, SET_INTEGRITY_INFORMATION and its extended form.

use sansmb::wire::{fscc::*, fsctl::*, *};

use crate::common::{Client, World, requests::*};

fn integrity(client: &mut Client, world: &mut World, file: FileId) -> (ChecksumType, bool) {
    let response = client.ioctl(world, file, CtlCode::GET_INTEGRITY_INFORMATION, &[], 16);
    let info = IntegrityInfo::decode(response.body::<IoctlResponse<'_>>().output).unwrap();
    assert_eq!((info.checksum_chunk_size, info.cluster_size), (4096, 4096));
    (info.checksum_algorithm, info.flags.contains(IntegrityFlags::CHECKSUM_ENFORCEMENT_OFF))
}

fn plain(checksum_algorithm: ChecksumType, flags: u32) -> Vec<u8> {
    let flags = IntegrityFlags::from_bits_retain(flags);
    SetIntegrity { checksum_algorithm, unused: 7, flags }.to_vec()
}

fn extended(enable: bool, keep: bool, flags: u32, version: u8) -> Vec<u8> {
    SetIntegrityEx {
        enable_integrity: enable,
        keep_integrity_state_unchanged: keep,
        flags: IntegrityFlags::from_bits_retain(flags),
        version,
        ..SetIntegrityEx::default()
    }
    .to_vec()
}

fn set(client: &mut Client, world: &mut World, file: FileId, input: &[u8]) -> NtStatus {
    let code = match input.len() {
        16 => CtlCode::SET_INTEGRITY_INFORMATION_EX,
        _ => CtlCode::SET_INTEGRITY_INFORMATION,
    };
    client.ioctl(world, file, code, input, 0).status()
}

#[test]
fn integrity_is_kept_and_told_as_an_attribute() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    assert_eq!(integrity(&mut client, &mut world, file), (ChecksumType::NONE, false));
    assert_eq!(set(&mut client, &mut world, file, &plain(ChecksumType::CRC64, 1)), NtStatus::SUCCESS);
    assert_eq!(integrity(&mut client, &mut world, file), (ChecksumType::CRC64, true));
    assert!(client.basic(&mut world, file).attributes.contains(FileAttributes::INTEGRITY_STREAM));
    // Nothing is said of the algorithm, and so it stays; of the flag it is said that it goes.
    assert_eq!(set(&mut client, &mut world, file, &plain(ChecksumType::UNCHANGED, 0)), NtStatus::SUCCESS);
    assert_eq!(integrity(&mut client, &mut world, file), (ChecksumType::CRC64, false));
    // Attributes that a client sets do not change it, nor does overwriting the file.
    let private = FileBasicInfo { attributes: FileAttributes::NOT_CONTENT_INDEXED, ..Default::default() };
    client.set(&mut world, file, &private);
    let again = client.open(&mut world, "file", ALL.disposition(CreateDisposition::OVERWRITE_IF));
    assert_eq!(integrity(&mut client, &mut world, again), (ChecksumType::CRC64, false));
    assert_eq!(set(&mut client, &mut world, file, &plain(ChecksumType::NONE, 0)), NtStatus::SUCCESS);
    assert_eq!(integrity(&mut client, &mut world, file), (ChecksumType::NONE, false));
    assert!(!client.basic(&mut world, file).attributes.contains(FileAttributes::INTEGRITY_STREAM));
    // The extended form leaves the algorithm to the server.
    assert_eq!(set(&mut client, &mut world, file, &extended(true, false, 1, 1)), NtStatus::SUCCESS);
    assert_eq!(integrity(&mut client, &mut world, file), (ChecksumType::CRC32, true));
    assert_eq!(set(&mut client, &mut world, file, &extended(false, true, 0, 1)), NtStatus::SUCCESS);
    assert_eq!(integrity(&mut client, &mut world, file), (ChecksumType::CRC32, false));
    assert_eq!(set(&mut client, &mut world, file, &extended(false, false, 0, 1)), NtStatus::SUCCESS);
    assert_eq!(integrity(&mut client, &mut world, file), (ChecksumType::NONE, false));
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn integrity_is_inherited_from_directories_and_asked_for_by_attributes() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "dir", directory());
    // The server chooses, and what is not enforced is said of files only.
    assert_eq!(set(&mut client, &mut world, dir, &plain(ChecksumType::CRC64, 1)), NtStatus::SUCCESS);
    assert_eq!(integrity(&mut client, &mut world, dir), (ChecksumType::CRC32, false));
    let inside = client.open(&mut world, r"dir\inside", ALL);
    assert_eq!(integrity(&mut client, &mut world, inside), (ChecksumType::CRC32, false));
    let beneath = client.open(&mut world, r"dir\beneath", directory());
    assert_eq!(integrity(&mut client, &mut world, beneath), (ChecksumType::CRC32, false));
    let asked = client.open(&mut world, "asked", ALL.attributes(FileAttributes::INTEGRITY_STREAM));
    assert_eq!(integrity(&mut client, &mut world, asked), (ChecksumType::CRC32, false));
    let stream = client.open(&mut world, "asked:stream", ALL);
    assert!(client.basic(&mut world, stream).attributes.contains(FileAttributes::INTEGRITY_STREAM));
}

#[test]
fn o17_integrity_that_makes_no_sense_is_refused() {
    let mut world = World::new();
    let mut client = world.client();
    let file = client.open(&mut world, "file", ALL);
    for input in [
        plain(ChecksumType(3), 0),
        plain(ChecksumType::CRC64, 2),
        plain(ChecksumType::NONE, 1),
        plain(ChecksumType::UNCHANGED, 1),
        plain(ChecksumType::CRC64, 0)[..7].to_vec(),
        extended(true, false, 2, 1),
        extended(false, false, 1, 1),
        extended(false, true, 1, 1),
        extended(true, false, 0, 2),
    ] {
        assert_eq!(set(&mut client, &mut world, file, &input), NtStatus::INVALID_PARAMETER, "{input:?}");
    }
    assert_eq!(integrity(&mut client, &mut world, file), (ChecksumType::NONE, false));
    let small = client.ioctl(&mut world, file, CtlCode::GET_INTEGRITY_INFORMATION, &[], 15).status();
    assert_eq!(small, NtStatus::INVALID_PARAMETER);
    for access in [AccessMask::FILE_GENERIC_READ, AccessMask::FILE_GENERIC_WRITE] {
        let half = client.open(&mut world, "file", open().access(access));
        let status = set(&mut client, &mut world, half, &plain(ChecksumType::CRC64, 0));
        assert_eq!(status, NtStatus::ACCESS_DENIED, "{access:?}");
    }
}
