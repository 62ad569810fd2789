//! What identifies one object: four strings at its beginning.

/// The four members of `metadata`, as they stand between their quotes. What is missing is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Identity<'a> {
    /// `metadata.name`
    pub name: &'a [u8],
    /// `metadata.namespace`
    pub namespace: &'a [u8],
    /// `metadata.uid`
    pub uid: &'a [u8],
    /// `metadata.resourceVersion`
    pub resource_version: &'a [u8],
}

/// One line of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// `ADDED`, `MODIFIED`, …
    pub event_type: &'a [u8],
    /// Of the object.
    pub identity: Identity<'a>,
}

/// Reads as much of an object as its identity needs. None if it has no `metadata`.
pub fn identity(object: &[u8]) -> Option<Identity<'_>> {
    Reader { rest: object }.identity()
}

/// Reads one line of a watch. None if it is no event.
pub fn event(line: &[u8]) -> Option<Event<'_>> {
    let mut reader = Reader { rest: line };
    let mut event_type = None;
    let mut identity = None;
    reader.open()?;
    while let Some(key) = reader.key() {
        match key {
            b"type" => event_type = Some(reader.string()?),
            // API servers write the type first: then nothing behind the identity needs to be read.
            b"object" if event_type.is_some() => {
                identity = Some(reader.identity()?);
                break;
            }
            b"object" => {
                let object = reader.value()?;
                identity = Some(Reader { rest: object }.identity()?);
            }
            _ => drop(reader.value()?),
        }
    }
    Some(Event { event_type: event_type?, identity: identity? })
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Leaves the rest of the object unread.
    fn identity(&mut self) -> Option<Identity<'a>> {
        self.open()?;
        loop {
            if self.key()? == b"metadata" {
                return self.metadata();
            }
            self.value()?;
        }
    }

    fn metadata(&mut self) -> Option<Identity<'a>> {
        let mut identity = Identity::default();
        let mut missing = 4;
        self.open()?;
        while let Some(key) = self.key() {
            let member = match key {
                b"name" => &mut identity.name,
                b"namespace" => &mut identity.namespace,
                b"uid" => &mut identity.uid,
                b"resourceVersion" => &mut identity.resource_version,
                _ => {
                    self.value()?;
                    continue;
                }
            };
            *member = self.string()?;
            missing -= 1;
            if missing == 0 {
                break;
            }
        }
        Some(identity)
    }

    fn open(&mut self) -> Option<()> {
        self.rest = self.rest.trim_ascii_start().strip_prefix(b"{")?;
        Some(())
    }

    /// The next key, its colon read. None at the end of the object.
    fn key(&mut self) -> Option<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        self.rest = self.rest.strip_prefix(b",").unwrap_or(self.rest);
        let key = self.string()?;
        self.rest = self.rest.trim_ascii_start().strip_prefix(b":")?;
        Some(key)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.trim_ascii_start().strip_prefix(b"\"")?;
        let mut end = 0;
        loop {
            match text.get(end)? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        self.rest = &text[end + 1..];
        Some(&text[..end])
    }

    /// Any value, as it stands.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        let begin = self.rest;
        let mut depth = 0_u32;
        loop {
            match self.rest.first()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.rest = &self.rest[1..];
                }
                b'}' | b']' if depth == 0 => break,
                b'}' | b']' => {
                    depth -= 1;
                    self.rest = &self.rest[1..];
                }
                b',' if depth == 0 => break,
                _ => self.rest = &self.rest[1..],
            }
        }
        Some(&begin[..begin.len() - self.rest.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(object: &str) -> Option<[String; 4]> {
        let found = identity(object.as_bytes())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Some([found.name, found.namespace, found.uid, found.resource_version].map(text))
    }

    #[test]
    fn identities() {
        for (object, wanted) in [
            (
                r#"{"metadata":{"name":"a","namespace":"b","uid":"c","resourceVersion":"4","labels":{"name":"x"}}}"#,
                Some(["a", "b", "c", "4"]),
            ),
            (
                r#" { "spec":{"metadata":{"name":"no"},"l":[{"uid":"]}"}]}, "n":1, "metadata" : { "labels":{"uid":"x\"}"}, "name" : "a" } } "#,
                Some(["a", "", "", ""]),
            ),
            (r#"{"metadata":{}}"#, Some(["", "", "", ""])),
            (r#"{"kind":"Status"}"#, None),
            (r#"{"metadata":{"name":"a"#, None),
            (r#"{"metadata":{"name":7}}"#, None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(read(object), wanted.map(|words| words.map(str::to_owned)), "{object}");
        }
    }

    #[test]
    fn events() {
        let wanted = Identity { name: b"a", ..Identity::default() };
        for line in [
            r#"{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"a"},"spec":{}}}"#,
            r#"{"object":{"kind":"Pod","metadata":{"name":"a"},"spec":{}},"type":"ADDED"}"#,
        ] {
            assert_eq!(
                event(line.as_bytes()),
                Some(Event { event_type: b"ADDED", identity: wanted }),
                "{line}"
            );
        }
        for line in
            [r#"{"type":"ADDED"}"#, r#"{"object":{"metadata":{}}}"#, r#"{"type":"ADDED","object":7}"#, "x"]
        {
            assert_eq!(event(line.as_bytes()), None, "{line}");
        }
    }
}
