//! For which engine and machine code was made.

use crate::settings;

/// wasmtime's version, our settings, the target, and what its processor can do. Equal fingerprints mean that machine code of one runs on
/// the other.
pub(crate) fn fingerprint() -> String {
    let (system, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{} {machine}-{system} {}", settings::version(), features())
}

/// What Cranelift asks about an x86-64 (`cranelift-native`), in its order.
#[cfg(target_arch = "x86_64")]
fn features() -> String {
    macro_rules! list {
        ($($feature:tt)*) => {
            [$(($feature, std::is_x86_feature_detected!($feature))),*]
        };
    }
    let features = list!(
        "sse3" "cmpxchg16b" "ssse3" "sse4.1" "sse4.2" "popcnt" "avx" "avx2" "fma" "bmi1" "bmi2" "avx512bitalg" "avx512dq" "avx512f"
        "avx512vl" "avx512vbmi" "lzcnt"
    );
    joined(&features)
}

/// What Cranelift asks about an AArch64.
#[cfg(target_arch = "aarch64")]
fn features() -> String {
    macro_rules! list {
        ($($feature:tt)*) => {
            [$(($feature, std::arch::is_aarch64_feature_detected!($feature))),*]
        };
    }
    joined(&list!("lse" "paca" "fp16" "dotprod"))
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn features() -> String {
    String::new()
}

fn joined(features: &[(&str, bool)]) -> String {
    let present: Vec<&str> = features.iter().filter(|(_, present)| *present).map(|(name, _)| *name).collect();
    present.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fix in wasmtime's compiler must empty every cache, so what the fingerprint says must be what is linked.
    #[test]
    fn the_version_is_that_of_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{}\"", settings::WASMTIME);
        assert!(lock.contains(&entry), "settings.rs names {}, which Cargo.lock does not", settings::WASMTIME);
    }

    #[test]
    fn it_names_version_settings_and_machine() {
        let fingerprint = fingerprint();
        assert!(fingerprint.starts_with(&settings::version()), "{fingerprint}");
        assert!(fingerprint.contains(std::env::consts::ARCH), "{fingerprint}");
    }
}
