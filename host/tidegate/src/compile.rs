//! The compiler, a process of its own: `tidegate-compile`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_authority::{Child, Exit, HostAuthority, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::cache::Artifact;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::progress::Progress;
use crate::settings;

/// How long compiling may take: Python takes 4 s.
const DEADLINE: Duration = Duration::from_secs(120);

/// How much of what the compiler says is kept.
const STDERR: u64 = 16 << 10;

/// The largest machine code that is taken.
const ARTIFACT: u64 = 1 << 30;

/// Where the compiler is, and what it may use.
pub(crate) struct Compiler {
    /// The one beside the running executable where none.
    program: Option<PathBuf>,
    memory: u64,
}

impl Compiler {
    pub(crate) fn new(program: Option<PathBuf>, memory: u64) -> Self {
        Self { program, memory }
    }

    /// The given program, else the one beside the running executable.
    fn program(&self, host: &HostAuthority) -> PathBuf {
        const NAME: &str = "tidegate-compile";
        let beside = || host.executable().ok()?.parent().map(|folder| folder.join(NAME));
        self.program.clone().or_else(beside).unwrap_or_else(|| PathBuf::from(NAME))
    }

    /// Compiles a component. Dropping the future ends the compiler.
    pub(crate) async fn compile(
        &self,
        engine: &Engine,
        name: &str,
        component: &[u8],
    ) -> Result<Artifact, LoadError> {
        engine.tell(&Progress::Compiling { name: name.to_owned(), bytes: component.len() as u64 });
        let started = Instant::now();
        let child = self.start(&engine.0.host, name)?;
        let code = match timeout(DEADLINE, converse(child, component)).await {
            Ok(Ok(said)) => said.code(name)?,
            Ok(Err(error)) => return Err(died(name, &error.to_string())),
            Err(_) => {
                return Err(LoadError::CompilerSlow { name: name.to_owned(), seconds: DEADLINE.as_secs() });
            }
        };
        engine.tell(&Progress::Compiled { name: name.to_owned(), elapsed: started.elapsed() });
        Ok(Artifact::compiled(code))
    }

    fn start(&self, host: &HostAuthority, name: &str) -> Result<Child, LoadError> {
        let program = self.program(host);
        let command = host
            .command(&program)
            .args(["--settings", &settings::version(), "--memory-limit", &self.memory.to_string()])
            // The compiler needs nothing of the environment, and must not see its secrets.
            .inherit_only(Some(&[]))
            .stdin(Stdio::Piped);
        command.spawn().map_err(|error| {
            let source =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            LoadError::NoCompiler {
                name: name.to_owned(),
                program,
                source: Arc::new(io::Error::other(source)),
            }
        })
    }
}

/// What the compiler said, and how it ended.
struct Said {
    stdout: Vec<u8>,
    stderr: String,
    exit: Exit,
}

impl Said {
    fn code(self, name: &str) -> Result<Vec<u8>, LoadError> {
        let name = name.to_owned();
        match self.exit {
            Exit::Code(0) if !self.stdout.is_empty() => Ok(self.stdout),
            Exit::Code(65) => Err(LoadError::Invalid { name, detail: self.stderr }),
            Exit::Code(64) => Err(LoadError::OtherCompiler { name, detail: self.stderr }),
            exit => Err(died(&name, format!("{exit}. {}", self.stderr).trim_end())),
        }
    }
}

fn died(name: &str, detail: &str) -> LoadError {
    LoadError::CompilerDied { name: name.to_owned(), detail: detail.to_owned() }
}

/// Gives the compiler the component and listens to both of its outputs until it ends.
async fn converse(mut child: Child, component: &[u8]) -> io::Result<Said> {
    let stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let give = async {
        if let Some(mut stdin) = stdin {
            // A compiler that ends early, since it is of another version or out of memory, says why on standard error.
            let _ = stdin.write_all(component).await;
        }
    };
    let ((), stdout, stderr) = tokio::join!(give, all(stdout, ARTIFACT), all(stderr, STDERR));
    let stderr = String::from_utf8_lossy(&stderr?).trim().to_owned();
    Ok(Said { stdout: stdout?, stderr, exit: child.wait().await? })
}

/// The first `cap` bytes; the rest is read and dropped, so that the writer is not held up.
async fn all(reader: Option<impl AsyncRead + Unpin>, cap: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut reader) = reader {
        (&mut reader).take(cap).read_to_end(&mut bytes).await?;
        tokio::io::copy(&mut reader, &mut tokio::io::sink()).await?;
    }
    Ok(bytes)
}
