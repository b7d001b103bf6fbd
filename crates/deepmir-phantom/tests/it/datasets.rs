//! From a plan to files.

use std::path::Path;

use deepmir_phantom::bids::{AnatomySource, DatasetPlan, Event, Record, ScanName, write_dataset};
use deepmir_phantom::config::Contents;
use deepmir_phantom::{Anatomy, PhantomConfig, PhantomError, Subject, simulate};
use deepmir_volume::nifti;

use crate::support::{coarse_config, made_up_brain};

fn label_map(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("brain.nii.gz");
    nifti::write(&path, &made_up_brain(), None).unwrap();
    path
}

fn plan(folder: &Path) -> DatasetPlan {
    let mut config = coarse_config();
    config.output.contents = Contents::Both;
    DatasetPlan {
        config,
        anatomy: AnatomySource::LabelMaps(label_map(folder)),
        subjects: 1,
        sessions: 2,
        randomize: false,
        seed: 4,
    }
}

#[test]
fn a_dataset_is_written_resumed_and_protected() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path());
    let dataset = folder.path().join("dataset");
    let summary = write_dataset(&dataset, &plan, &mut |_| {}).unwrap();
    assert_eq!((summary.made, summary.skipped), (2, 0));
    for name in [
        "dataset_description.json",
        "participants.tsv",
        "README",
        "sub-01/ses-1/anat/sub-01_ses-1_acq-swi_T2starw.nii.gz",
        "sub-01/ses-1/anat/sub-01_ses-1_acq-swi_T2starw.json",
        "sub-01/ses-1/anat/sub-01_ses-1_Chimap.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_T2w.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_echo-2_part-phase_MEGRE.nii.gz",
        "sub-01/ses-2/anat/sub-01_ses-2_echo-2_part-phase_MEGRE.json",
        "derivatives/truth/dataset_description.json",
        "derivatives/truth/sub-01/ses-1/anat/sub-01_ses-1_seg-lesions_dseg.nii.gz",
        "derivatives/truth/sub-01/ses-1/anat/sub-01_ses-1_desc-brain_mask.nii.gz",
        "derivatives/truth/sub-01/ses-1/anat/sub-01_ses-1_desc-sources_list.tsv",
        "derivatives/truth/sub-01/ses-1/anat/sub-01_ses-1_fieldmap.nii.gz",
    ] {
        assert!(dataset.join(name).is_file(), "{name}");
    }
    let phase = dataset.join("sub-01/ses-1/anat/sub-01_ses-1_echo-1_part-phase_MEGRE.nii.gz");
    let phase = nifti::read(&phase).unwrap().volume;
    let largest = phase.data().iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    assert!((3.0..3.1417).contains(&largest), "radians, {largest}");

    // A run that was killed in the second session: its record is missing, nothing else is redone.
    let name = ScanName { subject: "01".to_owned(), session: Some("2".to_owned()) };
    let record = name.record(&dataset);
    let first = std::fs::read(&record).unwrap();
    std::fs::remove_file(&record).unwrap();
    let mut skipped = Vec::new();
    let summary = write_dataset(&dataset, &plan, &mut |event| {
        if let Event::Skipped { scan } = event {
            skipped.push(scan.to_owned());
        }
    })
    .unwrap();
    assert_eq!((summary.made, summary.skipped), (1, 1));
    assert_eq!(skipped, ["sub-01_ses-1"]);
    assert_eq!(std::fs::read(&record).unwrap(), first, "the same seed makes the same session");
    assert!(Record::read(&record).unwrap().is_some());

    let other = DatasetPlan { seed: 5, ..plan };
    let refused = write_dataset(&dataset, &other, &mut |_| {}).unwrap_err();
    assert!(matches!(refused, PhantomError::OtherSettings { .. }), "{refused}");
}

