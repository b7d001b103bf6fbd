//! Datasets of copies, from phantoms as the real scans.

use std::path::Path;

use deepmir_phantom::PhantomConfig;
use deepmir_phantom::bids::{AnatomySource, DatasetPlan};
use deepmir_phantom::config::Contents;
use deepmir_volume::nifti;

use super::*;

/// A head at 2 mm, with raw echoes and maps, and another without raw echoes.
fn heads(folder: &Path) {
    let mut config = PhantomConfig::default();
    config.scan.voxel_mm = [2.0; 3];
    config.scan.matrix = [80, 98, 80];
    config.scan.fine_voxel_mm = 1.0;
    config.scan.echo_times_s = vec![0.006, 0.012, 0.02];
    config.output.contents = Contents::Both;
    config.output.true_maps = false;
    let plan = DatasetPlan {
        config,
        anatomy: AnatomySource::BuiltIn,
        subjects: 1,
        sessions: 1,
        randomize: false,
        seed: 5,
    };
    deepmir_phantom::bids::write_dataset(folder, &plan, &mut |_| {}).unwrap();
}

fn read(path: &Path) -> Volume<f32> {
    nifti::read(path).unwrap().volume
}

fn ladder() -> Implants {
    let mut ladder = Ladder { per_scan: 4, fine_voxel_mm: 1.0, ..Ladder::default() };
    ladder.parts.truncate(1);
    ladder.parts[0].diameter_mm = vec![6.0];
    ladder.parts[0].chi_ppm = vec![1.2];
    Implants::Ladder(ladder)
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    names.sort();
    names
}

/// Marks one corner of the brain.
struct OneCall;

impl NativeCalls for OneCall {
    fn id(&self) -> String {
        "one call".to_owned()
    }

    fn calls(&self, scan: &CaseFiles) -> Result<Volume<u8>, StudyError> {
        let image = read(&scan.images[&deepmir_cases::Modality::Swi]);
        let mut labels = image.map(|_| 0);
        labels[[40, 49, 50]] = 1;
        Ok(labels)
    }
}

#[test]
fn copies_hold_the_scan_with_lesions_and_their_truth_and_runs_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    heads(&data);
    let plan = ImplantPlan { implants: ladder(), copies: 2, ..ImplantPlan::default() };
    assert_eq!(copies_of(&data, &plan).unwrap(), 2);
    let made = write_dataset(&data, &out, &plan, Some(&OneCall), &mut |_| {}).unwrap();
    assert_eq!((made.made, made.skipped, made.failures.len()), (2, 0, 0), "{made:?}");
    assert_eq!(made.sources + made.without_room, 8);

    let images = out.join("sub-01/ses-implant01/anat");
    let truth = out.join("derivatives/truth/sub-01/ses-implant01/anat");
    let id = "sub-01_ses-implant01";
    let labels = read(&truth.join(format!("{id}_seg-lesions_dseg.nii.gz")));
    let unknown = read(&truth.join(format!("{id}_desc-unknown_mask.nii.gz")));
    assert!(unknown[[40, 49, 50]] == 1.0 && unknown[[40, 49, 51]] == 1.0);
    assert!(unknown.data().iter().sum::<f32>() < 20.0);
    let sources =
        std::fs::read_to_string(truth.join(format!("{id}_desc-sources_list.tsv"))).unwrap();
    assert!(sources.lines().skip(1).all(|line| line.ends_with("implant")), "{sources}");
    // Raw echoes are changed where the lesions are; maps are left to the reconstruction.
    let names = files_below(&images);
    assert!(names.iter().all(|name| name.contains("MEGRE") || name.contains("T2w")), "{names:?}");
    let last = "echo-3_part-mag_MEGRE.nii.gz";
    let before = read(&data.join(format!("sub-01/anat/sub-01_{last}")));
    let after = read(&images.join(format!("{id}_{last}")));
    let (mut inside, mut count) = (0.0, 0.0);
    for ((label, before), after) in labels.data().iter().zip(before.data()).zip(after.data()) {
        if *label > 0.0 {
            inside += f64::from(after / before.max(1e-6));
            count += 1.0;
        }
    }
    assert!(count > 20.0 && inside / count < 0.5, "{inside} of {count}");
    assert_eq!(before[[2, 2, 2]], 0.0_f32.max(before[[2, 2, 2]]));
    let fields = deepmir_cases::bids::sidecar_fields(&images.join(format!("{id}_{last}")));
    assert_eq!(fields["EchoTime"], 0.02);

    // What is there is not made again, and not with other settings.
    let again = write_dataset(&data, &out, &plan, Some(&OneCall), &mut |_| {}).unwrap();
    assert_eq!((again.made, again.skipped), (0, 2));
    let other = ImplantPlan { seed: 2, ..plan.clone() };
    let refused = write_dataset(&data, &out, &other, Some(&OneCall), &mut |_| {}).unwrap_err();
    assert!(refused.to_string().contains("desc-implant.json"), "{refused}");
    let other_model = write_dataset(&data, &out, &plan, None, &mut |_| {}).unwrap_err();
    assert!(other_model.to_string().contains("desc-implant.json"), "{other_model}");
    // A copy whose record is missing is made again, the same.
    let record = truth.join(format!("{id}_desc-implant.json"));
    std::fs::remove_file(&record).unwrap();
    let bytes = std::fs::read(images.join(format!("{id}_{last}"))).unwrap();
    write_dataset(&data, &out, &plan, Some(&OneCall), &mut |_| {}).unwrap();
    assert_eq!(bytes, std::fs::read(images.join(format!("{id}_{last}"))).unwrap());
    assert!(record.is_file());
}

