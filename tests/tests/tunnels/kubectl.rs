//! The same as kubectl.

use tidegate_tests::{KubectlProxy, Run};

use crate::{NAMESPACE, POD, ended, exec, kubectls, ours};

/// kubectl says what the code was; the code says it too.
fn without_code(stderr: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(stderr).into_owned();
    match text.rfind("command terminated with exit code ") {
        Some(at) => text.as_bytes()[..at].to_vec(),
        None => stderr.to_vec(),
    }
}

#[test]
fn commands_say_and_end_as_with_kubectl() {
    let long = "x".repeat(200_000);
    let cases: [(&[&str], &str); 14] = [
        (&["echo", "hello"], ""),
        (&["true"], ""),
        (&["false"], ""),
        (&["sh", "-c", "echo out; echo err >&2; exit 7"], ""),
        (&["sh", "-c", "exit 255"], ""),
        (&["sh", "-c", "kill -9 $$"], ""),
        (&["sh", "-c", "echo error: mine >&2; exit 1"], ""),
        (&["sh", "-c", "printf 'no line end' >&2; exit 9"], ""),
        (&["sh", "-c", "echo 'command terminated with exit code 5' >&2"], ""),
        (&["printf", "%s|", "a b", "&=?#%", "ü\n", "", "--flag", "$HOME"], ""),
        (&["cat"], "through\nand to the end"),
        (&["cat"], &long),
        (&["sh", "-c", "head -c 3; exit 4"], &long),
        (&["sh", "-c", "wc -c; head -c 300000 /dev/zero"], &long),
    ];
    for (command, stdin) in cases {
        let mut arguments = vec!["-c", "web", POD, "--"];
        if !stdin.is_empty() {
            arguments.insert(0, "-i");
        }
        arguments.extend(command);
        let theirs = kubectls("exec", &arguments, stdin.into());
        for via in ["KubeConfig", "KubectlRaw"] {
            let run = exec(via).arguments(&["-n", NAMESPACE]).arguments(&arguments);
            let found = ours(&run, stdin.into());
            assert_eq!(found.code, theirs.code, "{via} {command:?}: {}", found.text());
            assert!(found.stdout == theirs.stdout, "{via} {command:?}: {}\n{}", found.text(), theirs.text());
            let (ours, theirs) = (without_code(&found.stderr), without_code(&theirs.stderr));
            let [ours, theirs] = [ours, theirs].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            assert_eq!(ours, theirs, "{via} {command:?}");
        }
    }
}

#[test]
fn what_cannot_run_is_a_typed_error() {
    for (arguments, kube_config, kubectl_raw) in [
        (&["nobody", "--", "ls"][..], "pods \"nobody\" not found (404 NotFound)", "not found (404 NotFound)"),
        (
            &["-c", "nope", POD, "--", "ls"],
            "container nope is not valid for pod web (400 BadRequest)",
            "container nope",
        ),
        (&["-n", "nowhere", POD, "--", "ls"], "(404 NotFound)", "(404 NotFound)"),
        (&["-c", "web", "a/b", "--", "ls"], "\"a/b\" is no name of a pod", "\"a/b\" is no name of a pod"),
    ] {
        for (via, words) in [("KubeConfig", kube_config), ("KubectlRaw", kubectl_raw)] {
            let run = exec(via).arguments(&["-n", NAMESPACE]).arguments(arguments);
            let found = ours(&run, Vec::new());
            assert_eq!(found.code, Some(1), "{via} {arguments:?}: {}", found.text());
            let said = String::from_utf8_lossy(&found.stderr).into_owned();
            assert!(said.contains(words), "{via} {arguments:?}: {said}");
        }
    }
    // Where no program is: kubectl's code, and no words of a shell.
    let theirs = kubectls("exec", &["-c", "web", POD, "--", "/no/such/program"], Vec::new());
    let run = exec("KubeConfig").arguments(&["-n", NAMESPACE, "-c", "web", POD, "--", "/no/such/program"]);
    assert_eq!(ours(&run, Vec::new()).code, theirs.code, "{}", theirs.text());
}

