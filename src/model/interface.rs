use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The longest name of a network interface on Linux, in bytes: IFNAMSIZ less the closing zero (`linux/if.h`).
pub const MAX_INTERFACE_NAME: usize = 15;

/// A name that Linux takes for a network interface: 1 to 15 bytes, no `/`, no white space, not `.` or `..`.
///
/// NSM itself takes longer names and fails later (`failed to find link`), so they are refused here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceName(String);

/// Why a string is not the name of an interface.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidInterfaceName {
    /// Over 15 bytes.
    #[error("interface name {0:?} has {len} bytes, and Linux takes at most {MAX_INTERFACE_NAME}", len = .0.len())]
    TooLong(String),
    /// Nothing at all.
    #[error("an interface name cannot be empty")]
    Empty,
    /// `.`, `..`, or a byte that is not allowed.
    #[error("interface name {0:?} has a character that Linux does not take (white space, `/`, `:` or a control character)")]
    Character(String),
}

impl InterfaceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InterfaceName {
    type Err = InvalidInterfaceName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name.is_empty() {
            return Err(InvalidInterfaceName::Empty);
        }
        if name.len() > MAX_INTERFACE_NAME {
            return Err(InvalidInterfaceName::TooLong(name.to_owned()));
        }
        // dev_valid_name in the kernel's net/core/dev.c
        if name == "." || name == ".." || name.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':')) {
            return Err(InvalidInterfaceName::Character(name.to_owned()));
        }
        Ok(Self(name.to_owned()))
    }
}

impl TryFrom<String> for InterfaceName {
    type Error = InvalidInterfaceName;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<InterfaceName> for String {
    fn from(name: InterfaceName) -> Self {
        name.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_linux_takes() {
        for name in ["nsm-1", "a", "kernel2ker-CKBv", "eth0.100"] {
            assert_eq!(name.parse::<InterfaceName>().map(String::from), Ok(name.to_owned()));
        }
    }

    #[test]
    fn refuses_what_linux_refuses() {
        assert_eq!("".parse::<InterfaceName>(), Err(InvalidInterfaceName::Empty));
        assert_eq!("kernel2kernel-01".parse::<InterfaceName>(), Err(InvalidInterfaceName::TooLong("kernel2kernel-01".into())));
        for name in ["a b", "a/b", "a:b", ".", "..", "a\u{7}"] {
            assert_eq!(name.parse::<InterfaceName>(), Err(InvalidInterfaceName::Character(name.into())));
        }
    }
}
