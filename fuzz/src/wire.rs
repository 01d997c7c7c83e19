//! The codec.

use sansmb::wire::{Header, Writer};

/// A header that parses is written back byte for byte, and its AsyncId survives being set again.
pub fn wire_header(data: &[u8]) {
    let Ok(header) = Header::decode(data) else { return };
    let mut written = Vec::new();
    header.encode(&mut Writer::new(&mut written));
    assert_eq!(data.get(..written.len()), Some(&written[..]));

    if let Some(id) = header.async_id() {
        let mut again = header;
        again.set_async_id(id);
        assert_eq!(again, header);
    }
}
