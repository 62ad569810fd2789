//! What is wrong with a field, in the words of `k8s.io/apimachinery/pkg/util/validation/field`.

use serde_json::{Value, json};

/// One field that is not as it must be; a 422 lists them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    reason: &'static str,
    field: String,
    message: String,
}

impl Violation {
    /// The value is not allowed there.
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Violation {
        Violation::new("FieldValueInvalid", field, format!("Invalid value: {value}: {detail}"))
    }

    /// The field must be there.
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Violation {
        let message =
            if detail.is_empty() { "Required value".into() } else { format!("Required value: {detail}") };
        Violation::new("FieldValueRequired", field, message)
    }

    /// The field must not be there, or must not be changed.
    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Violation {
        Violation::new("FieldValueForbidden", field, format!("Forbidden: {detail}"))
    }

    /// The value is none of those that are allowed.
    pub(crate) fn unsupported(field: impl Into<String>, value: &Value, allowed: &[Value]) -> Violation {
        let allowed = allowed.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
        Violation::new(
            "FieldValueNotSupported",
            field,
            format!("Unsupported value: {value}: supported values: {allowed}"),
        )
    }

    /// The value occurs twice.
    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Violation {
        Violation::new("FieldValueDuplicate", field, format!("Duplicate value: {value}"))
    }

    /// The value is of another type.
    pub(crate) fn wrong_type(field: impl Into<String>, value: &str, detail: &str) -> Violation {
        Violation::new("FieldValueTypeInvalid", field, format!("Invalid value: \"{value}\": {detail}"))
    }

    fn new(reason: &'static str, field: impl Into<String>, message: String) -> Violation {
        Violation { reason, field: field.into(), message }
    }

    /// `spec.containers: Required value`
    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }

    /// As an entry of `details.causes`.
    pub(crate) fn cause(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }
}

/// Whether `text` is a lowercase RFC 1123 label: 63 characters of `a-z0-9-`, no dash at an end.
pub(crate) fn is_dns_label(text: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|c| inner(*c))
        && bytes.first() != Some(&b'-')
        && bytes.last() != Some(&b'-')
}

/// Whether `text` is a lowercase RFC 1123 subdomain: dotted labels, 253 characters.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_as_rfc_1123_says() {
        let long = "a".repeat(64);
        let cases = [
            ("a", true, true),
            ("a-b0", true, true),
            ("0a", true, true),
            ("a.b", false, true),
            ("", false, false),
            ("-a", false, false),
            ("a-", false, false),
            ("A", false, false),
            ("a..b", false, false),
            ("a_b", false, false),
            (long.as_str(), false, true),
        ];
        for (text, label, subdomain) in cases {
            assert_eq!((is_dns_label(text), is_dns_subdomain(text)), (label, subdomain), "{text}");
        }
    }
}
