//! What went wrong, in the API server's words.

mod kubectl;
mod protobuf;
mod reason;
mod response;

pub use kubectl::{KubectlError, KubectlOutput, from_kubectl_stderr, read_kubectl_stderr};
pub use reason::{code_for, reason_for};
pub use response::from_response;

/// The longest message that is taken over from a peer, in bytes. Longer ones are cut with an ellipsis.
pub const MAX_MESSAGE: usize = 4096;
/// The longest `details` that are taken over, in bytes of JSON. Longer ones are dropped.
pub const MAX_DETAILS: usize = 64 << 10;

/// A response that is no success (`k8s.io/apimachinery/pkg/apis/meta/v1.Status`).
///
/// `reason` and `message` hold no control characters: they can be shown on a terminal as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The HTTP code.
    pub code: u16,
    /// A word for programs: `NotFound`, `Conflict`… `Unknown` where nothing better is known.
    pub reason: String,
    /// A sentence for people. Never empty.
    pub message: String,
    /// `details` as JSON (an object): exactly as the server sent it, or made from its protobuf.
    pub details: Option<String>,
    /// Where a list cannot go on as of one state (410): the token that goes on with what there is now.
    pub continue_token: Option<String>,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} {})", self.message, self.code, self.reason)
    }
}
