use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::schema::User;

/// Whom to impersonate (`Impersonate-*` headers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonate {
    /// `as`. Never empty.
    pub user: String,
    /// `as-uid`.
    pub uid: Option<String>,
    /// `as-groups`.
    pub groups: Vec<String>,
    /// `as-user-extra`.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl Impersonate {
    /// `None` where the user impersonates nobody.
    pub(super) fn of(user: &User) -> Option<Self> {
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Some(Self {
            user: given(&user.impersonate)?,
            uid: given(&user.impersonate_uid),
            groups: user.impersonate_groups.clone(),
            extra: user.impersonate_extra.clone(),
        })
    }

    /// The headers, in client-go's order and with its escapes; a name may be there several times.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use tidegate_kube::kubeconfig::Impersonate;
    /// let extra = BTreeMap::from([("acme.com/project".to_owned(), vec!["one".to_owned()])]);
    /// let jane = Impersonate { user: "jane".into(), uid: None, groups: vec!["dev".into()], extra };
    /// let shown: Vec<_> = jane.headers().iter().map(|(name, value)| format!("{name}: {value}")).collect();
    /// assert_eq!(
    ///     shown,
    ///     ["Impersonate-User: jane", "Impersonate-Group: dev", "Impersonate-Extra-acme.com%2Fproject: one"]
    /// );
    /// ```
    pub fn headers(&self) -> Vec<(String, &str)> {
        let mut headers = vec![("Impersonate-User".to_owned(), self.user.as_str())];
        headers.extend(self.uid.iter().map(|uid| ("Impersonate-Uid".to_owned(), uid.as_str())));
        headers.extend(self.groups.iter().map(|group| ("Impersonate-Group".to_owned(), group.as_str())));
        for (key, values) in &self.extra {
            let name = format!("Impersonate-Extra-{}", escaped(key));
            headers.extend(values.iter().map(|value| (name.clone(), value.as_str())));
        }
        headers
    }
}

/// What no header's name holds, and `%`, becomes `%2F` (client-go's `headerKeyEscape`).
fn escaped(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&'*+-.^_`|~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn keys_are_escaped_as_client_go_does() {
        for (key, name) in [
            ("scopes", "scopes"),
            ("Acme.com/Project", "Acme.com%2FProject"),
            ("100% of it", "100%25%20of%20it"),
            ("ein\u{e4}", "ein%C3%A4"),
            ("a:b\r\n", "a%3Ab%0D%0A"),
            ("!#$&'*+-.^_`|~", "!#$&'*+-.^_`|~"),
        ] {
            assert_eq!(escaped(key), name);
        }
    }
}
