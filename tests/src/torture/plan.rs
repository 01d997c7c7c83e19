//! Which tests there are, what they need, and what is expected of them.

use serde::Deserialize;

use super::{Backend, Outcome};

const TESTS: &str = include_str!("../../interop/smb2-tests.tsv");
const NOTES: &str = include_str!("../../interop/smbtorture.toml");

/// A test of smbtorture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// Its full name.
    pub name: String,
    /// What smbd 4.17 makes of it: the better of two runs.
    pub smbd: Outcome,
}

/// What some tests need beyond one share and two users.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Names, or their beginnings followed by `*`.
    pub tests: Vec<String>,
    /// Options of smbtorture. `{folder}` stands for the folder of `share`.
    #[serde(default)]
    pub options: Vec<String>,
    /// Tests that run before it, on the same server.
    #[serde(default)]
    pub before: Vec<String>,
    /// It gets a network of its own, in which it may block connections and the server has port 445.
    #[serde(default)]
    pub network: bool,
    /// How often it may try, when it fails by accidents that no server can help.
    pub tries: Option<u32>,
    /// It goes on until it is stopped; this is what it says when it has come to that.
    pub endless: Option<String>,
    /// The share to connect to, in place of `share`.
    pub share: Option<String>,
    /// What is added to the server's configuration. `{source}` stands for a share's source: the
    /// folder of `share`, or a memory of its own.
    #[serde(default)]
    pub serve: String,
    /// What goes to the top of the server's configuration.
    #[serde(default)]
    pub settings: String,
    /// Seconds that the test may take.
    pub seconds: Option<u64>,
}

/// Tests that do not pass although they pass with smbd, or are skipped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// Names, or their beginnings followed by `*`.
    pub tests: Vec<String>,
    /// On which backends; on all when it is empty.
    #[serde(default)]
    pub backends: Vec<Backend>,
    /// Why, by the specification.
    pub reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    #[serde(default)]
    setup: Vec<Setup>,
    #[serde(default)]
    except: Vec<Exception>,
}

/// All tests, and what is known about them.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The tests, by name.
    pub tests: Vec<Test>,
    /// What some of them need.
    pub setups: Vec<Setup>,
    /// Which of them do not pass.
    pub exceptions: Vec<Exception>,
}

impl Plan {
    /// The plan in `tests/interop`.
    pub fn read() -> Result<Self, String> {
        Self::parse(TESTS, NOTES)
    }

    fn parse(tests: &str, notes: &str) -> Result<Self, String> {
        let test = |line: &str| {
            let (name, outcome) = line.split_once('\t')?;
            Some(Test { name: name.to_owned(), smbd: Outcome::from_name(outcome)? })
        };
        let tests = tests
            .lines()
            .map(|line| test(line).ok_or_else(|| format!("no test and outcome: {line:?}")))
            .collect::<Result<Vec<_>, _>>()?;
        let notes: Notes = toml::from_str(notes).map_err(|error| error.to_string())?;
        let plan = Self { tests, setups: notes.setup, exceptions: notes.except };
        plan.check()?;
        Ok(plan)
    }

    /// Entries that name nothing, say nothing or say it twice.
    fn check(&self) -> Result<(), String> {
        let of_setups = self.setups.iter().flat_map(|setup| &setup.tests);
        let of_exceptions = self.exceptions.iter().flat_map(|exception| &exception.tests);
        let before = self.setups.iter().flat_map(|setup| &setup.before);
        for pattern in of_setups.chain(of_exceptions).chain(before) {
            if !self.tests.iter().any(|test| matches(pattern, &test.name)) {
                return Err(format!("{pattern:?} names no test"));
            }
        }
        for exception in &self.exceptions {
            if exception.reason.trim().is_empty() {
                return Err(format!("{:?}: a reason is missing", exception.tests));
            }
        }
        for test in &self.tests {
            for backend in Backend::ALL {
                if self.exceptions_of(&test.name, backend).count() > 1 {
                    return Err(format!("{:?} has two exceptions", test.name));
                }
            }
        }
        Ok(())
    }

