//! Strategic merge patch: lists merge by the key that their kind gives them, and directives say otherwise
//! (`k8s.io/apimachinery/pkg/util/strategicpatch`).

use serde_json::{Map, Value};

use crate::fields::{ListKind, patch_list};

/// Lays `patch` over `value`, an object of `kind`.
///
/// # Errors
/// A sentence that names the part of the patch that makes no sense.
pub(super) fn merge(kind: &str, value: &mut Value, patch: &Value) -> Result<(), String> {
    let mut patcher = Patcher { kind, path: Vec::new() };
    match (value.as_object_mut(), patch.as_object()) {
        (Some(value), Some(patch)) => patcher.object(value, patch),
        _ => Err("a strategic merge patch is an object".into()),
    }
}

struct Patcher<'a> {
    kind: &'a str,
    path: Vec<String>,
}

impl Patcher<'_> {
    fn object(&mut self, value: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), String> {
        match patch.get("$patch").and_then(Value::as_str) {
            Some("replace") => {
                *value = without_directives(patch);
                return Ok(());
            }
            Some("delete") => {
                value.clear();
                return Ok(());
            }
            None | Some("merge") => {}
            Some(other) => return Err(format!("unknown patch type found: {other}")),
        }
        if let Some(kept) = patch.get("$retainKeys") {
            let kept = kept.as_array().ok_or("$retainKeys is not a list")?;
            value.retain(|name, _| kept.iter().any(|key| key == name));
        }
        for (name, change) in patch {
            if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
                delete_primitives(value, list, change);
            } else if !name.starts_with('$') {
                self.member(value, name, change)?;
            }
        }
        for (name, order) in patch {
            if let Some(list) = name.strip_prefix("$setElementOrder/") {
                self.path.push(list.into());
                reorder(value, list, order, &patch_list(self.kind, &self.path));
                self.path.pop();
            }
        }
        Ok(())
    }

    fn member(&mut self, value: &mut Map<String, Value>, name: &str, change: &Value) -> Result<(), String> {
        self.path.push(name.into());
        let done = match (value.get_mut(name), change) {
            (_, Value::Null) => {
                value.remove(name);
                Ok(())
            }
            (Some(Value::Object(present)), Value::Object(change)) => self.object(present, change),
            (_, Value::Object(change)) => {
                let mut made = Map::new();
                let done = self.object(&mut made, change);
                if change.get("$patch").and_then(Value::as_str) != Some("delete") {
                    value.insert(name.into(), Value::Object(made));
                }
                done
            }
            (present, Value::Array(change)) => {
                let mut list = present.and_then(|present| present.as_array().cloned()).unwrap_or_default();
                let done = self.list(&mut list, change);
                value.insert(name.into(), Value::Array(list));
                done
            }
            _ => {
                value.insert(name.into(), change.clone());
                Ok(())
            }
        };
        self.path.pop();
        done
    }

    fn list(&mut self, list: &mut Vec<Value>, change: &[Value]) -> Result<(), String> {
        if change.iter().any(|item| item["$patch"] == "replace") {
            *list = change.iter().filter(|item| item["$patch"] != "replace").cloned().collect();
            return Ok(());
        }
        match patch_list(self.kind, &self.path) {
            ListKind::Atomic => *list = change.to_vec(),
            ListKind::Set => {
                list.extend(change.iter().filter(|item| !list.contains(item)).cloned().collect::<Vec<_>>())
            }
            ListKind::Map(keys) => {
                let key = keys.first().map(String::as_str).unwrap_or("name");
                for item in change {
                    self.item(list, item, key)?;
                }
            }
        }
        Ok(())
    }

    fn item(&mut self, list: &mut Vec<Value>, item: &Value, key: &str) -> Result<(), String> {
        let name = self.path.join(".");
        let Some(item) = item.as_object() else { return Err(format!("{name}: an item is not an object")) };
        let members: Vec<String> =
            item.iter().map(|(member, value)| format!("{member}:{}", bare(value))).collect();
        let missing =
            || format!("map: map[{}] does not contain declared merge key: {key}", members.join(" "));
        let wanted = item.get(key).ok_or_else(missing)?;
        let position = list.iter().position(|present| present[key] == *wanted);
        if item.get("$patch").and_then(Value::as_str) == Some("delete") {
            list.retain(|present| present[key] != *wanted);
            return Ok(());
        }
        match position.and_then(|position| list[position].as_object_mut()) {
            Some(present) => self.object(present, item),
            None => {
                let mut made = Map::new();
                self.object(&mut made, item)?;
                list.push(Value::Object(made));
                Ok(())
            }
        }
    }
}

