//! Plugins that break, hang, leave something behind or say too much.

use super::*;

#[tokio::test]
async fn what_a_broken_plugin_does_is_named() {
    for (plugin, exec, code, words) in [
        ("#!/bin/sh\n", "", Code::NotConfigured, "exec plugin printed nothing"),
        ("#!/bin/sh\necho hunter2 {\n", "", Code::NotConfigured, "the exec plugin's answer cannot be used"),
        ("#!/bin/sh\necho '{}'\n", "", Code::NotConfigured, "plugin returned version (none)"),
        (
            "#!/bin/sh\nexit 3\n",
            "",
            Code::NotConfigured,
            "plugin failed with exit code 3 (exec plugin of user \"u\")",
        ),
        ("#!/bin/sh\nkill -9 $$\n", "", Code::NotConfigured, "plugin was ended by signal 9"),
        ("#!/no/such/shell\n", "", Code::NotConfigured, "cannot be started"),
        ("#!/bin/sh\nyes hunter2\n", "", Code::TooLarge, "printed more than 1048576 bytes, the cap"),
        ("#!/bin/sh\nsleep 1000\n", "", Code::Timeout, "did not end within 1 s, the deadline for plugins"),
        ("#!/bin/sh\nexec >&-\nsleep 1000\n", "", Code::Timeout, "did not end within 1 s"),
        ("#!/bin/sh\nyes hunter2 >&2\n", "", Code::Timeout, "did not end within 1 s"),
        (
            "#!/bin/sh\n",
            "command: ./gone, installHint: \"see https://corp/\\e[1mhint\"",
            Code::PermissionDenied,
            "run again with --allow-run=",
        ),
        (
            "#!/bin/sh\n",
            "apiVersion: client.authentication.k8s.io/v2",
            Code::NotConfigured,
            "exec plugin: invalid apiVersion",
        ),
    ] {
        let mut stage = Stage::new(believes("never")).await;
        stage.options.plugins.deadline = Duration::from_secs(1);
        stage.plugin(plugin);
        stage.kubeconfig(exec);
        let begin = Instant::now();
        let error = stage.connect().await.expect_err(plugin);
        assert!(begin.elapsed() < Duration::from_secs(10), "{plugin} took {:?}", begin.elapsed());
        assert_eq!(error.code(), code, "{plugin}: {error:?}");
        assert!(error.report().contains(words), "{plugin}: {error:?}");
        assert!(!error.report().contains("hunter2"), "{plugin}: {error:?}");
        assert_eq!(stage.peer.connections(), 0, "{plugin}");
    }
}

#[tokio::test]
async fn what_a_plugin_leaves_behind_keeps_nobody_waiting() {
    for (leaves, kept) in [("sleep 600 &", "both outputs"), ("setsid sleep 600 >/dev/null &", "one of them")]
    {
        let stage = Stage::new(believes("hunter2")).await;
        stage.plugin(&format!(
            "#!/bin/sh\n{leaves}\necho $! >$T/pid\necho '{}'\n",
            answer(r#"{"token":"hunter2"}"#)
        ));
        stage.kubeconfig("args: []");
        let begin = Instant::now();
        stage.connect().await.expect(kept);
        assert!(begin.elapsed() < Duration::from_secs(5), "{kept}: {:?}", begin.elapsed());
        end(&stage.path("pid"));
    }
}

#[tokio::test]
async fn a_plugin_that_is_too_slow_is_ended_with_its_children() {
    let mut stage = Stage::new(believes("never")).await;
    stage.options.plugins.deadline = Duration::from_millis(500);
    stage.plugin("#!/bin/sh\nsleep 600 &\necho $! >$T/pid\nwait\n");
    stage.kubeconfig("args: []");
    assert_eq!(stage.connect().await.expect_err("slow").code(), Code::Timeout);
    let pid = stage.read("pid").trim().to_owned();
    let begin = Instant::now();
    // A zombie has no command line.
    while std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty()) {
        assert!(begin.elapsed() < Duration::from_secs(5), "{pid} lives");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_plugin_says_holds_nothing_that_it_gave() {
    let stage = Stage::new(believes("hunter2")).await;
    stage.plugin(&format!(
        "#!/bin/sh\nprintf 'debug: got hunter2\\n\\033[2Jcleared\\n' >&2\necho '{}'\nprintf 'once more: \"hunter2\"' >&2\n",
        answer(r#"{"token":"hunter2"}"#)
    ));
    stage.kubeconfig("args: []");
    stage.connect().await.expect("connect");
    let heard = stage.heard.lines();
    let said: Vec<&str> = heard.iter().filter_map(|line| line.strip_prefix("plugin: ")).collect();
    assert_eq!(said, ["debug: got <redacted>", "\u{fffd}[2Jcleared", "once more: \"<redacted>\""]);
    assert!(!heard.iter().any(|line| line.contains("hunter2")), "{heard:?}");
}
