use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use super::Version;
use crate::Secret;
use crate::kubeconfig::schema::ExecCluster;

/// Whether the plugin's standard input is a person's terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interactive {
    /// It is not.
    No,
    /// It is.
    Yes,
}

#[derive(Serialize)]
struct ExecCredential<'a> {
    kind: &'static str,
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cluster<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interactive: Option<bool>,
}

/// In the order and with the omissions of client-go's struct.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster<'a> {
    server: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    tls_server_name: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    insecure_skip_tls_verify: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    certificate_authority_data: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    proxy_url: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    disable_compression: bool,
    /// `null` where there is none: Go never leaves a struct out.
    config: Option<&'a RawValue>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What `KUBERNETES_EXEC_INFO` holds, to the last byte as client-go has it, which is a line break. `cluster` is given where
/// `provideClusterInfo` is set; `ca` are its certificates, PEM, or nothing. It may hold a proxy's password.
pub fn info(version: Version, interactive: Interactive, cluster: Option<&ExecCluster>, ca: &[u8]) -> Secret {
    let yes = interactive == Interactive::Yes;
    let alpha = version == Version::V1Alpha1;
    let cluster = cluster.filter(|_| !alpha).map(|cluster| Cluster {
        server: &cluster.server,
        tls_server_name: &cluster.tls_server_name,
        insecure_skip_tls_verify: cluster.insecure_skip_tls_verify,
        certificate_authority_data: STANDARD.encode(ca),
        proxy_url: cluster.proxy_url.expose(),
        disable_compression: cluster.disable_compression,
        config: cluster.config.as_ref().and_then(|config| serde_json::from_str(config.expose()).ok()),
    });
    let credential = ExecCredential {
        kind: "ExecCredential",
        api_version: version.as_str(),
        spec: Spec { cluster, interactive: Some(yes).filter(|yes| *yes || !alpha) },
    };
    // Nothing in it can fail to be JSON.
    let json = Secret::new(serde_json::to_string(&credential).unwrap_or_default());
    Secret::new(as_go(json.expose()))
}

/// JSON as Go's encoder writes it: these five are escaped wherever they are, which is inside strings, and a line ends it.
fn as_go(json: &str) -> String {
    // So long that it need not grow: no copy is left behind.
    let mut out = String::with_capacity(json.len() * 6 + 1);
    for character in json.chars() {
        match character {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            plain => out.push(plain),
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_client_go_writes_it() {
        let full = ExecCluster {
            server: "https://10.0.0.1:6443/k8s".into(),
            tls_server_name: "kubernetes".into(),
            insecure_skip_tls_verify: false,
            proxy_url: Secret::new("http://u:p@proxy:3128".into()),
            disable_compression: true,
            config: Some(Secret::new(r#"{"audience":"<a&b>","z":[1,null]}"#.into())),
        };
        let insecure = ExecCluster {
            server: "https://h".into(),
            insecure_skip_tls_verify: true,
            ..ExecCluster::default()
        };
        for (version, interactive, cluster, ca, json) in [
            (
                Version::V1,
                Interactive::No,
                None,
                &b""[..],
                r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false}}"#,
            ),
            (
                Version::V1Beta1,
                Interactive::Yes,
                Some(&insecure),
                b"",
                r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"cluster":{"server":"https://h","insecure-skip-tls-verify":true,"config":null},"interactive":true}}"#,
            ),
            (
                Version::V1,
                Interactive::No,
                Some(&full),
                b"CA",
                r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"https://10.0.0.1:6443/k8s","tls-server-name":"kubernetes","certificate-authority-data":"Q0E=","proxy-url":"http://u:p@proxy:3128","disable-compression":true,"config":{"audience":"\u003ca\u0026b\u003e","z":[1,null]}},"interactive":false}}"#,
            ),
            (
                Version::V1Alpha1,
                Interactive::No,
                Some(&full),
                b"CA",
                r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1alpha1","spec":{}}"#,
            ),
        ] {
            assert_eq!(info(version, interactive, cluster, ca).expose(), &format!("{json}\n"));
        }
    }
}
