//! YAML, as kubectl reads it.

/// The longest kubeconfig, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// How many YAML nodes a kubeconfig may have once its aliases are put in.
pub const MAX_NODES: usize = 4_000_000;
/// How many bytes of text aliases may copy.
pub const MAX_ALIAS_BYTES: usize = 64 << 20;
/// How deep nodes may be nested.
pub const MAX_DEPTH: usize = 200;
