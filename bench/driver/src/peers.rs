//! Builds, finds or installs the clients.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use tidegate_cluster::Tools;

use crate::{Failure, step};

/// The Deno that is compared.
const DENO: &str = "2.9.6";

/// Where everybody is.
pub(crate) struct Clients {
    pub(crate) tidegate: PathBuf,
    pub(crate) playground: PathBuf,
    /// The folder of our guests.
    pub(crate) guests: PathBuf,
    pub(crate) hyper: PathBuf,
    pub(crate) kube: PathBuf,
    kubectl: PathBuf,
    /// None where it does not install.
    pub(crate) deno: Option<PathBuf>,
    /// What Deno runs.
    pub(crate) script: PathBuf,
    /// What is left out, and why.
    pub(crate) absent: Vec<String>,
    /// Home of all clients, so that nobody's configuration or cache plays a part.
    home: TempDir,
}

impl Clients {
    /// A command with nothing of the user's environment.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path()).env("PATH", "/usr/bin:/bin");
        command
    }

    pub(crate) fn kubectl(&self, kubeconfig: &Path) -> Command {
        let mut command = self.command(&self.kubectl);
        command.env("KUBECONFIG", kubeconfig);
        command
    }

    /// Where tidegate keeps compiled guests.
    pub(crate) fn compiled(&self) -> PathBuf {
        self.home.path().join("compiled")
    }
}

/// Makes all clients ready. What takes long is said.
pub(crate) fn prepare() -> Result<Clients, Failure> {
    let programs = folder("TIDEGATE_PROGRAMS")?;
    let guests = folder("TIDEGATE_GUESTS")?;
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("no folder above the driver")?;
    step("building the peers hyper and kube-rs");
    let hyper = build(here, "peer-hyper")?;
    let kube = build(here, "peer-kube")?;
    step("preparing kubectl");
    let tools = Tools::ensure(&mut |line| eprintln!("  {line}"))?;
    let mut absent = Vec::new();
    let deno =
        deno().map_err(|error| absent.push(format!("deno: npm does not install it here: {error}"))).ok();
    for line in &absent {
        eprintln!("LEFT OUT: {line}");
    }
    Ok(Clients {
        tidegate: programs.join("tidegate"),
        playground: programs.join("tidegate-playground"),
        guests,
        hyper,
        kube,
        kubectl: tools.kubectl().to_path_buf(),
        deno,
        script: here.join("peers/deno/client.js"),
        absent,
        home: tempfile::tempdir()?,
    })
}

fn folder(variable: &str) -> Result<PathBuf, Failure> {
    let value = env::var_os(variable).map(PathBuf::from);
    value.filter(|folder| folder.is_dir()).ok_or_else(|| {
        format!("{variable} names no folder; run `cargo xtask bench`, which builds what belongs there").into()
    })
}

/// Each peer by a cargo of its own: one for both would give hyper the features that kube-rs wants.
fn build(workspace: &Path, package: &str) -> Result<PathBuf, Failure> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace).args(["build", "--quiet", "--release", "--locked", "--package", package]);
    if !cargo.status()?.success() {
        return Err(format!("{package} does not build").into());
    }
    // Where this program was built, they are too.
    Ok(env::current_exe()?.with_file_name(package))
}

/// Installed once into the cache; npm carries the program itself in a package for each platform.
fn deno() -> Result<PathBuf, Failure> {
    let platform = match (env::consts::OS, env::consts::ARCH) {
        ("linux", "x86_64") => "linux-x64-glibc",
        ("linux", "aarch64") => "linux-arm64-glibc",
        (system, machine) => return Err(format!("no package for {system} on {machine}").into()),
    };
    let folder = cache()?.join("bench").join(format!("deno-{DENO}"));
    let program = folder.join("node_modules/@deno").join(platform).join("deno");
    if !program.is_file() {
        step("installing deno by npm");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix"])
            .arg(&folder);
        let answer = npm.arg(format!("deno@{DENO}")).stdout(Stdio::null()).output()?;
        if !answer.status.success() {
            let text = String::from_utf8_lossy(&answer.stderr).into_owned();
            return Err(format!(
                "npm ended with {}: {}",
                answer.status,
                text.lines().next().unwrap_or_default()
            )
            .into());
        }
    }
    let version = Command::new(&program).arg("--version").output()?;
    if version.status.success() {
        Ok(program)
    } else {
        Err(format!("it ended with {}", version.status).into())
    }
}

/// `$TIDEGATE_CACHE`, or `~/.cache/tidegate`.
fn cache() -> Result<PathBuf, Failure> {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache/tidegate"));
    env::var_os("TIDEGATE_CACHE")
        .map(PathBuf::from)
        .or_else(home)
        .ok_or_else(|| "set TIDEGATE_CACHE or HOME".into())
}
