use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tidegate_grants::Endpoint;
use tidegate_kube::kubeconfig::provider::oidc::Oidc;
use tidegate_kube::kubeconfig::{Auth, Choice, Document, ResolveError, Resolved, Separator, merge, parse};

use super::planned::planned_credentials;
use super::ready::Ready;
use crate::http::Origin;
use crate::http::proxy::{Environment, ProxyUrl};
use crate::options::KubeConfigOptions;
use crate::plan::{Inputs, Plan as Rounds, Round, Step, Variable};
use crate::{Code, CredentialReport, Error};

const KUBECONFIG: &str = "KUBECONFIG";
const HOME: &str = "HOME";

/// The longest document that a guest may supply, in bytes: it is parsed between two steps of other guests. Inline credentials for a
/// hundred clusters fit.
const DOCUMENT_CAP: usize = 1024 * 1024;

/// locate (the environment) → read (the documents) → connect (the server, its proxy, and the files that the documents name).
#[derive(Debug)]
pub(crate) struct Plan {
    overrides: Overrides,
    working_folder: Option<PathBuf>,
    /// What the environment says about proxies; none before the first round, whichever that is.
    proxies: Option<Environment>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Locate,
    Read(Listed),
    /// The document of a guest, which nobody has to read.
    Given(Box<Document>),
    Connect(Box<Connect>),
}

/// Which files are read, and what it means where one is missing.
#[derive(Debug)]
enum Listed {
    /// Of the environment: those that are missing are skipped.
    Search(Vec<PathBuf>),
    /// Chosen: it must be there.
    Explicit(PathBuf),
}

#[derive(Debug)]
struct Connect {
    origin: Origin,
    /// Who gives another ID token when it ends, and what stands before it.
    issuer: Vec<Endpoint>,
    proxy: Option<ProxyUrl>,
    resolved: Resolved,
}

#[derive(Clone, Debug, Default)]
struct Overrides {
    context: Option<String>,
    cluster: Option<String>,
    user: Option<String>,
    server: Option<String>,
    proxy: Option<String>,
}

impl Plan {
    /// The host's kubeconfig, or what a guest chose of the host's files.
    ///
    /// Errors: a path that is not absolute, and a guest that chooses while the host pinned a cluster, user, server or proxy: together
    /// they could send one cluster's credential to another.
    pub(super) fn of_file(
        options: &KubeConfigOptions,
        path: Option<PathBuf>,
        context: Option<String>,
    ) -> Result<Plan, Error> {
        let pinned =
            [&options.cluster, &options.user, &options.server, &options.proxy].iter().any(|o| o.is_some());
        if pinned && (path.is_some() || context.is_some()) {
            let text = "the host pinned a cluster, user, server or proxy of its own kubeconfig; \
                        no other file or context can be chosen beside that";
            return Err(Error::new(Code::Unsupported, text));
        }
        let overrides = Overrides {
            context: context.or_else(|| options.context.clone().filter(|_| path.is_none())),
            cluster: options.cluster.clone(),
            user: options.user.clone(),
            server: options.server.clone(),
            proxy: options.proxy.clone(),
        };
        let stage = match path.or_else(|| options.path.clone()) {
            None => Stage::Locate,
            Some(path) if path.is_absolute() => Stage::Read(Listed::Explicit(path)),
            Some(path) => {
                let text =
                    format!("the path of a kubeconfig must be absolute, and {} is not", path.display());
                return Err(Error::new(Code::InvalidRequest, text));
            }
        };
        Ok(Plan { overrides, working_folder: options.working_folder.clone(), proxies: None, stage })
    }

