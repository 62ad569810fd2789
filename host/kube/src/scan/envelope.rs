//! What a list says of itself.

use serde::Deserialize;

use super::cursor::unescape;

/// `ListMeta` of apimachinery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ListMeta {
    /// The state of the cluster that the list shows; empty where it does not say.
    pub resource_version: String,
    /// Names the next page; empty at the last.
    #[serde(rename = "continue")]
    pub continue_token: String,
    /// How many items come after this page, where the server knows.
    pub remaining_item_count: Option<u64>,
}

/// A member of the list itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Member {
    Items,
    Metadata,
    Kind,
    Other,
}

impl Member {
    /// Given its name with the quotes; none where that is no JSON.
    pub(super) fn of(quoted: &[u8]) -> Option<Member> {
        Some(match text(quoted)?.as_ref() {
            "items" => Member::Items,
            "metadata" => Member::Metadata,
            "kind" => Member::Kind,
            _ => Member::Other,
        })
    }
}

/// Whether this kind, with its quotes, is a list's.
pub(super) fn is_list_kind(quoted: &[u8]) -> bool {
    text(quoted).is_some_and(|kind| kind.ends_with("List"))
}

/// Lenient as the server's own clients are: `null` is as good as nothing.
pub(super) fn meta(raw: &[u8]) -> Option<ListMeta> {
    serde_json::from_slice::<Option<ListMeta>>(raw).ok().map(Option::unwrap_or_default)
}

fn text(quoted: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
    unescape(quoted.strip_prefix(b"\"")?.strip_suffix(b"\"")?)
}
