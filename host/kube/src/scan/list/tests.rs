use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Every item, then how it ended and what the list said of itself.
fn split(body: &[u8], size: usize) -> (Vec<Vec<u8>>, Result<(), ListError>, ListMeta) {
    let mut list = ListSplitter::new();
    let mut items = Vec::new();
    for chunk in body.chunks(size) {
        list.push(Bytes::copy_from_slice(chunk));
        while let Some(next) = list.next_item() {
            match next {
                Ok(item) => items.push(item.to_vec()),
                Err(error) => {
                    list.push("{}".into());
                    assert_eq!(list.next_item(), None, "after an error there is nothing more");
                    assert_eq!(list.finish(), Ok(()));
                    return (items, Err(error), list.meta());
                }
            }
        }
    }
    (items, list.finish(), list.meta())
}

/// The same for every size of chunks; shown as texts.
#[track_caller]
fn shown(body: &str) -> (Vec<String>, Result<(), String>) {
    let whole = split(body.as_bytes(), usize::MAX);
    for size in 1..body.len().min(200) {
        let cut = split(body.as_bytes(), size);
        assert_eq!((&cut.0, cut.1.is_ok()), (&whole.0, whole.1.is_ok()), "{body}, chunks of {size}");
        if !matches!(whole.1, Err(ListError::TooDeep { .. })) {
            assert_eq!((&cut.1, &cut.2), (&whole.1, &whole.2), "{body}, chunks of {size}");
        }
    }
    let items = whole.0.into_iter().map(|item| String::from_utf8(item).unwrap()).collect();
    (items, whole.1.map_err(|error| error.to_string()))
}

