use std::str::FromStr;

/// Something that not every transport can do. The words are those of `client.supports` in `wit/client.wit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// `accept`: media types besides JSON (tables, protobuf, partial metadata).
    Accept,
    /// `content-type`: request bodies besides JSON and patches.
    ContentType,
    /// `head`: this method.
    Head,
    /// `options`: this method.
    Options,
    /// `stream-body`: request bodies that are sent while they are written.
    StreamBody,
    /// `status-details`: a status with its `details`.
    StatusDetails,
    /// `warnings`: a response with its warnings.
    Warnings,
    /// `exec`: tunnels to `pods/exec`.
    Exec,
    /// `terminal`: an exec in a terminal, with its size.
    Terminal,
    /// `attach`: tunnels to `pods/attach`.
    Attach,
    /// `port-forward`: tunnels to `pods/portforward`.
    PortForward,
}

impl Feature {
    const ALL: [Feature; 11] = [
        Feature::Accept,
        Feature::ContentType,
        Feature::Head,
        Feature::Options,
        Feature::StreamBody,
        Feature::StatusDetails,
        Feature::Warnings,
        Feature::Exec,
        Feature::Terminal,
        Feature::Attach,
        Feature::PortForward,
    ];

    /// The word that guests use.
    pub fn as_str(self) -> &'static str {
        match self {
            Feature::Accept => "accept",
            Feature::ContentType => "content-type",
            Feature::Head => "head",
            Feature::Options => "options",
            Feature::StreamBody => "stream-body",
            Feature::StatusDetails => "status-details",
            Feature::Warnings => "warnings",
            Feature::Exec => "exec",
            Feature::Terminal => "terminal",
            Feature::Attach => "attach",
            Feature::PortForward => "port-forward",
        }
    }
}

impl FromStr for Feature {
    type Err = UnknownFeature;

    fn from_str(word: &str) -> Result<Feature, UnknownFeature> {
        Feature::ALL.into_iter().find(|feature| feature.as_str() == word).ok_or(UnknownFeature)
    }
}

/// A word that names no [`Feature`] of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such feature")]
pub struct UnknownFeature;

/// What a transport can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Support(&'static [Feature]);

impl Support {
    /// Everything: HTTP to the server itself.
    pub const EVERYTHING: Support = Support(&Feature::ALL);

    /// What kubectl passes on: bodies streamed through stdin, the warnings that it prints, and processes without a terminal.
    pub const KUBECTL: Support = Support(&[Feature::StreamBody, Feature::Warnings, Feature::Exec]);

    /// Whether it can do this.
    pub fn has(self, feature: Feature) -> bool {
        self.0.contains(&feature)
    }
}
