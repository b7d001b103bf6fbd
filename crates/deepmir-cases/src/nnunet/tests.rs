use std::io::Write;
use std::path::{Path, PathBuf};

use deepmir_lesion::{LabelMap, LesionClass};
use deepmir_volume::nifti;

use super::{NnunetFolder, read_probabilities};

/// What SimpleITK and numpy wrote (`make_nnunet.py`).
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nnunet")
}

fn found(folder: &Path) -> NnunetFolder {
    NnunetFolder::find(folder).unwrap().unwrap()
}

#[test]
fn probabilities_lie_where_the_labels_do() {
    let folder = found(&fixture());
    assert_eq!(folder.maps.keys().collect::<Vec<_>>(), ["sub-01"]);
    assert_eq!(
        (&folder.labels.classes[..], folder.labels.ignored),
        (&LesionClass::ALL[..], Some(3))
    );
    let (map, unknown) = folder.labels.read_map(&folder.maps["sub-01"]).unwrap();
    assert_eq!((map.grid().shape(), unknown), ([6, 5, 4], None));
    assert_eq!(map.class_at(map.grid().index([4, 2, 1])), Some(LesionClass::Cmb));
    let maps = read_probabilities(&fixture().join("sub-01.npz"), &folder.labels, &map).unwrap();
    let [(LesionClass::Cmb, cmb), (LesionClass::Nhid, nhid)] = &maps[..] else {
        panic!("{maps:?}")
    };
    assert_eq!((cmb[[5, 2, 1]], nhid[[0, 4, 3]]), (0.75, 0.625));
    assert!((cmb[[3, 2, 1]] - 0.03).abs() < 1e-4 && (nhid[[0, 2, 3]] - 0.02).abs() < 1e-4);
}

#[test]
fn labels_of_unknown_places_are_read_apart_and_other_labels_refused() {
    let folder = tempfile::tempdir().unwrap();
    let description = std::fs::read_to_string(fixture().join("dataset.json")).unwrap();
    let labels_tr = folder.path().join("labelsTr");
    std::fs::create_dir(&labels_tr).unwrap();
    std::fs::write(folder.path().join("dataset.json"), &description).unwrap();
    let map = nifti::read_integers(&fixture().join("sub-01.nii.gz")).unwrap().volume;
    let with_unknown = map.map(|&label| if label == 2 { 3.0_f32 } else { label as f32 });
    nifti::write(&labels_tr.join("a.b_ses-2.nii.gz"), &with_unknown, None).unwrap();
    let there = found(&labels_tr);
    let (map, unknown) = there.labels.read_map(&there.maps["a.b_ses-2"]).unwrap();
    assert_eq!((map.count_of(LesionClass::Cmb), map.count_of(LesionClass::Nhid)), (2, 0));
    assert_eq!(unknown.unwrap().count(), 2);

    let refused = |from: &str, to: &str| {
        let text = description.replace(from, to);
        std::fs::write(folder.path().join("dataset.json"), text).unwrap();
        let told = NnunetFolder::find(&labels_tr).unwrap_err().to_string();
        assert!(told.contains("dataset.json"), "{told}");
        told
    };
    assert!(refused("\"NHID\": 2", "\"NHID\": 4").contains("CMB 1 and NHID 2"));
    assert!(refused("\"NHID\": 2", "\"tumour\": 2").contains("tumour"));
    assert!(refused("\"NHID\": 2", "\"NHID\": [1, 2]").contains("CMB 1 and NHID 2"));
    assert!(refused("{", "(").contains("no JSON"));
    std::fs::write(folder.path().join("dataset.json"), "{}").unwrap();
    assert_eq!(NnunetFolder::find(&labels_tr).unwrap(), None);
}

#[test]
fn archives_that_are_not_of_the_label_map_are_refused_in_words() {
    let there = found(&fixture());
    let (map, _) = there.labels.read_map(&there.maps["sub-01"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub-01.npz");
    let whole = std::fs::read(fixture().join("sub-01.npz")).unwrap();
    let told = |map: &LabelMap| {
        let told = read_probabilities(&path, &there.labels, map).unwrap_err().to_string();
        assert!(told.contains("sub-01.npz"), "{told}");
        told
    };
    // What is cut is refused; changed bytes are refused or read, and never panic.
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..length]).unwrap();
        told(&map);
    }
    for place in (0..whole.len()).step_by(3) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        std::fs::write(&path, &bytes).unwrap();
        let _ = read_probabilities(&path, &there.labels, &map);
    }
    let array = |header: &str, values: &[f32]| {
        let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        zip.start_file("probabilities.npy", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
        zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        zip.write_all(header.as_bytes()).unwrap();
        values.iter().for_each(|value| zip.write_all(&value.to_le_bytes()).unwrap());
        zip.finish().unwrap();
    };
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4, 5, 6), }\n";
    let mut values = vec![0.0; 360];
    array(header, &values);
    assert!(told(&map).contains("0 %"), "all zero: the labels' classes are no maximum");
    values[0] = 1.5;
    array(header, &values);
    assert!(told(&map).contains("1.5 is no probability"));
    array(header, &values[..100]);
    assert!(told(&map).contains("cannot be unpacked"));
    array(&header.replace("4, 5, 6", "6, 5, 4"), &values);
    assert!(told(&map).contains("[3, 6, 5, 4]"));
    array(&header.replace("False", "True"), &values);
    assert!(told(&map).contains("C order"));
    array(&header.replace("<f4", "<i8"), &values);
    assert!(told(&map).contains("floats"));
}
