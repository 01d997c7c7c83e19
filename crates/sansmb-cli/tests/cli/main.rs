//! The program from outside: what it prints, and how it ends.

mod common;
mod decode;
mod usage;
