//! A case that is wrong has to fail, and to say where and why.

use super::{run, script::cases};

fn play(text: &str) -> Result<(), String> {
    let cases = cases("here", text)?;
    cases.iter().try_for_each(|case| run(case).map(drop).map_err(|failure| failure.to_string()))
}

const OPEN: &str = "case x\nconnect a dialects=3.0\na> CREATE name=f\n";

#[test]
fn a_case_that_is_right_passes() {
    play(&format!("{OPEN}a< CREATE SUCCESS oplock=NONE file=$f action=CREATED no DHnQ\na> CLOSE file=$f\na< CLOSE SUCCESS"))
        .unwrap();
}

#[test]
fn what_differs_is_named() {
    for (line, what) in [
        ("CREATE ACCESS_DENIED", "expected CREATE ACCESS_DENIED\n    got      CREATE SUCCESS"),
        ("CLOSE SUCCESS", "expected CLOSE SUCCESS\n    got      CREATE SUCCESS"),
        ("CREATE SUCCESS oplock=BATCH", "expected oplock=BATCH\n    got      oplock=NONE"),
        ("CREATE SUCCESS oplock!=NONE", "expected oplock!=NONE"),
        ("CREATE SUCCESS size>=1", "expected size>=1"),
        ("CREATE SUCCESS attributes~DIRECTORY", "expected attributes~DIRECTORY"),
        ("CREATE SUCCESS DHnQ", "expected DHnQ\n    got      no DHnQ"),
        ("CREATE SUCCESS no oplock", "expected no oplock"),
        ("nothing", "expected nothing"),
        ("closed", "expected the end of the connection"),
    ] {
        let error = play(&format!("{OPEN}a< {line}")).unwrap_err();
        assert!(error.starts_with("here:4: x\n"), "{error}");
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn what_is_not_told_fails_a_case() {
    let error = play(OPEN).unwrap_err();
    assert!(error.contains("then came, and was not expected"), "{error}");
}

#[test]
fn fields_that_mean_nothing_are_refused() {
    for line in [
        "a> CREATE name=f colour=red",
        "a> CREATE name=f oplock=RED",
        "a> CREATE name=$f",
        "a> PAINT",
        "nonsense",
    ] {
        assert!(play(&format!("case x\nconnect a dialects=3.0\n{line}")).is_err(), "{line}");
    }
}
