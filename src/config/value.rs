//! Values as they are written in a file: each type says what it expects, so that a wrong one is named where it stands.

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use hyper::Uri;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::time::Duration;

/// A value that is written as a string.
pub(super) trait FromText: Sized {
    /// What was expected, to follow the word "expected".
    const EXPECTED: &'static str;

    /// Reads it, or says what is wrong and what to write instead.
    fn from_text(text: &str) -> Result<Self, String>;
}

/// A string in the file, read by [`FromText`].
#[derive(Clone, Debug)]
pub(super) struct Text<T>(pub T);

impl<'de, T: FromText> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<T: FromText> Visitor<'_> for Reader<T> {
            type Value = Text<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                T::from_text(text).map(Text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Reader(PhantomData))
    }
}

/// A whole number from `MIN` to `MAX`, both included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    /// The number, in a type that the range fits.
    pub(super) fn get<T: TryFrom<i64>>(self) -> T {
        T::try_from(self.0).unwrap_or_else(|_| unreachable!("{MIN}-{MAX} was chosen to fit"))
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(D::Error::custom(format!("{number} is out of range: write a number from {MIN} to {MAX}")))
        }
    }
}

/// A password. Nothing about it is ever repeated in an error, whatever stands there.
#[derive(Clone)]
pub(super) struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer) {
            Ok(toml::Value::String(text)) => Ok(Self(text)),
            _ => Err(D::Error::custom("a password is a string: put it in quotes")),
        }
    }
}

impl FromText for Duration {
    const EXPECTED: &'static str = r#"a duration in quotes, such as "1s" or "500ms""#;

    fn from_text(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text).map_err(|e| {
            format!(r#"{text:?} is no duration ({e}): write a number with its unit, such as "1s", "500ms" or "24h""#)
        })
    }
}

/// A duration, or a word in its place: which word is allowed where is for the version that acts upon it.
#[derive(Clone, Copy, Debug)]
pub(super) enum WordOrDuration {
    Auto,
    Off,
    For(Duration),
}

impl FromText for WordOrDuration {
    const EXPECTED: &'static str = r#"a duration in quotes, such as "3s", or a word in its place"#;

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            _ => Duration::from_text(text).map(Self::For),
        }
    }
}

/// A duration that may be without end.
#[derive(Clone, Copy, Debug)]
pub(super) struct DurationOrNever(pub Option<Duration>);

impl FromText for DurationOrNever {
    const EXPECTED: &'static str = r#"a duration in quotes, such as "10s", or "never""#;

    fn from_text(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self(None)),
            _ => Duration::from_text(text).map(|duration| Self(Some(duration))),
        }
    }
}

impl FromText for IpAddr {
    const EXPECTED: &'static str = r#"an IP address in quotes, such as "10.0.0.6""#;

    fn from_text(text: &str) -> Result<Self, String> {
        let address = text
            .parse()
            .map_err(|_| format!("{text:?} is no IP address: write a bare one, no host name, no prefix, no zone"))?;
        one_host(address)
    }
}

impl FromText for SocketAddr {
    const EXPECTED: &'static str = r#"an address with its port in quotes, such as "[::]:10112""#;

    fn from_text(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| {
            format!(
                r#"{text:?} is no address with a port: write an IP address, a colon and a port, such as "0.0.0.0:10112" or "[::]:10112""#
            )
        })
    }
}

/// A virtual address with its prefix length: 32 or 128 where none is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prefixed(pub IpAddr, pub u8);

impl FromText for Prefixed {
    const EXPECTED: &'static str = r#"an address in quotes, such as "192.168.1.100/24""#;

    fn from_text(text: &str) -> Result<Self, String> {
        let (address, length) = text.split_once('/').map_or((text, None), |(a, l)| (a, Some(l)));
        let address = address.parse().map_err(|_| {
            format!(r#"{text:?} is no IP address: write one such as "192.168.1.100/24", no host name, no zone"#)
        })?;
        let address = one_host(address)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length =
            match length {
                None => longest,
                Some(length) => length.parse().ok().filter(|l| *l <= longest).ok_or_else(|| {
                    format!("/{length} is no prefix length here: write 0 to {longest}, or leave it out")
                })?,
            };
        Ok(Self(address, length))
    }
}

/// Refuses what can't be the address of one host.
fn one_host(address: IpAddr) -> Result<IpAddr, String> {
    let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    if mapped {
        Err(format!("{address} is an IPv4 address in IPv6 clothes: write {}", address.to_canonical()))
    } else if address.is_unspecified() || address.is_multicast() || broadcast {
        Err(format!("{address} is not the address of one host: write the address that it holds"))
    } else {
        Ok(address)
    }
}

/// The name of a node, router, peer or witness.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(pub String);

/// Names become labels and file names of others' making: this is long enough.
const NAME_MAX_CHARS: usize = 128;

impl FromText for Name {
    const EXPECTED: &'static str = "a name in quotes";

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().count() > NAME_MAX_CHARS || text.chars().any(char::is_control) {
            return Err(format!(
                "this is no usable name: write 1 to {NAME_MAX_CHARS} characters, no control characters"
            ));
        }
        Ok(Self(text.into()))
    }
}

/// The name of a network interface.
#[derive(Clone, Debug)]
pub(super) struct Interface(pub String);

/// `IFNAMSIZ` without the closing zero.
const INTERFACE_MAX_BYTES: usize = 15;

