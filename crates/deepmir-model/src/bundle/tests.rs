//! Bundles written, read and damaged.

use deepmir_cases::Modality;
use deepmir_detect::candidate_classifier::Calibration;
use deepmir_detect::{CandidateClassifier, DetectionRule};
use deepmir_lesion::LesionClass;
use deepmir_net::patch_classifier::PatchClassifierSettings;
use deepmir_net::{Tensor, preset};

use super::*;

fn bundle(members: usize) -> Bundle {
    let preset = preset::deepmir();
    let settings = ModelSettings {
        format: FORMAT,
        name: "test".to_owned(),
        description: "random weights".to_owned(),
        licence: "CC0-1.0".to_owned(),
        detection: DetectionRule::half(&preset.plan.classes),
        candidate_classifier: None,
        operating_points: Vec::new(),
        contrasts: vec![deepmir_cases::Contrast::Swi],
        provenance: Provenance {
            program: "deepmir test".to_owned(),
            data: "none".to_owned(),
            training_subjects: vec!["sub-01".to_owned()],
            validation_subjects: Vec::new(),
            steps: 0,
            validation_f1: 0.0,
            training_images: Vec::new(),
        },
        plan: preset.plan,
        architecture: Some(preset.architecture.clone()),
        onnx: None,
        training_range: None,
        weights: Vec::new(),
        patch_classifier: None,
    };
    let weights = (0..members).map(|seed| {
        let weights = Weights::initial(&preset.architecture, seed as u64);
        let half = weights.to_safetensors(Precision::Half).unwrap();
        Weights::from_safetensors(&half).unwrap()
    });
    Bundle::new(settings, weights.collect(), Vec::new()).unwrap()
}

#[test]
fn a_patch_classifier_is_written_read_and_validated() {
    let Bundle { mut settings, members, .. } = bundle(1);
    let patches = PatchClassifierSettings {
        size: [2, 4, 4],
        widths: vec![3, 5],
        hidden: 4,
        weights: Vec::new(),
    };
    let tensors = patches.architecture(&settings.plan).tensors();
    let tensors = tensors.into_iter().map(|tensor| {
        let values = vec![0.5; tensor.values()];
        (tensor.name, Tensor { shape: tensor.shape, values })
    });
    let weights = Weights(tensors.collect());
    assert!(Bundle::new(settings.clone(), members.clone(), vec![weights.clone()]).is_err());
    settings.patch_classifier = Some(patches);
    assert!(Bundle::new(settings.clone(), members.clone(), Vec::new()).is_err());
    let with = |weights: &Weights| {
        Bundle::new(settings.clone(), members.clone(), vec![weights.clone(); 2])
    };
    let good = with(&weights).unwrap();
    assert!(good.patch_classifier().unwrap().is_some());
    assert!(bundle(1).patch_classifier().unwrap().is_none());
    let folder = tempfile::tempdir().unwrap();
    for name in ["model", "model.deepmir"] {
        let path = folder.path().join(name);
        good.write(&path).unwrap();
        assert_eq!(Bundle::read(&path).unwrap(), good);
    }
    std::fs::remove_file(folder.path().join("model/patch-classifier-2.safetensors")).unwrap();
    let error = Bundle::read(&folder.path().join("model")).unwrap_err().to_string();
    assert!(error.contains("patch-classifier-2"), "{error}");
    let damaged = |damage: &dyn Fn(&mut Weights)| {
        let mut weights = weights.clone();
        damage(&mut weights);
        with(&weights).unwrap_err().to_string()
    };
    let short = damaged(&|weights| drop(weights.0.remove("hidden.bias")));
    assert!(short.contains("hidden.bias"), "{short}");
    let name = "level.1.conv2.weight";
    let flat = damaged(&|weights| weights.0.get_mut(name).unwrap().shape = vec![1]);
    assert!(flat.contains(name), "{flat}");
    let wild = damaged(&|weights| weights.0.get_mut(name).unwrap().values[0] = f32::NAN);
    assert!(wild.contains(name), "{wild}");
    settings.patch_classifier.as_mut().unwrap().size = [2, 4, 3];
    let odd = Bundle::new(settings, members, vec![weights]).unwrap_err();
    assert!(odd.to_string().contains("halved"), "{odd}");
}