#[test]
fn the_same_seed_makes_the_same_scan_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = coarse_config();
    config.scan.matrix = [36, 40, 30];
    config.scan.motion_mm = 0.5;
    let anatomy = Anatomy::LabelMap(label_map(folder.path()));
    let make = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let subject = Subject::draw(&config, &anatomy, 9, 1).unwrap();
            simulate(&subject, &config, 0, &mut |_| {}).unwrap()
        })
    };
    let (one, three) = (make(1), make(3));
    assert_eq!(one.magnitude, three.magnitude);
    assert_eq!(one.phase_rad, three.phase_rad);
    assert_eq!(one.t2w, three.t2w);
    assert_eq!(one.truth.lesions, three.truth.lesions);
    assert_eq!(one.truth.sources, three.truth.sources);
    let (one, three) = (one.maps.unwrap(), three.maps.unwrap());
    assert_eq!(one.swi, three.swi);
    assert_eq!(one.qsm_ppm, three.qsm_ppm);
}

#[test]
fn drawn_lesions_have_the_volumes_the_table_and_the_labels_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = coarse_config();
    config.scan.voxel_mm = [1.0; 3];
    config.scan.matrix = [150, 180, 140];
    config.scan.fine_voxel_mm = 1.0;
    config.scan.echo_times_s = vec![0.02];
    config.output.contents = Contents::Raw;
    config.person.rotation_deg = 0.0;
    config.person.shift_mm = 0.0;
    config.lesions.microbleeds.count = [12, 12];
    config.lesions.microbleeds.diameter_mm = [4.0, 9.0];
    config.lesions.microbleeds.median_diameter_mm = 6.0;
    let anatomy = Anatomy::LabelMap(label_map(folder.path()));
    let subject = Subject::draw(&config, &anatomy, 21, 1).unwrap();
    let scan = simulate(&subject, &config, 0, &mut |_| {}).unwrap();
    let mut bleeds = 0;
    for (row, source) in scan.truth.sources.iter().zip(&subject.sessions[0]) {
        if row.kind != "CMB" {
            continue;
        }
        bleeds += 1;
        let analytic = source.lobules[0].volume_mm3();
        assert!((row.volume_mm3 / analytic - 1.0).abs() < 0.02, "{row:?} {analytic}");
        // Voxels of 1 mm³, counted where half full: 4 mm balls have 33 of them.
        assert!((row.n_voxels as f64 / analytic - 1.0).abs() < 0.2, "{row:?} {analytic}");
        // The label lies where the table says.
        let index = scan.geometry.scan.affine().inverse().apply([row.x_mm, row.y_mm, row.z_mm]);
        assert_eq!(scan.truth.lesions[index.map(|i| i.round() as usize)], 1);
    }
    assert!(bleeds >= 8, "{bleeds} of 12 found a place");
    let labelled = scan.truth.lesions.data().iter().filter(|&&label| label == 1).count();
    let counted: usize =
        scan.truth.sources.iter().filter(|row| row.kind == "CMB").map(|row| row.n_voxels).sum();
    assert_eq!(labelled, counted);
    // Noise is what it should be, where there is no signal to speak of: Rayleigh's mean.
    let magnitude = &scan.magnitude[0];
    let corner: Vec<f64> = (0..10)
        .flat_map(|k| (0..8).flat_map(move |j| (0..8).map(move |i| [i, j, 139 - k])))
        .map(|voxel| f64::from(magnitude[voxel]))
        .collect();
    let mean = corner.iter().sum::<f64>() / corner.len() as f64;
    let rayleigh = scan.drawn.noise * (std::f64::consts::PI / 2.0).sqrt();
    assert!((mean / rayleigh - 1.0).abs() < 0.15, "{mean} and {rayleigh}");
}

#[test]
fn sessions_tell_what_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = PhantomConfig::default();
    config.lesions.lesion_free_probability = 0.0;
    config.lesions.microbleeds.count = [10, 10];
    config.sessions.growth_probability = 0.5;
    config.sessions.vanishing_probability = 0.3;
    config.sessions.new_microbleeds = [3, 3];
    let anatomy = Anatomy::LabelMap(label_map(folder.path()));
    let subject = Subject::draw(&config, &anatomy, 2, 2).unwrap();
    let [before, after] = [&subject.sessions[0], &subject.sessions[1]];
    assert!(after.len() > before.len());
    let volume = |source: &deepmir_phantom::Source| -> f64 {
        source.lobules.iter().map(deepmir_phantom::Lobule::volume_mm3).sum()
    };
    let mut changes = std::collections::BTreeMap::new();
    for source in after {
        *changes.entry(source.change.name()).or_insert(0) += 1;
        match before.iter().find(|old| old.id == source.id) {
            None => assert_eq!(source.change.name(), "new"),
            Some(old) if source.change.name() == "grown" => assert!(volume(source) > volume(old)),
            Some(old) => assert_eq!(volume(source), volume(old)),
        }
    }
    for change in ["new", "grown", "vanished", "stable"] {
        assert!(changes.contains_key(change), "{changes:?}");
    }
}

