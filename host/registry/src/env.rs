//! `K8S_CLUSTER_CONF_{SA,PATH,CONTEXT}_<name>`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use tidegate_grants::connection_name;

use crate::definition::Entry;
use crate::draft::{Account, At, Draft};
use crate::error::{ConfigError, Place};

/// What all of our variables begin with: hand [`Configuration::read`](crate::Configuration::read) those.
pub const PREFIX: &str = "K8S_CLUSTER_CONF_";

/// The connections that variables define, by name. `working_folder` is what relative paths are relative to.
///
/// Errors: a variable that begins with [`PREFIX`] and is none of the three, a name that no connection can have, a value that its
/// variable cannot have. The error names the variable, never the value.
pub(crate) fn drafts(
    variables: &[(OsString, OsString)],
    working_folder: &Path,
) -> Result<BTreeMap<String, Draft>, ConfigError> {
    let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
    for (variable, value) in variables {
        let place = Place::Variable(shown(variable));
        let bad = |problem: &str| Err(ConfigError::new(place.clone(), problem));
        let Some((key, name)) = split(variable) else {
            return bad(
                "there is no such variable; write K8S_CLUSTER_CONF_SA_<name>, K8S_CLUSTER_CONF_PATH_<name> or \
                        K8S_CLUSTER_CONF_CONTEXT_<name>",
            );
        };
        let Some(name) = name.to_str() else {
            return bad("the connection's name is not UTF-8; choose another");
        };
        if let Err(invalid) = connection_name(name) {
            return bad(&invalid.to_string());
        }
        let draft = drafts.entry(name.to_owned()).or_default();
        match (key, value.to_str()) {
            (Key::Account, Some("true")) => {
                draft.account = Some(At { value: Account::Yes(None), place: place.clone() });
            }
            (Key::Account, Some("false")) => {
                draft.account = Some(At { value: Account::No, place: place.clone() });
            }
            (Key::Account, _) => return bad("the value is neither true nor false"),
            (_, Some("")) => return bad("the value is empty; set it or unset the variable"),
            (Key::Path, _) if value.as_encoded_bytes().contains(&0) => return bad("the value is no path"),
            (Key::Path, _) => {
                draft.path = Some(At { value: working_folder.join(value), place: place.clone() });
            }
            (Key::Context, Some(context)) => {
                draft.entry = Some(At { value: Entry::Context(context.to_owned()), place: place.clone() });
            }
            (Key::Context, None) => return bad("the value is not UTF-8"),
        }
    }
    Ok(drafts)
}

#[derive(Clone, Copy)]
enum Key {
    Account,
    Path,
    Context,
}

/// Which of the three it is, and the name behind it.
fn split(variable: &OsStr) -> Option<(Key, &OsStr)> {
    let name_after = |key: &str| {
        let rest = variable.as_encoded_bytes().strip_prefix(PREFIX.as_bytes())?;
        let name = rest.strip_prefix(key.as_bytes())?.strip_prefix(b"_")?;
        Some(os_str(name))
    };
    [("SA", Key::Account), ("PATH", Key::Path), ("CONTEXT", Key::Context)]
        .into_iter()
        .find_map(|(word, key)| Some((key, name_after(word)?)))
}

/// The end of a variable's name, which begins behind an ASCII character.
fn os_str(bytes: &[u8]) -> &OsStr {
    use std::os::unix::ffi::OsStrExt as _;
    OsStr::from_bytes(bytes)
}

/// A variable's name on one line, whatever is in it.
fn shown(variable: &OsStr) -> String {
    variable.to_str().map_or_else(
        || format!("{variable:?}").trim_matches('"').to_owned(),
        |name| name.escape_debug().to_string(),
    )
}