#[test]
fn a_bundle_is_read_back_from_a_folder_and_from_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    for members in [1, 3] {
        let bundle = bundle(members);
        for name in ["model", "model.deepmir"] {
            let path = folder.path().join(format!("{members}-{name}"));
            bundle.write(&path).unwrap();
            assert_eq!(Bundle::read(&path).unwrap(), bundle);
        }
    }
}

/// A `.deepmir` file of some entries; names are written as they are.
fn archive_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_old();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn a_damaged_or_foreign_model_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let good = bundle(1);
    good.write(&path).unwrap();
    let settings = std::fs::read_to_string(path.join(SETTINGS)).unwrap();
    let weights = std::fs::read(path.join("weights.safetensors")).unwrap();
    let read = |entries: &[(&str, &[u8])]| {
        let told = Bundle::from_archive(&archive_of(entries), Path::new("m.deepmir"));
        told.map_err(|error| error.to_string())
    };
    let with = |settings: &str| {
        let entries =
            [(SETTINGS, settings.as_bytes()), ("weights.safetensors", weights.as_slice())];
        read(&entries).map(|_| ()).unwrap_err()
    };
    for (from, to, words) in [
        ("detection_threshold = 0.5", "detection_threshold = 1.5", "must lie between 0 and 1"),
        ("detection_threshold = 0.5", "detection_threshold = nan", "must lie between 0 and 1"),
        ("candidate_threshold = 0.5", "candidate_threshold = 0.0", "must lie above 0"),
        ("min_volume_mm3 = 0.0", "min_volume_mm3 = -1.0", "from 0 on"),
        ("candidate_threshold = 0.5", "candidate_threshold = ", "model.toml"),
        ("name = \"test\"", "nom = \"test\"", "nom"),
        ("widths = [", "widths = [7, ", "weights"),
        ("weights.safetensors", "../weights.safetensors", "no file name"),
        ("weights.safetensors", "other.safetensors", "it holds no other.safetensors"),
    ] {
        assert!(settings.contains(from), "{from} is not in {settings}");
        let told = with(&settings.replace(from, to));
        assert!(told.contains(words) && told.contains("m.deepmir"), "{told}");
    }
    // Entries outside of the archive's folder are never written, and extra ones never read.
    let entries = [
        ("../../evil", b"x".as_slice()),
        ("notes.txt", b"x"),
        (SETTINGS, settings.as_bytes()),
        ("weights.safetensors", &weights),
    ];
    assert_eq!(read(&entries).unwrap(), good);
    std::fs::write(path.join("notes.txt"), "x").unwrap();
    assert_eq!(Bundle::read(&path).unwrap(), good);
    let twice = read(&[entries[2], entries[3], entries[3]]).unwrap_err();
    assert!(twice.contains("weights.safetensors twice"), "{twice}");
    let whole = archive_of(&entries[2..]);
    for length in [0, 100, 700, 2000, whole.len() / 2, weights.len()] {
        let told = Bundle::from_archive(&whole[..length], Path::new("cut.deepmir"));
        let told = told.unwrap_err().to_string();
        assert!(told.contains("cut.deepmir"), "{told}");
    }
    let mut wild = good.members[0].clone();
    wild.0.values_mut().next().unwrap().values[0] = f32::NAN;
    let told = Bundle::new(good.settings.clone(), vec![wild], Vec::new()).unwrap_err();
    assert!(told.to_string().contains("NaN"), "{told}");
}

