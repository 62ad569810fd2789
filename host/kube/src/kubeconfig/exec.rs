//! What tidegate and an exec plugin say to each other (`client.authentication.k8s.io`, KEP-541): pure.
//!
//! The plugin reads an `ExecCredential` from `KUBERNETES_EXEC_INFO` and prints one. Both are client-go's, byte for byte where
//! it writes one; besides, `v1alpha1` is spoken, which client-go has dropped.

mod answer;
mod info;

use std::fmt;
use std::str::FromStr;

pub use answer::{Answer, Invalid, Pair, parse};
pub use info::{Interactive, info};

/// The variable that the plugin reads.
pub const VARIABLE: &str = "KUBERNETES_EXEC_INFO";

/// `apiVersion` of both sides, without the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Stable since Kubernetes 1.22.
    V1,
    /// Its JSON is that of `v1`.
    V1Beta1,
    /// Until Kubernetes 1.23: a plugin is told nothing about the cluster.
    V1Alpha1,
}

impl Version {
    /// `client.authentication.k8s.io/v1` and so on.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "client.authentication.k8s.io/v1",
            Self::V1Beta1 => "client.authentication.k8s.io/v1beta1",
            Self::V1Alpha1 => "client.authentication.k8s.io/v1alpha1",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An `apiVersion` that is none of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "exec plugin: invalid apiVersion; use client.authentication.k8s.io/v1, or /v1beta1 or /v1alpha1 for an older plugin"
)]
pub struct UnknownVersion;

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        [Self::V1, Self::V1Beta1, Self::V1Alpha1]
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or(UnknownVersion)
    }
}
