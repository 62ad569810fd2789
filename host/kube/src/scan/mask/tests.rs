use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

fn masked(paths: &[&str], object: &str) -> String {
    let mask = Mask::parse(paths).unwrap_or_else(|error| panic!("{error}"));
    let mut out = Vec::new();
    match mask.apply(object.as_bytes(), &mut out) {
        Ok(()) => String::from_utf8(out).unwrap(),
        Err(error) => error.to_string(),
    }
}

const POD: &str = r#"{"metadata":{"name":"web","labels":{"app":"a\"b","a.b/c":"1"},"managedFields":[{"manager":"x"}]},
 "spec":{"containers":[{"name":"c","image":"i","env":[{"name":"A"}]},{"name":"d"},7,null]},"status":{"phase":"Running"}}"#;

#[test]
fn fields_are_kept_as_they_stand() {
    for (paths, wanted) in [
        (&["metadata.name"][..], r#"{"metadata":{"name":"web"}}"#),
        (&["status.phase", "metadata.name"], r#"{"metadata":{"name":"web"},"status":{"phase":"Running"}}"#),
        (&["metadata.labels"], r#"{"metadata":{"labels":{"app":"a\"b","a.b/c":"1"}}}"#),
        (&["metadata.labels['a.b/c']"], r#"{"metadata":{"labels":{"a.b/c":"1"}}}"#),
        (&["spec.containers[*].image"], r#"{"spec":{"containers":[{"image":"i"},{}]}}"#),
        (
            &["spec.containers[*].image", "spec.containers[*].name"],
            r#"{"spec":{"containers":[{"name":"c","image":"i"},{"name":"d"}]}}"#,
        ),
        (&["metadata.name.x", "metadata.labels[*]"], r#"{"metadata":{}}"#),
        (&["metadata.annotations['x']", "nothing.at.all"], r#"{"metadata":{}}"#),
        (
            &["-metadata.managedFields", "-spec", "-status.phase.x"],
            r#"{"metadata":{"name":"web","labels":{"app":"a\"b","a.b/c":"1"}},"status":{"phase":"Running"}}"#,
        ),
        (
            &["metadata", "-metadata.managedFields", "-metadata.labels.app"],
            r#"{"metadata":{"name":"web","labels":{"a.b/c":"1"}}}"#,
        ),
        (
            &["spec", "-spec.containers[*].env"],
            r#"{"spec":{"containers":[{"name":"c","image":"i"},{"name":"d"},7,null]}}"#,
        ),
        (&["-metadata", "metadata.name", "-spec", "-status"], r#"{"metadata":{"name":"web"}}"#),
    ] {
        assert_eq!(masked(paths, POD), wanted, "{paths:?}");
    }
    let whole = masked(&[], POD);
    assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), serde_json::from_str::<Value>(POD).unwrap());
}

#[test]
fn of_equal_names_the_first_counts_and_names_are_read_with_their_escapes() {
    for (object, wanted) in [
        (r#"{"a":{"b":1},"a":{"b":2}}"#, r#"{"a":{"b":1}}"#),
        (r#"{"a":{"b":1,"b":2}}"#, r#"{"a":{"b":1}}"#),
        (r#"{"\u0061":{"b":1}}"#, r#"{"\u0061":{"b":1}}"#),
        (r#"{"a\"":{"b":1}}"#, "{}"),
        (r#" { "x" : [ ] , "a" : { "c" : { } , "b" : [ 1 ] } } "#, r#"{"a":{"b":[ 1 ]}}"#),
    ] {
        assert_eq!(masked(&["a.b"], object), wanted, "{object}");
    }
}

#[test]
fn what_is_no_object_is_said_and_what_nobody_wants_is_not_looked_at() {
    for (object, wanted) in [
        ("[1]", "it is not one JSON object in UTF-8 (byte 0)"),
        (r#"{"a":}"#, "it is not one JSON object in UTF-8 (byte 5)"),
        (r#"{"a" 1}"#, "it is not one JSON object in UTF-8 (byte 5)"),
        (r#"{"x":1 "a":1}"#, "it is not one JSON object in UTF-8 (byte 7)"),
        (r#"{"a":nul}"#, "it is not one JSON object in UTF-8 (byte 8)"),
        (r#"{"a":[1 2]}"#, "it is not one JSON object in UTF-8 (byte 8)"),
        (r#"{"a":"\x"}"#, "it is not one JSON object in UTF-8 (byte 7)"),
        (r#"{"x":nul,"a":1}"#, r#"{"a":1}"#),
        (r#"{"a":1,"x" nul"#, r#"{"a":1}"#),
    ] {
        assert_eq!(masked(&["a"], object), wanted, "{object}");
    }
    let mut out = Vec::new();
    let error = Mask::parse(["a"]).unwrap().apply(b"{\"a\":\"\xff\"}", &mut out).unwrap_err();
    assert_eq!(error.at, 6);
}

#[test]
fn what_is_no_mask_is_refused_with_its_place() {
    let many: Vec<String> = (0..65).map(|n| format!("a{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (paths, wanted) in [
        (&["metadata.name", "spec.x[0]"][..], "in the path `spec.x[0]`, column 8: single elements cannot be"),
        (&["-a['b"], "in the path `-a['b`, column 6: the quotes or the bracket must be closed"),
        (&[""], "in the path ``, column 1: a field's name must come here"),
        (&["a.b", "-a.b"], "the path `a.b` is kept and dropped: name it once"),
        (&many, "a mask has at most 64 paths"),
    ] {
        let error = Mask::parse(paths).unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{error}");
    }
}

#[test]
fn metadata_alone() {
    for (paths, wanted) in [
        (&["metadata.name", "metadata.labels"][..], true),
        (&["metadata", "-metadata.managedFields"], true),
        (&["metadata.name", "status"], false),
        (&["kind", "metadata"], false),
        (&["-status"], false),
        (&[], false),
    ] {
        assert_eq!(Mask::parse(paths).unwrap().is_metadata_only(), wanted, "{paths:?}");
    }
}

/// What a mask of kept paths makes, by way of a tree.
fn model(value: &Value, paths: &[Vec<Step>]) -> Option<Value> {
    if paths.iter().any(Vec::is_empty) {
        return Some(value.clone());
    }
    let below = |wanted: &Step| -> Vec<Vec<Step>> {
        paths.iter().filter(|path| &path[0] == wanted).map(|path| path[1..].to_vec()).collect()
    };
    match value {
        Value::Object(members) if paths.iter().any(|path| matches!(path[0], Step::Member(_))) => {
            let mut kept = Map::new();
            for (name, member) in members {
                kept.extend(
                    model(member, &below(&Step::Member(name.clone()))).map(|value| (name.clone(), value)),
                );
            }
            Some(Value::Object(kept))
        }
        Value::Array(elements) if paths.iter().any(|path| path[0] == Step::Elements) => {
            let below = below(&Step::Elements);
            Some(elements.iter().filter_map(|element| model(element, &below)).collect())
        }
        _ => None,
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-c\"\\\\{}\\[\\],é\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]|\"x", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![3 => "[a-c]|\"x".prop_map(Step::Member), 1 => Just(Step::Elements)];
    (("[a-c]").prop_map(Step::Member), prop::collection::vec(step, 0..3))
        .prop_map(|(first, rest)| [vec![first], rest].concat())
}

proptest! {
    #[test]
    fn a_mask_makes_what_a_tree_would(
        object in prop::collection::btree_map("[a-c]|\"x", json(), 0..5),
        paths in prop::collection::vec(steps(), 1..4),
        pretty: bool,
    ) {
        let value = Value::Object(object.into_iter().collect());
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let mut mask = Mask::parse([] as [&str; 0]).unwrap();
        for path in &paths {
            mask.add_steps(path, Rest::Kept).unwrap();
        }
        let mut out = Vec::new();
        mask.apply(text.as_bytes(), &mut out).unwrap();
        let made: Value = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(made, model(&value, &paths).unwrap_or(Value::Object(Map::new())));
    }

    #[test]
    fn never_panics(object: Vec<u8>, text in "\\{[\\[\\]{}\",:a-c\\\\ 1]{0,40}") {
        let mask = Mask::parse(["a.b", "c[*].a", "-b"]).unwrap();
        _ = mask.apply(&object, &mut Vec::new());
        _ = mask.apply(text.as_bytes(), &mut Vec::new());
    }
}

#[test]
fn within_metadata_nothing_else_is_kept() {
    let object = br#"{"metadata":{"name":"a","uid":"b"},"data":{"secret":"c"}}"#;
    for (paths, kept) in [
        (&[][..], r#"{"metadata":{"name":"a","uid":"b"}}"#),
        (&["-data"], r#"{"metadata":{"name":"a","uid":"b"}}"#),
        (&["-metadata.uid"], r#"{"metadata":{"name":"a"}}"#),
        (&["metadata.uid", "data"], r#"{"metadata":{"uid":"b"}}"#),
        (&["data.secret"], "{}"),
        (&["-metadata"], "{}"),
    ] {
        let mask = Mask::parse(paths).unwrap().within_metadata();
        let mut out = Vec::new();
        mask.apply(object, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), kept, "{paths:?}");
        assert!(mask.is_metadata_only());
    }
}
