//! Selectors: read, shown, matched and refused as apimachinery does.

use std::collections::BTreeMap;

use serde_json::json;
use tidegate_kube::select::{
    FieldSelector, LabelSelector, Operator, Requirement, is_label_key, is_label_value,
};

#[test]
fn requirements_hold_or_do_not() {
    let labels: BTreeMap<String, String> =
        [("app", "web"), ("size", "7"), ("empty", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    let object = json!({ "metadata": { "labels": labels } });
    let cases = [
        ("", true),
        ("app=web", true),
        ("app==web,size=7", true),
        ("app = web , size in (6, 7)", true),
        ("app!=web", false),
        ("missing!=web", true),
        ("app", true),
        ("!app", false),
        ("!missing", true),
        ("missing", false),
        ("app in (api)", false),
        ("app notin (api,db)", true),
        ("missing notin (api)", true),
        ("empty=", true),
        ("empty in (,x)", true),
        ("empty in ()", true),
        ("size>6,size<8", true),
        ("size>7", false),
        ("app>1", false),
        ("missing<1", false),
        ("x.example.com/app!=1", true),
        ("in in (in),notin", false),
        ("in!=notin", true),
    ];
    for (text, expected) in cases {
        let selector = LabelSelector::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(selector.matches(&labels), expected, "{text}");
        assert_eq!(selector.matches_object(&object), expected, "{text}");
        let again: LabelSelector = selector.to_string().parse().expect(text);
        assert_eq!(again, selector, "{text} is shown as {selector}");
    }
}

#[test]
fn a_selector_is_shown_as_apimachinery_shows_it() {
    for (text, shown) in [
        ("b=1, a == 2 ,!c", "a==2,b=1,!c"),
        ("x in (b, a,b)", "x in (a,b)"),
        ("x notin (,a)", "x notin (,a)"),
        ("x in (,)", "x in ()"),
        ("n > 3", "n>3"),
        ("empty=", "empty="),
    ] {
        assert_eq!(LabelSelector::parse(text).expect(text).to_string(), shown, "{text}");
    }
    let built = LabelSelector::builder()
        .equals("app", "web")
        .not_equals("tier", "db")
        .is_in("zone", ["b", "a"])
        .not_in("env", ["prod"])
        .exists("owner")
        .does_not_exist("old")
        .requirement("size", Operator::GreaterThan, ["3"])
        .build();
    let shown = "app=web,env notin (prod),!old,owner,size>3,tier!=db,zone in (a,b)";
    assert_eq!(built.expect("a selector").to_string(), shown);
}

#[test]
fn what_is_no_selector_is_refused_in_apimachinerys_words() {
    let name = "name part must consist of alphanumeric characters";
    let cases = [
        ("=", "found '=', expected: !, identifier, or 'end of string'"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,=", "found '=', expected: identifier after ','"),
        ("a in", "unable to parse requirement: found '' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (!b)", "unable to parse requirement: found '!', expected: ',', ')' or identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a==!", "unable to parse requirement: found '!', expected: identifier"),
        ("a>x", "values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer"),
        ("a=-", "values[0][a]: Invalid value: \"-\": a valid label must be an empty string or consist of"),
        ("-a", name),
        ("a/b/c=d", "a valid label key must consist of"),
        ("/a=b", "prefix part must be non-empty"),
        ("A.b/a=b", "prefix part a lowercase RFC 1123 subdomain"),
        ("a/=b", "name part must be non-empty; name part must consist of"),
        ("a=b\u{0}", "Invalid value"),
        ("ä=b", name),
    ];
    for (text, expected) in cases {
        let why = LabelSelector::parse(text).expect_err(text).to_string();
        assert!(why.contains(expected), "{text}: {why}");
    }
    for (operator, values) in [
        (Operator::In, &[][..]),
        (Operator::Equals, &["a", "b"]),
        (Operator::Exists, &["a"]),
        (Operator::LessThan, &["1", "2"]),
    ] {
        assert!(Requirement::new("k", operator, values.iter().copied()).is_err(), "{operator:?} {values:?}");
    }
    let long = "x".repeat(64);
    assert!(!is_label_key(&long) && !is_label_value(&long) && is_label_value("") && !is_label_key(""));
}

#[test]
fn a_specs_selector_is_read() {
    let spec = json!({
        "matchLabels": { "app": "web" },
        "matchExpressions": [
            { "key": "tier", "operator": "NotIn", "values": ["db"] },
            { "key": "old", "operator": "DoesNotExist" },
        ],
    });
    let selector = LabelSelector::from_spec(&spec).expect("a selector");
    assert_eq!(selector.to_string(), "app in (web),!old,tier notin (db)");
    assert!(LabelSelector::from_spec(&json!({})).expect("everything").is_everything());
    for bad in [
        json!({ "matchExpressions": [{ "key": "a", "operator": "Like", "values": ["b"] }] }),
        json!({ "matchExpressions": [{ "key": "a", "operator": "In" }] }),
        json!({ "matchLabels": { "-": "b" } }),
    ] {
        assert!(LabelSelector::from_spec(&bad).is_err(), "{bad}");
    }
}

#[test]
fn fields_are_read_with_their_escapes() {
    let cases = [
        ("", ""),
        ("metadata.name=a", "metadata.name=a"),
        ("metadata.name==a,", "metadata.name=a"),
        ("status.phase!=Running", "status.phase!=Running"),
        ("b=z,a=x\\,y", "a=x\\,y,b=z"),
        ("a=\\\\\\=", "a=\\\\\\="),
        ("spec.nodeName=", "spec.nodeName="),
        ("a!b=c", "a!b=c"),
    ];
    for (text, shown) in cases {
        let selector = FieldSelector::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(selector.to_string(), shown, "{text}");
    }
    for text in ["a", "a!b", "a=\\x", "a=b=c", "a=b\\"] {
        assert!(FieldSelector::parse(text).is_err(), "{text}");
    }
    let built = FieldSelector::everything().equals("a", "x,y").not_equals("b", "=");
    assert_eq!(built.to_string(), "a=x\\,y,b!=\\=");
}

#[test]
fn fields_of_an_object_match() {
    let object = json!({ "metadata": { "name": "a" }, "spec": { "replicas": 3, "paused": true } });
    for (text, expected) in [
        ("metadata.name=a", true),
        ("metadata.name!=a", false),
        ("spec.replicas=3,spec.paused=true", true),
        ("spec.nodeName=", true),
        ("spec.nodeName!=", false),
        ("spec=", true),
    ] {
        assert_eq!(FieldSelector::parse(text).expect(text).matches_object(&object), expected, "{text}");
    }
}
