//! Kubeconfigs, good and bad: what the real kubectl does with each, and what a guest gets of the same file.
//!
//! A case is a file of `tests/corpus`: see the README there. Both clients meet a [`Recorder`](tidegate_tests::Recorder) of their own; what it
//! wrote down of the request for pods is compared as one line of text. `UPDATE_CORPUS=1` writes what was found into the cases' headers.
//!
//! Covers: A2, A5, A6
// Parts of A1 (but that a token file is read again), A3 (but its cache), A4 (but its refresh) and T4 (but a guest's own documents).

mod case;
mod clients;
mod outcome;
mod template;

use std::path::{Path, PathBuf};

use case::Case;
use libtest_mimic::{Arguments, Failed, Trial};
use outcome::Outcome;

/// No fewer cases than were promised.
const FEWEST: usize = 60;

fn main() {
    let mut arguments = Arguments::from_args();
    // Each case mostly waits for processes to start.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    let cases = case::all(&folder());
    let listed = cases.clone();
    let mut trials = vec![Trial::test("differences_are_documented", move || documented(&listed))];
    trials.extend(cases.into_iter().map(|case| Trial::test(case.name.clone(), move || judge(&case))));
    libtest_mimic::run(&arguments, trials).exit();
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn judge(case: &Case) -> Result<(), Failed> {
    let kubectl = clients::kubectl(case);
    let tidegate = clients::tidegate(case)?;
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        case.update(&folder(), &tidegate, &kubectl);
        return Ok(());
    }
    let mut faults = Vec::new();
    if case.expect.as_deref() != Some(&tidegate.to_string()) {
        faults.push(format!("tidegate: expected {}", case.expect.as_deref().unwrap_or_default()));
    }
    let expected = case.kubectl.as_deref().or(case.expect.as_deref());
    if expected != Some(&kubectl.to_string()) {
        faults.push(format!("kubectl: expected {}", expected.unwrap_or_default()));
    }
    match (tidegate.agrees(&kubectl), &case.differs) {
        (true, Some(_)) => faults.push("the two agree; remove `# differs:`".to_owned()),
        (false, None) => faults.push("the two differ, and no `# differs:` says why".to_owned()),
        _ => {}
    }
    if faults.is_empty() {
        return Ok(());
    }
    Err(format!("{}\ntidegate: {tidegate}\nkubectl:  {kubectl}", faults.join("\n")).into())
}

/// Each difference has a row in the docs with its reason, and no row is left of a case that is gone.
fn documented(cases: &[Case]) -> Result<(), Failed> {
    if cases.len() < FEWEST {
        return Err(format!("{} cases are fewer than {FEWEST}", cases.len()).into());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/kubeconfig.md");
    let text = std::fs::read_to_string(path)?;
    let differing = |case: &Case| Some(format!("| `{}` | {} |", case.name, case.differs.clone()?));
    let expected: Vec<String> = cases.iter().filter_map(differing).collect();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    if rows == expected {
        Ok(())
    } else {
        Err(format!("expected in docs/kubeconfig.md:\n{}", expected.join("\n")).into())
    }
}
