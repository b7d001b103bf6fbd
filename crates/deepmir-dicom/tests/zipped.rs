//! Zip archives are read like the folders that were packed.

#![allow(clippy::unwrap_used, reason = "a failing test says where")]

mod support;

use std::path::{Path, PathBuf};

use deepmir_dicom::{DicomError, Survey};
use support::{fixture, labels, pack};

fn read(path: &Path) -> Result<Survey, DicomError> {
    Survey::read(&[path.to_owned()], &labels(), &|_, _| {})
}

/// What is said of an archive of which nothing can be read.
fn refused(path: &Path) -> String {
    read(path).err().unwrap().to_string()
}

#[test]
fn an_archive_is_read_like_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.ZIP");
    let others: [(&str, &[u8]); 4] = [
        ("notes.txt", b"no image"),
        ("export/inner.zip", b"PK\x03\x04"),
        ("__MACOSX/export/._08-001", b"hidden"),
        (".hidden/08-001", b"hidden"),
    ];
    pack(&path, "siemens", &others);
    let (packed, plain) = (read(&path).unwrap(), read(&fixture("siemens")).unwrap());
    assert_eq!(packed.lines(), plain.lines());
    for line in 0..packed.lines().len() {
        assert_eq!(packed.voxels(line).unwrap(), plain.voxels(line).unwrap());
    }
    let passed: Vec<_> = packed.passed_over.iter().map(|(what, count)| (*what, *count)).collect();
    assert_eq!(
        passed,
        [("a zip archive in another, which is not opened; unpack it", 1), ("no DICOM file", 1)]
    );
    // In a folder with others, archives are opened too.
    let given = read(folder.path()).unwrap();
    assert_eq!(given.lines(), plain.lines());
    let out = folder.path().join("out");
    assert_eq!(packed.write(&out, false, &[], &|_, _| {}).unwrap().images, 4);
}

#[test]
fn a_damaged_file_is_named_in_its_archive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("study.zip");
    let whole = std::fs::read(fixture("siemens/08-001")).unwrap();
    let orientation = whole.windows(4).position(|tag| tag == [0x20, 0, 0x37, 0]).unwrap();
    pack(&path, "archive", &[("folder/IM1", &whole[..orientation + 20])]);
    let survey = read(&path).unwrap();
    let told = survey.damaged[0].to_string();
    assert!(told.contains("study.zip:folder/IM1") && told.contains("ends inside"), "{told}");
}

/// Changes two bytes of each file's entry in both lists of an archive: `local` and `central` bytes after their marks.
fn patch(path: &Path, [local, central]: [usize; 2], value: [u8; 2]) {
    let mut bytes = std::fs::read(path).unwrap();
    for at in 0..bytes.len() - 4 {
        let place = match bytes[at..at + 4] {
            [b'P', b'K', 3, 4] => at + local,
            [b'P', b'K', 1, 2] => at + central,
            _ => continue,
        };
        bytes[place..place + 2].copy_from_slice(&value);
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_cannot_be_unpacked_is_told_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let packed = path("packed.zip");
    pack(&packed, "archive", &[]);
    let copy = |name: &str| {
        std::fs::copy(&packed, path(name)).unwrap();
        path(name)
    };
    let encrypted = copy("encrypted.zip");
    patch(&encrypted, [6, 8], [1, 0]);
    let told = refused(&encrypted);
    assert!(told.contains("12 of its files are encrypted; unpack it"), "{told}");
    let other = copy("other.zip");
    patch(&other, [8, 10], [12, 0]);
    assert!(refused(&other).contains("12 of its files are not packed by deflate; unpack it"));
    let bytes = std::fs::read(&packed).unwrap();
    let cut = path("cut.zip");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let told = refused(&cut);
    assert!(told.contains("no zip archive") && told.contains("cut.zip"), "{told}");
    // Sizes that are smaller than what is packed: no more is believed, and each file is named.
    let lies = copy("lies.zip");
    patch(&lies, [22, 24], [200, 2]);
    assert!(refused(&lies).contains("12 of them damaged"), "{}", refused(&lies));
}

#[test]
fn a_bomb_is_not_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.zip");
    let slice = std::fs::read(fixture("siemens/08-001")).unwrap();
    let meta = u32::from_le_bytes(slice[140..144].try_into().unwrap()) as usize;
    // An element that is longer than what is read of a header.
    let mut bytes = slice[..144 + meta].to_vec();
    let length = 80 << 20;
    bytes.extend([8, 0, 0, 0, b'O', b'B', 0, 0]);
    bytes.extend(u32::to_le_bytes(length));
    bytes.resize(bytes.len() + length as usize, 0);
    pack(&path, "archive", &[("bomb", &bytes)]);
    let told = read(&path).unwrap().damaged[0].to_string();
    assert!(told.contains("would unpack to 80 MiB") && told.contains("bomb.zip:bomb"), "{told}");
}

#[test]
fn an_archive_that_is_changed_anywhere_never_makes_it_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.zip");
    pack(&path, "archive", &[]);
    let whole = std::fs::read(&path).unwrap();
    let mut state = 1_u64;
    for n in 0..200 {
        let mut bytes = whole.clone();
        for _ in 0..3 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let mut place = (state >> 33) as usize % bytes.len();
            if n % 2 == 0 {
                // The list at the end.
                place = bytes.len() - 1 - place % 800;
            }
            bytes[place] = (state >> 56) as u8;
        }
        std::fs::write(&path, bytes).unwrap();
        let Ok(survey) = read(&path) else { continue };
        for line in 0..survey.lines().len() {
            let _ = survey.voxels(line);
        }
    }
}
