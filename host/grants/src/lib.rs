//! What a person at the command line allowed: flags, patterns, needs, refusals and limits.
//!
//! Pure: nothing here opens a file, resolves a name or reads a clock. Flags are parsed once into [`Grants`]; a transport
//! states each [`Need`]; [`Grants::judge`] compares the two. Doing something with a granted need is `tidegate-authority`'s
//! work, which asks again once it knows more: [`Grants::admits_address`] with the address that a name resolved to, and
//! [`Grants::judge_real`] with the real path of the file that was opened.
//!
//! ```
//! use tidegate_grants::{Endpoint, Grants, Kind, Need, Verdict};
//!
//! let grants = Grants::builder()
//!     .allow(Kind::Net, Some("*.corp:443,10.0.0.0/8"))?
//!     .deny(Kind::Net, Some("vault.corp"))?
//!     .build();
//! let need = |text: &str| Need::Net(Endpoint::parse(text).unwrap());
//! assert_eq!(grants.judge(&need("k8s.corp:443")), Verdict::Granted);
//! assert_eq!(grants.judge(&need("example.org:443")), Verdict::Missing);
//! assert_eq!(grants.judge(&need("vault.corp:443")), Verdict::Denied { by: "--deny-net=vault.corp".into() });
//! # Ok::<(), tidegate_grants::FlagError>(())
//! ```

mod address;
mod amount;
mod builder;
mod connection;
mod denied;
mod endpoint;
mod error;
mod flag;
mod grants;
mod limits;
mod listen;
mod need;
mod net;
mod path;
mod program;
mod quote;
mod rules;
mod variable;
mod wasi;
mod written;

pub use address::{AddressClass, AddressRefused, Refusal, destination};
pub use builder::GrantsBuilder;
pub use connection::{ConnectionPattern, connection_name};
pub use denied::{Denied, Missing, Verdict};
pub use endpoint::{Endpoint, Host};
pub use error::{FlagError, Invalid};
pub use flag::{Family, Flag};
pub use grants::Grants;
pub use limits::{Limit, LimitKind, Limits, Rate};
pub use listen::{ListenPattern, listen_address};
pub use need::{Kind, Need};
pub use net::{Cidr, NetPattern};
pub use path::{Root, normalise};
pub use program::RunPattern;
pub use variable::EnvPattern;
pub use wasi::{Preopen, PreopenRefused, WasiGrants};
