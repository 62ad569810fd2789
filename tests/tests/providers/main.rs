//! `auth-provider`, which kubectl is leaving behind: gcp before a server that writes down what it is told, and OpenID Connect before an API
//! server that asks the issuer whether it is so.
//!
//! Covers: A4

mod gcp;
mod oidc;
