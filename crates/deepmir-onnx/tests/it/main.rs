//! Small networks over a volume, against ONNX Runtime (`tests/fixtures/make_networks.py`).

#![expect(clippy::unwrap_used, reason = "a failing test says where")]

use std::path::PathBuf;

use deepmir_onnx::{Activation, NetworkLayout, OnnxError, OnnxNetwork};
use deepmir_volume::{Affine, Grid, Mask, Volume};

fn fixture(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

fn floats(name: &str) -> Vec<f32> {
    fixture(name).as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

fn grid() -> Grid {
    Grid::new([9, 7, 6], Affine::from_spacing([1.0; 3], [0.0; 3])).unwrap()
}

fn images() -> Vec<Volume<f32>> {
    let image = |channel: usize| {
        Volume::from_fn(grid(), |[x, y, z]| {
            (0.7 * x as f64 + 1.3 * y as f64 + 2.1 * z as f64 + channel as f64).sin() as f32
        })
    };
    vec![image(0), image(1)]
}

fn everywhere() -> Mask {
    Volume::filled(grid(), true)
}

fn of_volumes() -> NetworkLayout {
    NetworkLayout {
        outputs: ["background", "CMB", "NHID"].map(str::to_owned).to_vec(),
        activation: Activation::Softmax,
        axes: "zyx".to_owned(),
        orientation: "LPS".to_owned(),
        window: vec![4, 4, 6],
        overlap: 0.5,
    }
}

fn of_slices() -> NetworkLayout {
    NetworkLayout {
        outputs: vec!["CMB".to_owned()],
        activation: Activation::Sigmoid,
        axes: "yx".to_owned(),
        orientation: "RAS".to_owned(),
        window: vec![8, 6],
        overlap: 0.5,
    }
}

fn maps(network: &OnnxNetwork, mirrored: bool) -> Vec<Volume<f32>> {
    let mut last = (0, 1);
    let progress = &mut |done, all| last = (done, all);
    let maps = network.probability_maps(&images(), &everywhere(), mirrored, progress).unwrap();
    assert_eq!(last.0, last.1);
    maps
}

fn assert_near(maps: &[Volume<f32>], expected: &[f32]) {
    let found: Vec<f32> = maps.iter().flat_map(|map| map.data().iter().copied()).collect();
    assert_eq!(found.len(), expected.len());
    for (n, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 1e-5, "{n}: {found} for {expected}");
    }
}

#[test]
fn volumes_and_slices_give_what_onnx_runtime_gives() {
    let network = OnnxNetwork::open(&fixture("volume.onnx"), &of_volumes(), 2, 1).unwrap();
    network.try_once().unwrap();
    assert_near(&maps(&network, false), &floats("volume.f32"));
    let network = OnnxNetwork::open(&fixture("slices.onnx"), &of_slices(), 2, 3).unwrap();
    assert_near(&maps(&network, false), &floats("slices.f32"));
}

#[test]
fn mirror_images_are_averaged_and_windows_without_brain_left_out() {
    let network = OnnxNetwork::open(&fixture("slices.onnx"), &of_slices(), 2, 3).unwrap();
    let (plain, mirrored) = (maps(&network, false), maps(&network, true));
    assert!(plain[0] != mirrored[0]);
    let brain = Volume::from_fn(grid(), |[_, _, z]| z == 2);
    let some = network.probability_maps(&images(), &brain, false, &mut |_, _| {}).unwrap();
    assert_eq!(some[0].slice(2), plain[0].slice(2));
    assert!(some[0].slice(3).iter().all(|value| *value == 0.0));
}

#[test]
fn what_does_not_fit_is_told() {
    let fault = |bytes: &[u8], layout: &NetworkLayout, images: usize, context: usize| {
        OnnxNetwork::open(bytes, layout, images, context)
            .err()
            .map(|error| error.to_string())
            .unwrap()
    };
    let volume = fixture("volume.onnx");
    let told = fault(&volume, &of_volumes(), 3, 1);
    assert!(told.contains("does not fit its description") && told.contains("inputs"), "{told}");
    let two = NetworkLayout { outputs: of_volumes().outputs[1..].to_vec(), ..of_volumes() };
    let told = fault(&volume, &two, 2, 1);
    assert!(told.contains("[1, 2, 4, 4, 6]") && told.contains("outputs"), "{told}");
    assert!(fault(&volume, &of_slices(), 2, 1).contains("does not fit its description"));
    assert!(fault(&volume, &of_volumes(), 2, 3).contains("context_slices"));
    for cut in (0..volume.len()).step_by(97) {
        // Cut off, or with a byte changed: a word, never a panic.
        let mut damaged = volume[..cut].to_vec();
        assert!(OnnxNetwork::open(&damaged, &of_volumes(), 2, 1).is_err());
        damaged = volume.clone();
        damaged[cut] ^= 0x55;
        match OnnxNetwork::open(&damaged, &of_volumes(), 2, 1) {
            Ok(network) => drop(network.try_once()),
            Err(error) => assert!(!matches!(error, OnnxError::Run { .. })),
        }
    }
}
