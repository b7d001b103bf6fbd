//! Heads of both kinds.

use std::path::Path;

use deepmir_phantom::config::PersonConfig;
use deepmir_phantom::{Head, PhantomError, Structure, list_label_maps, read_label_map};
use deepmir_volume::{Affine, Grid, Orientation, Volume, nifti};

use crate::support::{count, made_up_brain};

/// A person who is just what the label map is.
fn plain() -> PersonConfig {
    PersonConfig {
        size_spread: 0.0,
        elastic_mm: 0.0,
        mirror_probability: 0.0,
        ..PersonConfig::default()
    }
}

#[test]
fn a_brain_alone_gets_its_missing_nuclei_and_a_head_around_it() {
    let folder = tempfile::tempdir().unwrap();
    let brain = made_up_brain();
    let path = folder.path().join("brain.nii.gz");
    nifti::write(&path, &brain, None).unwrap();
    let labels = read_label_map(&path).unwrap();
    let head = Head::of_labels(labels, &plain(), 3).unwrap();
    let seen = head.overview();
    for structure in [
        Structure::RedNucleus,
        Structure::SubstantiaNigra,
        Structure::Dentate,
        Structure::InnerPallidum,
        Structure::CorticalBone,
        Structure::Marrow,
        Structure::SkinAndFat,
        Structure::Vein,
    ] {
        assert!(count(seen, structure) > 20, "{structure:?}");
    }
    // The thalamus is neither larger nor smaller than in the file (voxels of 2 mm there).
    let thalamus = brain.data().iter().filter(|&&n| n == 10 || n == 49).count() as f64 * 8.0;
    let kept = count(seen, Structure::Thalamus) as f64;
    assert!((kept / thalamus - 1.0).abs() < 0.06, "{kept} of {thalamus} mm³");
    // Air lies in the head as well as around it: the sinuses in front of and below the brain.
    let inside = head.to_template().inverse().apply([28.0, 44.0, -60.0]);
    let index = seen.grid().affine().inverse().apply(inside).map(|i| i.round() as usize);
    assert_eq!(seen[index], Structure::Air);
}

#[test]
fn orientation_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let brain = made_up_brain();
    let ras = folder.path().join("ras.nii.gz");
    nifti::write(&ras, &brain, None).unwrap();
    let turned = Affine::from_rows([
        [-1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, -1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ])
    .unwrap();
    let lia = Orientation::of(&turned);
    assert_eq!(lia.codes(), "LIA");
    let other = folder.path().join("lia.nii");
    nifti::write(&other, &lia.from_ras(&brain), None).unwrap();
    assert_eq!(read_label_map(&ras).unwrap(), read_label_map(&other).unwrap());
    assert_eq!(list_label_maps(folder.path()).unwrap(), [other, ras]);
}

#[test]
fn what_is_no_whole_brain_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let grid = Grid::new([20; 3], Affine::from_spacing([2.0; 3], [0.0; 3])).unwrap();
    let write = |name: &str, number: i32| {
        let path = folder.path().join(name);
        nifti::write(&path, &Volume::filled(grid, number), None).unwrap();
        path
    };
    let unknown = read_label_map(&write("unknown.nii", 999)).unwrap_err();
    assert!(matches!(&unknown, PhantomError::UnknownLabels { voxels: 8000, .. }), "{unknown}");
    assert!(unknown.to_string().contains("999") && unknown.to_string().contains("unknown.nii"));
    let partial = read_label_map(&write("partial.nii", 2)).unwrap_err();
    assert!(matches!(&partial, PhantomError::NotABrain { .. }), "{partial}");
    let missing = list_label_maps(Path::new("/nowhere/at/all")).unwrap_err();
    assert!(matches!(missing, PhantomError::Read { .. }));
    let empty = tempfile::tempdir().unwrap();
    let none = list_label_maps(empty.path()).unwrap_err();
    assert!(matches!(none, PhantomError::NoAnatomies { .. }));
}

#[test]
fn the_built_in_head_has_every_structure_in_a_likely_size() {
    let head = Head::built_in(0.2, &plain(), 11).unwrap();
    // Millilitres: lowest and highest that would surprise nobody.
    let expected = [
        (Structure::Cortex, 330.0, 620.0),
        (Structure::WhiteMatter, 300.0, 560.0),
        (Structure::CerebellarCortex, 60.0, 160.0),
        (Structure::CerebellarWhiteMatter, 12.0, 60.0),
        (Structure::LateralVentricle, 8.0, 60.0),
        (Structure::ThirdVentricle, 0.5, 4.0),
        (Structure::FourthVentricle, 0.5, 4.0),
        (Structure::Thalamus, 8.0, 17.0),
        (Structure::Caudate, 4.0, 11.0),
        (Structure::Putamen, 6.0, 12.0),
        (Structure::OuterPallidum, 0.8, 4.0),
        (Structure::InnerPallidum, 0.4, 3.0),
        (Structure::Hippocampus, 3.0, 9.0),
        (Structure::Amygdala, 1.5, 4.5),
        (Structure::Brainstem, 16.0, 34.0),
        (Structure::RedNucleus, 0.15, 0.7),
        (Structure::SubstantiaNigra, 0.3, 1.4),
        (Structure::Dentate, 0.8, 4.0),
        (Structure::ChoroidPlexus, 0.3, 3.5),
        (Structure::CerebrospinalFluid, 120.0, 420.0),
    ];
    let unlikely: Vec<String> = expected
        .into_iter()
        .filter_map(|(structure, low, high)| {
            let ml = count(head.overview(), structure) as f64 / 1000.0;
            (!(low..high).contains(&ml)).then(|| format!("{structure:?}: {ml:.2} ml"))
        })
        .collect();
    assert!(unlikely.is_empty(), "{unlikely:?}");
    // Landmarks find themselves.
    let centre = head.to_template().apply([0.0; 3]);
    assert!(centre[0].abs() < 3.0, "{centre:?}");
}
