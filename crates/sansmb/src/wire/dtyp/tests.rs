use alloc::string::ToString;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::{AccessMask, Guid, Structure};
use super::*;

fn sid() -> impl Strategy<Value = Sid> {
    (0..1_u64 << 48, prop::collection::vec(any::<u32>(), 0..=15)).prop_map(|(a, s)| Sid::new(a, &s).unwrap())
}

proptest! {
    #[test]
    fn sid_round_trips(sid in sid()) {
        let bytes = sid.to_vec();
        prop_assert_eq!(bytes.len(), sid.encoded_len());
        prop_assert_eq!(Sid::decode(&bytes).unwrap(), sid);
        prop_assert_eq!(sid.to_string().parse::<Sid>().unwrap(), sid);
    }

    #[test]
    fn security_descriptor_round_trips(
        owner in prop::option::of(sid()),
        group in prop::option::of(sid()),
        aces in prop::option::of(prop::collection::vec((sid(), any::<u32>(), any::<u8>(), any::<bool>()), 0..6)),
        control in any::<u16>(),
        object in any::<[u8; 16]>(),
    ) {
        let aces: Option<Vec<Ace<'_>>> = aces.map(|aces| {
            aces.iter().map(|(sid, mask, flags, plain)| {
                let (mask, flags) = (AccessMask::from_bits_retain(*mask), AceFlags::from_bits_retain(*flags));
                if *plain {
                    return Ace::allow(*sid, mask, flags);
                }
                let body = AceBody::Object {
                    mask,
                    flags: ObjectAceFlags::OBJECT_TYPE_PRESENT,
                    object_type: Some(Guid(object)),
                    inherited_object_type: None,
                    sid: *sid,
                    data: b"cond",
                };
                Ace { ace_type: AceType::ACCESS_DENIED_CALLBACK_OBJECT, flags, body }
            }).collect()
        });
        let dacl = aces.as_ref().map(|aces| Acl::new(aces));
        let mut control = SecurityDescriptorControl::from_bits_retain(control)
            | SecurityDescriptorControl::SELF_RELATIVE;
        control.set(SecurityDescriptorControl::DACL_PRESENT, dacl.is_some());
        let sd = SecurityDescriptor { resource_manager: 7, control, owner, group, sacl: None, dacl };
        let bytes = sd.to_vec();
        let decoded = SecurityDescriptor::decode(&bytes).unwrap();
        prop_assert_eq!(decoded, sd);
        prop_assert_eq!(decoded.to_vec(), bytes);
    }

    #[test]
    fn garbage_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Sid::decode(&bytes);
        let _ = Ace::decode(&bytes);
        let _ = Acl::decode(&bytes);
        let _ = SecurityDescriptor::decode(&bytes);
    }
}

#[test]
fn sid_text() {
    assert_eq!(Sid::BUILTIN_ADMINISTRATORS.to_string(), "S-1-5-32-544");
    assert_eq!("S-1-5-32-544".parse(), Ok(Sid::BUILTIN_ADMINISTRATORS));
    assert_eq!("s-1-0x123456789abc-1".parse::<Sid>().unwrap().to_string(), "S-1-0x123456789abc-1");
    assert_eq!(Sid::unix_user(1000).to_string(), "S-1-22-1-1000");
    for bad in
        ["", "S", "S-1", "S-2-5", "S-1-", "S-1-5-", "S-1-5-+1", "S-1-5-4294967296", "S-1-0x1000000000000"]
    {
        assert_eq!(bad.parse::<Sid>(), Err(ParseSidError), "{bad}");
    }
    let sixteen = "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16";
    assert_eq!(sixteen.parse::<Sid>(), Err(ParseSidError));
}

/// Owner, group and two entries, as a plain client writes them.
fn sample() -> Vec<u8> {
    let aces = [
        Ace::deny(Sid::ANONYMOUS, AccessMask::FILE_ALL_ACCESS, AceFlags::empty()),
        Ace::allow(Sid::EVERYONE, AccessMask::FILE_GENERIC_READ, AceFlags::OBJECT_INHERIT),
    ];
    let sd = SecurityDescriptor {
        owner: Some(Sid::LOCAL_SYSTEM),
        group: Some(Sid::BUILTIN_USERS),
        dacl: Some(Acl::new(&aces)),
        ..SecurityDescriptor::default()
    };
    sd.to_vec()
}

#[test]
fn o15_security_descriptor_offsets_outside_are_refused() {
    let good = sample();
    assert!(SecurityDescriptor::decode(&good).is_ok());
    for field in [4, 8, 16] {
        for offset in
            [1, 19, good.len() as u32 - 1, good.len() as u32, good.len() as u32 + 1, u32::MAX - 3, u32::MAX]
        {
            let mut bad = good.clone();
            bad[field..field + 4].copy_from_slice(&offset.to_le_bytes());
            assert!(SecurityDescriptor::decode(&bad).is_err(), "{field} {offset}");
        }
    }
}

#[test]
fn o15_ace_count_that_lies_is_refused() {
    let good = sample();
    let dacl = u32::from_le_bytes(good[16..20].try_into().unwrap()) as usize;
    for count in [3_u16, 0xFFFF] {
        let mut bad = good.clone();
        bad[dacl + 4..dacl + 6].copy_from_slice(&count.to_le_bytes());
        assert!(SecurityDescriptor::decode(&bad).is_err());
    }
}

#[test]
fn o15_ace_size_zero_or_too_long_is_refused() {
    let good = sample();
    let dacl = u32::from_le_bytes(good[16..20].try_into().unwrap()) as usize;
    for size in [0_u16, 1, 3, 4, 8, 15, 0xFFFF] {
        let mut bad = good.clone();
        bad[dacl + 10..dacl + 12].copy_from_slice(&size.to_le_bytes());
        assert!(SecurityDescriptor::decode(&bad).is_err(), "{size}");
    }
}

#[test]
fn o15_acl_size_that_lies_is_refused() {
    let good = sample();
    let dacl = u32::from_le_bytes(good[16..20].try_into().unwrap()) as usize;
    for size in [0_u16, 7, 8, 20, 0xFFFF] {
        let mut bad = good.clone();
        bad[dacl + 2..dacl + 4].copy_from_slice(&size.to_le_bytes());
        assert!(SecurityDescriptor::decode(&bad).is_err(), "{size}");
    }
}

#[test]
fn o15_too_many_sub_authorities_are_refused() {
    let mut bytes = [0; 8 + 4 * 255];
    (bytes[0], bytes[1]) = (1, 16);
    assert!(Sid::decode(&bytes).is_err());
    bytes[1] = 255;
    assert!(Sid::decode(&bytes).is_err());
    bytes[1] = 15;
    assert!(Sid::decode(&bytes).is_ok());
    assert!(Sid::decode(&bytes[..8 + 4 * 15 - 1]).is_err());
}

#[test]
fn a_null_access_list_is_not_an_empty_one() {
    let null = SecurityDescriptor { control: SecurityDescriptorControl::DACL_PRESENT, ..Default::default() };
    let bytes = null.to_vec();
    assert!(SecurityDescriptor::decode(&bytes).unwrap().has_null_dacl());
    let empty = SecurityDescriptor { dacl: Some(Acl::new(&[])), ..Default::default() };
    let bytes = empty.to_vec();
    let decoded = SecurityDescriptor::decode(&bytes).unwrap();
    assert!(!decoded.has_null_dacl() && decoded.dacl.unwrap().aces.is_empty());
    let none = SecurityDescriptor::default().to_vec();
    assert!(!SecurityDescriptor::decode(&none).unwrap().has_null_dacl());
}
