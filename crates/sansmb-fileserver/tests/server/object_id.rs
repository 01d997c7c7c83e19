//! Object IDs of files.

use sansmb::wire::{fsctl::*, *};

use crate::common::{Client, World, requests::*};

fn ask(
    client: &mut Client,
    world: &mut World,
    file: FileId,
    code: CtlCode,
) -> Result<ObjectIdBuffer, NtStatus> {
    let response = client.ioctl(world, file, code, &[], 64);
    if response.status() != NtStatus::SUCCESS {
        return Err(response.status());
    }
    Ok(ObjectIdBuffer::decode(response.body::<IoctlResponse<'_>>().output).unwrap())
}

#[test]
fn object_ids_are_made_set_and_taken_away() {
    let mut world = World::with(|mut config| {
        config.administrators = vec!["root".into()];
        config
    });
    let (mut root, mut alice) = (world.client_of("root", "share"), world.client_of("alice", "share"));
    let file = alice.open(&mut world, "file", ALL);
    let get = CtlCode::GET_OBJECT_ID;
    assert_eq!(ask(&mut alice, &mut world, file, get), Err(NtStatus::OBJECTID_NOT_FOUND));
    let told = ask(&mut alice, &mut world, file, CtlCode::CREATE_OR_GET_OBJECT_ID).unwrap();
    assert_eq!(ask(&mut alice, &mut world, file, get), Ok(told));
    let birth = ObjectIdBirth { birth_volume_id: Guid([1; 16]), ..Default::default() }.to_vec();
    let reader = alice.open(&mut world, "file", open().access(AccessMask::FILE_GENERIC_READ));
    let theirs = root.open(&mut world, "file", open());
    let given = ObjectIdBuffer { object_id: Guid([9; 16]), ..told }.to_vec();
    for (as_root, file, code, input, status) in [
        (false, reader, CtlCode::SET_OBJECT_ID_EXTENDED, &birth[..], NtStatus::ACCESS_DENIED),
        (false, reader, CtlCode::DELETE_OBJECT_ID, &[], NtStatus::ACCESS_DENIED),
        (false, file, CtlCode::SET_OBJECT_ID_EXTENDED, &birth[..47], NtStatus::INVALID_PARAMETER),
        (false, file, CtlCode::SET_OBJECT_ID_EXTENDED, &birth, NtStatus::SUCCESS),
    ] {
        let client = if as_root { &mut root } else { &mut alice };
        assert_eq!(client.ioctl(&mut world, file, code, input, 0).status(), status, "{code:?}");
    }
    let told = ask(&mut root, &mut world, theirs, get).unwrap();
    assert_eq!(told.birth_volume_id, Guid([1; 16]));
    for (as_root, file, code, input, status) in [
        (false, file, CtlCode::SET_OBJECT_ID, &given[..], NtStatus::ACCESS_DENIED),
        (true, theirs, CtlCode::SET_OBJECT_ID, &given[..63], NtStatus::INVALID_PARAMETER),
        (true, theirs, CtlCode::SET_OBJECT_ID, &given, NtStatus::OBJECT_NAME_COLLISION),
        (false, file, CtlCode::DELETE_OBJECT_ID, &[], NtStatus::SUCCESS),
        (false, file, CtlCode::DELETE_OBJECT_ID, &[], NtStatus::SUCCESS),
    ] {
        let client = if as_root { &mut root } else { &mut alice };
        assert_eq!(client.ioctl(&mut world, file, code, input, 0).status(), status, "{code:?}");
    }
    let set = root.ioctl(&mut world, theirs, CtlCode::SET_OBJECT_ID, &given, 0).status();
    assert_eq!(set, NtStatus::SUCCESS);
    assert_eq!(ask(&mut alice, &mut world, file, get).map(|told| told.object_id), Ok(Guid([9; 16])));
    let other = root.open(&mut world, "other", ALL);
    let twice = root.ioctl(&mut world, other, CtlCode::SET_OBJECT_ID, &given, 0).status();
    assert_eq!(twice, NtStatus::DUPLICATE_NAME);
    world.close_all();
    world.assert_empty();
}