#[test]
fn what_kubectl_cannot_do_for_us_is_refused_beforehand() {
    for (arguments, words) in [
        (&["-t", "-c", "web", POD, "--", "ls"][..], "cannot do this (terminal)"),
        (&["-c", "web", "--attach", POD], "cannot do this (attach)"),
    ] {
        let run = exec("KubectlRaw").flag("--verbose").arguments(&["-n", NAMESPACE]).arguments(arguments);
        let found = ours(&run, Vec::new());
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(found.code == Some(1) && said.contains(words), "{arguments:?}: {}", found.text());
        assert!(!said.contains("kubectl exec"), "{said}");
    }
}

/// The terminal is as wide as it is told to be, and says it as through kubectl on a terminal of that size.
#[test]
fn a_terminal_has_the_size_that_it_was_told() {
    const SCRIPT: &str = "sleep 0.5; stty size; tty | cut -d/ -f1-3; echo both >&2; exit 6";
    let run = exec("KubeConfig").arguments(&[
        "-n",
        NAMESPACE,
        "--size=100x30",
        "-c",
        "web",
        POD,
        "--",
        "sh",
        "-c",
        SCRIPT,
    ]);
    let found = ours(&run, Vec::new());
    assert_eq!(String::from_utf8_lossy(&found.stdout), "30 100\r\n/dev/pts\r\nboth\r\n", "{}", found.text());
    assert_eq!((found.code, found.stderr.len()), (Some(6), 0));

    let mut kubectl = crate::cluster().kubectl();
    let line = |kubectl: &std::process::Command| {
        let words: Vec<String> = std::iter::once(kubectl.get_program())
            .chain(kubectl.get_args())
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")))
            .collect();
        words.join(" ")
    };
    kubectl.args(["-n", NAMESPACE, "exec", "-it", "-c", "web", POD, "--", "sh", "-c", SCRIPT]);
    // On a terminal of that size.
    let mut script = std::process::Command::new("script");
    let within = format!("stty rows 30 cols 100; {}", line(&kubectl));
    script.args(["-qec", &within, "/dev/null"]);
    script.envs(kubectl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let theirs = ended(script, Vec::new());
    let seen = String::from_utf8_lossy(&theirs.stdout).into_owned();
    assert!(seen.contains("30 100\r\n/dev/pts\r\nboth\r\n"), "{}", theirs.text());
    assert_eq!(theirs.code, found.code);
}

/// `kubectl proxy` refuses exec unless it is told not to.
#[test]
fn through_kubectl_proxy_where_it_lets() {
    for (flags, code, words) in [(&[][..], 1, "403 Forbidden"), (&["--reject-paths=^/never$"], 7, "")] {
        let proxy = KubectlProxy::start_with(&crate::cluster().kubectl(), flags);
        let run = Run::guest("exec")
            .flag("--transports=KubectlProxy")
            .flag(format!("--kubectl-proxy={}", proxy.url()))
            .flag(format!("--allow-net={}", proxy.address()))
            .arguments(&["-n", NAMESPACE, "-i", "-c", "web", POD, "--", "sh", "-c", "cat; exit 7"]);
        let found = ours(&run, b"through".to_vec());
        let said = String::from_utf8_lossy(&found.stderr).into_owned();
        assert!(found.code == Some(code) && said.contains(words), "{flags:?}: {}", found.text());
        assert_eq!(found.stdout == b"through", code == 7, "{flags:?}: {}", found.text());
    }
}

#[test]
fn attach_shows_what_a_container_writes_from_now_on() {
    // To the end of standard input, which is the program's.
    let typed = b"one\ntwo\n".to_vec();
    let theirs = kubectls("attach", &["-i", "-c", "web", POD], typed.clone());
    let run = exec("KubeConfig").arguments(&["-n", NAMESPACE, "-i", "-c", "web", "--attach", POD]);
    let found = ours(&run, typed);
    assert_eq!(String::from_utf8_lossy(&found.stdout), "heard one\nheard two\n", "{}", found.text());
    assert_eq!(String::from_utf8_lossy(&found.stderr), "one\ntwo\n");
    assert_eq!((found.stdout, found.code), (theirs.stdout, theirs.code));
    // Of a program that nobody types to.
    let run = exec("KubeConfig").arguments(&["-n", NAMESPACE, "-c", "side", "--attach", POD]);
    let found = ours(&run, Vec::new());
    let numbers: String = (1..=1000).map(|number| format!("{number}\n")).collect();
    assert_eq!((String::from_utf8_lossy(&found.stdout).into_owned(), found.code), (numbers, Some(0)));
}