#[test]
fn changed_weights_contradicting_settings_and_foreign_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let message = |path: &Path| Bundle::read(path).unwrap_err().to_string();
    bundle(1).write(&path).unwrap();
    let weights = path.join("weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    assert!(message(&path).contains("checksum"));

    bundle(1).write(&path).unwrap();
    let settings = path.join(SETTINGS);
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("context_slices = 3", "context_slices = 4")).unwrap();
    assert!(message(&path).contains("odd"));
    std::fs::write(&settings, format!("surprise = 1\n{text}")).unwrap();
    assert!(message(&path).contains("surprise"));
    std::fs::write(&settings, text.replace("weights.safetensors", "../other")).unwrap();
    assert!(message(&path).contains("no file name"));

    let other = folder.path().join("notes.deepmir");
    std::fs::write(&other, "not an archive at all ".repeat(60)).unwrap();
    assert!(message(&other).contains("notes.deepmir"));
    assert!(message(&folder.path().join("absent")).contains("absent"));
}

/// A model with a candidate classifier without trees, and thresholds of its own for SWI alone.
fn with_operating_points(text: &str) -> Result<ModelSettings, String> {
    let Bundle { mut settings, .. } = bundle(1);
    settings.plan.optional = vec![Modality::Qsm, Modality::T2w];
    settings.candidate_classifier = Some(CandidateClassifier {
        classes: LesionClass::ALL.to_vec(),
        features: Vec::new(),
        offsets: vec![0.0; 3],
        rounds: Vec::new(),
    });
    let plain = toml::to_string(&settings).unwrap();
    let (read, _) = format::parse(&(plain + text))?;
    read.validate().map_err(|error| error.to_string())?;
    Ok(read)
}

const SWI_ALONE: &str = "
[[operating_points]]
images = [\"SWI\"]
[operating_points.classes.CMB]
detection_threshold = 0.3
calibration = { slope = 0.8, offset = -0.4 }
";

#[test]
fn a_set_of_images_may_have_thresholds_and_calibration_of_its_own() {
    let settings = with_operating_points(SWI_ALONE).unwrap();
    let again = format::parse(&toml::to_string(&settings).unwrap()).unwrap().0;
    assert_eq!(again, settings);

    let own = settings.detection_of(&["SWI"]);
    assert_eq!(own.rule.classes[&LesionClass::Cmb].detection_threshold, 0.3);
    assert_eq!(own.rule.classes[&LesionClass::Nhid].detection_threshold, 0.5);
    let calibration = Calibration { slope: 0.8, offset: -0.4 };
    assert_eq!(own.calibration, [(LesionClass::Cmb, calibration)].into());
    for others in [&["SWI", "T2w"][..], &["SWI", "QSM", "T2w"], &["T2starw"]] {
        assert_eq!(settings.detection_of(others), settings.detection());
    }

    // A model that says nothing of it is written without the key.
    let plain = with_operating_points("").unwrap();
    assert!(!toml::to_string(&plain).unwrap().contains("operating_points"));
    assert_eq!(plain.detection_of(&["SWI"]), plain.detection());
}

#[test]
fn operating_points_that_cannot_be_are_refused() {
    let twice = format!("{SWI_ALONE}{SWI_ALONE}");
    assert!(with_operating_points(&twice).unwrap_err().contains("SWI twice"));
    for (from, to, words) in [
        ("threshold = 0.3", "threshold = 1.3", "detection_threshold 1.3 must lie"),
        ("slope = 0.8", "slope = -0.8", "slope -0.8"),
        ("slope = 0.8", "slope = 0.0", "slope 0"),
        ("offset = -0.4", "offset = inf", "offset inf"),
        ("offset", "ofset", "ofset"),
        ("[\"SWI\"]", "[\"QSM\"]", "a scan cannot have these"),
        ("[\"SWI\"]", "[\"SWI\", \"SWI\"]", "each image once"),
        ("[\"SWI\"]", "[]", "a scan cannot have these"),
        ("[\"SWI\"]", "[\"T2starw\"]", "\"T2starw\" is none of the model's"),
        ("classes.CMB", "classes.Vein", "Vein"),
    ] {
        assert!(SWI_ALONE.contains(from), "{from}");
        let told = with_operating_points(&SWI_ALONE.replace(from, to)).unwrap_err();
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    let mut settings = with_operating_points(SWI_ALONE).unwrap();
    settings.candidate_classifier = None;
    let told = settings.validate().unwrap_err().to_string();
    assert!(told.contains("operating_points") && told.contains("candidate_classifier"), "{told}");
}