    /// What a test needs.
    pub fn setups_of<'a>(&'a self, test: &'a str) -> impl Iterator<Item = &'a Setup> {
        self.setups.iter().filter(move |setup| setup.tests.iter().any(|pattern| matches(pattern, test)))
    }

    fn exceptions_of<'a>(&'a self, test: &'a str, backend: Backend) -> impl Iterator<Item = &'a Exception> {
        self.exceptions.iter().filter(move |exception| {
            (exception.backends.is_empty() || exception.backends.contains(&backend))
                && exception.tests.iter().any(|pattern| matches(pattern, test))
        })
    }

    /// Why a test need not pass.
    pub fn exception(&self, test: &str, backend: Backend) -> Option<&Exception> {
        self.exceptions.iter().find(|exception| {
            (exception.backends.is_empty() || exception.backends.contains(&backend))
                && exception.tests.iter().any(|pattern| matches(pattern, test))
        })
    }

    /// What is wrong with an outcome; `None` when it is expected.
    pub fn complaint(&self, test: &Test, backend: Backend, outcome: Outcome) -> Option<&'static str> {
        let excepted = self.exception(&test.name, backend).is_some();
        match (outcome, excepted) {
            (Outcome::Pass, false) | (Outcome::Fail | Outcome::Skip | Outcome::Timeout, true) => None,
            (Outcome::Endless | Outcome::Unable, _) => None,
            (Outcome::Pass, true) => Some("passes, and smbtorture.toml says that it does not"),
            (Outcome::Skip, false) => Some("is skipped, and smbtorture.toml does not say why"),
            (Outcome::Fail | Outcome::Timeout, false) if test.smbd == Outcome::Pass => {
                Some("does not pass, although it does with smbd")
            }
            (Outcome::Fail | Outcome::Timeout, false) => None,
        }
    }
}

/// Whether a pattern of `smbtorture.toml` means a test.
fn matches(pattern: &str, test: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => test.starts_with(beginning),
        None => pattern == test,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "smb2.a.one\tpass\nsmb2.b\tfail\n";

    #[test]
    fn the_list_names_every_test_once() {
        let plan = Plan::read().unwrap();
        assert_eq!(plan.tests.len(), 567);
        assert!(plan.tests.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn stale_entries_are_refused() {
        for notes in [
            "[[except]]\ntests = [\"smb2.c\"]\nreason = \"gone\"",
            "[[except]]\ntests = [\"smb2.b\"]\nreason = \" \"",
            "[[setup]]\ntests = [\"smb2.c*\"]",
            "[[except]]\ntests = [\"smb2.*\"]\nreason = \"x\"\n[[except]]\ntests = [\"smb2.b\"]\nreason = \"y\"",
        ] {
            assert!(Plan::parse(TWO, notes).is_err(), "{notes}");
        }
    }

    #[test]
    fn an_outcome_is_expected_when_smbd_or_the_list_says_so() {
        let notes = "[[except]]\ntests = [\"smb2.a.*\"]\nbackends = [\"memory\"]\nreason = \"why\"";
        let plan = Plan::parse(TWO, notes).unwrap();
        let [one, other] = &plan.tests[..] else { panic!() };
        for (test, backend, outcome, expected) in [
            (one, Backend::Local, Outcome::Pass, true),
            (one, Backend::Local, Outcome::Fail, false),
            (one, Backend::Memory, Outcome::Fail, true),
            (one, Backend::Memory, Outcome::Pass, false),
            (other, Backend::Local, Outcome::Fail, true),
            (other, Backend::Local, Outcome::Timeout, true),
            (other, Backend::Local, Outcome::Skip, false),
            (other, Backend::Local, Outcome::Pass, true),
        ] {
            let complaint = plan.complaint(test, backend, outcome);
            assert_eq!(complaint.is_none(), expected, "{test:?} {backend:?} {outcome:?}");
        }
    }
}
