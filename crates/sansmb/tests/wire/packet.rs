//! Reads the packets of `testdata/packets`: hex, with comments behind `#`.

use std::fmt::Debug;

use sansmb::wire::{Body, Header, Writer};

/// The bytes of `testdata/packets/<name>.hex`.
pub(crate) fn packet(name: &str) -> Vec<u8> {
    let path = format!("{}/../../testdata/packets/{name}.hex", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let digits: Vec<u32> = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.chars().filter_map(|c| c.to_digit(16)))
        .collect();
    assert!(digits.len().is_multiple_of(2), "{path} has half a byte");
    digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// One message: `header` and `body`.
pub(crate) fn encode<'m>(header: &Header, body: &impl Body<'m>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    header.encode(&mut writer);
    body.encode(&mut writer);
    out
}

/// Decodes `msg`, checks that encoding gives the same bytes, and returns what it says.
#[track_caller]
pub(crate) fn exact<'m, B: Body<'m> + Debug>(msg: &'m [u8]) -> (Header, B) {
    let header = Header::decode(msg).expect("header");
    let body = B::decode(msg).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(hex(&encode(&header, &body)), hex(msg), "{body:#?}");
    (header, body)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
