//! `smb://[USER@]HOST[:PORT]/SHARE[/PATH]`.

use std::{fmt, str::FromStr};

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Characters that a component of an URL does not show as they are.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b'/').add(b'@').add(b'?').add(b'#').add(b' ');

/// A server, and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    pub(crate) user: Option<String>,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A file, a directory or a whole share on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SmbUrl {
    pub(crate) server: ServerUrl,
    pub(crate) share: String,
    /// Components joined with `/`; empty for the share itself.
    pub(crate) path: String,
    /// It was written with a slash at its end: a directory is meant.
    pub(crate) directory: bool,
}

/// What is wrong with an URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadUrl(String);

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadUrl {}

fn bad<T>(why: impl Into<String>) -> Result<T, BadUrl> {
    Err(BadUrl(why.into()))
}

impl FromStr for SmbUrl {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let Some(rest) = strip_scheme(text) else {
            return bad("it has to begin with smb://");
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let server = authority.parse()?;
        let (share, path) = path.split_once('/').unwrap_or((path, ""));
        let share = decode(share)?;
        if share.is_empty() {
            return bad("it names no share: smb://HOST/SHARE/PATH (`sansmb shares smb://HOST` lists them)");
        }
        if let Some(c) = share.chars().find(|c| c.is_control() || r#""\/[]:|<>+=;,*?"#.contains(*c)) {
            return bad(format!("no share has {c:?} in its name"));
        }
        let (path, directory) = components(path)?;
        Ok(Self { server, share, path, directory })
    }
}

impl FromStr for ServerUrl {
    type Err = BadUrl;

    /// Takes `[smb://][USER@]HOST[:PORT][/]`.
    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let authority = strip_scheme(text).unwrap_or(text);
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains('/') {
            return bad("a server alone is wanted: HOST or HOST:PORT");
        }
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return bad("there is no place for a password in it: use -U USER%PASSWORD or SANSMB_PASSWORD");
        }
        let user = user.map(decode).transpose()?.filter(|user| !user.is_empty());
        let (host, port) = host_and_port(address)?;
        Ok(Self { user, host, port })
    }
}

/// What follows `smb://`.
fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked("smb://".len())?;
    scheme.eq_ignore_ascii_case("smb://").then_some(rest)
}

fn host_and_port(address: &str) -> Result<(String, u16), BadUrl> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return bad("the bracket around the IPv6 address is not closed");
        };
        // A zone is written as `%25eth0` in an URL, RFC 6874.
        let host = host.replacen("%25", "%", 1);
        let literal = host.split('%').next().unwrap_or_default();
        if literal.parse::<std::net::Ipv6Addr>().is_err() {
            return bad(format!("{literal:?} is no IPv6 address"));
        }
        match rest.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if rest.is_empty() => (host, None),
            None => return bad("nothing but :PORT may follow the IPv6 address"),
        }
    } else {
        if address.matches(':').count() > 1 {
            return bad("an IPv6 address stands in brackets: smb://[::1]/SHARE");
        }
        match address.split_once(':') {
            Some((host, port)) => (decode(host)?, Some(port)),
            None => (decode(address)?, None),
        }
    };
    if host.is_empty() {
        return bad("it names no host");
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "\\/?#@".contains(c)) {
        return bad(format!("{host:?} is no name of a host"));
    }
    let port = match port {
        None => sansmb_async::client::DEFAULT_PORT,
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => port,
            _ => return bad(format!("{port:?} is no port")),
        },
    };
    Ok((host, port))
}

/// The components of a path, `.` and `..` resolved, and whether a directory must be meant.
fn components(path: &str) -> Result<(String, bool), BadUrl> {
    let mut components: Vec<String> = Vec::new();
    let mut directory = path.is_empty();
    for part in path.split('/') {
        let part = decode(part)?;
        directory = matches!(part.as_str(), "" | "." | "..");
        match part.as_str() {
            "" | "." => {}
            ".." => {
                if components.pop().is_none() {
                    return bad("the path climbs out of the share");
                }
            }
            _ if part.contains(['/', '\\', '\0']) => {
                return bad(format!("{part:?} cannot be a name: it has a separator in it"));
            }
            _ => components.push(part),
        }
    }
    Ok((components.join("/"), directory))
}

fn decode(text: &str) -> Result<String, BadUrl> {
    let bytes = text.as_bytes();
    let escapes_are_whole = bytes.iter().enumerate().filter(|(_, b)| **b == b'%').all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !escapes_are_whole {
        return bad("after a % two hexadecimal digits have to follow (%25 is the % itself)");
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => bad("what is written with % is not UTF-8"),
    }
}