impl FromText for Interface {
    const EXPECTED: &'static str = r#"the name of an interface in quotes, such as "eth0""#;

    fn from_text(text: &str) -> Result<Self, String> {
        // The rules of the kernel's dev_valid_name().
        let fits = (1..=INTERFACE_MAX_BYTES).contains(&text.len()) && text != "." && text != "..";
        if !fits || text.chars().any(|c| c == '/' || c == ':' || c.is_whitespace() || c.is_control()) {
            return Err(format!(
                "{text:?} can't be the name of an interface: write 1 to {INTERFACE_MAX_BYTES} bytes, no space, slash or colon"
            ));
        }
        Ok(Self(text.into()))
    }
}

/// A path that begins with a slash.
#[derive(Clone, Debug)]
pub(super) struct AbsolutePath(pub PathBuf);

impl FromText for AbsolutePath {
    const EXPECTED: &'static str = "a path in quotes, beginning with /";

    fn from_text(text: &str) -> Result<Self, String> {
        if !Path::new(text).is_absolute() {
            return Err("a relative path depends on where the daemon is started: begin it with /".into());
        }
        if text.contains('\0') {
            return Err("no path has a zero byte in it: remove it".into());
        }
        Ok(Self(text.into()))
    }
}

/// A program with its arguments, or nothing.
#[derive(Clone, Debug)]
pub(super) struct Command(pub Vec<String>);

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        if words.first().is_some_and(|program| !program.starts_with('/')) {
            return Err(D::Error::custom(
                "no shell and no search path are used: write the program's path, beginning with /, then each argument by itself",
            ));
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err(D::Error::custom("no argument can have a zero byte in it: remove it"));
        }
        Ok(Self(words))
    }
}

/// The name of a user of this host.
#[derive(Clone, Debug)]
pub(super) struct User(pub String);

/// What useradd(8) allows.
const USER_MAX_BYTES: usize = 32;

impl FromText for User {
    const EXPECTED: &'static str = r#"the name of a user in quotes, such as "nobody""#;

    fn from_text(text: &str) -> Result<Self, String> {
        let fits = (1..=USER_MAX_BYTES).contains(&text.len());
        if !fits || text.chars().any(|c| matches!(c, ':' | '/') || c.is_whitespace() || c.is_control()) {
            return Err(format!("{text:?} can't be the name of a user: write one of /etc/passwd"));
        }
        Ok(Self(text.into()))
    }
}

/// The name of a process, as the kernel has it.
#[derive(Clone, Debug)]
pub(super) struct Process(pub String);

/// `TASK_COMM_LEN` without the closing zero.
const PROCESS_MAX_BYTES: usize = 15;

impl FromText for Process {
    const EXPECTED: &'static str = r#"the name of a process in quotes, such as "haproxy""#;

    fn from_text(text: &str) -> Result<Self, String> {
        let fits = (1..=PROCESS_MAX_BYTES).contains(&text.len());
        if !fits || text.chars().any(|c| c == '/' || c.is_control()) {
            return Err(format!(
                "{text:?} is not what the kernel calls a process: write the name that `ps -o comm` shows, of \
                 {PROCESS_MAX_BYTES} bytes at most"
            ));
        }
        Ok(Self(text.into()))
    }
}

impl FromText for Uri {
    const EXPECTED: &'static str = r#"a URL in quotes, such as "http://127.0.0.1:8080/ready""#;

    // The text may hold a password, so no message repeats it.
    fn from_text(text: &str) -> Result<Self, String> {
        let example = r#"write one like "http://127.0.0.1:8080/ready""#;
        let url: Self = text.parse().map_err(|e| format!("this is no URL ({e}): {example}"))?;
        let authority = url.authority().map_or("", |authority| authority.as_str());
        match url.scheme_str() {
            Some("https") => {
                Err("a check speaks no TLS: write an http:// URL, or let a `command` such as curl do it".into())
            }
            Some("http") if authority.contains('@') => {
                Err("a check sends no user and no password: leave them out, or let a `command` such as curl do it"
                    .into())
            }
            Some("http") if !authority.is_empty() => Ok(url),
            _ => Err(format!("this is no http:// URL: {example}")),
        }
    }
}

/// Where somebody is asked: scheme, host and port alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BaseUrl(pub String);

impl FromText for BaseUrl {
    const EXPECTED: &'static str = r#"a URL in quotes, such as "http://10.0.0.6:10112""#;

    // The text may hold a password, so no message repeats it.
    fn from_text(text: &str) -> Result<Self, String> {
        let example = r#"write scheme, host and port alone, like "http://10.0.0.6:10112""#;
        let url: Uri = text.parse().map_err(|e| format!("this is no URL ({e}): {example}"))?;
        let authority = url.authority().map_or("", |authority| authority.as_str());
        match url.scheme_str() {
            Some("http" | "https") if authority.contains('@') => {
                Err("no user and no password may stand in it: there are keys of their own for that".into())
            }
            Some("http" | "https") if !authority.is_empty() => match url.path_and_query().map(|path| path.as_str()) {
                None | Some("/") => Ok(Self(format!("{}://{authority}", url.scheme_str().unwrap_or_default()))),
                Some(_) => Err(format!("the path is added here: {example}")),
            },
            _ => Err(format!("this is neither http:// nor https://: {example}")),
        }
    }
}
