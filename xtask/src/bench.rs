//! Hands over to `bench/`, a workspace of its own: its peers' features must not leak into ours.

use std::path::Path;
use std::process::ExitCode;

use crate::say::{self, Failure};
use crate::{build, dist, places};

/// The one work that is no comparison: a program of its own, which embeds tidegate, measures it.
const TOGETHER: &str = "500 guests, one cache";

/// `cargo xtask bench [--quick] [--json FILE] [WORK …]`.
pub(crate) fn run(words: &[&str]) -> Result<ExitCode, Failure> {
    let programs = dist::shipped()?;
    let guests = build::guests(&["--workspace"])?;
    let Asked { compared, together } = Asked::read(words);
    let mut all_well = true;
    if let Some(words) = compared {
        all_well &= program("bench", &words, &programs, &guests)?;
    }
    if let Some(words) = together {
        say::step(TOGETHER);
        all_well &= program("bench-together", &words, &programs, &guests)?;
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds and runs a program of `bench/`; whether it ended well.
fn program(name: &str, words: &[&str], programs: &Path, guests: &Path) -> Result<bool, Failure> {
    let mut cargo = places::cargo();
    cargo
        .current_dir(places::root().join("bench"))
        .env("CARGO_TARGET_DIR", places::cache().join("target-bench"));
    cargo.args(["run", "--quiet", "--release", "--locked", "--bin", name, "--"]).args(words);
    cargo.env("TIDEGATE_PROGRAMS", programs).env("TIDEGATE_GUESTS", guests);
    Ok(say::status(&mut cargo)?.success())
}

/// What each of both programs is told; none where it has nothing to do.
#[derive(Debug, PartialEq, Eq)]
struct Asked<'a> {
    compared: Option<Vec<&'a str>>,
    together: Option<Vec<&'a str>>,
}

impl<'a> Asked<'a> {
    fn read(words: &[&'a str]) -> Self {
        let (mut flags, mut works, mut json) = (Vec::new(), Vec::new(), Vec::new());
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            match word {
                "--json" => {
                    json = [word].into_iter().chain(words.next()).collect();
                    flags.extend(&json);
                }
                flag if flag.starts_with('-') => flags.push(flag),
                work => works.push(work),
            }
        }
        let (own, others): (Vec<&str>, Vec<&str>) =
            works.into_iter().partition(|work| TOGETHER.contains(work));
        let everything = own.is_empty() && others.is_empty();
        let helps = flags.iter().any(|flag| matches!(*flag, "-h" | "--help"));
        Asked {
            compared: (everything || !others.is_empty()).then(|| [flags, others].concat()),
            together: ((everything || !own.is_empty()) && !helps).then_some(json),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn works_go_to_the_program_that_does_them() {
        let none: &[&str] = &[];
        for (words, compared, together) in [
            (none, Some(none), Some(none)),
            (&["--quick", "--json", "f"], Some(&["--quick", "--json", "f"][..]), Some(&["--json", "f"][..])),
            (&["one cache", "--quick"], None, Some(none)),
            (&["list 10,000"], Some(&["list 10,000"]), None),
            (&["GET", "500 guests"], Some(&["GET"]), Some(none)),
            (&["--help"], Some(&["--help"]), None),
        ] {
            let wanted =
                Asked { compared: compared.map(<[_]>::to_vec), together: together.map(<[_]>::to_vec) };
            assert_eq!(Asked::read(words), wanted, "{words:?}");
        }
    }
}
