//! `ThreadRuntime` is a `Runtime` as the drivers expect it.

use sansmb_blocking::{ThreadRuntime, block_on};

sansmb_async::runtime_conformance!(ThreadRuntime, block_on);