    /// A document that a guest supplies. Errors: it is broken, longer than [`DOCUMENT_CAP`], or names a file or a plugin anywhere.
    pub(super) fn of_document(text: &[u8], context: Option<String>) -> Result<Plan, Error> {
        if text.len() > DOCUMENT_CAP {
            let text = format!("the kubeconfig document is longer than {DOCUMENT_CAP} bytes, the cap");
            return Err(Error::new(Code::TooLarge, text));
        }
        let origin = Path::new("/");
        let document =
            parse(text, origin).map_err(|error| broken("the kubeconfig document").because(error))?;
        if let Some(file) = document.config().files().first() {
            // Made absolute against a folder that nobody named.
            let shown = file.display();
            let text = format!(
                "the kubeconfig document names the file {shown}; only inline data is taken from a guest's document"
            );
            return Err(Error::new(Code::Unsupported, text));
        }
        if !document.config().programs().is_empty() {
            let text = "the kubeconfig document has an exec plugin; a guest's document cannot have one";
            return Err(Error::new(Code::Unsupported, text));
        }
        let overrides = Overrides { context, ..Overrides::default() };
        let stage = Stage::Given(Box::new(document));
        Ok(Plan { overrides, working_folder: None, proxies: None, stage })
    }

    /// The files that `KUBECONFIG` lists, else the one in `HOME`.
    fn located(&self, inputs: &Inputs) -> Result<Vec<PathBuf>, Error> {
        let listed = match inputs.variable(KUBECONFIG) {
            Some(list) => self.listed(list)?,
            None => Vec::new(),
        };
        if !listed.is_empty() {
            return Ok(listed);
        }
        let home = inputs.variable(HOME).map(Path::new).filter(|home| home.is_absolute());
        let home = home.ok_or_else(|| {
            Error::new(
                Code::NotConfigured,
                "there is no kubeconfig: KUBECONFIG is not set, and HOME is no absolute path",
            )
        })?;
        Ok(vec![home.join(".kube").join("config")])
    }

    /// Empty entries are dropped, and a file that is listed twice is read once.
    fn listed(&self, list: &OsStr) -> Result<Vec<PathBuf>, Error> {
        let mut files: Vec<PathBuf> = Vec::new();
        for entry in Separator::OF_PLATFORM.paths(list) {
            let file = match &self.working_folder {
                _ if entry.is_absolute() => entry,
                Some(folder) => folder.join(entry),
                None => {
                    let text = format!("KUBECONFIG lists {}; write an absolute path", entry.display());
                    return Err(Error::new(Code::NotConfigured, text).broken());
                }
            };
            if !files.contains(&file) {
                files.push(file);
            }
        }
        Ok(files)
    }
}

impl Rounds for Plan {
    type Ready = Ready;

    fn round(&self) -> Round {
        let mut round = match &self.stage {
            Stage::Locate => Round {
                variables: vec![Variable::Required(KUBECONFIG), Variable::Required(HOME)],
                ..Round::default()
            },
            Stage::Read(Listed::Search(files)) => Round { files: files.clone(), ..Round::default() },
            Stage::Read(Listed::Explicit(file)) => Round { files: vec![file.clone()], ..Round::default() },
            Stage::Given(_) => Round::default(),
            Stage::Connect(connect) => Round {
                files: connect.resolved.files(),
                net: connect.endpoints(),
                run: connect.resolved.programs().into_iter().next(),
                ..Round::default()
            },
        };
        if self.proxies.is_none() {
            round.variables.extend(Environment::variables());
        }
        round
    }

    fn credentials(&self) -> Vec<CredentialReport> {
        match &self.stage {
            Stage::Connect(connect) => planned_credentials(&connect.resolved),
            Stage::Locate | Stage::Given(_) | Stage::Read(_) => Vec::new(),
        }
    }

    fn advance(mut self, mut inputs: Inputs) -> Result<Step<Plan, Ready>, Error> {
        let proxies = self.proxies.get_or_insert_with(|| Environment::of(&inputs)).clone();
        self.stage = match self.stage {
            Stage::Locate => Stage::Read(Listed::Search(self.located(&inputs)?)),
            Stage::Read(listed) => {
                let (documents, shown) = read(&listed, &mut inputs)?;
                resolve(&self.overrides, documents, &proxies, &shown)?
            }
            Stage::Given(document) => {
                resolve(&self.overrides, vec![*document], &proxies, "the kubeconfig document")?
            }
            Stage::Connect(connect) => {
                let Connect { origin, proxy, resolved, .. } = *connect;
                return Ready::new(origin, proxy, &proxies, resolved, inputs).map(Step::Ready);
            }
        };
        Ok(Step::Again(self))
    }
}

