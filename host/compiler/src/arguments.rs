//! The two flags. tidegate is the only caller, so there is no help to show.

/// What the caller asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// Which settings the machine code is meant for.
    pub(crate) settings: String,
    /// Bytes of address space; default 4 GiB.
    pub(crate) memory_limit: u64,
}

impl Arguments {
    /// Reads the flags after the program's name.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut settings, mut memory_limit) = (None, 4 << 30);
        let mut arguments = arguments;
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--settings" => settings = Some(value()?),
                "--memory-limit" => {
                    let value = value()?;
                    memory_limit =
                        value.parse().map_err(|_| format!("--memory-limit takes bytes, not `{value}`"))?;
                }
                _ => {
                    return Err(format!(
                        "unknown argument `{flag}`; tidegate-compile is started by tidegate"
                    ));
                }
            }
        }
        let settings = settings.ok_or("--settings is missing; tidegate-compile is started by tidegate")?;
        Ok(Self { settings, memory_limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        type Parsed = Result<(&'static str, u64), &'static str>;
        let cases: [(&[&str], Parsed); 6] = [
            (&["--settings", "a"], Ok(("a", 4 << 30))),
            (&["--memory-limit", "5", "--settings", "a"], Ok(("a", 5))),
            (&[], Err("--settings is missing; tidegate-compile is started by tidegate")),
            (&["--settings"], Err("--settings needs a value")),
            (&["--settings", "a", "--memory-limit", "4G"], Err("--memory-limit takes bytes, not `4G`")),
            (&["x.wasm"], Err("unknown argument `x.wasm`; tidegate-compile is started by tidegate")),
        ];
        for (arguments, expected) in cases {
            let parsed = Arguments::parse(arguments.iter().map(ToString::to_string));
            let expected = expected
                .map(|(settings, memory_limit)| Arguments { settings: settings.into(), memory_limit })
                .map_err(str::to_owned);
            assert_eq!(parsed, expected, "{arguments:?}");
        }
    }
}
