//! Programs: what is found, what it inherits, and how it ends.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidegate_authority::{Authority, Exit, Needs, RunError, RunGrant, Stdio};
use tidegate_grants::{Grants, Kind};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

/// A folder for programs that is all of `PATH`.
struct Programs {
    folder: TempDir,
}

impl Programs {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn script(&self, name: &str, body: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn authority(&self, allow: Option<&str>, deny: Option<&str>) -> Authority {
        let mut builder = Grants::builder();
        builder.allow(Kind::Run, allow).unwrap();
        if deny.is_some() {
            builder.deny(Kind::Run, deny).unwrap();
        }
        let search = format!("relative:{}:/bin:/usr/bin", self.folder.path().display());
        let variables = [
            ("PATH", search.as_str()),
            ("HOME", "/home/u"),
            ("SECRET", "s"),
            ("LD_PRELOAD", "/evil.so"),
            ("DYLD_X", "1"),
        ];
        let variables = variables.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        Authority::from_ambient(builder.build()).with_environment(variables)
    }

    fn granted(&self, allow: Option<&str>, program: &str) -> RunGrant {
        let approved = self.authority(allow, None).approve(&Needs::new().run(program)).unwrap();
        approved.run(program).unwrap()
    }
}

async fn output(command: tidegate_authority::Command) -> (String, Exit) {
    let mut child = command.spawn().unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    let exit = child.wait().await.unwrap();
    (text, exit)
}

#[tokio::test]
async fn a_name_is_looked_up_once_over_path() {
    let programs = Programs::new();
    let path = programs.script("kubectl", "echo first");
    let grant = programs.granted(Some("kubectl"), "kubectl");
    assert_eq!(grant.program().unwrap(), path);
    assert_eq!(output(grant.command().unwrap()).await, ("first\n".into(), Exit::Code(0)));
    // Another program of that name, earlier over PATH or not, changes nothing for this grant.
    fs::remove_file(&path).unwrap();
    assert_eq!(grant.program().unwrap(), path);
    assert!(grant.command().unwrap().spawn().is_err());
}

#[test]
fn a_program_that_is_not_there_is_an_error_of_its_own() {
    let programs = Programs::new();
    fs::write(programs.path("plain"), "no program").unwrap();
    fs::create_dir(programs.path("folder")).unwrap();
    for name in ["no-such-program", "plain", "folder"] {
        let error = programs.granted(None, name).program().unwrap_err();
        assert!(error.is_not_found() && matches!(error, RunError::NotOnPath { .. }), "{name}: {error}");
        assert!(error.to_string().contains("PATH was searched"), "{error}");
    }
    let error = programs.granted(None, "/no/such/program").program().unwrap_err();
    assert!(
        matches!(&error, RunError::NotThere { path } if path == Path::new("/no/such/program")),
        "{error}"
    );
}

#[test]
fn a_name_covers_the_file_found_and_a_path_just_that_file() {
    let programs = Programs::new();
    let path = programs.script("kubectl", "");
    let text = path.to_str().unwrap();
    let other = tempfile::tempdir().unwrap().path().join("kubectl");
    let approve = |allow: &str, program: &str| {
        programs
            .authority(Some(allow), None)
            .approve(&Needs::new().run(program))
            .map(|approved| approved.run(program).unwrap().program().map(Path::to_owned))
    };
    assert_eq!(approve("kubectl", text).unwrap().unwrap(), path);
    assert!(approve("kubectl", other.to_str().unwrap()).is_err());
    assert_eq!(approve(text, "kubectl").unwrap().unwrap(), path);
    assert_eq!(approve(text, text).unwrap().unwrap(), path);
    assert!(approve(other.to_str().unwrap(), text).is_err());
    // Granted by a path where there is nothing: the program of that name elsewhere is not started in its place.
    let error = approve(other.to_str().unwrap(), "kubectl").unwrap().unwrap_err();
    assert!(matches!(error, RunError::NotThere { .. }), "{error}");
}

#[test]
fn another_environment_has_programs_of_its_own() {
    let (one, other) = (Programs::new(), Programs::new());
    let path = one.script("kubectl", "");
    let moved = one
        .authority(Some("kubectl"), None)
        .with_environment([(OsString::from("PATH"), OsString::from(other.folder.path()))]);
    assert!(
        moved.approve(&Needs::new().run(path.to_str().unwrap())).is_err(),
        "that file was found over another PATH"
    );
    let error =
        moved.approve(&Needs::new().run("kubectl")).unwrap().run("kubectl").unwrap().program().unwrap_err();
    assert!(error.is_not_found(), "{error}");
}

#[test]
fn a_denial_covers_what_a_name_or_link_leads_to() {
    let programs = Programs::new();
    let real = programs.script("kubectl-1.36", "");
    symlink(&real, programs.path("kubectl")).unwrap();
    for deny in [real.to_str().unwrap(), programs.path("kubectl").to_str().unwrap(), "kubectl-1.36"] {
        let authority = programs.authority(None, Some(deny));
        let refused = match authority.approve(&Needs::new().run("kubectl")) {
            Err(_) => true,
            Ok(approved) => {
                let error = approved.run("kubectl").unwrap().program().unwrap_err();
                assert!(error.to_string().contains("--deny-run="), "{error}");
                matches!(error, RunError::Refused { .. })
            }
        };
        assert!(refused, "--deny-run={deny}");
    }
}

#[tokio::test]
async fn a_child_inherits_all_but_the_loaders_variables() {
    let programs = Programs::new();
    let grant = programs.granted(None, "env");
    let names = |text: String| {
        let mut names: Vec<String> =
            text.lines().filter_map(|line| line.split_once('=').map(|(name, _)| name.to_owned())).collect();
        names.sort();
        names
    };
    let command = || grant.command().unwrap();
    assert_eq!(names(output(command()).await.0), ["HOME", "PATH", "SECRET"]);
    let only = ["HOME".to_owned(), "LD_PRELOAD".to_owned(), "UNSET".to_owned()];
    assert_eq!(names(output(command().inherit_only(Some(&only))).await.0), ["HOME"]);
    assert_eq!(names(output(command().inherit_only(Some(&[])).env("KUBERC", "off")).await.0), ["KUBERC"]);
    let error = command().env("LD_PRELOAD", "/evil.so").spawn().unwrap_err();
    assert!(matches!(error, RunError::LoaderVariable { .. }), "{error}");
    let shown = format!("{:?}", command().env("TOKEN", "hunter2"));
    assert!(shown.contains("TOKEN") && !shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn streams_and_exits_are_the_callers() {
    let programs = Programs::new();
    programs.script("upper", "tr a-z A-Z; echo oops >&2; exit 3");
    let grant = programs.granted(None, "upper");
    let mut child = grant.command().unwrap().stdin(Stdio::Piped).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"text").await.unwrap();
    drop(stdin);
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).await.unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
    assert_eq!((out.as_str(), err.as_str(), child.wait().await.unwrap()), ("TEXT", "oops\n", Exit::Code(3)));
    let shell = programs.granted(None, "sh");
    let (_, exit) = output(shell.command().unwrap().args(["-c", "kill -9 $$"])).await;
    assert_eq!(exit, Exit::Signal(9));
    let (text, _) = output(shell.command().unwrap().args(["-c", "pwd"]).folder("/")).await;
    assert_eq!(text, "/\n");
    let (text, _) = output(shell.command().unwrap().args(["-c", "cat; echo end"])).await;
    assert_eq!(text, "end\n", "standard input is empty unless asked for");
}

#[tokio::test]
async fn dropping_a_child_ends_its_whole_group_and_reaps_it() {
    let programs = Programs::new();
    programs.script("tree", "sleep 600 & echo $!; echo $$; wait");
    let mut child = programs.granted(None, "tree").command().unwrap().spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let grandchild: i32 = lines.next_line().await.unwrap().unwrap().parse().unwrap();
    let leader: i32 = lines.next_line().await.unwrap().unwrap().parse().unwrap();
    assert_eq!(child.id(), Some(leader as u32));
    drop(child);
    let deadline = Instant::now() + Duration::from_secs(5);
    while !ended(grandchild) || exists(leader) {
        assert!(Instant::now() < deadline, "grandchild {grandchild} or leader {leader} is still there");
        // A child of anyone is what wakes tokio's reaper.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_childs_memory_can_be_capped() {
    let programs = Programs::new();
    let shell = programs.granted(None, "sh");
    let script = "read go; grep 'Max address space' /proc/self/limits";
    let mut child = shell.command().unwrap().args(["-c", script]).stdin(Stdio::Piped).spawn().unwrap();
    child.limit_memory(256 << 20).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"go\n").await.unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    assert!(text.contains("268435456"), "{text}");
}

fn exists(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Gone, or a zombie that whoever adopted it has not reaped yet.
fn ended(pid: i32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(stat) => stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'),
    }
}

#[test]
fn a_program_that_the_guest_could_have_written_is_not_started() {
    let programs = Programs::new();
    let path = programs.script("kubectl", "");
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("kubectl-1.36");
    fs::copy(&path, &real).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&real, &path).unwrap();
    let search = [(OsString::from("PATH"), OsString::from(programs.folder.path()))];
    let program = |flag: &str, root: Option<&str>| {
        let mut builder = Grants::builder();
        builder.allow(Kind::Run, Some("kubectl")).unwrap();
        match flag {
            "--wasi-write" => builder.wasi(Kind::Write, root).unwrap(),
            _ => builder.allow(Kind::Write, root).unwrap(),
        };
        let authority = Authority::from_ambient(builder.build()).with_environment(search.clone());
        let grant = authority.approve(&Needs::new().run("kubectl")).unwrap().run("kubectl").unwrap();
        grant.program().map(Path::to_owned)
    };
    let folders = [programs.folder.path(), elsewhere.path(), real.as_path()].map(|path| path.to_str());
    for flag in ["--wasi-write", "--allow-write"] {
        for root in folders {
            let error = program(flag, root).unwrap_err();
            assert!(
                matches!(error, RunError::Writable { .. }) && error.to_string().contains(flag),
                "{error}"
            );
        }
        assert_eq!(program(flag, Some("/somewhere/else")).unwrap(), path);
    }
    // `-A` trusts everything; what the guest writes by itself is never trusted.
    assert_eq!(program("--allow-write", None).unwrap(), path);
    assert!(program("--wasi-write", None).is_err());
}