/// The documents that are there, and what to call them in an error.
fn read(listed: &Listed, inputs: &mut Inputs) -> Result<(Vec<Document>, String), Error> {
    let files = match listed {
        Listed::Search(files) => files.as_slice(),
        Listed::Explicit(file) => std::slice::from_ref(file),
    };
    let shown = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
    let mut documents = Vec::new();
    for file in files {
        if let Some(text) = inputs.file(file)? {
            let document = parse(text.expose(), file);
            documents.push(document.map_err(|error| broken(&file.display().to_string()).because(error))?);
        }
    }
    match (documents.is_empty(), listed) {
        (false, _) => Ok((documents, shown)),
        (true, Listed::Search(_)) => {
            Err(Error::new(Code::NotConfigured, format!("there is no kubeconfig: {shown} does not exist")))
        }
        (true, Listed::Explicit(_)) => {
            Err(Error::new(Code::NotConfigured, format!("the kubeconfig {shown} does not exist")).broken())
        }
    }
}

impl Connect {
    /// All that has to be dialled: what is not granted of it is named at once.
    fn endpoints(&self) -> Vec<Endpoint> {
        let proxy = self.proxy.as_ref().map(ProxyUrl::endpoint);
        [&self.origin.endpoint].into_iter().chain(proxy).chain(&self.issuer).cloned().collect()
    }
}

fn resolve(
    overrides: &Overrides,
    documents: Vec<Document>,
    proxies: &Environment,
    shown: &str,
) -> Result<Stage, Error> {
    let choice = Choice {
        context: overrides.context.as_deref(),
        cluster: overrides.cluster.as_deref(),
        user: overrides.user.as_deref(),
        server: overrides.server.as_deref(),
        proxy: overrides.proxy.as_deref(),
    };
    let resolved = merge(documents).resolve(&choice).map_err(|error| match error {
        ResolveError::Empty => Error::new(Code::NotConfigured, format!("{shown} is empty")),
        error => broken(shown).because(error),
    })?;
    let origin = Origin::of(&resolved.server).map_err(|error| broken(shown).because(error))?;
    let issuer = issuer(&resolved.auth, proxies).map_err(|error| broken(shown).because(error))?;
    let proxy = match &resolved.proxy_url {
        // As client-go: NO_PROXY is about the environment's proxies alone.
        Some(url) => {
            let proxy = ProxyUrl::parse(url.expose()).map_err(|invalid| {
                let cluster = resolved.cluster.as_deref().unwrap_or_default();
                let field = match overrides.proxy {
                    Some(_) => {
                        "the proxy that was chosen instead of the kubeconfig's (--proxy-url)".to_owned()
                    }
                    None => format!("the proxy-url of cluster {cluster:?}"),
                };
                broken(shown).because(Error::new(Code::NotConfigured, field).because(invalid))
            })?;
            Some(proxy)
        }
        None => proxies.proxy_for(origin.scheme, &origin.endpoint)?,
    };
    Ok(Stage::Connect(Box::new(Connect { origin, issuer, proxy, resolved })))
}

/// Where `auth-provider: oidc` has its ID tokens from, if it can have another one. Whether the one that is known lasts, a plan does not
/// know: it has no clock. As for client-go the environment says by which way, and not the cluster's `proxy-url`.
fn issuer(auth: &Auth, proxies: &Environment) -> Result<Vec<Endpoint>, Error> {
    let Auth::AuthProvider(provider) = auth else { return Ok(Vec::new()) };
    let oidc = Some(provider).filter(|provider| provider.name == "oidc").and_then(|p| Oidc::of(p).ok());
    let issuer = oidc.filter(|oidc| oidc.refresh_token.is_some()).map(|oidc| Origin::of(&oidc.issuer));
    let Some(origin) = issuer.transpose()? else { return Ok(Vec::new()) };
    let proxy = proxies.proxy_for(origin.scheme, &origin.endpoint)?;
    Ok([origin.endpoint].into_iter().chain(proxy.map(|proxy| proxy.endpoint().clone())).collect())
}

fn broken(what: &str) -> Error {
    Error::new(Code::NotConfigured, format!("{what} cannot be used")).broken()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
