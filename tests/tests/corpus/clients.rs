//! The two clients, each against a recorder of its own.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tidegate_tests::{Recorder, Run};

use crate::case::Case;
use crate::outcome::{Outcome, Said};
use crate::template::Place;

/// A plugin that hangs would hang kubectl for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// `kubectl get pods`.
pub(crate) fn kubectl(case: &Case) -> Outcome {
    let recorder = Recorder::start();
    let place = Place::new(case, &recorder);
    let mut command = Command::new(tidegate_tests::kubectl());
    command.env_clear().envs(environment(case, &place)).current_dir(place.path());
    command.env("KUBERC", "off").env("KUBECACHEDIR", place.path().join("kubectl-cache"));
    command.args(["get", "pods"]).args(case.flags.iter().map(|flag| place.fill_text(flag)));
    let stderr = stderr_of(&mut command);
    Outcome::of(&recorder, &place, Said::Kubectl(&stderr))
}

/// A guest that asks for the pods of its default namespace, with no more grants than the case needs; and the doctor, who is to find the same.
pub(crate) fn tidegate(case: &Case) -> Result<Outcome, String> {
    let recorder = Recorder::start();
    let place = Place::new(case, &recorder);
    let guest = run(Run::guest("ask"), case, &place);
    let guest =
        guest.argument("--via").argument("kube-config").argument("/api/v1/namespaces/{namespace}/pods").run();
    let (out, err) = (guest.stdout.clone(), guest.stderr.clone());
    let error = out.lines().find_map(|line| line.strip_prefix("error "));
    let outcome = Outcome::of(&recorder, &place, Said::Tidegate(error.unwrap_or_default()));
    if error.is_none() && guest.code() != 0 {
        return Err(format!("tidegate ended with {}: {err}", guest.code()));
    }
    let doctor = run(Run::command("doctor"), case, &place).run();
    let reached = error.is_none();
    if (doctor.code() == 0) != reached {
        return Err(format!("the doctor says otherwise than {outcome}: {}{}", doctor.stdout, doctor.stderr));
    }
    let told = [out, err, doctor.stdout, doctor.stderr].concat();
    for secret in outcome.secrets(&recorder) {
        if told.contains(&secret) {
            return Err(format!("{secret} is told: {told}"));
        }
    }
    Ok(outcome)
}

fn run(run: Run, case: &Case, place: &Place) -> Run {
    let servers = place.fill_text("{{host}},{{given}},{{plain}},{{host6}}");
    let run = run
        .flag("--transports=KubeConfig")
        .flag("--allow-env=KUBECONFIG,HOME")
        .flag_path("--allow-read", &place.path())
        .flag(format!("--allow-net={servers}"))
        .folder(&place.path())
        .deadline(PATIENCE);
    let flags = case.grant.iter().chain(&case.flags).map(|flag| place.fill_text(flag));
    let run = flags.fold(run, Run::flag);
    environment(case, place).into_iter().fold(run, |run, (name, value)| run.variable(&name, value))
}

/// The same for both.
fn environment(case: &Case, place: &Place) -> Vec<(String, String)> {
    let dir = place.path().display().to_string();
    let mut all = vec![
        ("HOME".to_owned(), format!("{dir}/home")),
        ("PATH".to_owned(), format!("{dir}/bin:/usr/bin:/bin")),
    ];
    match case.kubeconfig.as_deref() {
        None => all.push(("KUBECONFIG".to_owned(), format!("{dir}/config"))),
        Some("") => {}
        Some(list) => all.push(("KUBECONFIG".to_owned(), place.fill_text(list))),
    }
    let own = case.env.iter().map(|variable| variable.split_once('=').unwrap());
    all.extend(own.map(|(name, value)| (name.to_owned(), place.fill_text(value))));
    all
}

fn stderr_of(command: &mut Command) -> String {
    let file = tempfile::tempfile().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let end = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let mut text = String::new();
    use std::io::{Read as _, Seek as _};
    let mut file = file;
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}
