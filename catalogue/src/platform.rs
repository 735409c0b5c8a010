//! Platforms that a package can be built for, in the words of plugin manifests.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Os {
    /// Linux.
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

/// A processor architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Arch {
    /// x86-64.
    Amd64,
    /// 64-bit Arm.
    Aarch64,
    /// 32-bit Arm.
    Arm,
}

impl Os {
    /// The word used in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Windows => "windows",
        }
    }

    /// The system named so in a manifest; `None` for one we do not know.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Linux, Self::Macos, Self::Windows].into_iter().find(|os| os.as_str() == word)
    }
}

impl Arch {
    /// The word used in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Aarch64 => "aarch64",
            Self::Arm => "arm",
        }
    }

    /// The architecture named so in a manifest; `None` for one we do not know.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Amd64, Self::Aarch64, Self::Arm].into_iter().find(|arch| arch.as_str() == word)
    }
}

/// An operating system and an architecture, written `linux-amd64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Platform {
    /// The operating system.
    pub os: Os,
    /// The architecture.
    pub arch: Arch,
}

impl Platform {
    /// The platform this program was built for; `None` where plugins have no word for it.
    pub fn current() -> Option<Self> {
        let arch = match std::env::consts::ARCH {
            "x86_64" => Arch::Amd64,
            other => Arch::from_word(other)?,
        };
        Some(Self { os: Os::from_word(std::env::consts::OS)?, arch })
    }

    /// The file name of the executable of a plugin on this platform.
    pub fn executable_name(&self, plugin: &crate::PluginName) -> String {
        match self.os {
            Os::Windows => format!("{plugin}.exe"),
            _ => plugin.to_string(),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.os.as_str(), self.arch.as_str())
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        text.split_once('-')
            .and_then(|(os, arch)| Some(Self { os: Os::from_word(os)?, arch: Arch::from_word(arch)? }))
            .ok_or_else(|| PlatformError { text: crate::name::shown(text) })
    }
}

impl TryFrom<String> for Platform {
    type Error = PlatformError;

    fn try_from(text: String) -> Result<Self, PlatformError> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

/// A text that is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a platform; write os-arch with one of linux, macos, windows and one of amd64, aarch64, arm")]
pub struct PlatformError {
    text: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn text_and_value_round_trip() {
        for os in [Os::Linux, Os::Macos, Os::Windows] {
            for arch in [Arch::Amd64, Arch::Aarch64, Arch::Arm] {
                let platform = Platform { os, arch };
                assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
            }
        }
        assert!("linux".parse::<Platform>().is_err());
        assert!("linux-x86_64".parse::<Platform>().is_err());
        assert!("linux-amd64-musl".parse::<Platform>().is_err());
    }

    #[test]
    fn only_windows_adds_an_extension() {
        let name = "trigger-http".parse().unwrap();
        let windows = Platform { os: Os::Windows, arch: Arch::Amd64 };
        assert_eq!(windows.executable_name(&name), "trigger-http.exe");
        assert_eq!(Platform { os: Os::Linux, ..windows }.executable_name(&name), "trigger-http");
    }
}
