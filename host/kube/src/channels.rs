//! What goes through a tunnel to a kubelet: WebSocket frames (RFC 6455), and in them numbered channels.
//!
//! The first byte of each message names its channel; where one message ends and the next begins means nothing for a stream of bytes. So
//! nothing here waits for a message to be whole: [`frames::Decoder`] hands on what has arrived, and a message may be of any size.
//!
//! Source: `k8s.io/apimachinery/pkg/util/remotecommand`, `k8s.io/apimachinery/pkg/util/httpstream/wsstream`, KEP-4006.

pub mod forward;
pub mod frames;
pub mod process;

pub use frames::{Decoder, Encoder, Malformed, Piece, Received};
