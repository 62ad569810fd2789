//! What a component tells about how it was made: the `producers` sections that compilers and linkers leave in it.

/// How deeply components are looked into. Tools nest two or three.
const DEPTH: u32 = 8;

/// How many names are taken, and how long each may be, in bytes.
const MOST: usize = 32;
const LONGEST: usize = 200;

/// What made a component, in the words of those who did. Nobody checks them, and a component need not tell: `strip` removes them.
///
/// Of a script in a language that is interpreted it is the interpreter that tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers {
    /// The languages of its parts, e.g. `Rust`, `C11`; the ones of linked libraries too, C and C++ last: they are mostly those of the
    /// C library.
    pub languages: Vec<String>,
    /// The tools, with their versions where they tell them, e.g. `rustc 1.95.0`.
    pub tools: Vec<String>,
}

impl Producers {
    /// Reads them. Of bytes that are no component, or a broken one, what could be read.
    pub(crate) fn of(component: &[u8]) -> Self {
        let mut producers = Self::default();
        producers.look(component, DEPTH);
        producers.languages.sort_by_key(|language| is_c(language));
        producers
    }

    /// Looks into a module or a component; none where its sections cannot be told apart any more.
    fn look(&mut self, binary: &[u8], depth: u32) -> Option<()> {
        const CUSTOM: u8 = 0;
        const MODULE: u8 = 1;
        const COMPONENT: u8 = 4;
        let (header, mut rest) = binary.split_at_checked(8)?;
        let is_component = header[4..] == [0x0d, 0, 1, 0];
        // What wit-component puts between a module and WASI says nothing about the module.
        if depth == 0 || (!is_component && is_of_wit_component(rest)) {
            return None;
        }
        while let Some((id, section)) = next_section(&mut rest) {
            match id {
                CUSTOM => {
                    self.custom(section);
                }
                MODULE | COMPONENT if is_component => {
                    self.look(section, depth - 1);
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Takes a `producers` section: fields, each with pairs of name and version.
    fn custom(&mut self, mut section: &[u8]) -> Option<()> {
        let section = &mut section;
        if text(section)? != "producers" {
            return None;
        }
        for _ in 0..number(section)? {
            let field = text(section)?;
            for _ in 0..number(section)? {
                let (name, version) = (text(section)?, text(section)?);
                match field {
                    "language" => add(&mut self.languages, name, ""),
                    "processed-by" | "sdk" => add(&mut self.tools, name, version),
                    _ => {}
                }
            }
        }
        Some(())
    }
}

/// C and C++ as clang names them: `C11`, `C_plus_plus_17`.
fn is_c(language: &str) -> bool {
    let rest = language.strip_prefix('C');
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit() || "_+".contains(c))
    })
}

fn add(list: &mut Vec<String>, name: &str, version: &str) {
    let shown = format!("{name} {version}");
    let shown: String = shown.trim().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if list.len() < MOST && !shown.is_empty() && !list.contains(&shown) {
        list.push(shown);
    }
}

/// Whether a core module's own name says that wit-component made it.
fn is_of_wit_component(mut sections: &[u8]) -> bool {
    while let Some((id, mut section)) = next_section(&mut sections) {
        let section = &mut section;
        // The first part of the section `name`, number 0, is the module's.
        if id == 0 && text(section) == Some("name") && number(section) == Some(0) {
            return number(section)
                .and_then(|_| text(section))
                .is_some_and(|name| name.starts_with("wit-component:"));
        }
    }
    false
}

fn next_section<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (id, after) = rest.split_first()?;
    *rest = after;
    let length = number(rest)?;
    Some((*id, take(rest, length)?))
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = number(rest)?;
    std::str::from_utf8(take(rest, length)?).ok()
}

fn take<'a>(rest: &mut &'a [u8], length: u32) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = after;
    Some(taken)
}

/// An unsigned number of up to 32 bits, seven to a byte.
fn number(rest: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let length = content.len();
        [&[id, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8][..], content].concat()
    }

    fn word(word: &str) -> Vec<u8> {
        [&[word.len() as u8][..], word.as_bytes()].concat()
    }

    fn producers(fields: &[(&str, &[(&str, &str)])]) -> Vec<u8> {
        let mut content = [word("producers"), vec![fields.len() as u8]].concat();
        for (field, values) in fields {
            content.extend([word(field), vec![values.len() as u8]].concat());
            content.extend(values.iter().flat_map(|(name, version)| [word(name), word(version)].concat()));
        }
        section(0, &content)
    }

    fn module(sections: &[&[u8]]) -> Vec<u8> {
        section(1, &[MODULE, &sections.concat()].concat())
    }

    fn named(name: &str) -> Vec<u8> {
        section(0, &[word("name"), vec![0, name.len() as u8 + 1], word(name)].concat())
    }

    fn of(parts: &[&[u8]]) -> (String, String) {
        let Producers { languages, tools } = Producers::of(&[COMPONENT, &parts.concat()].concat());
        (languages.join("|"), tools.join("|"))
    }

    #[test]
    fn what_is_told() {
        let rust = producers(&[
            ("language", &[("C11", ""), ("Rust", "")]),
            ("processed-by", &[("rustc", "1.95.0")]),
        ]);
        let adapter = module(&[&named("wit-component:adapter:wasi_snapshot_preview1"), &rust]);
        let go = producers(&[("language", &[("Go", "go1.26")])]);
        let linker = producers(&[("processed-by", &[("wit-component", "0.245.1"), ("rustc", "1.95.0")])]);
        let long = producers(&[("sdk", &[(&"x".repeat(100), "a\u{7}b")])]);
        let nested = section(4, &[COMPONENT, &module(&[&rust])].concat());
        type Parts<'a> = &'a [&'a [u8]];
        let cases: [(&str, Parts<'_>, (&str, &str)); 8] = [
            ("nothing", &[], ("", "")),
            ("a module of Rust over a libc of C", &[&module(&[&rust])], ("Rust|C11", "rustc 1.95.0")),
            (
                "each tool once",
                &[&module(&[&rust]), &linker],
                ("Rust|C11", "rustc 1.95.0|wit-component 0.245.1"),
            ),
            ("an adapter is not the program", &[&adapter, &module(&[&named("main"), &go])], ("Go", "")),
            ("a component in it", &[&nested], ("Rust|C11", "rustc 1.95.0")),
            ("control characters", &[&module(&[&long])], ("", &format!("{} ab", "x".repeat(100)))),
            ("other custom sections", &[&section(0, &word("dwarf"))], ("", "")),
            ("modules are no part of modules", &[&module(&[&module(&[&rust])])], ("", "")),
        ];
        for (what, parts, (languages, tools)) in cases {
            assert_eq!(of(parts), (languages.to_owned(), tools.to_owned()), "{what}");
        }
    }

    #[test]
    fn broken_bytes_tell_what_they_can_and_end() {
        let rust = producers(&[("language", &[("Rust", "")])]);
        let whole = [COMPONENT, &module(&[&rust]), &rust].concat();
        for end in 0..whole.len() {
            assert!(Producers::of(&whole[..end]).languages.len() <= 1);
        }
        let many = producers(&[("language", &[("a", ""); 100])]);
        assert_eq!(of(&[&many]).0, "a");
        let endless = [COMPONENT, &[0, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
        assert_eq!(Producers::of(&endless), Producers::default());
        let mut deep = [COMPONENT, &rust].concat();
        for _ in 0..DEPTH {
            deep = [COMPONENT, &section(4, &deep)].concat();
        }
        assert_eq!(Producers::of(&deep), Producers::default());
    }
}
