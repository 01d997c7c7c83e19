//! What the fuzz targets do: one function a target. A panic is a finding.

mod wire;

pub use wire::wire_header;
