//! Formats 2 and 3 are read and written as format 4; broken and newer ones are refused.
//!
//! The fixtures were written by the last version that wrote format 3, by the training of `support.rs`; of the candidate
//! classifier's rounds the first two are kept, and `format-2` was shortened by hand.

use std::path::{Path, PathBuf};

use deepmir_detect::Blobs;
use deepmir_lesion::LesionClass;
use deepmir_model::{Bundle, bundle};

use crate::support::fixture;

/// Words of formats 2 and 3 that format 4 does not use.
const OLD_KEYS: [&str; 13] = [
    "second_look",
    "closer_look",
    "closer-",
    "extent",
    "outline",
    "nhid_only_deep",
    "spots",
    "company",
    "aside",
    "forward",
    "upward",
    "below",
    "above",
];

/// Writes a model as a folder and an archive, which are read back equal. Returns its settings as text.
fn written_as_format_4(model: &Bundle) -> String {
    let folder = tempfile::tempdir().unwrap();
    for name in ["model", "model.deepmir"] {
        let path = folder.path().join(name);
        model.write(&path).unwrap();
        assert_eq!(Bundle::read(&path).unwrap(), *model);
    }
    let mut files: Vec<String> = std::fs::read_dir(folder.path().join("model"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let patches = model.settings.patch_classifier.iter().flat_map(|patches| &patches.weights);
    let named = model.settings.weights.iter().chain(patches).map(|file| file.file.clone());
    let mut named: Vec<String> = named.chain(["model.toml".to_owned()]).collect();
    files.sort();
    named.sort();
    assert_eq!(files, named);
    let text = std::fs::read_to_string(folder.path().join("model/model.toml")).unwrap();
    assert!(text.starts_with("format = 4\n"), "{text}");
    for key in OLD_KEYS {
        assert!(!text.contains(key), "{key} in {text}");
    }
    text
}

#[test]
fn format_3_is_read_and_written_as_format_4() {
    let model = Bundle::read(&fixture("format-3")).unwrap();
    let settings = &model.settings;
    assert_eq!((settings.format, settings.name.as_str()), (bundle::FORMAT, "three"));
    let rule = &settings.detection;
    assert_eq!((rule.candidate_threshold, rule.mask_threshold), (0.9, Some(0.8)));
    assert!(rule.restrict_nhid_to_basal_ganglia);
    assert_eq!(rule.blobs, Blobs::SwiQsm);
    assert_eq!(rule.classes[&LesionClass::Cmb].detection_threshold, 0.27);
    assert_eq!(rule.classes[&LesionClass::Nhid].detection_threshold, 0.13);
    let classifier = settings.candidate_classifier.as_ref().unwrap();
    assert_eq!((classifier.rounds.len(), classifier.rounds[0].len()), (2, 3));
    let tree = &classifier.rounds[0][2];
    assert_eq!(tree.column, [33, 6, 3]);
    assert_eq!(tree.missing_left, [true, false, false]);
    assert_eq!((&tree.left[..], &tree.right[..]), (&[1, 2, -3][..], &[-1, -2, -4][..]));
    let names: Vec<String> = classifier.features.iter().map(|feature| feature.name()).collect();
    for name in ["neighbour-probability", "swi-blob", "patch-cmb", "patch-nhid"] {
        assert!(names.iter().any(|other| other == name), "{name} in {names:?}");
    }
    let patches = settings.patch_classifier.as_ref().unwrap();
    assert_eq!((patches.size, patches.hidden), ([4, 8, 8], 8));
    let files: Vec<&str> = patches.weights.iter().map(|file| file.file.as_str()).collect();
    assert_eq!(files, ["patch-classifier-1.safetensors", "patch-classifier-2.safetensors"]);
    assert_eq!((model.members.len(), model.patch_members.len()), (2, 2));
    assert!(model.patch_classifier().unwrap().is_some());
    written_as_format_4(&model);
}

#[test]
fn format_2_is_read_and_written_as_format_4() {
    let model = Bundle::read(&fixture("format-2")).unwrap();
    let rule = &model.settings.detection;
    assert_eq!((rule.mask_threshold, rule.blobs), (None, Blobs::Qsm));
    assert!(!rule.restrict_nhid_to_basal_ganglia);
    assert!(model.settings.patch_classifier.is_none() && model.patch_members.is_empty());
    let classifier = model.settings.candidate_classifier.as_ref().unwrap();
    let names: Vec<String> = classifier.features.iter().map(|feature| feature.name()).collect();
    let expected = [
        "volume",
        "neighbour-probability",
        "midline-distance",
        "anterior-posterior",
        "inferior-superior",
        "swi-blob",
        "chi-blob",
        "t2w-blob",
    ];
    assert_eq!(names, expected);
    assert_eq!(classifier.rounds[0][0].leaves, [0.25]);
    assert_eq!(classifier.rounds[0][1].right, [-1, -3]);
    let text = written_as_format_4(&model);
    assert!(text.contains("blobs = \"qsm\""), "{text}");
}

/// A copy of the fixture of a format in `folder` with its settings changed, and what reading it says.
fn read_changed(
    folder: &Path,
    name: &str,
    change: impl Fn(String) -> String,
) -> Result<Bundle, String> {
    let copy: PathBuf = folder.join(name);
    std::fs::create_dir_all(&copy).unwrap();
    for entry in std::fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let settings = copy.join("model.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text, "nothing was changed");
    std::fs::write(settings, changed).unwrap();
    Bundle::read(&copy).map_err(|error| error.to_string())
}

#[test]
fn format_1_is_read_without_a_candidate_classifier_and_refused_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let refused =
        read_changed(folder.path(), "format-2", |text| text.replace("format = 2", "format = 1"));
    let refused = refused.unwrap_err();
    for words in ["format 1", "classifier", "train anew", "format-2"] {
        assert!(refused.contains(words), "no {words:?} in {refused}");
    }
    let without = |text: String| {
        let start = text.find("[detection.second_look]").unwrap();
        let end = text.find("[provenance]").unwrap();
        let text = text[..start].to_owned() + &text[end..];
        text.replace("format = 2", "format = 1").replace("spots = true\n", "")
    };
    let model = read_changed(folder.path(), "format-2", without).unwrap();
    assert!(model.settings.candidate_classifier.is_none());
    assert_eq!(model.settings.detection.blobs, Blobs::None);
    written_as_format_4(&model);
}

#[test]
fn newer_and_broken_formats_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |from: &str, to: &str, words: &[&str]| {
        let error = read_changed(folder.path(), "format-3", |text| text.replacen(from, to, 1));
        let error = error.unwrap_err();
        for words in words.iter().chain(&["model.toml", "format-3"]) {
            assert!(error.contains(words), "no {words:?} in {error}");
        }
    };
    refused("format = 3", "format = 5", &["format 5", "knows 4", "update deepmir"]);
    for invalid in ["format = 0", "format = -1", "format = \"3\"", ""] {
        refused("format = 3", invalid, &["no valid `format`"]);
    }
    refused("format = 3", "format = 4", &["unknown field"]);
    refused("[plan]", "[plan", &["expected"]);
    refused("format = 3", "format = 3\nsurprise = 1", &["surprise"]);
    refused("outline = 0.8", "outline = \"thin\"", &["mask_threshold"]);
    refused("\nspots = true", "\nspots = \"yes\"", &["detection.spots", "true or false"]);
    refused("peak = 0.27\n", "", &["detection_threshold"]);
    refused("sha256 = \"", "sha256 = \"00", &["checksum"]);
    let cut_off = read_changed(folder.path(), "format-3", |text| {
        text.replacen("absent_below = [true, false, false]", "absent_below = [true]", 1)
    });
    assert!(cut_off.unwrap_err().contains("tree of the candidate classifier is cut off"));
}
