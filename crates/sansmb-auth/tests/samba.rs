//! Against Samba's `ntlm_auth`, which speaks both sides of NTLM and SPNEGO over its standard input.
//!
//! `cargo test -p sansmb-auth --test samba -- --ignored`

mod support;

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use sansmb::auth::{AuthError, IdentityKind, Mechanism, Step};
use sansmb_auth::{Credentials, NtlmClient, SpnegoClient};
use support::*;

struct NtlmAuth {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl NtlmAuth {
    fn new(protocol: &str, user: &str, domain: &str, password: &str) -> Self {
        let mut child = Command::new("ntlm_auth")
            .arg(format!("--helper-protocol={protocol}"))
            .arg(format!("--username={user}"))
            .arg(format!("--domain={domain}"))
            .arg(format!("--password={password}"))
            .arg("--configfile=/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("ntlm_auth of Samba is installed");
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// Sends a command with a token; returns the answer's command, its token and what follows.
    fn ask(&mut self, command: &str, token: &[u8]) -> (String, Vec<u8>, String) {
        let line = if token.is_empty() {
            format!("{command}\n")
        } else {
            format!("{command} {}\n", BASE64_STANDARD.encode(token))
        };
        self.child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        eprintln!("{}<- {answer}", line);
        let mut words = answer.split_whitespace();
        let command = words.next().unwrap_or_default().to_owned();
        let token = words.next().unwrap_or_default();
        let rest = words.collect::<Vec<_>>().join(" ");
        (command, BASE64_STANDARD.decode(token).unwrap_or_default(), rest)
    }

    fn feature(&mut self, name: &str) {
        let line = format!("SF {name}\n");
        self.child.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert_eq!(answer.trim(), "OK", "{name}");
    }
}

impl Drop for NtlmAuth {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const FEATURES: [&[&str]; 3] = [
    &[],
    &["NTLMSSP_FEATURE_SESSION_KEY", "NTLMSSP_FEATURE_SIGN"],
    &["NTLMSSP_FEATURE_SESSION_KEY", "NTLMSSP_FEATURE_SIGN", "NTLMSSP_FEATURE_SEAL"],
];

#[test]
#[ignore = "needs ntlm_auth of Samba"]
fn samba_client_against_our_server() {
    for features in FEATURES {
        for (protocol, mut server) in
            [("ntlmssp-client-1", raw_server(config())), ("gss-spnego-client", spnego_server(config()))]
        {
            let mut peer = NtlmAuth::new(protocol, "alice", "ANY", "secret");
            features.iter().for_each(|feature| peer.feature(feature));
            let (_, negotiate, _) = peer.ask("YR", b"");
            let challenge = sent(server.step(&negotiate));
            let (_, authenticate, _) = peer.ask("TT", &challenge);
            let step = server.step(&authenticate).unwrap();
            let Step::Done { token, identity, session_key } = step else { panic!() };
            assert_eq!((identity.user.as_str(), identity.kind), ("Alice", IdentityKind::User));
            if !token.is_empty() {
                assert_eq!(peer.ask("TT", &token).0, "AF", "Samba checks our mechListMIC");
            }
            if features.contains(&"NTLMSSP_FEATURE_SESSION_KEY") {
                assert_eq!(peer.ask("GK", b""), ("GK".into(), session_key.as_bytes().to_vec(), "".into()));
            }
        }
    }
}

#[test]
#[ignore = "needs ntlm_auth of Samba"]
fn samba_client_with_a_wrong_password() {
    for protocol in ["ntlmssp-client-1", "gss-spnego-client"] {
        let mut server = spnego_server(config());
        let mut peer = NtlmAuth::new(protocol, "alice", "ANY", "Secret");
        let (_, negotiate, _) = peer.ask("YR", b"");
        let (_, authenticate, _) = peer.ask("TT", &sent(server.step(&negotiate)));
        assert_eq!(server.step(&authenticate).unwrap_err(), AuthError::LogonFailure);
    }
}

#[test]
#[ignore = "needs ntlm_auth of Samba"]
fn our_client_against_samba_server() {
    // Like smbclient, our client asks for no sealing, and with that feature Samba insists on it.
    for features in &FEATURES[..2] {
        for spnego in [false, true] {
            let protocol = if spnego { "gss-spnego" } else { "squid-2.5-ntlmssp" };
            let (peer, key, end) = log_on(protocol, features, spnego, "secret");
            assert_eq!(end, "AF");
            let mut peer = peer;
            if features.contains(&"NTLMSSP_FEATURE_SESSION_KEY") {
                assert_eq!(peer.ask("GK", b""), ("GK".into(), key, "".into()));
            }
            let (_, _, end) = log_on(protocol, features, spnego, "Secret");
            assert_eq!(end, "NA");
        }
    }
}

/// Logs on to Samba, which knows alice with the password "secret". Returns what Samba said last.
fn log_on(protocol: &str, features: &[&str], spnego: bool, password: &str) -> (NtlmAuth, Vec<u8>, String) {
    let mut peer = NtlmAuth::new(protocol, "alice", "ANY", "secret");
    features.iter().for_each(|feature| peer.feature(feature));
    let credentials = Credentials::password("alice", "ANY", password);
    let mut client: Box<dyn Mechanism> = if spnego {
        Box::new(SpnegoClient::new(credentials, params()))
    } else {
        Box::new(NtlmClient::new(credentials, params()))
    };
    let (command, challenge, _) = peer.ask("YR", &sent(client.step(b"")));
    assert_eq!(command, "TT");
    let (authenticate, raw_key) = match client.step(&challenge).unwrap() {
        Step::Send(token) => (token, None),
        Step::Done { token, session_key, .. } => (token, Some(session_key)),
        other => panic!("{other:?}"),
    };
    let (command, token, _) = peer.ask("KK", &authenticate);
    if command != "AF" {
        return (peer, Vec::new(), command);
    }
    let key = raw_key.unwrap_or_else(|| match client.step(&token).unwrap() {
        Step::Done { session_key, .. } => session_key,
        other => panic!("{other:?}"),
    });
    (peer, key.as_bytes().to_vec(), command)
}
