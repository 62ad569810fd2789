//! The command line.

use std::path::PathBuf;

use crate::Failure;
use crate::work::WORKS;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
cargo xtask bench [--quick] [--json FILE] [WORK …]

  --quick      fewer repetitions, and no kubectl where it takes ten seconds: two to three minutes in all
  --json FILE  one object a line: {work, unit, ours, peer, theirs, ratio, ours_rss_mb, theirs_rss_mb}
  WORK         only works whose names contain one of these words, such as 'GET' or 'list 10,000'";

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) pace: Pace,
    pub(crate) json: Option<PathBuf>,
    works: Vec<String>,
}

/// How many repetitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    #[default]
    Thorough,
    Quick,
}

impl Options {
    /// None where help was asked for.
    pub(crate) fn parse(words: &[String]) -> Result<Option<Options>, Failure> {
        let mut options = Options::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--quick" => options.pace = Pace::Quick,
                "--json" => options.json = Some(words.next().ok_or("--json needs a FILE")?.into()),
                flag if flag.starts_with('-') => return Err(format!("unknown flag {flag}\n\n{HELP}").into()),
                work => options.works.push(work.to_owned()),
            }
        }
        for word in &options.works {
            if !WORKS.iter().any(|work| work.name.contains(word.as_str())) {
                let names: Vec<&str> = WORKS.iter().map(|work| work.name).collect();
                return Err(format!("no work is called {word:?}; there are: {}", names.join("; ")).into());
            }
        }
        Ok(Some(options))
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.works.is_empty() || self.works.iter().any(|word| name.contains(word.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Option<Options>, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Options::parse(&words)
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }

    #[test]
    fn words_are_understood_or_refused() {
        assert_eq!(parse(&[]), Ok(Some(Options::default())));
        assert_eq!(parse(&["--quick", "-h"]), Ok(None));
        let wanted = Options { pace: Pace::Quick, json: Some("x".into()), works: vec!["GET".into()] };
        assert_eq!(parse(&["--quick", "--json", "x", "GET"]), Ok(Some(wanted)));
        assert_eq!(parse(&["--json"]), Err("--json needs a FILE".into()));
        assert_eq!(parse(&["--fast"]), Err("unknown flag --fast".into()));
        assert!(parse(&["dance"]).is_err());
    }

    #[test]
    fn works_are_chosen_by_a_part_of_their_name() {
        let options = parse(&["10,000"]).ok().flatten().unwrap_or_default();
        let chosen: Vec<&str> =
            WORKS.iter().map(|work| work.name).filter(|name| options.wants(name)).collect();
        assert_eq!(chosen, ["list 10,000 pods"]);
    }
}
