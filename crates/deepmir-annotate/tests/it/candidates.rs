//! A model's candidates: which are shown, in which order, with which outline.

use std::path::Path;

use deepmir_annotate::Dataset;
use deepmir_annotate::case::LoadedCase;
use deepmir_lesion::{LabelMap, lesions_of};
use deepmir_testing::write_subject;
use deepmir_volume::components::Connectivity;
use deepmir_volume::{Volume, nifti};

/// Results as `deepmir predict` writes them: the true lesions but the last are accepted, with larger regions; of three
/// others one is too improbable to be shown.
pub fn write_predicted(data: &Path) -> std::path::PathBuf {
    let subject = write_subject(data, 1);
    let (labels, header) = LabelMap::read(&subject.truth).unwrap();
    let lesions = lesions_of(&labels, Connectivity::TwentySix);
    let folder = data.join("derivatives/deepmir/sub-01/anat");
    std::fs::create_dir_all(&folder).unwrap();
    let of = |name: &str| folder.join(format!("sub-01_{name}"));
    let mut numbers = Volume::filled(*header.grid(), 0_u8);
    let mut table =
        "candidate\tclass\tx_mm\tlesion_probability\taccepted\treview_rank\n".to_owned();
    let last = lesions.len() - 1;
    let mut found = LabelMap::empty(*header.grid());
    for (n, lesion) in lesions.iter().enumerate() {
        // One voxel beyond the outline.
        for &voxel in lesion.voxels.iter().chain([&(lesion.voxels[0] - 1)]) {
            numbers.data_mut()[voxel] = n as u8 + 1;
        }
        let accepted = if n == last { "no" } else { "yes" };
        if n != last {
            found.paint(&lesion.voxels, lesion.class);
        }
        // The most probable are to be reviewed last.
        let (probability, rank) = (0.9 - 0.1 * n as f64, lesions.len() - n);
        table += &format!("{}\tCMB\t0\t{probability:.2}\t{accepted}\t{rank}\n", n + 1);
    }
    numbers.data_mut()[3] = 100;
    table += "100\tNHID\t0\t0.05\tno\t50\n";
    nifti::write(&of("acq-swi_seg-lesions_dseg.nii.gz"), found.volume(), Some(&header)).unwrap();
    nifti::write(&of("desc-lesions_candidates.nii.gz"), &numbers, Some(&header)).unwrap();
    std::fs::write(of("desc-lesions_candidates.tsv"), table).unwrap();
    folder
}

fn load(data: &Path, folder: &Path) -> Result<LoadedCase, String> {
    let dataset = Dataset::from_bids(data, &[], &[], Some(folder), None).unwrap();
    LoadedCase::read(&dataset.cases[0]).map_err(|error| error.to_string())
}

#[test]
fn what_tells_most_comes_first_and_what_was_nearly_called_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let predicted = write_predicted(data);
    let truth = data.join("derivatives/truth/sub-01/anat/sub-01_acq-swi_seg-lesions_dseg.nii.gz");
    let (labels, _) = LabelMap::read(&truth).unwrap();
    let lesions = lesions_of(&labels, Connectivity::TwentySix);
    let shown = load(data, &predicted).unwrap().candidates.unwrap();
    assert_eq!(shown.len(), lesions.len(), "the improbable one is left out");
    for (n, candidate) in shown.iter().rev().enumerate() {
        assert_eq!(candidate.key, format!("model:{}", n + 1));
        let accepted = n + 1 < lesions.len();
        assert_eq!(!candidate.doubted, accepted);
        // Accepted ones have the outline of the label map, the other the region that was scored.
        assert_eq!(candidate.voxels.len(), lesions[n].voxels.len() + usize::from(!accepted));
        assert!((candidate.probability.unwrap() - 0.9 + 0.1 * n as f64).abs() < 1e-9);
    }
    // Without the table, the label map's regions in their own order.
    let table = predicted.join("sub-01_desc-lesions_candidates.tsv");
    let text = std::fs::read_to_string(&table).unwrap();
    std::fs::remove_file(&table).unwrap();
    let shown = load(data, &predicted).unwrap().candidates.unwrap();
    assert_eq!(shown.len(), lesions.len() - 1);
    assert_eq!((shown[0].key.as_str(), shown[0].probability), ("model:1", None));
    // A table that is cut off is named.
    std::fs::write(&table, &text[..text.len() - 8]).unwrap();
    let error = load(data, &predicted).unwrap_err();
    assert!(error.contains("predict again") && error.contains("candidates.tsv"), "{error}");
}