#[test]
fn lists_in_any_order_and_layout() {
    let long = format!(r#"{{"a":"{}","b":[{{}},[],{{"c":"]}}{{"}}]}}"#, "x".repeat(150));
    let nasty = r#"{"a":"\\","b":"\"}","c":"\\\"{[","d":"é\ud83d\ude00","e":-1.5e+7}"#;
    for (body, items, version) in [
        (r#"{"kind":"PodList","metadata":{"resourceVersion":"7"},"items":[{"a":1},{}]}"#, 2, "7"),
        (r#"{"items":[{"a":1},{}],"metadata":{"resourceVersion":"7"},"kind":"PodList"}"#, 2, "7"),
        ("\n{ \"items\" : [ { } ,\t{ } ] , \"metadata\" : { \"resourceVersion\" : \"7\" } }\r\n", 2, "7"),
        (r#"{"it\u0065ms":[{}],"met\u0061data":null}"#, 1, ""),
        (r#"{"other":{"items":[{}]},"items":[]}"#, 0, ""),
        (r#"{"other":[[],"]",{"a":"\"}"}],"x":"\\","n":-1.5e3,"t":true,"items":[{}]}"#, 1, ""),
        (r#"{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":null}"#, 0, "9"),
        (r#"{"kind":"PodList","metadata":{"selfLink":"x","resourceVersion":"9"}}"#, 0, "9"),
        (r#"{"items":[]}"#, 0, ""),
        (&format!(r#"{{"items":[{long},{nasty}]}}"#), 2, ""),
    ] {
        let (found, end) = shown(body);
        assert_eq!((found.len(), end), (items, Ok(())), "{body}");
        assert_eq!(split(body.as_bytes(), 1).2.resource_version, version, "{body}");
    }
    let body = format!(r#"{{"items":[{long},{nasty},{{}}]}}"#);
    assert_eq!(shown(&body).0, [long.as_str(), nasty, "{}"]);
    let meta = split(
        br#"{"metadata":{"continue":"abc","remainingItemCount":3,"resourceVersion":"1"},"items":[]}"#,
        7,
    )
    .2;
    assert_eq!((meta.continue_token.as_str(), meta.remaining_item_count), ("abc", Some(3)));
}

#[test]
fn what_is_no_list_is_said_with_its_place() {
    let no_list = "the answer is no list: it has no member `items`, and its kind is none that ends in `List`";
    for (body, items, wanted) in [
        ("", 0, "the list was cut short after 0 bytes and 0 whole items"),
        (r#"{"items":[{"a":1}"#, 1, "the list was cut short after 17 bytes and 1 whole items"),
        (r#"{"items":[{"a":1},{"b"#, 1, "the list was cut short after 21 bytes and 1 whole items"),
        (r#"{"items":[{}]"#, 1, "the list was cut short after 13 bytes and 1 whole items"),
        (r#"{"kind":"Status","code":200}"#, 0, no_list),
        ("{}", 0, no_list),
        (r#"{"kind":"Table","rows":[{}]}"#, 0, no_list),
        ("[{}]", 0, "the list is malformed at byte 0: a `{` must come there"),
        ("<html>", 0, "the list is malformed at byte 0: a `{` must come there"),
        ("\u{feff}{}", 0, "the list is malformed at byte 0: a `{` must come there"),
        ("}", 0, "the list is malformed at byte 0: a `{` must come there"),
        ("{]", 0, "the list is malformed at byte 1: a name or a `}` must come there"),
        (
            r#"{"items":{}}"#,
            0,
            "the list is malformed at byte 9: an array of `items`, or null, must come there",
        ),
        (
            r#"{"items":nul}"#,
            0,
            "the list is malformed at byte 12: an array of `items`, or null, must come there",
        ),
        (r#"{"items":[{},7]}"#, 1, "the list is malformed at byte 13: an object must come there"),
        (r#"{"items":[{},]}"#, 1, "the list is malformed at byte 13: an object must come there"),
        (r#"{"items":[,{}]}"#, 0, "the list is malformed at byte 10: an object or a `]` must come there"),
        (r#"{"items":[{}{}]}"#, 1, "the list is malformed at byte 12: a `,` or a `]` must come there"),
        (
            r#"{"items":[{}garbage,{}]}"#,
            1,
            "the list is malformed at byte 12: a `,` or a `]` must come there",
        ),
        (r#"{"items":[{]]}"#, 0, "the list is malformed at byte 12: a `}` before this must come there"),
        (r#"{"items":[]]}"#, 0, "the list is malformed at byte 11: a `,` or a `}` must come there"),
        (r#"{"items":[{}],"items":[{}]}"#, 1, "the list has a second `items` at byte 22"),
        (r#"{"items":[{}],"it\u0065ms":null}"#, 1, "the list has a second `items` at byte 27"),
        (r#"{"metadata":{},"metadata":{},"items":[]}"#, 0, "the list has a second `metadata` at byte 26"),
        (r#"{"metadata":7,"items":[{}]}"#, 0, "the `metadata` of the list is not understood"),
        (r#"{"metadata":{"continue":7},"items":[{}]}"#, 0, "the `metadata` of the list is not understood"),
        (r#"{"items":[{}]} {"items":[]}"#, 1, "the list is malformed at byte 15: nothing must come there"),
        (r#"{"a":,"items":[]}"#, 0, "the list is malformed at byte 5: a value must come there"),
        (r#"{"a" "b"}"#, 0, "the list is malformed at byte 5: a `:` must come there"),
        (r#"{"a":1 "b":2}"#, 0, "the list is malformed at byte 7: a `,` or a `}` must come there"),
        (r#"{"a":1,}"#, 0, "the list is malformed at byte 7: a name must come there"),
    ] {
        let (found, end) = shown(body);
        assert_eq!((found.len(), end), (items, Err(wanted.to_owned())), "{body}");
    }
}

#[test]
fn caps_hold_and_say_their_names() {
    let deep = format!(r#"{{"items":[{{}},{{"a":{}{}}}]}}"#, "[".repeat(1100), "]".repeat(1100));
    let (items, end) = shown(&deep);
    assert_eq!(items.len(), 1);
    assert!(end.unwrap_err().contains("the cap of 1000 levels"));

    let fill = Bytes::from(vec![b'x'; 1 << 20]);
    for (head, wanted) in [
        (r#"{"items":[{},{"a":""#, "item 2 of the list is larger than the item cap of 16777216 bytes"),
        (
            r#"{"metadata":{"a":""#,
            "a member of the list besides its items is larger than the cap of 1048576 bytes",
        ),
        (
            r#"{"an endless name"#,
            "a member of the list besides its items is larger than the cap of 1048576 bytes",
        ),
    ] {
        let mut list = ListSplitter::new();
        list.push(head.into());
        let mut error = None;
        for _ in 0..1024 {
            while let Some(next) = list.next_item() {
                error = next.err().or(error);
            }
            assert!(list.kept.len() <= ITEM_CAP);
            list.push(fill.clone());
        }
        assert_eq!(error.expect("an error").to_string(), wanted);
        assert_eq!(list.kept.capacity(), 0, "nothing is kept after an error");
    }
    // What nobody reads has no cap.
    let mut list = ListSplitter::new();
    list.push(r#"{"other":""#.into());
    for _ in 0..64 {
        assert_eq!(list.next_item(), None);
        list.push(fill.clone());
    }
    assert_eq!((list.next_item(), list.kept.len()), (None, 0));
}

#[test]
fn an_item_within_a_chunk_is_not_copied() {
    let chunk = Bytes::from_static(br#"{"items":[{"a":1},{"b":2}]}"#);
    let mut list = ListSplitter::new();
    list.push(chunk.clone());
    let item = list.next_item().unwrap().unwrap();
    assert_eq!(item.as_ptr(), chunk[10..].as_ptr());
}

/// What a mask keeps of every item, in one walk where that can be or in two, and whether the list ended well.
fn masked(body: &[u8], size: usize, mask: &Mask, walks: Walks) -> (Vec<Option<String>>, bool) {
    let (mut list, mut items) = (ListSplitter::new(), Vec::new());
    for chunk in body.chunks(size) {
        list.push(Bytes::copy_from_slice(chunk));
        loop {
            let mut out = Vec::new();
            if walks == Walks::One && list.mask_next(mask, &mut out) {
                items.push(String::from_utf8(out).ok());
                continue;
            }
            out.clear();
            match list.next_item() {
                Some(Ok(item)) => {
                    let kept = mask.apply(&item, &mut out).is_ok();
                    items.push(String::from_utf8(out).ok().filter(|_| kept));
                }
                Some(Err(_)) => return (items, false),
                None => break,
            }
        }
    }
    let ended = list.finish().is_ok();
    (items, ended)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Walks {
    One,
    Two,
}

#[test]
fn an_item_is_masked_in_one_walk_where_it_lies_within_a_chunk() {
    let mask = Mask::parse(["a.b", "c"]).unwrap();
    let mut list = ListSplitter::new();
    list.push(r#"{"items":[{"a":{"b":1,"x":[2]},"c":3,"z":{}} , {"a":{"b":4}},{"c":["#.into());
    let mut out = Vec::new();
    assert!(!list.mask_next(&mask, &mut out), "the list itself comes first");
    assert_eq!(list.next_item(), Some(Ok(r#"{"a":{"b":1,"x":[2]},"c":3,"z":{}}"#.into())));
    assert!(list.mask_next(&mask, &mut out) && out == br#"{"a":{"b":4}}"#);
    assert!(!list.mask_next(&mask, &mut out), "it goes on in the next chunk");
    assert_eq!((list.next_item(), list.items()), (None, 2));
    list.push("]}]}".into());
    assert!(!list.mask_next(&mask, &mut out), "it began in the chunk before");
    assert_eq!(list.next_item(), Some(Ok(r#"{"c":[]}"#.into())));
    assert!(!list.mask_next(&mask, &mut out));
    assert_eq!((list.next_item(), list.finish()), (None, Ok(())));
}

#[test]
fn what_is_no_item_is_none_in_one_walk_too() {
    let mask = Mask::parse(["a"]).unwrap();
    let deep = format!(r#"{{"items":[{{"a":1,"x":{}{}}}]}}"#, "[".repeat(1100), "]".repeat(1100));
    for body in [
        r#"{"items":[{"a":1]]}"#,
        r#"{"items":[{"a":1,"x":[1]]]}"#,
        r#"{"items":[{"a":nul,"x":1},{}]}"#,
        r#"{"items":[{"x":n"}u,{"a":1}","a":1},{}]}"#,
        r#"{"items":[{"x":1{},"a":1},{}]}"#,
        r#"{"items":[{"x":\"","a":1},{}]}"#,
        r#"{"items":[{"a":1}{"a":2}]}"#,
        r#"{"items":[{"a":1},7]}"#,
        r#"{"a":1}"#,
        &deep,
    ] {
        let two = masked(body.as_bytes(), usize::MAX, &mask, Walks::Two);
        assert_eq!(masked(body.as_bytes(), usize::MAX, &mask, Walks::One), two, "{body}");
        assert!(!two.1 || two.0.contains(&None), "{body}: {two:?}");
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[a-z\"\\\\{}\\[\\],:é😀\n\u{1}]{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c\"\\\\{}]{0,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-c\"\\\\{}]{0,3}", json(), 0..5)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

proptest! {
    /// The model is serde_json: the same items, whatever else is in the list, in whatever order, cut at every byte.
    #[test]
    fn items_are_those_of_a_tree(
        items in prop::collection::vec(object(), 0..5),
        others in prop::collection::btree_map("[x-z\"\\\\{}]{1,3}", json(), 0..3),
        shuffled in any::<prop::sample::Index>(),
        pretty: bool,
        ascii: bool,
        size in 1usize..100,
    ) {
        let mut members: Vec<(String, Value)> = others.into_iter().collect();
        members.push(("metadata".into(), serde_json::json!({"resourceVersion": "17"})));
        members.insert(shuffled.index(members.len() + 1), ("items".into(), Value::from(items.clone())));
        let texts: Vec<String> = members
            .iter()
            .map(|(name, value)| {
                let value = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
                format!("{}:{}", Value::from(name.as_str()), value.unwrap())
            })
            .collect();
        let mut body = format!("{{{}}}", texts.join(if pretty { ",\n" } else { "," }));
        if ascii {
            let mut units = [0; 2];
            body = body.chars().map(|c| if c.is_ascii() { c.to_string() } else {
                c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }).collect();
        }
        for size in [1, size, usize::MAX] {
            let (found, end, meta) = split(body.as_bytes(), size);
            prop_assert_eq!(end, Ok(()));
            prop_assert_eq!(meta.resource_version, "17");
            let found: Vec<Value> = found.iter().map(|item| {
                crate::scan::checked_object(item).unwrap();
                serde_json::from_slice(item).unwrap()
            }).collect();
            prop_assert_eq!(&found, &items);
        }
    }

    #[test]
    fn one_walk_finds_what_two_do(
        items in "(\\{(\"[a-c]\":|[\\[\\]{}\",:a-c\\\\ 1n]){0,12}\\},?){0,4}",
        objects in prop::collection::vec(object(), 0..5),
        size in 1_usize..100,
    ) {
        let mask = Mask::parse(["a.b", "c[*].a", "b"]).unwrap();
        for items in [items, Value::from(objects).to_string().trim_matches(['[', ']']).to_owned()] {
            let body = format!(r#"{{"items":[{items}],"metadata":{{}}}}"#);
            for size in [size, usize::MAX] {
                let two = masked(body.as_bytes(), size, &mask, Walks::Two);
                prop_assert_eq!(masked(body.as_bytes(), size, &mask, Walks::One), two, "{}", body);
            }
        }
    }

    #[test]
    fn never_panics(body: Vec<u8>, text in "\\{(\"items\"|\"a\"|[\\[\\]{}\",: n\\\\]){0,60}", size in 1usize..20) {
        for body in [&body[..], text.as_bytes()] {
            let whole = split(body, usize::MAX);
            prop_assert_eq!(split(body, size).0, whole.0);
        }
    }
}
