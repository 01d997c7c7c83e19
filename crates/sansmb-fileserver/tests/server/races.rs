//! Requests whose jobs end in any order.

use sansmb::wire::*;

use crate::common::{World, requests::*};

#[test]
fn a_lookup_that_a_deletion_overtakes_looks_again() {
    let mut world = World::new();
    let mut client = world.client();
    let mut other = world.client();
    client.put(&mut world, "file", b"old");
    let file = client.open(&mut world, "file", open());
    client.delete_pending(&mut world, file, true);
    client.close(&mut world, file);
    client.put(&mut world, "file", b"old");
    let file = client.open(&mut world, "file", open());
    client.delete_pending(&mut world, file, true);
    world.hold = true;
    let close = client.send_close(&mut world, file);
    assert_eq!(world.held_names(), ["Unlink"]);
    // The name is refused for as long as it is being deleted.
    let early = other.send_create(&mut world, "file", ALL);
    assert_eq!(other.answer(&mut world, early).status(), NtStatus::DELETE_PENDING);
    world.run_all();
    assert_eq!(client.answer(&mut world, close).status(), NtStatus::SUCCESS);
    let create = other.send_create(&mut world, "file", ALL);
    world.run_all();
    let response = other.answer(&mut world, create);
    assert_eq!(response.body::<CreateResponse<'_>>().create_action, CreateAction::CREATED);
}

#[test]
fn of_two_that_want_a_file_alone_one_gets_it() {
    for order in [[0, 0], [1, 0]] {
        let mut world = World::new();
        let mut one = world.client();
        let mut two = world.client();
        let alone = ALL.share(ShareAccess::empty());
        world.hold = true;
        let a = one.send_create(&mut world, "file", alone);
        let b = two.send_create(&mut world, "file", alone);
        assert_eq!(world.held_names(), ["Open", "Open"]);
        for at in order {
            world.run_held(at);
        }
        world.run_all();
        let statuses = [one.answer(&mut world, a).status(), two.answer(&mut world, b).status()];
        assert!(statuses.contains(&NtStatus::SUCCESS) && statuses.contains(&NtStatus::SHARING_VIOLATION));
        world.drop_client(&one);
        world.drop_client(&two);
        world.run_all();
        world.assert_empty();
    }
}

#[test]
fn an_overwrite_holds_its_share_mode_before_the_data_goes() {
    let mut world = World::new();
    let mut one = world.client();
    let mut two = world.client();
    one.put(&mut world, "file", b"data");
    world.hold = true;
    let alone = ALL.share(ShareAccess::empty()).disposition(CreateDisposition::OVERWRITE);
    let a = one.send_create(&mut world, "file", alone);
    world.run_held(0);
    assert_eq!(world.held_names(), ["SetLength"]);
    let b = two.send_create(&mut world, "file", open());
    world.run_held(1);
    assert_eq!(two.answer(&mut world, b).status(), NtStatus::SHARING_VIOLATION);
    world.run_all();
    assert_eq!(one.answer(&mut world, a).status(), NtStatus::SUCCESS);
}

#[test]
fn an_overwrite_that_the_storage_refuses_leaves_no_open() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"data");
    world.hold = true;
    let how = ALL.share(ShareAccess::empty()).disposition(CreateDisposition::OVERWRITE);
    let create = client.send_create(&mut world, "file", how);
    world.run_held(0);
    world.fail_held(0, NtStatus::DISK_FULL);
    assert_eq!(client.answer(&mut world, create).status(), NtStatus::DISK_FULL);
    world.run_all();
    world.hold = false;
    assert_eq!(world.files.counters().opens, 0);
    assert_eq!(client.get(&mut world, "file"), b"data");
}

#[test]
fn a_session_that_ends_during_an_overwrite_closes_the_file() {
    let mut world = World::new();
    let mut client = world.client();
    client.put(&mut world, "file", b"data");
    for steps in 0..4 {
        let mut client = world.client();
        world.hold = true;
        client.send_create(&mut world, "file", ALL.disposition(CreateDisposition::SUPERSEDE));
        for _ in 0..steps {
            world.run_held(0);
        }
        world.server.eof(client.conn);
        world.settle();
        world.run_all();
        world.hold = false;
        assert_eq!(world.files.counters().opens, 0, "{steps}");
        assert_eq!(world.files.counters().jobs, 0, "{steps}");
    }
    world.drop_client(&client);
    world.assert_empty();
}

#[test]
fn a_directory_that_gets_an_entry_while_it_goes_away_stays() {
    let mut world = World::new();
    let mut client = world.client();
    let dir = client.open(&mut world, "dir", directory());
    client.delete_pending(&mut world, dir, true);
    world.hold = true;
    let close = client.send_close(&mut world, dir);
    world.fail_held(0, NtStatus::DIRECTORY_NOT_EMPTY);
    world.run_all();
    assert_eq!(client.answer(&mut world, close).status(), NtStatus::SUCCESS);
    world.hold = false;
    assert_eq!(client.create_status(&mut world, "dir", open()), NtStatus::SUCCESS);
}

#[test]
fn every_order_of_three_clients_ends_with_nothing_left() {
    // All orders in which the jobs of these requests can end, by a counter that picks the next one.
    for seed in 0_u64..300 {
        let mut world = World::new();
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut pick = |n: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % n as u64) as usize
        };
        let mut clients = [world.client(), world.client(), world.client()];
        clients[0].put(&mut world, "file", b"data");
        world.hold = true;
        let doc = CreateOptions::DELETE_ON_CLOSE;
        let hows = [
            ALL.disposition(CreateDisposition::OVERWRITE_IF),
            ALL.options(doc),
            open()
                .share(ShareAccess::READ | ShareAccess::DELETE)
                .access(AccessMask::FILE_READ_DATA | AccessMask::DELETE),
        ];
        let mut opened: Vec<(usize, FileId)> = Vec::new();
        let mut sent: Vec<(usize, u64)> = Vec::new();
        for step in 0..40 {
            let who = pick(3);
            match pick(6) {
                0 | 1 if step < 30 => {
                    let id = clients[who].send_create(&mut world, "file", hows[pick(3)]);
                    sent.push((who, id));
                }
                2 if !opened.is_empty() => {
                    let (who, file) = opened.swap_remove(pick(opened.len()));
                    clients[who].send_close(&mut world, file);
                }
                3 if !opened.is_empty() => {
                    let (who, file) = opened[pick(opened.len())];
                    clients[who].send_write(&mut world, file, 0, b"more");
                }
                _ if !world.held.is_empty() => {
                    let at = pick(world.held.len());
                    world.run_held(at);
                }
                _ => {}
            }
            sent.retain(|&(who, id)| match clients[who].maybe(&mut world, id) {
                Some(response) => {
                    if response.status() == NtStatus::SUCCESS {
                        opened.push((who, response.body::<CreateResponse<'_>>().file_id));
                    }
                    false
                }
                None => true,
            });
        }
        for client in &clients {
            world.server.eof(client.conn);
            world.settle();
        }
        while !world.held.is_empty() {
            let at = pick(world.held.len());
            world.run_held(at);
        }
        world.assert_empty();
    }
}
