//! Reads what the fuzzer makes of configuration files and of `K8S_CLUSTER_CONF_` variables.
//!
//! Besides that nothing panics, hangs or grows: every connection that is defined has absolute paths, and no error quotes a value, which holds `hush`
//! in the seeds.

#![no_main]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tidegate_grants::Grants;
use tidegate_registry::{Configuration, Definition, PREFIX, Sources};

fuzz_target!(|bytes: &[u8]| {
    // The file, then one variable a line; a byte that no text has is between them.
    let (file, variables) = match bytes.iter().position(|byte| *byte == 0xfe) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, &[][..]),
    };
    let variables: Vec<(OsString, OsString)> =
        variables.split(|byte| *byte == b'\n').filter_map(variable).collect();
    let sources = Sources {
        file: Some((Path::new("/etc/tidegate.yaml"), file)),
        variables: &variables,
        home: Some(Path::new("/home/me")),
        working_folder: Some(Path::new("/work")),
    };
    let configuration = match Configuration::read(&sources) {
        Ok(configuration) => configuration,
        Err(error) => {
            let (place, problem) = (error.place().to_string(), error.problem());
            // A name may be told: a variable's, or a key's of the file.
            assert!(!problem.contains("hush") || is_name(file, &variables, "hush"), "{place}: {problem}");
            return;
        }
    };
    for (name, definition, _) in configuration.connections() {
        assert!(!name.is_empty());
        let path = match definition {
            Definition::KubeConfig(file) => Some(&file.path),
            Definition::ServiceAccount(account) => account.folder.as_ref(),
            Definition::Direct(_) => panic!("{name}: values come from code alone"),
        };
        assert!(path.is_none_or(|path| path.is_absolute()), "{name}: {path:?}");
    }
    let sets: Vec<&str> = configuration.permission_sets().map(|(name, _)| name).collect();
    for set in sets {
        let _ = configuration.add_set(set, &mut Grants::builder()).map_err(|error| error.to_string());
    }
});

fn variable(line: &[u8]) -> Option<(OsString, OsString)> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    let name = [PREFIX.as_bytes(), &line[..at]].concat();
    Some((OsStr::from_bytes(&name).to_owned(), OsStr::from_bytes(&line[at + 1..]).to_owned()))
}

/// Whether the word may be a name: only what stands behind a colon is a value, and in quotes a name may hold a colon.
fn is_name(file: &[u8], variables: &[(OsString, OsString)], word: &str) -> bool {
    let file = String::from_utf8_lossy(file);
    let in_file = file.match_indices(word).any(|(at, _)| !file[..at].ends_with(": "));
    in_file
        || file.contains(['"', '\''])
        || variables.iter().any(|(name, _)| name.to_string_lossy().contains(word))
}
