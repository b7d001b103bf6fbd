use rand::SeedableRng;

use super::*;

fn image() -> Vec<u8> {
    let mut bytes = vec![0_u8; 352];
    bytes[0..4].copy_from_slice(&348_i32.to_le_bytes());
    for (n, length) in [3_i16, 4, 4, 2, 1, 1, 1, 1].into_iter().enumerate() {
        bytes[40 + 2 * n..42 + 2 * n].copy_from_slice(&length.to_le_bytes());
    }
    bytes[70..74].copy_from_slice(&[16, 0, 32, 0]);
    bytes[108..112].copy_from_slice(&352_f32.to_le_bytes());
    bytes[344..348].copy_from_slice(b"n+1\0");
    bytes.extend((0_u8..128).map(|n| n % 61));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn weights() -> Vec<u8> {
    let header = br#"{"a":{"dtype":"F16","shape":[8],"data_offsets":[0,16]}}"#;
    [&(header.len() as u64).to_le_bytes()[..], header, &[1; 16]].concat()
}

fn store() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE layers (case_id, rater, content); CREATE TABLE cases (id, grid);
             INSERT INTO layers VALUES ('sub-01', 'anna', '{\"lesions\": {\"1\": 2}}');
             INSERT INTO cases VALUES ('sub-01', '[1, 2]');",
        )
        .unwrap();
    drop(connection);
    std::fs::read(&path).unwrap()
}

/// A sound file of each format.
fn sound(format: Format) -> Vec<u8> {
    match format {
        Format::Nifti => image(),
        Format::NiftiGzip => gzip(&image()),
        Format::Voxels => image().split_off(352),
        Format::Json => br#"{"EchoTime": 0.02, "Shim": [1, 2], "Name": "x"}"#.to_vec(),
        Format::Table => b"id\tx\tclass\n1\t0.5\tCMB\n2\t0.7\tNHID\n".to_vec(),
        Format::Toml => b"a = 1\n[b]\nc = [1.0, 2.0]\nd = \"x\"\n".to_vec(),
        Format::Bundle => bundle::tests::archive(&[
            ("model.toml", b"a = 1\n"),
            ("weights.safetensors", &weights()),
        ]),
        Format::Safetensors => weights(),
        Format::Database => store(),
        Format::Dicom => {
            let elements = b"\x08\0\x05\0CS\x02\0A \x28\0\x10\0US\x02\0\x07\0";
            [&[0; 128][..], b"DICM", elements].concat()
        }
        Format::Zip => {
            zip::pack(&["IM1", "IM2"].map(|name| (name.to_owned(), sound(Format::Dicom)))).unwrap()
        }
        Format::Mgh => [&[0, 0, 0, 1][..], &[0, 0, 0, 2].repeat(4), &[1; 300]].concat(),
        Format::TextHeader => {
            b"NRRD0004\ntype: float\nsizes: 2 2 2\nspace origin: (0,1,2)\n\n12345678".to_vec()
        }
    }
}

#[test]
fn damage_follows_from_the_random_numbers_and_always_changes_the_file() {
    for format in Format::ALL {
        let contents = sound(format);
        let mut kinds = std::collections::BTreeSet::new();
        for seed in 0..100 {
            let make = || damage(format, &contents, &mut ChaCha8Rng::seed_from_u64(seed));
            let damaged = make();
            assert_eq!(damaged, make(), "{format:?}, seed {seed}");
            assert!(damaged.bytes != contents, "{format:?}, seed {seed}: {}", damaged.what);
            kinds.insert(damaged.what);
        }
        assert!(kinds.len() > 25, "{format:?}: {} kinds of damage", kinds.len());
    }
}

#[test]
fn every_number_that_places_an_image_is_changed_now_and_then() {
    let contents = image();
    let mut changed = [false; 88];
    for seed in 0..2000 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let Some(damaged) = nifti::damage(&contents, &mut random) else { continue };
        let words = damaged.bytes.chunks_exact(4).zip(contents.chunks_exact(4));
        for (changed, (new, old)) in changed.iter_mut().zip(words) {
            *changed |= new != old;
        }
    }
    // In words of four bytes; texts and what nobody reads come seldom.
    let read = [0..1, 10..14, 17..19, 19..30, 63..82, 86..88];
    let untouched: Vec<usize> = read.into_iter().flatten().filter(|&word| !changed[word]).collect();
    assert!(untouched.is_empty(), "{untouched:?}");
}

#[test]
fn a_damaged_entry_of_a_bundle_keeps_a_sound_archive() {
    let contents = sound(Format::Bundle);
    let mut named = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let Some(damaged) = bundle::damage(&contents, &mut random) else { continue };
        if damaged.what.starts_with("model.toml: ") {
            named.insert(bundle::tests::names(&damaged.bytes).join(" "));
        }
    }
    assert_eq!(named.into_iter().collect::<Vec<_>>(), ["model.toml weights.safetensors"]);
}

#[test]
fn formats_are_known_by_their_names() {
    let of = |name: &str| Format::of(Path::new(name));
    assert_eq!(of("a/sub-01_swi.nii.gz"), Some(Format::NiftiGzip));
    assert_eq!(of("a.hdr"), Some(Format::Nifti));
    assert_eq!(of("checkpoint.safetensors"), Some(Format::Safetensors));
    assert_eq!(of("page.html"), None);
}
