//! Flags as a person would paste them into a shell, and lists as a flag carries them.

use std::ffi::OsStr;

/// `flag=value` as one shell word. A comma in the value is doubled, so that the flag's parser gives it back.
///
/// Quotes where bash, zsh, fish or dash would see anything but a plain word; a control or non-UTF-8 byte, and a mark that reorders
/// or breaks lines of text, becomes an escape in `$'…'`, so that printing the flag never writes it to a terminal.
pub(crate) fn flag(flag: &str, value: &OsStr) -> String {
    let mut word = format!("{flag}=").into_bytes();
    for &byte in value.as_encoded_bytes() {
        word.push(byte);
        if byte == b',' {
            word.push(byte);
        }
    }
    if word.iter().all(|byte| is_plain(*byte)) {
        return String::from_utf8_lossy(&word).into_owned();
    }
    match String::from_utf8(word) {
        Ok(word) if !word.chars().any(is_unseen) => format!("'{}'", word.replace('\'', r"'\''")),
        Ok(word) => ansi(word.as_bytes()),
        Err(error) => ansi(error.as_bytes()),
    }
}

/// Splits a flag's value at single commas; a doubled comma is one comma of a value.
pub(crate) fn split_list(list: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        let last = values.last_mut().expect("the list starts with one value");
        if character != ',' {
            last.push(character);
        } else if characters.next_if_eq(&',').is_some() {
            last.push(',');
        } else {
            values.push(String::new());
        }
    }
    values
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte)
}

/// Whether a terminal would do something else with it than show it.
pub(crate) fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn ansi(word: &[u8]) -> String {
    let mut quoted = String::from("$'");
    for &byte in word {
        match byte {
            b'\'' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            0x20..=0x7e => quoted.push(char::from(byte)),
            _ => quoted.push_str(&format!("\\x{byte:02x}")),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn flags_are_quoted_only_where_a_shell_would_read_them_otherwise() {
        for (value, expected) in [
            (&b"10.0.0.1:6443"[..], "--f=10.0.0.1:6443"),
            (b"/etc/a,b", "--f=/etc/a,,b"),
            (b"[::1]:8443", "'--f=[::1]:8443'"),
            (b"/tmp/my config", "'--f=/tmp/my config'"),
            (b"/tmp/it's", r"'--f=/tmp/it'\''s'"),
            (b"/home/~x", "'--f=/home/~x'"),
            (b"/tmp/\x1b[2J", r"$'--f=/tmp/\x1b[2J'"),
            ("/tmp/\u{202e}x".as_bytes(), r"$'--f=/tmp/\xe2\x80\xaex'"),
            ("/tmp/\u{e9}".as_bytes(), "'--f=/tmp/\u{e9}'"),
            (b"/tmp/\xff'", r"$'--f=/tmp/\xff\''"),
        ] {
            assert_eq!(flag("--f", OsStr::from_bytes(value)), expected);
        }
    }

    #[test]
    fn lists_split_at_single_commas() {
        for (list, expected) in [
            ("a", &["a"][..]),
            ("a,b", &["a", "b"]),
            ("a,,b", &["a,b"]),
            ("a,,,b", &["a,", "b"]),
            ("a,", &["a", ""]),
            ("", &[""]),
        ] {
            assert_eq!(split_list(list), expected, "{list:?}");
        }
    }
}
