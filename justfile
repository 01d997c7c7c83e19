# Short names for the commands of CONTRIBUTING.md. `just` alone lists them.

_default:
    @just --list

# What an edit needs: types of everything, quickly.
check:
    cargo check --workspace --all-targets

# Tests; those against Samba are left out where it is not installed.
test *arguments:
    cargo test {{ arguments }}

# The same, and Samba has to be there.
test-peers *arguments:
    SANSMB_REQUIRE_PEERS=1 cargo test {{ arguments }}

# Format, lints, documentation, sizes.
lint:
    cargo fmt
    .ci/run fmt sizes clippy doc

# Everything, or the steps named: peers tools fmt sizes clippy doc deny no_std test instructions torture fuzz.
ci *steps:
    .ci/run {{ steps }}

# Instructions of the core's hot paths under callgrind, compared with what is recorded; `--record` records them.
instructions *arguments:
    cargo run --release -p sansmb-tests-core --bin instructions -- {{ arguments }}

# Fuzz one target; without seconds, until it is stopped.
fuzz target seconds="0":
    mkdir -p fuzz/corpus/{{ target }}
    RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=target/fuzz CARGO_PROFILE_DEV_OPT_LEVEL=2 cargo fuzz run --dev -s none {{ target }} -- -max_total_time={{ seconds }}

# Known vulnerabilities among the dependencies (needs the advisory database).
advisories:
    cargo deny check advisories

# Samba's smbtorture against `sansmb serve`: all tests, or those whose names have a part in common with the arguments.
torture *arguments:
    cargo run -p sansmb-tests --bin smbtorture -- {{ arguments }}

# A private smbd on a free port, until Ctrl-C.
smbd *options:
    tests/peers/smbd.sh {{ options }}

# Record the captures anew, all or those named (root).
captures *names:
    testdata/captures/record.sh {{ names }}

# Write the transcripts of the specification's conversations anew.
sessions:
    python3 testdata/sessions/generate.py
