//! The kubeconfig that leads to a playground.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// A kubeconfig (JSON, which is YAML) with the token and the certificate inline.
pub(crate) fn text(server: &str, ca_pem: &str, token: &str) -> String {
    let name = "tidegate-playground";
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name, "preferences": {},
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": STANDARD.encode(ca_pem)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": "default"}}],
    });
    format!("{config:#}\n")
}

/// Writes a file that only its owner can read, all at once: a reader sees the old one or the new one.
///
/// # Errors
/// Those of the file system.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // A temporary file is made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Lays out `token`, `ca.crt` and `namespace` in `folder` as the kubelet does: the names are links into `..data`,
/// which is itself a link, so that a rotation changes all three at once.
///
/// # Errors
/// Those of the file system.
pub fn write_service_account(folder: &Path, token: &str, ca_pem: &str, namespace: &str) -> io::Result<()> {
    let files = [("token", token), ("ca.crt", ca_pem), ("namespace", namespace)];
    fs::create_dir_all(folder)?;
    let data = tempfile::Builder::new().prefix("..").tempdir_in(folder)?.keep();
    fs::set_permissions(&data, Permissions::from_mode(0o755))?;
    for (name, text) in files {
        write_private(&data.join(name), text)?;
    }
    let target = data.file_name().map(Path::new).unwrap_or(&data);
    let link = folder.join("..data");
    let before = fs::read_link(&link);
    replace_link(target, &link)?;
    for (name, _) in files {
        replace_link(&Path::new("..data").join(name), &folder.join(name))?;
    }
    // What was there before is read by nobody any more; that it stays is no failure.
    let _ = before.map(|before| fs::remove_dir_all(folder.join(before)));
    Ok(())
}

fn replace_link(target: &Path, link: &Path) -> io::Result<()> {
    let beside =
        link.with_file_name(format!("..{}_tmp", link.file_name().unwrap_or_default().to_string_lossy()));
    let _ = fs::remove_file(&beside);
    std::os::unix::fs::symlink(target, &beside)?;
    fs::rename(&beside, link)
}