#[test]
fn later_sessions_can_have_another_protocol() {
    let mut config = PhantomConfig::default();
    assert_eq!(config.of_session(3, 1), config);
    config.sessions.other_protocol_probability = 1.0;
    assert_eq!(config.of_session(3, 0), config);
    let later = [1, 2].map(|session| config.of_session(3, session));
    assert!(later.iter().all(|later| later.scan.voxel_mm != config.scan.voxel_mm));
    assert_ne!(later[0].scan, later[1].scan);
    for seed in 0..20 {
        let drawn = config.of_session(seed, 1);
        drawn.validate().unwrap();
        assert_eq!(drawn.scan.field_strength_t, config.scan.field_strength_t);
        assert_eq!((&drawn.person, &drawn.lesions), (&config.person, &config.lesions));
    }
    config.sessions.other_protocol_probability = 0.5;
    let other = (0..200).filter(|&seed| config.of_session(seed, 1).scan != config.scan).count();
    assert!((70..130).contains(&other), "{other} of 200");
}

#[test]
fn impossible_settings_are_named() {
    let mut config = PhantomConfig::default();
    config.scan.echo_times_s = vec![0.02, 0.01];
    let text = config.validate().unwrap_err().to_string();
    assert!(text.contains("scan.echo_times_s"), "{text}");
    for seed in 0..40 {
        let drawn = PhantomConfig::default().randomized(seed);
        drawn.validate().unwrap();
        drawn.output.reconstruction.validate().unwrap();
        // To the last digit: a finished subject is known by what its record says.
        assert_eq!(parse(&serde_json::to_string(&drawn).unwrap()).unwrap(), drawn);
    }
    assert!(parse("{\"scan\": {\"snr\": 30.0}}").is_ok());
    assert!(parse("{\"scan\": {\"signal_to_noise\": 30.0}}").is_err());
}

fn parse(text: &str) -> Result<PhantomConfig, serde_json::Error> {
    serde_json::from_str(text)
}

#[test]
fn true_parts_of_susceptibility_make_up_susceptibility_and_r2_star() {
    let mut config = coarse_config();
    config.output.contents = Contents::Raw;
    config.output.true_parts = true;
    let folder = tempfile::tempdir().unwrap();
    let anatomy = Anatomy::LabelMap(label_map(folder.path()));
    let subject = Subject::draw(&config, &anatomy, 5, 1).unwrap();
    let scan = simulate(&subject, &config, 0, &mut |_| {}).unwrap();
    let truth = &scan.truth;
    let parts = truth.parts.as_ref().unwrap();
    let (positive, negative) = (&parts.chi_positive_ppm, &parts.chi_negative_ppm);
    let (mut iron, mut calcium) = (0.0_f32, 0.0_f32);
    let mut errors = Vec::new();
    for voxel in 0..truth.chi_ppm.data().len() {
        let [plus, minus] = [positive, negative].map(|map| map.data()[voxel]);
        assert!(plus >= 0.0 && minus <= 0.0);
        if truth.brain_mask.data()[voxel] {
            assert!((plus + minus - truth.chi_ppm.data()[voxel]).abs() < 1e-4);
            let r2_prime = truth.r2star_hz.data()[voxel] - parts.r2_hz.data()[voxel];
            errors.push((r2_prime - 137.0 * (plus - minus)).abs());
            (iron, calcium) = (iron.max(plus), calcium.min(minus));
        }
    }
    // Texture changes rates and not susceptibility, and bone at the rim is counted less.
    errors.sort_by(f32::total_cmp);
    assert!(errors[errors.len() / 2] < 0.5 && errors[errors.len() * 9 / 10] < 2.0);
    assert!(iron > 0.1 && calcium < -0.03, "{iron} {calcium}");
}
