//! The query of a request.

use super::status::{Answer, Failure};

/// Name and value pairs, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads what stands after the `?`.
    pub(crate) fn parse(text: &str) -> Query {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        });
        Query(pairs.collect())
    }

    /// The first value of that name; an empty one counts as absent, as in the real server.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// Whether a switch is on: `true`, `1`, or named without a value.
    pub(crate) fn flag(&self, name: &str) -> bool {
        let named = self.0.iter().find(|(found, _)| found == name);
        named.is_some_and(|(_, value)| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"))
    }

    /// A number.
    ///
    /// # Errors
    /// 400 where it is none.
    pub(crate) fn number(&self, name: &str) -> Answer<Option<i64>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                Failure::bad_request(format!("strconv.ParseInt: parsing \"{text}\": invalid syntax"))
            })
        };
        self.get(name).map(parse).transpose()
    }

    /// Whether the write is only to be tried; `options` names the options in a refusal.
    ///
    /// # Errors
    /// 422 for anything but `All`.
    pub(crate) fn dry_run(&self, options: &str) -> Answer<bool> {
        match self.get("dryRun") {
            None => Ok(false),
            Some("All") => Ok(true),
            Some(other) => {
                use serde_json::json;
                let field = "dryRun";
                let violation = crate::kinds::Violation::unsupported(field, &json!([other]), &[json!("All")]);
                Err(Failure::invalid_options(options, &[violation]))
            }
        }
    }
}

/// Undoes percent encoding; what is not UTF-8 is replaced.
pub(crate) fn decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db%2Cc&watch&limit=5&x=a+b&bad=%zz&allow=false&empty=");
        assert_eq!(query.get("labelSelector"), Some("a=b,c"));
        assert_eq!(query.get("x"), Some("a b"));
        assert_eq!(query.get("bad"), Some("%zz"));
        assert_eq!(query.get("empty"), None);
        assert!(query.flag("watch") && !query.flag("allow") && !query.flag("missing"));
        assert_eq!(query.number("limit").unwrap(), Some(5));
        assert_eq!(query.number("x").unwrap_err().code, 400);
    }
}