/// A value as Go prints it.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    patch.iter().filter(|(name, _)| !name.starts_with('$')).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn delete_primitives(value: &mut Map<String, Value>, list: &str, gone: &Value) {
    if let (Some(Value::Array(present)), Some(gone)) = (value.get_mut(list), gone.as_array()) {
        present.retain(|item| !gone.contains(item));
    }
}

/// Puts the items that `order` names into its order; the others stay where they are relative to what precedes them.
fn reorder(value: &mut Map<String, Value>, list: &str, order: &Value, kind: &ListKind) {
    let (Some(Value::Array(items)), Some(order)) = (value.get_mut(list), order.as_array()) else { return };
    let rank = |item: &Value| match kind {
        ListKind::Map(keys) => {
            let key = keys.first().map(String::as_str).unwrap_or("name");
            order.iter().position(|wanted| wanted[key] == item[key])
        }
        _ => order.iter().position(|wanted| wanted == item),
    };
    let mut last = 0;
    let ranks: Vec<usize> = items
        .iter()
        .map(|item| {
            last = rank(item).unwrap_or(last);
            last
        })
        .collect();
    let mut ranked: Vec<(usize, Value)> = ranks.into_iter().zip(items.drain(..)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    items.extend(ranked.into_iter().map(|(_, item)| item));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patches_merge_as_apimachinery_merges_them() {
        let pod = json!({"spec": {
            "containers": [{"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "b:1"}],
            "nodeSelector": {"zone": "1", "disk": "ssd"},
            "tolerations": [{"key": "k"}],
        }, "metadata": {"finalizers": ["x", "y"], "labels": {"a": "1"}}});
        let cases = [
            (
                "merges by name",
                json!({"spec": {"containers": [{"name": "b", "image": "b:2"}]}}),
                "/spec/containers/1/image",
                json!("b:2"),
            ),
            (
                "keeps the others",
                json!({"spec": {"containers": [{"name": "b", "image": "b:2"}]}}),
                "/spec/containers/0/image",
                json!("a:1"),
            ),
            ("adds", json!({"spec": {"containers": [{"name": "c"}]}}), "/spec/containers/2/name", json!("c")),
            (
                "nested keys",
                json!({"spec": {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}]}]}}),
                "/spec/containers/0/env/1/value",
                json!("2"),
            ),
            (
                "deletes an item",
                json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}),
                "/spec/containers/0/name",
                json!("b"),
            ),
            ("null removes", json!({"metadata": {"labels": {"a": null}}}), "/metadata/labels", json!({})),
            (
                "atomic lists are replaced",
                json!({"spec": {"tolerations": [{"key": "z"}]}}),
                "/spec/tolerations",
                json!([{"key": "z"}]),
            ),
            (
                "primitive lists are sets",
                json!({"metadata": {"finalizers": ["y", "z"]}}),
                "/metadata/finalizers",
                json!(["x", "y", "z"]),
            ),
            (
                "primitives are deleted",
                json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}),
                "/metadata/finalizers",
                json!(["y"]),
            ),
            (
                "a list is replaced",
                json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "n"}]}}),
                "/spec/containers",
                json!([{"name": "n"}]),
            ),
            (
                "a map is replaced",
                json!({"spec": {"nodeSelector": {"$patch": "replace", "q": "1"}}}),
                "/spec/nodeSelector",
                json!({"q": "1"}),
            ),
            (
                "keys are retained",
                json!({"spec": {"nodeSelector": {"$retainKeys": ["zone"]}}}),
                "/spec/nodeSelector",
                json!({"zone": "1"}),
            ),
            (
                "order is set",
                json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}),
                "/spec/containers/0/name",
                json!("b"),
            ),
        ];
        for (what, patch, pointer, expected) in cases {
            let mut value = pod.clone();
            merge("Pod", &mut value, &patch).unwrap_or_else(|why| panic!("{what}: {why}"));
            assert_eq!(value.pointer(pointer), Some(&expected), "{what}");
        }
    }

    #[test]
    fn an_item_without_its_key_is_refused() {
        let mut value = json!({"spec": {"containers": [{"name": "a"}]}});
        let patch = json!({"spec": {"containers": [{"image": "x"}]}});
        assert!(merge("Pod", &mut value, &patch).unwrap_err().contains("merge key: name"));
    }
}