impl SmbUrl {
    /// The last component; the share's name where there is none.
    pub(crate) fn base_name(&self) -> &str {
        match self.path.rsplit('/').next() {
            Some(name) if !name.is_empty() => name,
            _ => &self.share,
        }
    }

    /// The same share with another path.
    pub(crate) fn with_path(&self, path: String) -> Self {
        Self { path, ..self.clone() }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("smb://")?;
        if let Some(user) = &self.user {
            write!(f, "{}@", utf8_percent_encode(user, ESCAPED))?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host.replacen('%', "%25", 1))?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port != sansmb_async::client::DEFAULT_PORT {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

impl fmt::Display for SmbUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.server, utf8_percent_encode(&self.share, ESCAPED))?;
        for component in self.path.split('/').filter(|component| !component.is_empty()) {
            write!(f, "/{}", utf8_percent_encode(component, ESCAPED))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> SmbUrl {
        text.parse().unwrap()
    }

    fn complaint(text: &str) -> String {
        text.parse::<SmbUrl>().unwrap_err().0
    }

    #[test]
    fn whole_url() {
        let parsed = url("smb://bob@nas.local:4455/Media/a%20b/c.txt");
        assert_eq!(parsed.server.user.as_deref(), Some("bob"));
        assert_eq!((parsed.server.host.as_str(), parsed.server.port), ("nas.local", 4455));
        assert_eq!((parsed.share.as_str(), parsed.path.as_str()), ("Media", "a b/c.txt"));
        assert_eq!(parsed.base_name(), "c.txt");
        assert_eq!(parsed.to_string(), "smb://bob@nas.local:4455/Media/a%20b/c.txt");
    }

    #[test]
    fn share_alone_is_a_directory() {
        for text in ["smb://h/s", "SMB://h/s/", "smb://h/s//"] {
            let parsed = url(text);
            assert_eq!((parsed.path.as_str(), parsed.directory), ("", true), "{text}");
        }
        assert_eq!(url("smb://h/s").base_name(), "s");
    }

    #[test]
    fn trailing_slash_means_a_directory() {
        assert!(url("smb://h/s/a/").directory);
        assert!(!url("smb://h/s/a").directory);
    }

    #[test]
    fn ipv6_literals() {
        let parsed = url("smb://u@[::1]:4455/s");
        assert_eq!((parsed.server.host.as_str(), parsed.server.port), ("::1", 4455));
        assert_eq!(parsed.to_string(), "smb://u@[::1]:4455/s");
        assert_eq!(url("smb://[fe80::1%25eth0]/s").server.host, "fe80::1%eth0");
        assert!(complaint("smb://::1/s").contains("brackets"));
        assert!(complaint("smb://[::1/s").contains("closed"));
        assert!(complaint("smb://[::g]/s").contains("no IPv6"));
        assert!(complaint("smb://[::1]x/s").contains(":PORT"));
    }

    #[test]
    fn dots_are_resolved_and_do_not_climb_out() {
        assert_eq!(url("smb://h/s/a/./b/../c").path, "a/c");
        for text in ["smb://h/s/..", "smb://h/s/a/../../b", "smb://h/s/%2e%2e/etc/passwd"] {
            assert!(complaint(text).contains("climbs out"), "{text}");
        }
    }

    #[test]
    fn separators_do_not_hide_in_escapes() {
        assert!(complaint("smb://h/s/a%2Fb").contains("separator"));
        assert!(complaint("smb://h/s/a%5C..%5Cb").contains("separator"));
        assert!(complaint("smb://h/s/a\\b").contains("separator"));
    }

    #[test]
    fn each_mistake_is_named() {
        assert!(complaint("//h/s").contains("smb://"));
        assert!(complaint("http://h/s").contains("smb://"));
        assert!(complaint("smb://h").contains("no share"));
        assert!(complaint("smb:///s").contains("no host"));
        assert!(complaint("smb://h:0/s").contains("no port"));
        assert!(complaint("smb://h:99999/s").contains("no port"));
        assert!(complaint("smb://h:/s").contains("no port"));
        assert!(complaint("smb://u:p@h/s").contains("password"));
        assert!(complaint("smb://h/a*b").contains('*'));
        assert!(complaint("smb://h/s/100%").contains("hexadecimal"));
        assert!(complaint("smb://h/s/%ff").contains("UTF-8"));
        assert!(complaint("smb://a b/s").contains("no name of a host"));
    }

    #[test]
    fn servers() {
        let server: ServerUrl = "127.0.0.1:4455".parse().unwrap();
        assert_eq!((server.host.as_str(), server.port), ("127.0.0.1", 4455));
        assert_eq!("smb://h/".parse::<ServerUrl>().unwrap().port, 445);
        assert!("smb://h/share".parse::<ServerUrl>().is_err());
    }
}
