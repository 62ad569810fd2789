//! What a YAML scalar is: text, number, bool or null.
//!
//! kubectl reads YAML 1.1 with go-yaml v2 (`resolve.go`), so a plain `yes` is a bool and `0o17`, `017` and `1_5` are
//! numbers; base-60 numbers and dates stay text.

use serde_json::Number;
use zeroize::Zeroizing;

use super::yaml::{Fault, Value};

/// Types a scalar.
pub(crate) fn resolve(text: Zeroizing<String>, plain: bool, tag: Tag<'_>) -> Result<Value, Fault> {
    let value = match tag {
        Tag::None if plain => infer(&text)?,
        Tag::Core("binary") => {
            let bytes = super::decode::base64(&text).ok_or(Fault::Tag)?;
            Some(Value::Text(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())))
        }
        Tag::Core(name @ ("null" | "bool" | "int" | "float" | "timestamp")) => {
            let value = infer(&text)?;
            let fits = match (name, &value) {
                ("null", Some(Value::Null)) | ("bool", Some(Value::Bool(_))) | ("timestamp", None) => true,
                ("int", Some(Value::Number(number))) => !number.is_f64(),
                ("float", Some(Value::Number(_))) => true,
                _ => false,
            };
            if fits { value } else { return Err(Fault::Tag) }
        }
        Tag::None | Tag::Foreign | Tag::Core(_) => None,
    };
    Ok(value.unwrap_or(Value::Text(text)))
}

/// A scalar's tag.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tag<'a> {
    /// There is none.
    None,
    /// `!!name`.
    Core(&'a str),
    /// `!name`, `!`, or a tag of someone else: the scalar is text.
    Foreign,
}

/// `None` where it is text.
fn infer(text: &str) -> Result<Option<Value>, Fault> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(Value::Bool(true))
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Value::Bool(false))
        }
        // JSON, through which kubectl goes, has neither.
        ".nan" | ".NaN" | ".NAN" => return Err(Fault::NotJson),
        _ if matches!(text.strip_prefix(['+', '-']).unwrap_or(text), ".inf" | ".Inf" | ".INF") => {
            return Err(Fault::NotJson);
        }
        _ => number(text).map(Value::Number),
    })
}

fn number(text: &str) -> Option<Number> {
    match text.as_bytes().first()? {
        b'.' => float(text),
        b'0'..=b'9' | b'+' | b'-' => {
            let plain = text.replace('_', "");
            integer(&plain).or_else(|| float(&plain))
        }
        _ => None,
    }
}

/// As Go's `ParseInt(text, 0, 64)`, then `ParseUint`.
fn integer(text: &str) -> Option<Number> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("+", &text[1..]),
        _ => ("", text),
    };
    let prefix = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match prefix.as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        Some(_) if digits.starts_with('0') => (8, &digits[1..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    if let Ok(value) = i64::from_str_radix(&format!("{}{digits}", if sign == "-" { "-" } else { "" }), radix)
    {
        return Some(value.into());
    }
    if sign.is_empty() { u64::from_str_radix(digits, radix).ok().map(Number::from) } else { None }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, finite.
fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let whole = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    if !whole || !exponent.is_none_or(digits) {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each row was put through `sigs.k8s.io/yaml` v1.6 `YAMLToJSON`.
    #[test]
    fn plain_scalars_are_typed_as_go_yaml_does() {
        for (text, json) in [
            ("abc", "\"abc\""),
            ("12345", "12345"),
            ("-7", "-7"),
            ("+7", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("017", "15"),
            ("08", "8"),
            ("0b101", "5"),
            ("1_000", "1000"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e3", "1000"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e400", "\"1e400\""),
            ("0x", "\"0x\""),
            ("1.2.3", "\"1.2.3\""),
            ("12:30:45", "\"12:30:45\""),
            ("2024-01-01", "\"2024-01-01\""),
            ("-", "\"-\""),
            (".", "\".\""),
            ("yes", "true"),
            ("Off", "false"),
            ("y", "true"),
            ("yEs", "\"yEs\""),
            ("~", "null"),
            ("NULL", "null"),
            ("nULL", "\"nULL\""),
            ("1__0", "10"),
        ] {
            let value = resolve(text.to_owned().into(), true, Tag::None).expect(text);
            assert_eq!(serde_json::to_string(&value).expect("json"), json, "{text}");
        }
        for text in [".nan", ".inf", "-.Inf", "+.INF"] {
            assert_eq!(
                resolve(text.to_owned().into(), true, Tag::None).err(),
                Some(Fault::NotJson),
                "{text}"
            );
        }
    }

    #[test]
    fn quotes_and_tags_decide_first() {
        for (text, plain, tag, json) in [
            ("12345", false, Tag::None, Some("\"12345\"")),
            ("yes", false, Tag::None, Some("\"yes\"")),
            ("12345", true, Tag::Core("str"), Some("\"12345\"")),
            ("3", false, Tag::Core("int"), Some("3")),
            ("3", true, Tag::Core("float"), Some("3")),
            ("x", true, Tag::Core("int"), None),
            ("1", true, Tag::Foreign, Some("\"1\"")),
            ("aGk=", true, Tag::Core("binary"), Some("\"hi\"")),
            ("*", true, Tag::Core("binary"), None),
        ] {
            let value = resolve(text.to_owned().into(), plain, tag)
                .ok()
                .map(|v| serde_json::to_string(&v).expect("json"));
            assert_eq!(value.as_deref(), json, "{text}");
        }
    }
}