#[test]
fn maps_are_changed_where_there_are_no_echoes() {
    let folder = tempfile::tempdir().unwrap();
    let (data, out) = (folder.path().join("data"), folder.path().join("out"));
    heads(&data);
    let anat = data.join("sub-01/anat");
    for name in files_below(&anat) {
        if name.contains("MEGRE") {
            std::fs::remove_file(anat.join(name)).unwrap();
        }
    }
    let plan = ImplantPlan { implants: ladder(), ..ImplantPlan::default() };
    write_dataset(&data, &out, &plan, None, &mut |_| {}).unwrap();
    let images = out.join("sub-01/ses-implant01/anat");
    let truth = out.join("derivatives/truth/sub-01/ses-implant01/anat");
    let id = "sub-01_ses-implant01";
    let labels = read(&truth.join(format!("{id}_seg-lesions_dseg.nii.gz")));
    let mean = |folder: &Path, id: &str, ending: &str| {
        let image = read(&folder.join(format!("{id}_{ending}.nii.gz")));
        let voxels = labels.data().iter().zip(image.data()).filter(|(label, _)| **label > 0.0);
        let values: Vec<f64> = voxels.map(|(_, value)| f64::from(*value)).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let swi = mean(&images, id, "acq-swi_T2starw") / mean(&anat, "sub-01", "acq-swi_T2starw");
    assert!(swi < 0.5, "{swi}");
    let qsm = mean(&images, id, "Chimap") - mean(&anat, "sub-01", "Chimap");
    assert!(qsm > 0.3, "{qsm}");
    let t2w = mean(&images, id, "T2w") / mean(&anat, "sub-01", "T2w");
    assert!(t2w < 0.95, "{t2w}");

    // Without echo times there is no telling how dark a lesion is.
    for name in ["acq-swi_T2starw", "Chimap"] {
        let path = anat.join(format!("sub-01_{name}.json"));
        std::fs::write(path, r#"{"MagneticFieldStrength": 3}"#).unwrap();
    }
    let out = folder.path().join("without");
    let refused = write_dataset(&data, &out, &plan, None, &mut |_| {}).unwrap_err().to_string();
    assert!(refused.contains("EchoTime") && refused.contains("T2starw"), "{refused}");
    let plan = ImplantPlan {
        protocol: ProtocolDefaults { echo_time_s: Some(0.02), ..Default::default() },
        ..plan
    };
    let told = write_dataset(&data, &out, &plan, None, &mut |_| {}).unwrap();
    assert_eq!(told.made, 1);
}

#[test]
fn a_scan_that_is_no_head_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    deepmir_testing::write_subject(&data, 2);
    let only_balls =
        write_dataset(&data, &folder.path().join("a"), &ImplantPlan::default(), None, &mut |_| {});
    let message = only_balls.unwrap_err().to_string();
    assert!(message.contains("no scan could be implanted"), "{message}");
    assert!(message.contains("sub-02"), "{message}");

    heads(&folder.path().join("heads"));
    let good = folder.path().join("heads/sub-01/anat");
    let place = data.join("sub-01/anat");
    std::fs::create_dir_all(&place).unwrap();
    for name in files_below(&good).into_iter().filter(|name| !name.contains("MEGRE")) {
        std::fs::copy(good.join(&name), place.join(&name)).unwrap();
    }
    let plan = ImplantPlan { implants: ladder(), ..ImplantPlan::default() };
    let mut failed = Vec::new();
    let out = folder.path().join("b");
    let made = write_dataset(&data, &out, &plan, None, &mut |event| {
        if let Event::Failed { scan, .. } = event {
            failed.push(scan.to_owned());
        }
    });
    let made = made.unwrap();
    assert_eq!((made.made, made.failures.len()), (1, 1), "{made:?}");
    assert_eq!(failed, ["sub-02"]);
    let none = ImplantPlan { copies: 0, ..plan };
    assert!(write_dataset(&data, &out, &none, None, &mut |_| {}).is_err());
}
