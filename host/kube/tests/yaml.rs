//! YAML of our own files: what is read, what is refused on which line, and that no refusal quotes a value.

use proptest::prelude::*;
use tidegate_kube::yaml::{Node, Value, read};

/// One line for a tree: lines of nodes as `@2`, texts as they are.
fn shown(node: &Node) -> String {
    let text = match &node.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number => "number".to_owned(),
        Value::Text(text) => format!("'{}'", **text),
        Value::List(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let entry = |(key, line, node): (&str, usize, &Node)| format!("{key}@{line}: {}", shown(node));
            let entries = entries.iter().map(|e| entry((&e.key, e.line, &e.node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
    };
    format!("{text}@{}", node.line)
}

#[test]
fn documents_are_trees_with_lines() {
    for (text, expected) in [
        ("", "null@1"),
        ("# nothing\n", "null@1"),
        ("a: b\n\nc: 1\n", "{a@1: 'b'@1, c@3: number@3}@1"),
        ("a:\n- x\n- 'yes'\n- yes\n- ~\n", "{a@1: ['x'@2, 'yes'@3, true@4, null@5]@2}@1"),
        ("yes: x\n12: w\n'': z\n", "{yes@1: 'x'@1, 12@2: 'w'@2, @3: 'z'@3}@1"),
        ("a: &x {b: c}\nd: *x\n", "{a@1: {b@1: 'c'@1}@1, d@2: {b@1: 'c'@1}@1}@1"),
        ("---\na: {}\n...\n", "{a@2: {}@2}@2"),
        ("\u{feff}a: b", "{a@1: 'b'@1}@1"),
    ] {
        assert_eq!(read(text.as_bytes()).map(|node| shown(&node)), Ok(expected.to_owned()), "{text:?}");
    }
}

#[test]
fn what_is_refused_and_where() {
    let bomb = (0..9).fold("a0: &a0 [hunter2, hunter2]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*a{level}"); 9].join(", ");
        format!("{text}a{}: &a{} [{aliases}]\n", level + 1, level + 1)
    });
    let long = format!("a: {}", "x".repeat(1 << 20));
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    for (text, expected) in [
        (
            "prod: hunter2\nb: {}\nprod: hunter2\n",
            "line 3: the key \"prod\" is here for the second time; remove or rename one of the two",
        ),
        (
            "a: {b: 1, b: hunter2}",
            "line 1: the key \"b\" is here for the second time; remove or rename one of the two",
        ),
        ("a: b\n---\nc: hunter2\n", "line 2: a second document begins; write one only"),
        ("a: &x {b: c}\nd:\n  <<: *x\n", "line 3: a merge (<<) is not taken here; write the fields out"),
        ("a: !secret hunter2\n", "line 1: a tag (!) is not taken here; leave it out"),
        ("~: hunter2\n", "line 1: a key is nothing, a list or a map; write a name"),
        ("? [a]\n: hunter2\n", "line 1: a key is nothing, a list or a map; write a name"),
        ("a: &x [*x]\n", "line 1: an anchor's value contains itself"),
        ("a: hun\u{1}ter2\n", "line 1: control characters are not allowed"),
        (&bomb, "line 6: there are more than the cap of 200000 nodes once the aliases are put in"),
        (&long, "it is longer than the cap of 1048576 bytes"),
        (&deep, "line 1: the nesting is deeper than the cap of 32 levels"),
    ] {
        let error = read(text.as_bytes()).expect_err(text).to_string();
        assert_eq!(error, expected);
        assert!(!error.contains("hunter2"));
    }
    for text in ["a: [hunter2", "a: 'hunter2", "a: b: hunter2", "- a\nb: hunter2", "@hunter2", "%hunter2"] {
        let error = read(text.as_bytes()).expect_err(text).to_string();
        assert!(error.starts_with("line ") && !error.contains("hunter2"), "{text:?}: {error}");
    }
    assert!(read(b"a: \xff\n").expect_err("bytes").to_string().contains("not UTF-8"));
}

proptest! {
    #[test]
    fn nothing_panics(text in "[ab:{}\\[\\],&*\\n \\-'\"<!]{0,60}") {
        drop(read(text.as_bytes()));
    }
}
