//! Which code computes.

/// The checksum of the sources that decide what is computed: this crate, every crate of the workspace that it depends
/// on but `deepmir-report`, and the versions of the libraries in `Cargo.lock`.
///
/// Results that are stored to be taken over later (the stages of a [`run`](crate::run), the cells of a study) are
/// named by it among the rest, so that a program built from other sources makes them anew. It is the same for every
/// toolchain and system.
pub const CODE: &str = env!("DEEPMIR_CODE");

#[cfg(test)]
#[path = "../build/sources.rs"]
mod sources;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::CODE;
    use super::sources::{Fnv1a, checksum, sources_of};

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn the_hash_is_fnv_1a() {
        // The test vectors of RFC 9923.
        for (text, expected) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8_u64),
        ] {
            let mut hash = Fnv1a::new();
            hash.update(text.as_bytes());
            assert_eq!(hash.0, expected, "{text}");
        }
    }

    /// The checksum of a study's cell once left out files that shape what is stored, and came from a hash that changed
    /// between toolchains, so that results of other code were taken over.
    #[test]
    fn stale_results_are_not_taken_over_after_any_source_has_changed() {
        let [one, other] = [(), ()].map(|()| tempfile::tempdir().unwrap());
        let files = [("a/src/x.rs", "1"), ("a/src/deep/y.rs", "2"), ("b/src/z.rs", "3")];
        write(one.path(), &files);
        // The same files, made in another order.
        write(other.path(), &[files[2], files[1], files[0]]);
        let code = |root: &Path, sources: &[&str]| {
            checksum(root, &sources.iter().map(|&source| source.to_owned()).collect::<Vec<_>>())
        };
        let first = code(one.path(), &["a/src", "b/src"]).unwrap();
        assert_eq!(first, "1756d561b6974050", "the same for every toolchain");
        assert_eq!(first, code(other.path(), &["b/src", "a/src"]).unwrap());
        for (name, text) in [("a/src/deep/y.rs", "4"), ("b/src/new.rs", ""), ("a/src/x.rs", "")] {
            write(other.path(), &files);
            write(other.path(), &[(name, text)]);
            assert_ne!(first, code(other.path(), &["a/src", "b/src"]).unwrap(), "{name}");
            fs::remove_file(other.path().join(name)).unwrap();
        }
        let missing = code(one.path(), &["a/src", "moved/src"]).unwrap_err().to_string();
        assert!(missing.contains("moved/src"), "{missing}");
    }

    #[test]
    fn every_crate_that_a_prediction_runs_through_counts() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let found = sources_of(&root, "deepmir-pipeline", &["deepmir-report"]).unwrap();
        for name in
            ["volume", "lesion", "cases", "detect", "kernels", "net", "model", "recon", "pipeline"]
        {
            assert!(found.contains(&format!("crates/deepmir-{name}/src")), "{name}: {found:?}");
        }
        assert!(!found.iter().any(|source| source.contains("report")), "{found:?}");
        let mut sources = found;
        sources.push("Cargo.lock".to_owned());
        assert_eq!(checksum(&root, &sources).unwrap(), CODE);
    }
}
