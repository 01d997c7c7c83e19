//! The program `sansmb`.
fn main() {}
